// All of driver-service except its transport: called directly, over SQLite, on its own threads.
#include "driver-service/api/driver_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/exec/loop.h"
#include "common/rpc/error_codec.h"
#include "common/rpc/joined.h"
#include "common/time/fake_clock.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/codec/replica.pb.h"
#include "driver-service/codec/ride_codec.h"
#include "driver-service/domain/travel_times.h"
#include "driver-service/storage/sqlite_driver_store.h"
#include "tests/conformance/driver_store_calls.h"
#include "tests/conformance/temp_folder.h"
#include "tests/matchers.h"
#include "tests/unit/common/rpc/contract.h"
#include "tests/unit/common/rpc/direct.h"
#include "tests/unit/driver-service/shared_store.h"

namespace hail::driver {
namespace {

namespace pb = hail::internal::v1;
namespace type = hail::type::v1;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr LatLng kMarketStreet{37.7793, -122.4193};

// --- The tables ---

TEST(MethodTable, IsTheContract) {
  EXPECT_THAT(rpc::TableFaults<DriverService>(), ElementsAre());
  EXPECT_THAT(rpc::TableFaults<DispatchService>(), ElementsAre());
}

TEST(MethodTable, SaysWhichCallsNameADriverAndWhichAreForwarded) {
  EXPECT_THAT(rpc::UnaryMethodsOf<DriverService>([](const auto& row) { return row.access.person == nullptr; }),
              IsEmpty());
  EXPECT_THAT(rpc::UnaryMethodsOf<DriverService>([](const auto& row) { return row.options.at_owner != nullptr; }),
              ElementsAre("RegisterDriver", "UpdateDriver", "GetDriverState", "SetAvailability", "UpdateLocation",
                          "RespondToOffer", "AcknowledgeOffer"));
}

TEST(MethodTable, SaysWhatACallCountsAsAndWhatIsAudited) {
  const auto counts_as = [](limits::Class what) {
    return rpc::UnaryMethodsOf<DriverService>([what](const auto& row) { return row.access.limit == what; });
  };
  EXPECT_THAT(counts_as(limits::Class::kFree), IsEmpty());
  EXPECT_THAT(counts_as(limits::Class::kRegisterDriver), ElementsAre("RegisterDriver"));
  EXPECT_THAT(counts_as(limits::Class::kRead), ElementsAre("GetDriver", "GetDriverState", "ListTrips"));
  const auto audited = [](audit::Audited which) {
    return rpc::UnaryMethodsOf<DriverService>([which](const auto& row) { return row.access.audit == which; });
  };
  EXPECT_THAT(audited(audit::Audited::kAlways), ElementsAre("RegisterDriver", "UpdateDriver"));
  EXPECT_THAT(audited(audit::Audited::kDenied), ElementsAre("UpdateLocation"));
}

// --- The surroundings of the service ---

// The feed of a rider-service that knows of no rides.
class FakeFeed final : public RiderCalls::Feed {
 public:
  FakeFeed(Executor* loop, RiderCalls::FeedHandlers handlers) : loop_(loop), handlers_(std::move(handlers)) {}

  void Start() override {
    loop_->Post([this] { handlers_.on_up(1); });
  }
  void Stop() override {}
  bool Send(std::uint64_t, pb::WatchDriversRequest request) override {
    if (!request.has_subscribe()) return true;
    pb::WatchDriversResponse known;
    known.mutable_snapshot()->set_driver_id(request.subscribe().driver_id());
    known.mutable_snapshot()->set_subscription(request.subscribe().subscription());
    return loop_->Post([this, known] { handlers_.on_message(known); });
  }
  bool SendLatest(std::uint64_t link, const std::string&, pb::WatchDriversRequest request) override {
    return Send(link, std::move(request));
  }
  bool up() const override { return true; }

 private:
  Executor* const loop_;
  const RiderCalls::FeedHandlers handlers_;
};

using Reports = rpc::ListSink<pb::ReportLocationsRequest>;

// Keeps the positions for riders.
class FakeLocations final : public RiderCalls::Locations {
 public:
  explicit FakeLocations(std::shared_ptr<Reports> reports) : reports_(std::move(reports)) {}

  void Start() override {}
  void Stop() override {}
  bool Send(std::uint64_t, pb::ReportLocationsRequest request) override { return reports_->Send(std::move(request)); }
  bool SendLatest(std::uint64_t link, const std::string&, pb::ReportLocationsRequest request) override {
    return Send(link, std::move(request));
  }
  bool up() const override { return true; }

 private:
  const std::shared_ptr<Reports> reports_;
};

// rider-service. It agrees to everything unless a test sets a refusal. Thread-safe.
class FakeRider final : public RiderCalls {
 public:
  // The handlers of its streams run on `loop`.
  explicit FakeRider(Executor* loop) : loop_(loop) {}

  template <typename T>
  using Answer = std::function<void(absl::StatusOr<T>)>;

  void Confirm(const ConfirmCall& call, Answer<RideView> done) override {
    {
      absl::MutexLock lock(&mutex_);
      confirmed_.push_back(call.driver);
    }
    const absl::Status refused = refusal();
    if (!refused.ok()) return done(refused);
    done(FromProto(Assigned(call.ride_id, call.epoch, call.driver.driver_id, call.offer_id)));
  }
  void FindAssignment(const FindCall&, Answer<RideView> done) override {
    done(NotFound(Reason::kOfferNotFound, "it brought no ride"));
  }
  void RecordTripEvent(pb::RecordTripEventRequest request, const ForCaller& caller, Answer<type::Ride> done) override {
    const absl::Status refused = refusal();
    type::Ride ride = Assigned(request.ride_id(), request.epoch(), request.driver_id(), "");
    ride.set_sequence(3);
    {
      absl::MutexLock lock(&mutex_);
      callers_.push_back(caller);
      steps_.push_back(std::move(request));
    }
    if (!refused.ok()) return done(refused);
    done(std::move(ride));
  }
  void ListDriverRides(pb::ListDriverRidesRequest request, const ForCaller& caller,
                       Answer<pb::ListDriverRidesResponse> done) override {
    pb::ListDriverRidesResponse response;
    *response.add_rides() = Assigned("ride-1", 1, request.driver_id(), "");
    {
      absl::MutexLock lock(&mutex_);
      callers_.push_back(caller);
      response.mutable_rides(0)->set_state(last_trip_);
    }
    response.set_next_page_token("after " + request.page_token());
    done(std::move(response));
  }

  std::unique_ptr<Feed> WatchDrivers(FeedHandlers handlers) override {
    return std::make_unique<FakeFeed>(loop_, std::move(handlers));
  }
  std::unique_ptr<Locations> ReportLocations(LocationHandlers) override {
    return std::make_unique<FakeLocations>(reports_);
  }

  Reports& reports() { return *reports_; }
  void Refuse(const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    refusal_ = status;
  }
  // Each driver's last trip, as it is listed.
  void SetLastTrip(type::RideState state) {
    absl::MutexLock lock(&mutex_);
    last_trip_ = state;
  }
  // The drivers with whom assignments were to be confirmed.
  std::vector<Driver> confirmed() const {
    absl::MutexLock lock(&mutex_);
    return confirmed_;
  }
  std::vector<pb::RecordTripEventRequest> steps() const {
    absl::MutexLock lock(&mutex_);
    return steps_;
  }
  std::vector<ForCaller> callers() const {
    absl::MutexLock lock(&mutex_);
    return callers_;
  }

 private:
  static type::Ride Assigned(const std::string& ride_id, std::int64_t epoch, const std::string& driver_id,
                             const std::string& offer_id) {
    type::Ride ride;
    ride.set_ride_id(ride_id);
    ride.set_sequence(2);
    ride.set_epoch(epoch);
    ride.set_state(type::RIDE_STATE_ENROUTE_TO_PICKUP);
    ride.mutable_driver()->set_driver_id(driver_id);
    ride.set_offer_id(offer_id);
    ride.mutable_pickup()->mutable_position()->set_latitude_deg(kMarketStreet.latitude_deg);
    ride.mutable_pickup()->mutable_position()->set_longitude_deg(kMarketStreet.longitude_deg);
    return ride;
  }
  absl::Status refusal() const {
    absl::MutexLock lock(&mutex_);
    return refusal_;
  }

  Executor* const loop_;
  const std::shared_ptr<Reports> reports_ = std::make_shared<Reports>();
  mutable absl::Mutex mutex_;
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
  type::RideState last_trip_ ABSL_GUARDED_BY(mutex_) = type::RIDE_STATE_COMPLETED;
  std::vector<Driver> confirmed_ ABSL_GUARDED_BY(mutex_);
  std::vector<pb::RecordTripEventRequest> steps_ ABSL_GUARDED_BY(mutex_);
  std::vector<ForCaller> callers_ ABSL_GUARDED_BY(mutex_);
};

using StreamList = rpc::ListSink<v1::StreamDriverResponse>;
using LinkList = rpc::ListSink<pb::DispatchResponse>;

// One process of driver-service. If `bus` is null, the process is the only one.
class Process {
 public:
  Process(DriverStore* store, Bus* bus, const Clock* clock, const std::string& incarnation_id,
          bool drivers_register = false)
      : server_({.store = store,
                 .bus = bus,
                 .clock = clock,
                 .random = SystemRandom(),
                 .dispatch_loop = &loop_,
                 .travel_times = &travel_times_,
                 .rider = &rider_,
                 .on_offer_settled = [this](const OfferRecord&) { ++offers_settled_; }},
                {.dispatch = {}, .incarnation_id = incarnation_id, .drivers_register = drivers_register}) {
    absl::Notification ready;
    server_.Start([&] { ready.Notify(); });
    ready.WaitForNotification();
  }
  // To be called before the store is stopped and before destruction.
  void Stop() {
    server_.Stop();
    loop_.Stop();
  }

  DriverServer& server() { return server_; }
  Loop& loop() { return loop_; }
  FakeRider& rider() { return rider_; }
  int offers_settled() const { return offers_settled_; }

  template <typename Request>
  auto Ask(const Request& request, const rpc::CallContext& call = rpc::UncheckedCall()) {
    return rpc::Ask(server_.driver_service(), request, call);
  }
  v1::DriverState State(const std::string& driver_id) {
    v1::GetDriverStateRequest request;
    request.set_driver_id(driver_id);
    const auto response = Ask(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->state() : v1::DriverState();
  }
  // Reads the state until the driver has the status, for at most 30 s.
  v1::DriverState AwaitStatus(const std::string& driver_id, v1::DriverStatus status) {
    const absl::Time give_up = absl::Now() + absl::Seconds(30);
    v1::DriverState state = State(driver_id);
    while (state.status() != status && absl::Now() < give_up) state = State(driver_id);
    EXPECT_EQ(state.status(), status) << state.DebugString();
    return state;
  }
  std::shared_ptr<rpc::InboundSession<v1::StreamDriverRequest>> Stream(
      const std::shared_ptr<StreamList>& list, const rpc::CallContext& call = rpc::UncheckedCall()) {
    return rpc::OpenInbound<v1::StreamDriverRequest>(server_.driver_service(), list, call);
  }
  std::shared_ptr<rpc::StreamSession> Watch(const std::string& driver_id, const std::shared_ptr<StreamList>& list,
                                            const rpc::CallContext& call = rpc::UncheckedCall()) {
    v1::WatchDriverRequest request;
    request.set_driver_id(driver_id);
    return rpc::Open(server_.driver_service(), request, list, call);
  }
  std::shared_ptr<rpc::InboundSession<pb::DispatchRequest>> Link(const std::shared_ptr<LinkList>& list) {
    return rpc::OpenInbound<pb::DispatchRequest>(server_.dispatch_service(), list);
  }

 private:
  const StraightLineTravelTimes travel_times_;
  std::atomic<int> offers_settled_ = 0;
  Loop loop_{"dispatch"};
  FakeRider rider_{&loop_};
  DriverServer server_;
};

// --- Requests ---

v1::RegisterDriverRequest RegisterOf(const std::string& driver_id, const std::string& name = "Dana") {
  v1::RegisterDriverRequest request;
  Driver driver = DriverStoreCalls::MakeDriver(driver_id);
  driver.display_name = name;
  *request.mutable_driver() = ToProto(driver);
  return request;
}

// A profile of other values, of which `path` names some.
v1::UpdateDriverRequest UpdateOf(const std::string& driver_id, const std::string& path) {
  v1::UpdateDriverRequest request;
  v1::Driver& driver = *request.mutable_driver();
  driver.set_driver_id(driver_id);
  driver.set_display_name("Diana");
  driver.set_region_id("nyc");
  driver.mutable_vehicle()->set_plate("NEW " + driver_id);
  driver.mutable_vehicle()->set_seats(6);
  driver.add_product_ids("economy");
  driver.add_product_ids("xl");
  request.mutable_update_mask()->add_paths(path);
  return request;
}

v1::SetAvailabilityRequest WishOf(const std::string& driver_id, v1::Availability desired = v1::AVAILABILITY_ONLINE) {
  v1::SetAvailabilityRequest request;
  request.set_driver_id(driver_id);
  request.set_availability(desired);
  return request;
}

v1::UpdateLocationRequest LocationOf(const std::string& driver_id, std::uint64_t position_seq = 1) {
  v1::UpdateLocationRequest request;
  request.set_driver_id(driver_id);
  type::Position& position = *request.add_positions();
  position.mutable_location()->set_latitude_deg(kMarketStreet.latitude_deg);
  position.mutable_location()->set_longitude_deg(kMarketStreet.longitude_deg);
  position.set_position_seq(position_seq);
  return request;
}

v1::RespondToOfferRequest ResponseOf(const std::string& driver_id, const std::string& offer_id,
                                     v1::OfferResponse response = v1::OFFER_RESPONSE_ACCEPT) {
  v1::RespondToOfferRequest request;
  request.set_driver_id(driver_id);
  request.set_offer_id(offer_id);
  request.set_response(response);
  return request;
}

v1::AdvanceTripRequest ArriveOf(const std::string& driver_id, const std::string& ride_id) {
  v1::AdvanceTripRequest request;
  request.set_driver_id(driver_id);
  request.set_ride_id(ride_id);
  request.set_epoch(1);
  request.mutable_arrive();
  return request;
}

v1::StreamDriverRequest OpenOf(const std::string& driver_id) {
  v1::StreamDriverRequest request;
  request.mutable_open()->set_driver_id(driver_id);
  return request;
}

pb::DispatchRequest StartOf(const std::string& ride_id) {
  pb::DispatchRequest request;
  pb::StartDispatch& start = *request.mutable_start();
  start.set_ride_id(ride_id);
  start.set_epoch(1);
  start.set_region_id("sf");
  start.set_product_id("economy");
  start.set_seats(1);
  start.mutable_pickup()->mutable_position()->set_latitude_deg(kMarketStreet.latitude_deg);
  start.mutable_pickup()->mutable_position()->set_longitude_deg(kMarketStreet.longitude_deg);
  start.mutable_dropoff()->mutable_position()->set_latitude_deg(37.80);
  start.mutable_dropoff()->mutable_position()->set_longitude_deg(-122.41);
  start.mutable_remaining()->set_seconds(120);
  start.mutable_offer_time()->set_seconds(15);
  return request;
}

pb::DispatchRequest HelloOf() {
  pb::DispatchRequest request;
  request.mutable_hello()->set_incarnation_id("rider");
  return request;
}

pb::SearchDriversRequest SearchOf() {
  pb::SearchDriversRequest request;
  request.mutable_position()->set_latitude_deg(kMarketStreet.latitude_deg);
  request.mutable_position()->set_longitude_deg(kMarketStreet.longitude_deg);
  request.set_radius_m(1000);
  request.set_limit(10);
  return request;
}

// Which field `status` is about.
std::string FieldOf(const absl::Status& status) { return DetailsOf(status).value_or(ErrorDetails()).field; }

// Whether one of `messages`, or of those joined to one, has `field`.
bool Holds(const std::vector<pb::DispatchResponse>& messages, pb::DispatchResponse::MessageCase field) {
  bool found = false;
  for (const auto& message : messages) {
    rpc::ForEachJoined(message,
                       [&](const pb::DispatchResponse& each) { found = found || each.message_case() == field; });
  }
  return found;
}

const v1::StreamDriverResponse* Find(const std::vector<v1::StreamDriverResponse>& messages,
                                     v1::StreamDriverResponse::MessageCase field) {
  for (const auto& message : messages) {
    if (message.message_case() == field) return &message;
  }
  return nullptr;
}

// The first message with `field`.
v1::StreamDriverResponse Await(const StreamList& list, v1::StreamDriverResponse::MessageCase field) {
  const auto messages = list.Await([field](const auto& messages) { return Find(messages, field) != nullptr; });
  const auto* const found = Find(messages, field);
  EXPECT_NE(found, nullptr) << "no message " << field;
  return found == nullptr ? v1::StreamDriverResponse() : *found;
}

class DriverServerTest : public ::testing::Test {
 protected:
  DriverServerTest() {
    auto store = SqliteDriverStore::Open({.path = folder_.path("driver.db")}, &clock_, nullptr);
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    shared_ = std::make_unique<SharedStore>(store_.get());
  }
  ~DriverServerTest() override {
    for (const auto& process : processes_) process->Stop();
    store_->Stop();
  }

  Process& Add(DriverStore* store, Bus* bus, const std::string& incarnation_id, bool drivers_register = false) {
    return *processes_.emplace_back(std::make_unique<Process>(store, bus, &clock_, incarnation_id, drivers_register));
  }

  // Registers the driver, who then wants rides and is at Market Street.
  static void MakeAvailable(Process& process, const std::string& driver_id) {
    ASSERT_TRUE(process.Ask(RegisterOf(driver_id)).ok());
    ASSERT_TRUE(process.Ask(WishOf(driver_id)).ok());
    ASSERT_TRUE(process.Ask(LocationOf(driver_id)).ok());
    process.AwaitStatus(driver_id, v1::DRIVER_STATUS_AVAILABLE);
  }
  // Starts a ride on a new link, and returns the driver's offer.
  static v1::Offer OfferTo(Process& process, const std::string& driver_id, const std::string& ride_id) {
    const auto list = std::make_shared<LinkList>();
    const auto link = process.Link(list);
    link->OnMessage(HelloOf());
    link->OnMessage(StartOf(ride_id));
    return process.AwaitStatus(driver_id, v1::DRIVER_STATUS_OFFERED).offer();
  }

  FakeClock clock_;
  const TempFolder folder_;
  std::unique_ptr<SqliteDriverStore> store_;
  // For processes that share it.
  std::unique_ptr<SharedStore> shared_;
  const std::unique_ptr<Bus> bus_ = MakeLocalBus();
  std::vector<std::unique_ptr<Process>> processes_;
};

// One process, alone.
class OneProcessTest : public DriverServerTest {
 protected:
  Process& process_ = Add(store_.get(), nullptr, "here");
};

TEST_F(OneProcessTest, ADriverIsRegisteredAndFound) {
  const auto registered = process_.Ask(RegisterOf("d1"));
  ASSERT_TRUE(registered.ok()) << registered.status();
  EXPECT_EQ(registered->driver().create_time().seconds(), absl::ToUnixSeconds(clock_.Read().domain));
  ASSERT_TRUE(process_.Ask(RegisterOf("d1", "Diana")).ok());
  v1::GetDriverRequest get;
  get.set_driver_id("d1");
  EXPECT_EQ(process_.Ask(get)->driver().display_name(), "Diana");
  get.set_driver_id("d2");
  EXPECT_TRUE(HasReason(process_.Ask(get).status(), Reason::kDriverNotFound));

  v1::RegisterDriverRequest nameless = RegisterOf("d1");
  nameless.mutable_driver()->mutable_vehicle()->clear_plate();
  const absl::Status refused = process_.Ask(nameless).status();
  EXPECT_EQ(FieldOf(refused), "driver.vehicle.plate");
  EXPECT_EQ(FieldOf(process_.Ask(v1::RegisterDriverRequest()).status()), "driver.driver_id");
}

TEST_F(OneProcessTest, WhoIsAuthenticatedSpeaksForNobodyElse) {
  ASSERT_TRUE(process_.Ask(RegisterOf("d1")).ok());
  const rpc::CallContext call = rpc::CallOf({.role = auth::Role::kDriver, .driver = "d2"});
  const auto refused = [&](const auto& request) {
    return HasReason(process_.Ask(request, call).status(), Reason::kIdentityMismatch);
  };
  v1::GetDriverRequest get;
  v1::GetDriverStateRequest state;
  v1::ListTripsRequest trips;
  v1::AcknowledgeOfferRequest received;
  received.set_driver_id("d1");
  received.set_offer_id("offer");
  get.set_driver_id("d1");
  state.set_driver_id("d1");
  trips.set_driver_id("d1");
  EXPECT_TRUE(HasReason(process_.Ask(RegisterOf("d2"), call).status(), Reason::kRoleNotAllowed));
  EXPECT_TRUE(refused(UpdateOf("d1", "display_name")));
  EXPECT_TRUE(refused(get));
  EXPECT_TRUE(refused(state));
  EXPECT_TRUE(refused(WishOf("d1")));
  EXPECT_TRUE(refused(LocationOf("d1")));
  EXPECT_TRUE(refused(ResponseOf("d1", "offer")));
  EXPECT_TRUE(refused(received));
  EXPECT_TRUE(refused(ArriveOf("d1", "ride")));
  EXPECT_TRUE(refused(trips));
  const auto list = std::make_shared<StreamList>();
  const auto stream = process_.Stream(list, call);
  stream->OnMessage(OpenOf("d1"));
  EXPECT_TRUE(HasReason(list->AwaitEnd(), Reason::kIdentityMismatch));
  stream->OnEnd();
  const auto watched = std::make_shared<StreamList>();
  EXPECT_EQ(process_.Watch("d1", watched, call), nullptr);
  EXPECT_TRUE(HasReason(watched->AwaitEnd(), Reason::kIdentityMismatch));
  EXPECT_EQ(process_.State("d1").session_epoch(), 0) << "nothing was done";
}

TEST_F(DriverServerTest, DriversRegisterThemselvesWhereTheOperatorSaysSo) {
  Process& open = Add(store_.get(), nullptr, "open", /*drivers_register=*/true);
  const rpc::CallContext call = rpc::CallOf({.role = auth::Role::kDriver, .driver = "d1"});
  EXPECT_TRUE(open.Ask(RegisterOf("d1"), call).ok());
  EXPECT_TRUE(HasReason(open.Ask(RegisterOf("d2"), call).status(), Reason::kIdentityMismatch));
  const rpc::CallContext rider = rpc::CallOf({.role = auth::Role::kRider, .rider = "d1", .driver = "d1"});
  EXPECT_TRUE(HasReason(open.Ask(RegisterOf("d1"), rider).status(), Reason::kRoleNotAllowed));
}

TEST_F(OneProcessTest, AStateWithoutASessionIsTheStoredOne) {
  v1::GetDriverStateRequest request;
  request.set_driver_id("d1");
  EXPECT_TRUE(HasReason(process_.Ask(request).status(), Reason::kDriverNotFound));
  ASSERT_TRUE(process_.Ask(RegisterOf("d1")).ok());
  const v1::DriverState state = process_.State("d1");
  EXPECT_EQ(state.availability(), v1::AVAILABILITY_OFFLINE);
  EXPECT_EQ(state.session_epoch(), 0);
}

TEST_F(OneProcessTest, AWishAndAPositionMakeADriverAvailable) {
  MakeAvailable(process_, "d1");
  const v1::DriverState state = process_.State("d1");
  EXPECT_EQ(state.availability(), v1::AVAILABILITY_ONLINE);
  EXPECT_NE(state.session_epoch(), 0);

  const auto again = process_.Ask(LocationOf("d1"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->accepted(), 0);
  ASSERT_THAT(again->left_out(), SizeIs(1));
  EXPECT_EQ(again->left_out(0).reason(), v1::POSITION_LEFT_OUT_REASON_OLDER);

  v1::UpdateLocationRequest later_session = LocationOf("d1", 2);
  later_session.set_session_epoch(state.session_epoch() + 1);
  EXPECT_TRUE(HasReason(process_.Ask(later_session).status(), Reason::kPeerUnavailable));
  v1::UpdateLocationRequest nowhere;
  nowhere.set_driver_id("d1");
  EXPECT_EQ(FieldOf(process_.Ask(nowhere).status()), "positions");
  EXPECT_EQ(FieldOf(process_.Ask(WishOf("d1", v1::AVAILABILITY_UNSPECIFIED)).status()), "availability");
  EXPECT_TRUE(HasReason(process_.Ask(WishOf("d2")).status(), Reason::kDriverNotFound));

  const auto offline = process_.Ask(WishOf("d1", v1::AVAILABILITY_OFFLINE));
  ASSERT_TRUE(offline.ok()) << offline.status();
  EXPECT_EQ(offline->state().status(), v1::DRIVER_STATUS_OFFLINE);
}

TEST_F(OneProcessTest, TheDeadlineOfTheCallIsTheWrites) {
  rpc::CallContext call = rpc::UncheckedCall();
  call.deadline = clock_.Read().wall - absl::Seconds(1);
  EXPECT_TRUE(absl::IsDeadlineExceeded(process_.Ask(RegisterOf("d1"), call).status()));
  ASSERT_TRUE(process_.Ask(RegisterOf("d1")).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(process_.Ask(WishOf("d1"), call).status()));
  EXPECT_EQ(process_.State("d1").availability(), v1::AVAILABILITY_OFFLINE);
}

TEST_F(OneProcessTest, AnUpdateChangesWhatItNamesAndTheSecondTimeNothing) {
  EXPECT_TRUE(HasReason(process_.Ask(UpdateOf("d1", "vehicle")).status(), Reason::kDriverNotFound));
  const auto registered = process_.Ask(RegisterOf("d1"));
  ASSERT_TRUE(registered.ok()) << registered.status();
  clock_.Advance(absl::Seconds(1));
  const auto updated = process_.Ask(UpdateOf("d1", "vehicle"));
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->driver().vehicle().plate(), "NEW d1");
  EXPECT_EQ(updated->driver().vehicle().make(), "") << "the vehicle as a whole";
  EXPECT_EQ(updated->driver().display_name(), registered->driver().display_name());
  EXPECT_GT(updated->driver().update_time().seconds(), registered->driver().update_time().seconds());

  clock_.Advance(absl::Seconds(1));
  const auto again = process_.Ask(UpdateOf("d1", "vehicle"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(again->driver(), EqualsProto(updated->driver()));
  v1::GetDriverRequest get;
  get.set_driver_id("d1");
  EXPECT_THAT(process_.Ask(get)->driver(), EqualsProto(updated->driver()));

  EXPECT_EQ(FieldOf(process_.Ask(UpdateOf("d1", "vehicle.color")).status()), "update_mask.paths[0]");
  EXPECT_EQ(FieldOf(process_.Ask(v1::UpdateDriverRequest()).status()), "driver.driver_id");
  EXPECT_THAT(process_.Ask(get)->driver(), EqualsProto(updated->driver()));
}

TEST_F(OneProcessTest, AnUpdateKeepsToOnePlateForEachDriverOnline) {
  MakeAvailable(process_, "d1");
  MakeAvailable(process_, "d2");
  v1::UpdateDriverRequest update = UpdateOf("d2", "vehicle");
  update.mutable_driver()->mutable_vehicle()->set_plate("7abc-d1");
  EXPECT_TRUE(HasReason(process_.Ask(update).status(), Reason::kPlateInUse));
  ASSERT_TRUE(process_.Ask(WishOf("d2", v1::AVAILABILITY_OFFLINE)).ok());
  EXPECT_TRUE(process_.Ask(update).ok());
  EXPECT_TRUE(HasReason(process_.Ask(WishOf("d2")).status(), Reason::kPlateInUse));
}

TEST_F(OneProcessTest, VehicleAndRegionStayAsTheyAreDuringARide) {
  MakeAvailable(process_, "d1");
  ASSERT_TRUE(process_.Ask(UpdateOf("d1", "vehicle")).ok());
  const v1::Offer offer = OfferTo(process_, "d1", "ride-1");
  const auto expect_busy = [this] {
    v1::UpdateDriverRequest another = UpdateOf("d1", "vehicle");
    another.mutable_driver()->mutable_vehicle()->set_color("green");
    const absl::Status busy = process_.Ask(another).status();
    EXPECT_TRUE(HasReason(busy, Reason::kDriverBusy) && absl::IsFailedPrecondition(busy)) << busy;
    EXPECT_TRUE(HasReason(process_.Ask(UpdateOf("d1", "region_id")).status(), Reason::kDriverBusy));
    EXPECT_TRUE(process_.Ask(UpdateOf("d1", "vehicle")).ok()) << "the same again";
    EXPECT_TRUE(process_.Ask(UpdateOf("d1", "display_name")).ok());
    EXPECT_TRUE(process_.Ask(UpdateOf("d1", "product_ids")).ok());
  };
  // Nobody knows yet whether the ride is the driver's.
  process_.rider().Refuse(absl::UnavailableError("the network"));
  const rpc::Asked accept(process_.server().driver_service(), ResponseOf("d1", offer.offer_id()));
  process_.AwaitStatus("d1", v1::DRIVER_STATUS_RESERVED);
  expect_busy();
  process_.rider().Refuse(absl::OkStatus());
  clock_.Advance(absl::Seconds(5));
  EXPECT_TRUE(accept.Answer().ok()) << accept.Answer().status();
  process_.AwaitStatus("d1", v1::DRIVER_STATUS_ON_TRIP);
  expect_busy();
}

// After a restart, rider-service alone knows the ride.
TEST_F(OneProcessTest, ARideThatOnlyRiderServiceKnowsKeepsTheVehicleToo) {
  ASSERT_TRUE(process_.Ask(RegisterOf("d1")).ok());
  process_.rider().SetLastTrip(type::RIDE_STATE_ENROUTE_TO_DROPOFF);
  EXPECT_TRUE(HasReason(process_.Ask(UpdateOf("d1", "vehicle")).status(), Reason::kDriverBusy));
  EXPECT_TRUE(process_.Ask(UpdateOf("d1", "display_name")).ok());
  process_.rider().SetLastTrip(type::RIDE_STATE_COMPLETED);
  EXPECT_TRUE(process_.Ask(UpdateOf("d1", "vehicle")).ok());
}

TEST_F(OneProcessTest, RiderServiceFindsDrivers) {
  MakeAvailable(process_, "d1");
  const auto search = [&](const pb::SearchDriversRequest& request) {
    return rpc::Ask(process_.server().dispatch_service(), request);
  };
  const auto found = search(SearchOf());
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_THAT(found->drivers(), SizeIs(1));
  EXPECT_EQ(found->drivers(0).driver_id(), "d1");
  EXPECT_EQ(process_.server().stats().on_map, 1u);

  pb::SearchDriversRequest wrong = SearchOf();
  wrong.set_radius_m(0);
  EXPECT_EQ(FieldOf(search(wrong).status()), "radius_m");
  wrong = SearchOf();
  wrong.set_limit(201);
  EXPECT_EQ(FieldOf(search(wrong).status()), "limit");
  wrong = SearchOf();
  wrong.mutable_position()->set_latitude_deg(91);
  EXPECT_TRUE(HasReason(search(wrong).status(), Reason::kInvalidField));
}

TEST_F(OneProcessTest, ARideByUnaryCalls) {
  MakeAvailable(process_, "d1");
  const v1::Offer offer = OfferTo(process_, "d1", "ride-1");
  EXPECT_EQ(offer.ride_id(), "ride-1");
  EXPECT_EQ(FieldOf(process_.Ask(ResponseOf("d1", offer.offer_id(), v1::OFFER_RESPONSE_UNSPECIFIED)).status()),
            "response");

  const auto accepted = process_.Ask(ResponseOf("d1", offer.offer_id()));
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_EQ(accepted->offer().status(), v1::OFFER_STATUS_ACCEPTED);
  EXPECT_EQ(accepted->state().ride().ride_id(), "ride-1");

  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(process_.Ask(LocationOf("d1", 2)).ok());
  const auto reports = process_.rider().reports().AwaitCount(1);
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].locations(0).ride_id(), "ride-1");
  EXPECT_EQ(process_.offers_settled(), 1);

  rpc::CallContext call = rpc::UncheckedCall();
  call.deadline = clock_.Read().wall + absl::Seconds(4);
  call.traceparent = "the trace";
  const auto arrived = process_.Ask(ArriveOf("d1", "ride-1"), call);
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  EXPECT_EQ(arrived->ride().sequence(), 3);
  ASSERT_THAT(process_.rider().steps(), SizeIs(1));
  EXPECT_EQ(process_.rider().steps()[0].driver_id(), "d1");
  EXPECT_TRUE(process_.rider().steps()[0].command().has_arrive());
  EXPECT_EQ(process_.rider().callers()[0].traceparent, "the trace");
  EXPECT_EQ(process_.rider().callers()[0].deadline, call.deadline);

  v1::AdvanceTripRequest nothing = ArriveOf("d1", "ride-1");
  nothing.clear_action();
  EXPECT_EQ(FieldOf(process_.Ask(nothing).status()), "action");
  process_.rider().Refuse(FailedPrecondition(Reason::kIllegalTransition, "not now"));
  EXPECT_TRUE(HasReason(process_.Ask(ArriveOf("d1", "ride-1")).status(), Reason::kIllegalTransition));
}

TEST_F(OneProcessTest, ADeclinedOfferIsAnsweredAlsoTheSecondTime) {
  MakeAvailable(process_, "d1");
  const v1::Offer offer = OfferTo(process_, "d1", "ride-1");
  for (int time = 0; time < 2; ++time) {
    const auto declined = process_.Ask(ResponseOf("d1", offer.offer_id(), v1::OFFER_RESPONSE_DECLINE));
    ASSERT_TRUE(declined.ok()) << declined.status();
    EXPECT_EQ(declined->offer().status(), v1::OFFER_STATUS_DECLINED);
  }
  EXPECT_TRUE(HasReason(process_.Ask(ResponseOf("d1", offer.offer_id())).status(), Reason::kOfferDeclined));
}

TEST_F(OneProcessTest, AnAcceptThatRiderServiceRefusesIsRefused) {
  MakeAvailable(process_, "d1");
  const v1::Offer offer = OfferTo(process_, "d1", "ride-1");
  process_.rider().Refuse(FailedPrecondition(Reason::kRideNotMatching, "it is over"));
  EXPECT_TRUE(HasReason(process_.Ask(ResponseOf("d1", offer.offer_id())).status(), Reason::kOfferRevoked));
}

TEST_F(OneProcessTest, TripsAreRiderServicesToList) {
  v1::ListTripsRequest list;
  list.set_driver_id("d1");
  EXPECT_TRUE(HasReason(process_.Ask(list).status(), Reason::kDriverNotFound));
  ASSERT_TRUE(process_.Ask(RegisterOf("d1")).ok());
  list.set_page_token("three");
  const auto listed = process_.Ask(list);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_THAT(listed->trips(), SizeIs(1));
  EXPECT_EQ(listed->trips(0).driver().driver_id(), "d1");
  EXPECT_EQ(listed->next_page_token(), "after three");
}

TEST_F(OneProcessTest, ARideOnAStream) {
  ASSERT_TRUE(process_.Ask(RegisterOf("d1")).ok());
  const auto list = std::make_shared<StreamList>();
  const auto stream = process_.Stream(list);
  stream->OnMessage(OpenOf("d1"));
  list->AwaitReading();
  EXPECT_TRUE(Await(*list, v1::StreamDriverResponse::kSnapshot).has_snapshot());
  Await(*list, v1::StreamDriverResponse::kCaughtUp);

  v1::StreamDriverRequest desired, location, received, accept, unnamed;
  desired.set_command_id("c1");
  desired.mutable_set_availability()->set_availability(v1::AVAILABILITY_ONLINE);
  *location.mutable_location() = LocationOf("");
  stream->OnMessage(desired);
  stream->OnMessage(location);
  process_.AwaitStatus("d1", v1::DRIVER_STATUS_AVAILABLE);
  EXPECT_EQ(Await(*list, v1::StreamDriverResponse::kCommandResult).command_result().command_id(), "c1");

  OfferTo(process_, "d1", "ride-1");
  const std::string offer_id = Await(*list, v1::StreamDriverResponse::kOffer).offer().offer_id();
  received.mutable_offer_received()->set_offer_id(offer_id);
  accept.set_command_id("c2");
  *accept.mutable_respond_to_offer() = ResponseOf("", offer_id);
  *unnamed.mutable_respond_to_offer() = ResponseOf("", offer_id);
  stream->OnMessage(received);
  stream->OnMessage(accept);
  stream->OnMessage(unnamed);
  const auto results = [&](std::size_t count) {
    std::vector<v1::CommandResult> results;
    for (const auto& message : list->Await([count](const auto& messages) {
           return std::count_if(messages.begin(), messages.end(), [](const auto& message) {
                    return message.has_command_result();
                  }) >= static_cast<std::ptrdiff_t>(count);
         })) {
      if (message.has_command_result()) results.push_back(message.command_result());
    }
    return results;
  };
  EXPECT_THAT(results(3), SizeIs(3));
  for (const v1::CommandResult& result : results(3)) {
    // The one without an id is refused.
    EXPECT_EQ(rpc::FromProto(result.status()).ok(), !result.command_id().empty()) << result.DebugString();
    // Its answer may have the state before or after the one that is named: each command is answered when it is done.
    if (!result.command_id().empty()) {
      EXPECT_EQ(result.state().has_ride(), result.command_id() == "c2") << result.DebugString();
    }
  }
  EXPECT_EQ(Await(*list, v1::StreamDriverResponse::kOfferUpdate).offer_update().offer_id(), offer_id);

  v1::StreamDriverRequest arrive;
  arrive.set_command_id("c3");
  *arrive.mutable_advance_trip() = ArriveOf("", "ride-1");
  stream->OnMessage(arrive);
  EXPECT_EQ(results(4).back().command_id(), "c3");
  ASSERT_THAT(process_.rider().steps(), SizeIs(1));
  EXPECT_EQ(process_.rider().steps()[0].driver_id(), "d1");

  stream->OnHeartbeat();
  Await(*list, v1::StreamDriverResponse::kHeartbeat);
  stream->OnHalfClose();
  EXPECT_TRUE(list->AwaitEnd().ok());
  stream->OnEnd();
}

TEST_F(OneProcessTest, ARideOnAWatchAndByUnaryCalls) {
  MakeAvailable(process_, "d1");
  const auto list = std::make_shared<StreamList>();
  const auto watch = process_.Watch("d1", list);
  EXPECT_EQ(Await(*list, v1::StreamDriverResponse::kSnapshot).snapshot().availability(), v1::AVAILABILITY_ONLINE);
  Await(*list, v1::StreamDriverResponse::kCaughtUp);

  OfferTo(process_, "d1", "ride-1");
  v1::AcknowledgeOfferRequest received;
  received.set_driver_id("d1");
  EXPECT_EQ(FieldOf(process_.Ask(received).status()), "offer_id");
  received.set_offer_id(Await(*list, v1::StreamDriverResponse::kOffer).offer().offer_id());
  const auto acknowledged = process_.Ask(received);
  ASSERT_TRUE(acknowledged.ok()) << acknowledged.status();
  EXPECT_EQ(acknowledged->state().offer().offer_id(), received.offer_id());
  // The 3 s in which an offer must be acknowledged.
  clock_.Advance(absl::Seconds(4));
  ASSERT_TRUE(process_.Ask(LocationOf("d1", 2)).ok());
  EXPECT_EQ(process_.State("d1").offer().offer_id(), received.offer_id());
  ASSERT_TRUE(process_.Ask(ResponseOf("d1", received.offer_id())).ok());
  const auto accepted = [](const std::vector<v1::StreamDriverResponse>& messages) {
    return std::any_of(messages.begin(), messages.end(), [](const auto& message) {
      return message.offer_update().status() == v1::OFFER_STATUS_ACCEPTED;
    });
  };
  EXPECT_TRUE(accepted(list->Await(accepted)));

  watch->OnHeartbeat();
  Await(*list, v1::StreamDriverResponse::kHeartbeat);
  // A stream of the same driver takes its place.
  const auto newer = std::make_shared<StreamList>();
  const auto stream = process_.Stream(newer);
  stream->OnMessage(OpenOf("d1"));
  EXPECT_TRUE(list->AwaitEnd().ok());
  Await(*list, v1::StreamDriverResponse::kReplaced);
  watch->OnEnd();
  EXPECT_TRUE(Await(*newer, v1::StreamDriverResponse::kSnapshot).has_snapshot());
  stream->OnEnd();
}

TEST_F(OneProcessTest, AWatchIsRefusedAsAStreamIs) {
  const auto list = std::make_shared<StreamList>();
  const auto stranger = process_.Watch("nobody", list);
  EXPECT_TRUE(HasReason(list->AwaitEnd(), Reason::kDriverNotFound));
  EXPECT_THAT(list->AwaitCount(0), IsEmpty());
  stranger->OnEnd();
}

TEST_F(OneProcessTest, AStreamBeginsWithOpenAndHasOnlyOne) {
  ASSERT_TRUE(process_.Ask(RegisterOf("d1")).ok());
  v1::StreamDriverRequest heartbeat;
  heartbeat.mutable_heartbeat();
  const auto first = std::make_shared<StreamList>();
  const auto wrong = process_.Stream(first);
  wrong->OnMessage(heartbeat);
  EXPECT_TRUE(HasReason(first->AwaitEnd(), Reason::kProtocolViolation));
  wrong->OnEnd();

  const auto second = std::make_shared<StreamList>();
  const auto twice = process_.Stream(second);
  twice->OnMessage(OpenOf("d1"));
  second->AwaitReading();
  twice->OnMessage(OpenOf("d1"));
  EXPECT_TRUE(HasReason(second->AwaitEnd(), Reason::kProtocolViolation));
  twice->OnEnd();

  const auto third = std::make_shared<StreamList>();
  const auto stranger = process_.Stream(third);
  stranger->OnMessage(OpenOf("d2"));
  EXPECT_TRUE(HasReason(third->AwaitEnd(), Reason::kDriverNotFound));
  stranger->OnEnd();
}

TEST_F(OneProcessTest, ANewerStreamReplacesAndADrainedOneSaysGoodbye) {
  ASSERT_TRUE(process_.Ask(RegisterOf("d1")).ok());
  const auto older = std::make_shared<StreamList>();
  const auto newer = std::make_shared<StreamList>();
  const auto first = process_.Stream(older);
  first->OnMessage(OpenOf("d1"));
  Await(*older, v1::StreamDriverResponse::kSnapshot);
  const auto second = process_.Stream(newer);
  second->OnMessage(OpenOf("d1"));
  EXPECT_TRUE(older->AwaitEnd().ok());
  Await(*older, v1::StreamDriverResponse::kReplaced);
  first->OnEnd();

  Await(*newer, v1::StreamDriverResponse::kSnapshot);
  second->OnDrain(absl::Seconds(2));
  EXPECT_TRUE(newer->AwaitEnd().ok());
  EXPECT_EQ(Await(*newer, v1::StreamDriverResponse::kDraining).draining().retry_after().seconds(), 2);
  second->OnEnd();
}

TEST_F(OneProcessTest, ADispatchLinkBeginsWithHello) {
  const auto refused = std::make_shared<LinkList>();
  const auto wrong = process_.Link(refused);
  wrong->OnMessage(StartOf("ride-1"));
  EXPECT_TRUE(HasReason(refused->AwaitEnd(), Reason::kProtocolViolation));
  wrong->OnEnd();

  const auto list = std::make_shared<LinkList>();
  const auto link = process_.Link(list);
  link->OnMessage(HelloOf());
  link->OnMessage(StartOf("ride-1"));
  const auto await = [&](pb::DispatchResponse::MessageCase field) {
    return Holds(list->Await([field](const auto& messages) { return Holds(messages, field); }), field);
  };
  EXPECT_TRUE(await(pb::DispatchResponse::kStarted));
  link->OnHeartbeat();
  EXPECT_TRUE(await(pb::DispatchResponse::kHeartbeat));
  pb::DispatchRequest stop;
  stop.mutable_stop()->set_ride_id("ride-1");
  stop.mutable_stop()->set_epoch(1);
  stop.mutable_stop()->set_reason(pb::STOP_REASON_RIDE_CANCELED);
  link->OnMessage(stop);
  link->OnDrain(absl::Seconds(2));
  EXPECT_TRUE(list->AwaitEnd().ok());
  link->OnEnd();
}

// For the thread sanitizer: all calls that may run at the same time do.
TEST_F(OneProcessTest, ManyCallAndStreamAtOnce) {
  constexpr int kThreads = 6;
  constexpr int kRounds = 8;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const std::string driver_id = "d" + std::to_string(thread);
      for (int round = 0; round < kRounds; ++round) {
        EXPECT_TRUE(process_.Ask(RegisterOf(driver_id, "name " + std::to_string(round))).ok());
        const auto list = std::make_shared<StreamList>();
        const auto stream = process_.Stream(list);
        stream->OnMessage(OpenOf(driver_id));
        EXPECT_TRUE(process_.Ask(WishOf(driver_id)).ok());
        EXPECT_TRUE(process_.Ask(LocationOf(driver_id, static_cast<std::uint64_t>(round + 1))).ok());
        list->AwaitReading();
        stream->OnHeartbeat();
        (void)rpc::Ask(process_.server().dispatch_service(), SearchOf());
        (void)process_.server().stats();
        if (round % 2 == 0) {
          stream->OnDrain(absl::ZeroDuration());
          EXPECT_TRUE(list->AwaitEnd().ok());
        }
        stream->OnEnd();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// --- Writes that take their time ---

class SlowStoreTest : public DriverServerTest {
 protected:
  Process& process_ = Add(shared_.get(), nullptr, "here");
};

TEST_F(SlowStoreTest, OfUpdatesAtOnceNoneIsLost) {
  ASSERT_TRUE(process_.Ask(RegisterOf("d1")).ok());
  ASSERT_TRUE(process_.Ask(WishOf("d1")).ok());
  shared_->HoldProfiles();
  const rpc::Asked name(process_.server().driver_service(), UpdateOf("d1", "display_name"));
  const rpc::Asked vehicle(process_.server().driver_service(), UpdateOf("d1", "vehicle"));
  const rpc::Asked products(process_.server().driver_service(), UpdateOf("d1", "product_ids"));
  shared_->AwaitHeld();
  process_.State("d1");
  shared_->ReleaseProfiles();
  EXPECT_TRUE(name.Answer().ok()) << name.Answer().status();
  EXPECT_TRUE(vehicle.Answer().ok()) << vehicle.Answer().status();
  EXPECT_TRUE(products.Answer().ok()) << products.Answer().status();
  v1::GetDriverRequest get;
  get.set_driver_id("d1");
  const auto stored = process_.Ask(get);
  EXPECT_EQ(stored->driver().display_name(), "Diana");
  EXPECT_EQ(stored->driver().vehicle().plate(), "NEW d1");
  EXPECT_THAT(stored->driver().product_ids(), ElementsAre("economy", "xl"));
  EXPECT_EQ(stored->driver().region_id(), "sf");
}

TEST_F(SlowStoreTest, NoRideIsAcceptedWithAVehicleThatIsBeingReplaced) {
  ASSERT_TRUE(process_.Ask(RegisterOf("d1")).ok());
  const auto list = std::make_shared<StreamList>();
  const auto stream = process_.Stream(list);
  stream->OnMessage(OpenOf("d1"));
  list->AwaitReading();
  MakeAvailable(process_, "d1");
  shared_->HoldProfiles();
  const rpc::Asked update(process_.server().driver_service(), UpdateOf("d1", "vehicle"));
  shared_->AwaitHeld();
  const v1::Offer offer = OfferTo(process_, "d1", "ride-1");
  const rpc::Asked accept(process_.server().driver_service(), ResponseOf("d1", offer.offer_id()));
  v1::StreamDriverRequest command;
  command.set_command_id("c1");
  *command.mutable_respond_to_offer() = ResponseOf("", offer.offer_id());
  stream->OnMessage(command);
  // After both, on the same loop.
  EXPECT_EQ(process_.State("d1").status(), v1::DRIVER_STATUS_OFFERED);
  EXPECT_FALSE(accept.answered());
  EXPECT_THAT(process_.rider().confirmed(), IsEmpty());

  shared_->ReleaseProfiles();
  EXPECT_TRUE(update.Answer().ok()) << update.Answer().status();
  EXPECT_TRUE(HasReason(accept.Answer().status(), Reason::kOfferRevoked)) << accept.Answer().status();
  const auto result = Await(*list, v1::StreamDriverResponse::kCommandResult).command_result();
  EXPECT_TRUE(HasReason(rpc::FromProto(result.status()), Reason::kOfferRevoked)) << result.DebugString();
  const v1::Offer next = process_.AwaitStatus("d1", v1::DRIVER_STATUS_OFFERED).offer();
  EXPECT_NE(next.offer_id(), offer.offer_id());
  const auto accepted = process_.Ask(ResponseOf("d1", next.offer_id()));
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  ASSERT_THAT(process_.rider().confirmed(), SizeIs(1));
  EXPECT_EQ(process_.rider().confirmed()[0].vehicle.plate, "NEW d1");
  stream->OnEnd();
}

// --- Two processes that share their store and their bus ---

class TwoProcessesTest : public DriverServerTest {
 protected:
  // Registers the driver and opens a stream at the first process.
  std::shared_ptr<rpc::InboundSession<v1::StreamDriverRequest>> StreamOf(const std::string& driver_id,
                                                                         const std::shared_ptr<StreamList>& list) {
    EXPECT_TRUE(first_.Ask(RegisterOf(driver_id)).ok());
    auto stream = first_.Stream(list);
    stream->OnMessage(OpenOf(driver_id));
    list->AwaitReading();
    return stream;
  }
  // Forwards a call to the first process and returns its answer.
  replica::v1::ForwardedAnswer Forwarded(const std::string& driver_id, const std::string& method,
                                         const std::string& request) {
    replica::v1::ForwardedCall call;
    call.set_driver_id(driver_id);
    call.set_method(method);
    call.set_request(request);
    replica::v1::ForwardedAnswer answer;
    absl::Notification answered;
    // The request waits longer than the test, so a missing answer fails the test instead of timing out.
    RequestClient asker(bus_.get(), &second_.loop(), "third");
    asker.Ask("first", call.SerializeAsString(), absl::Hours(1), [&](const absl::StatusOr<std::string>& bytes) {
      EXPECT_TRUE(bytes.ok() && answer.ParseFromString(*bytes)) << bytes.status();
      answered.Notify();
    });
    EXPECT_TRUE(answered.WaitForNotificationWithTimeout(absl::Seconds(30)));
    return answer;
  }
  static absl::Status ErrorIn(const replica::v1::ForwardedAnswer& answer) {
    google::rpc::Status error;
    if (!answer.has_error() || !error.ParseFromString(answer.error())) return absl::OkStatus();
    return rpc::FromProto(error);
  }

  Process& first_ = Add(shared_.get(), bus_.get(), "first");
  Process& second_ = Add(shared_.get(), bus_.get(), "second");
};

TEST_F(TwoProcessesTest, CallsAreDoneWhereTheSessionIs) {
  const auto list = std::make_shared<StreamList>();
  const auto stream = StreamOf("d1", list);
  const std::int64_t session_epoch = first_.State("d1").session_epoch();

  ASSERT_TRUE(second_.Ask(WishOf("d1")).ok());
  const auto located = second_.Ask(LocationOf("d1"));
  ASSERT_TRUE(located.ok()) << located.status();
  EXPECT_EQ(located->accepted(), 1);
  first_.AwaitStatus("d1", v1::DRIVER_STATUS_AVAILABLE);
  EXPECT_EQ(second_.State("d1").session_epoch(), session_epoch);
  EXPECT_EQ(second_.State("d1").status(), v1::DRIVER_STATUS_AVAILABLE);
  EXPECT_EQ(shared_->ClaimOf("d1").replica, "first");

  const v1::Offer offer = OfferTo(first_, "d1", "ride-1");
  const auto accepted = second_.Ask(ResponseOf("d1", offer.offer_id()));
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_EQ(accepted->state().ride().ride_id(), "ride-1");

  ASSERT_TRUE(second_.Ask(RegisterOf("d1", "Diana")).ok());
  EXPECT_TRUE(list->open());
  stream->OnEnd();
}

TEST_F(TwoProcessesTest, AnUpdateReachesTheSessionWhereverItLands) {
  const auto list = std::make_shared<StreamList>();
  const auto stream = StreamOf("d1", list);
  MakeAvailable(first_, "d1");
  const auto updated = second_.Ask(UpdateOf("d1", "vehicle"));
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->driver().vehicle().plate(), "NEW d1");
  EXPECT_EQ(shared_->ClaimOf("d1").replica, "first");

  const v1::Offer offer = OfferTo(first_, "d1", "ride-1");
  ASSERT_TRUE(first_.Ask(ResponseOf("d1", offer.offer_id())).ok());
  ASSERT_THAT(first_.rider().confirmed(), SizeIs(1));
  EXPECT_EQ(first_.rider().confirmed()[0].vehicle.plate, "NEW d1");
  EXPECT_TRUE(HasReason(second_.Ask(UpdateOf("d1", "region_id")).status(), Reason::kDriverBusy));
  EXPECT_TRUE(second_.Ask(UpdateOf("d1", "display_name")).ok());
  EXPECT_TRUE(list->open());
  stream->OnEnd();
}

TEST_F(TwoProcessesTest, TheOwnersErrorsAreTheCallers) {
  const auto stream = StreamOf("d1", std::make_shared<StreamList>());
  EXPECT_EQ(FieldOf(second_.Ask(WishOf("d1", v1::AVAILABILITY_UNSPECIFIED)).status()), "availability");
  EXPECT_EQ(FieldOf(second_.Ask(ResponseOf("d1", "")).status()), "offer_id");
  EXPECT_TRUE(HasReason(second_.Ask(ResponseOf("d1", "no-such-offer")).status(), Reason::kOfferNotFound));
  stream->OnEnd();
}

TEST_F(TwoProcessesTest, ASessionThatItsReplicaHasNoMoreIsClaimed) {
  ASSERT_TRUE(second_.Ask(RegisterOf("d1")).ok());
  shared_->SetClaim({.driver_id = "d1", .epoch = 5, .replica = "first"});
  EXPECT_EQ(second_.State("d1").session_epoch(), 0) << "the stored state";
  ASSERT_TRUE(second_.Ask(WishOf("d1")).ok());
  EXPECT_EQ(shared_->ClaimOf("d1"), (SessionClaim{.driver_id = "d1", .epoch = 6, .replica = "second"}));
  shared_->SetClaim({.driver_id = "d1", .epoch = 7, .replica = "first"});
  EXPECT_TRUE(second_.Ask(RegisterOf("d1", "Diana")).ok());
}

TEST_F(TwoProcessesTest, AReplicaThatDoesNotAnswerIsUnavailable) {
  ASSERT_TRUE(second_.Ask(RegisterOf("d1")).ok());
  shared_->SetClaim({.driver_id = "d1", .epoch = 5, .replica = "gone"});
  EXPECT_TRUE(HasReason(second_.Ask(WishOf("d1")).status(), Reason::kPeerUnavailable));
  EXPECT_TRUE(HasReason(second_.Ask(LocationOf("d1")).status(), Reason::kPeerUnavailable));
  EXPECT_TRUE(HasReason(second_.Ask(RegisterOf("d1", "Diana")).status(), Reason::kPeerUnavailable));
  EXPECT_TRUE(HasReason(second_.Ask(UpdateOf("d1", "display_name")).status(), Reason::kPeerUnavailable));
  v1::GetDriverStateRequest state;
  state.set_driver_id("d1");
  EXPECT_TRUE(HasReason(second_.Ask(state).status(), Reason::kPeerUnavailable));
}

// Replicas of several versions forward calls to each other.
TEST_F(TwoProcessesTest, EveryForwardedCallIsAnswered) {
  const auto stream = StreamOf("d1", std::make_shared<StreamList>());
  const auto desired = Forwarded("d1", "SetAvailability", WishOf("d1").SerializeAsString());
  v1::SetAvailabilityResponse response;
  ASSERT_TRUE(response.ParseFromString(desired.response()));
  EXPECT_EQ(response.state().availability(), v1::AVAILABILITY_ONLINE);

  // The replica that forwards a call has checked its caller.
  const rpc::CallContext call = rpc::CallOf({.role = auth::Role::kDriver, .subject = "d1", .driver = "d1"});
  EXPECT_TRUE(second_.Ask(WishOf("d1"), call).ok());
  EXPECT_TRUE(HasReason(second_.Ask(WishOf("d2"), call).status(), Reason::kIdentityMismatch));

  EXPECT_TRUE(Forwarded("d2", "SetAvailability", WishOf("d2").SerializeAsString()).no_session());
  const std::string arrive = ArriveOf("d1", "ride-1").SerializeAsString();
  EXPECT_TRUE(HasReason(ErrorIn(Forwarded("d1", "AdvanceTrip", arrive)), Reason::kPeerUnavailable));
  EXPECT_THAT(first_.rider().steps(), IsEmpty());
  EXPECT_TRUE(HasReason(ErrorIn(Forwarded("d1", "StreamDriver", "")), Reason::kPeerUnavailable));
  EXPECT_TRUE(HasReason(ErrorIn(Forwarded("d1", "FlyAway", "")), Reason::kPeerUnavailable));
  EXPECT_TRUE(HasReason(ErrorIn(Forwarded("d1", "SetAvailability", "\xff")), Reason::kInternal));
  stream->OnEnd();
}

}  // namespace
}  // namespace hail::driver
