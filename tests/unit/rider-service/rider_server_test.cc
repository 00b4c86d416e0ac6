// All of rider-service except its transport: called directly, over SQLite, on its own threads.
#include "rider-service/api/rider_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/errors/error.h"
#include "common/exec/loop.h"
#include "tests/unit/common/rpc/contract.h"
#include "tests/unit/common/rpc/direct.h"
#include "tests/unit/rider-service/store_fixture.h"

namespace hail::rider {
namespace {

namespace pb = hail::internal::v1;
namespace type = hail::type::v1;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// --- The tables ---

TEST(MethodTable, IsTheContract) {
  EXPECT_THAT(rpc::TableFaults<RiderService>(), ElementsAre());
  EXPECT_THAT(rpc::TableFaults<AssignmentService>(), ElementsAre());
}

TEST(MethodTable, SaysWhichCallsConcernNoRider) {
  EXPECT_THAT(rpc::UnaryMethodsOf<RiderService>([](const auto& row) { return row.access.person == nullptr; }),
              ElementsAre("ListProducts", "ListNearbyCars"));
}

TEST(MethodTable, SaysWhatACallCountsAsAndWhatIsAudited) {
  const auto counts_as = [](limits::Class what) {
    return rpc::UnaryMethodsOf<RiderService>([what](const auto& row) { return row.access.limit == what; });
  };
  EXPECT_THAT(counts_as(limits::Class::kFree), IsEmpty());
  EXPECT_THAT(counts_as(limits::Class::kRequestRide), ElementsAre("RequestRide"));
  EXPECT_THAT(counts_as(limits::Class::kQuoteRide), ElementsAre("QuoteRide"));
  EXPECT_THAT(counts_as(limits::Class::kNearbyCars), ElementsAre("ListNearbyCars"));
  EXPECT_THAT(counts_as(limits::Class::kWrite), ElementsAre("CancelRide"));
  // Reads by staff are audited wherever they reach a person's data.
  EXPECT_THAT(
      rpc::UnaryMethodsOf<RiderService>([](const auto& row) { return row.access.audit == audit::Audited::kDenied; }),
      ElementsAre("ListProducts", "ListNearbyCars"));
  EXPECT_THAT(rpc::UnaryMethodsOf<AssignmentService>(
                  [](const auto& row) { return row.access.audit == audit::Audited::kAlways; }),
              ElementsAre("ResolveRide"));
}

TEST(MethodTable, FindsAMethodByItsRequest) {
  constexpr auto kWatch = rpc::MethodOf<RiderService, v1::WatchRideRequest>();
  EXPECT_STREQ(kWatch.name, "WatchRide");
  EXPECT_EQ(kWatch.options.queue, RiderService::kRiderQueue);
  static_assert(
      std::is_same_v<rpc::ResponseTo<AssignmentService, pb::FindAssignmentRequest>, pb::FindAssignmentResponse>);
}

// --- The service ---

// A dispatch link that never comes up.
class NoLink final : public rpc::OutgoingStream<DispatchClient::Request> {
 public:
  void Start() override {}
  void Stop() override {}
  bool Send(std::uint64_t, DispatchClient::Request) override { return false; }
  bool SendLatest(std::uint64_t, const std::string&, DispatchClient::Request) override { return false; }
  bool up() const override { return false; }
};

class FakeSearch final : public DriverSearch {
 public:
  void Search(SearchRequest request, const rpc::CallContext& call, Done<SearchResponse> done) override {
    traceparent = call.traceparent;
    done(answer(request));
  }

  std::function<absl::StatusOr<SearchResponse>(const SearchRequest&)> answer = [](const SearchRequest&) {
    return absl::UnavailableError("nobody there");
  };
  std::string traceparent;
};

const Regions& Shipped() {
  static const auto* const regions = new Regions(*Regions::FromJson(Regions::ShippedJson()));
  return *regions;
}

class RiderServerTest : public StoreFixture {
 protected:
  RiderServerTest() {
    server_ = std::make_unique<RiderServer>(
        RiderServer::Ports{.store = store_.get(),
                           .bus = bus_.get(),
                           .clock = &clock_,
                           .random = SystemRandom(),
                           .dispatch_loop = &dispatch_loop_,
                           .housekeeping = &housekeeping_,
                           .search = &search_,
                           .dispatch_links = [](auto) { return std::make_unique<NoLink>(); }},
        RiderServer::Options{.regions = &Shipped(), .quote_key = std::string(32, 'k'), .incarnation_id = "here"});
    server_->Start();
  }
  ~RiderServerTest() override {
    absl::Notification stopped;
    server_->Stop([&] { stopped.Notify(); });
    stopped.WaitForNotification();
    dispatch_loop_.Stop();
    housekeeping_.Stop();
    store_->Stop();
  }

  template <typename Request>
  auto AskRider(const Request& request, const rpc::CallContext& call = rpc::UncheckedCall()) {
    return rpc::Ask(server_->rider_service(), request, call);
  }
  template <typename Request>
  auto AskAssignment(const Request& request, const rpc::CallContext& call = rpc::UncheckedCall()) {
    return rpc::Ask(server_->assignment_service(), request, call);
  }

  static v1::RequestRideRequest RequestOf(const std::string& rider_id, const std::string& request_id = "q1") {
    v1::RequestRideRequest request;
    request.set_rider_id(rider_id);
    request.set_request_id(request_id);
    request.mutable_pickup()->mutable_position()->set_latitude_deg(37.7749);
    request.mutable_pickup()->mutable_position()->set_longitude_deg(-122.4194);
    request.mutable_dropoff()->mutable_position()->set_latitude_deg(37.7955);
    request.mutable_dropoff()->mutable_position()->set_longitude_deg(-122.3937);
    request.set_product_id("economy");
    return request;
  }
  // A new ride of `rider_id`.
  type::Ride RideOf(const std::string& rider_id, const std::string& request_id = "q1") {
    const auto response = AskRider(RequestOf(rider_id, request_id));
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->ride() : type::Ride();
  }
  absl::StatusOr<v1::CancelRideResponse> CancelOf(const type::Ride& ride, const std::string& rider_id) {
    v1::CancelRideRequest request;
    request.set_rider_id(rider_id);
    request.set_ride_id(ride.ride_id());
    request.set_reason(type::CANCEL_REASON_CHANGED_PLANS);
    return AskRider(request);
  }
  static pb::ConfirmAssignmentRequest ConfirmOf(const type::Ride& ride, const std::string& driver_id) {
    pb::ConfirmAssignmentRequest request;
    request.set_ride_id(ride.ride_id());
    request.set_epoch(ride.epoch());
    request.mutable_driver()->set_driver_id(driver_id);
    request.mutable_driver()->set_display_name("Dana");
    request.set_offer_id("offer-" + ride.ride_id());
    return request;
  }
  static v1::WatchRideRequest WatchOf(const type::Ride& ride, const std::string& rider_id) {
    v1::WatchRideRequest request;
    request.set_rider_id(rider_id);
    request.set_ride_id(ride.ride_id());
    return request;
  }

  using WatchList = rpc::ListSink<v1::WatchRideResponse>;
  using StreamList = rpc::ListSink<v1::StreamRideResponse>;
  using DriversList = rpc::ListSink<pb::WatchDriversResponse>;

  const std::unique_ptr<Bus> bus_ = MakeLocalBus();
  Loop dispatch_loop_{"scheduler"};
  Loop housekeeping_{"housekeeping"};
  FakeSearch search_;
  std::unique_ptr<RiderServer> server_;
};

TEST_F(RiderServerTest, ARequestIsAnsweredWithItsRideAlsoTheSecondTime) {
  const type::Ride ride = RideOf("r1");
  EXPECT_EQ(ride.state(), type::RIDE_STATE_MATCHING);
  EXPECT_EQ(RideOf("r1").ride_id(), ride.ride_id());
  EXPECT_TRUE(HasReason(AskRider(RequestOf("r1", "q2")).status(), Reason::kRiderBusy));

  v1::GetRideRequest get;
  get.set_rider_id("r1");
  get.set_ride_id(ride.ride_id());
  EXPECT_EQ(AskRider(get)->ride().ride_id(), ride.ride_id());
  get.set_rider_id("r2");
  EXPECT_TRUE(HasReason(AskRider(get).status(), Reason::kRideNotFound));
}

TEST_F(RiderServerTest, WhoIsAuthenticatedSpeaksForNobodyElse) {
  const rpc::CallContext call = rpc::CallOf({.role = auth::Role::kRider, .rider = "r2"});
  EXPECT_TRUE(HasReason(AskRider(RequestOf("r1"), call).status(), Reason::kIdentityMismatch));
  const auto list = std::make_shared<WatchList>();
  EXPECT_EQ(rpc::Open(server_->rider_service(), WatchOf(RideOf("r1"), "r1"), list, call), nullptr);
  EXPECT_TRUE(HasReason(list->AwaitEnd(), Reason::kIdentityMismatch));
}

TEST_F(RiderServerTest, TheDeadlineOfTheCallIsTheWrites) {
  rpc::CallContext call = rpc::UncheckedCall();
  call.deadline = clock_.Read().wall - absl::Seconds(1);
  EXPECT_TRUE(absl::IsDeadlineExceeded(AskRider(RequestOf("r1"), call).status()));
  v1::GetActiveRideRequest active;
  active.set_rider_id("r1");
  EXPECT_FALSE(AskRider(active)->has_ride());
}

TEST_F(RiderServerTest, RidesAreListedByStateAndPage) {
  for (const char* request_id : {"q1", "q2", "q3"}) {
    ASSERT_TRUE(CancelOf(RideOf("r1", request_id), "r1").ok());
    clock_.Advance(absl::Seconds(1));
  }
  const std::string live = RideOf("r1", "q4").ride_id();
  v1::ListRidesRequest list;
  list.set_rider_id("r1");
  list.set_page_size(2);
  list.add_states(type::RIDE_STATE_CANCELED);
  const auto first = AskRider(list);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(first->rides(), SizeIs(2));
  list.set_page_token(first->next_page_token());
  const auto second = AskRider(list);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_THAT(second->rides(), SizeIs(1));
  EXPECT_EQ(second->next_page_token(), "");

  list.clear_page_token();
  list.set_states(0, type::RIDE_STATE_MATCHING);
  const auto matching = AskRider(list);
  ASSERT_TRUE(matching.ok()) << matching.status();
  ASSERT_THAT(matching->rides(), SizeIs(1));
  EXPECT_EQ(matching->rides(0).ride_id(), live);
  list.set_states(0, type::RIDE_STATE_UNSPECIFIED);
  EXPECT_TRUE(HasReason(AskRider(list).status(), Reason::kInvalidField));
}

TEST_F(RiderServerTest, AQuoteHasThePickupTimeOfTheQuickestCarIfThereIsAnswer) {
  v1::QuoteRideRequest quote;
  quote.set_rider_id("r1");
  *quote.mutable_pickup() = RequestOf("r1").pickup();
  *quote.mutable_dropoff() = RequestOf("r1").dropoff();
  quote.set_product_id("economy");
  rpc::CallContext call = rpc::UncheckedCall();
  call.traceparent = "the trace";
  const auto without = AskRider(quote, call);
  ASSERT_TRUE(without.ok()) << without.status();
  EXPECT_FALSE(without->quotes(0).has_pickup_eta());
  EXPECT_EQ(search_.traceparent, "the trace");

  search_.answer = [](const SearchRequest&) {
    SearchResponse response;
    auto* driver = response.add_drivers();
    driver->set_driver_id("d1");
    driver->add_product_ids("economy");
    driver->mutable_eta()->set_seconds(90);
    return response;
  };
  EXPECT_EQ(AskRider(quote)->quotes(0).pickup_eta().seconds(), 90);
}

TEST_F(RiderServerTest, CarsCannotBeShownWithoutDriverService) {
  v1::ListNearbyCarsRequest cars;
  cars.mutable_position()->set_latitude_deg(37.7749);
  cars.mutable_position()->set_longitude_deg(-122.4194);
  EXPECT_TRUE(HasReason(AskRider(cars).status(), Reason::kPeerUnavailable));
  search_.answer = [](const SearchRequest&) { return InvalidField("radius_m", "is too large"); };
  EXPECT_TRUE(HasReason(AskRider(cars).status(), Reason::kInvalidField)) << "driver-service's own error";
}

TEST_F(RiderServerTest, ARideInHandShowsWhenItsDriverWasLastSeen) {
  const type::Ride ride = RideOf("r1");
  ASSERT_TRUE(AskAssignment(ConfirmOf(ride, "d1")).ok());
  const auto none = std::make_shared<rpc::ListSink<pb::ReportLocationsResponse>>();
  const auto reports = rpc::OpenInbound<pb::ReportLocationsRequest>(server_->assignment_service(), none);
  pb::ReportLocationsRequest report;
  auto* location = report.add_locations();
  location->set_driver_id("d1");
  location->set_ride_id(ride.ride_id());
  location->set_epoch(ride.epoch());
  location->set_session_epoch(1);
  location->mutable_position()->mutable_location()->set_latitude_deg(37.77);
  location->mutable_position()->mutable_location()->set_longitude_deg(-122.42);
  location->mutable_position()->set_position_seq(1);
  reports->OnMessage(report);
  EXPECT_EQ(server_->stats().fixes, 1u);

  v1::GetActiveRideRequest active;
  active.set_rider_id("r1");
  const auto shown = AskRider(active);
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(shown->ride().driver().driver_id(), "d1");
  EXPECT_EQ(shown->ride().driver_last_seen().seconds(), absl::ToUnixSeconds(clock_.Read().domain));
  reports->OnHalfClose();
  EXPECT_TRUE(none->AwaitEnd().ok());
}

TEST_F(RiderServerTest, AWatcherSeesTheRideAndThenItsEvents) {
  const type::Ride ride = RideOf("r1");
  const auto list = std::make_shared<WatchList>();
  const auto session = rpc::Open(server_->rider_service(), WatchOf(ride, "r1"), list);
  ASSERT_THAT(list->AwaitCount(1), SizeIs(1));
  ASSERT_TRUE(AskAssignment(ConfirmOf(ride, "d1")).ok());
  ASSERT_TRUE(CancelOf(ride, "r1").ok());
  EXPECT_TRUE(list->AwaitEnd().ok());
  std::vector<std::string> seen;
  for (const auto& message : list->AwaitCount(3)) {
    seen.push_back(message.has_snapshot() ? "snapshot" : type::RideEventType_Name(message.event().type()));
  }
  EXPECT_THAT(seen, ElementsAre("snapshot", "RIDE_EVENT_TYPE_ASSIGNED", "RIDE_EVENT_TYPE_CANCELED"));
  session->OnEnd();
}

TEST_F(RiderServerTest, NothingFollowsDraining) {
  const type::Ride ride = RideOf("r1");
  const auto list = std::make_shared<WatchList>();
  const auto session = rpc::Open(server_->rider_service(), WatchOf(ride, "r1"), list);
  ASSERT_THAT(list->AwaitCount(1), SizeIs(1));
  session->OnDrain(absl::Seconds(2));
  ASSERT_TRUE(CancelOf(ride, "r1").ok());
  EXPECT_TRUE(list->AwaitEnd().ok());
  const auto messages = list->AwaitCount(2);
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_EQ(messages[1].draining().cursor().sequence(), ride.sequence());
  EXPECT_EQ(messages[1].draining().retry_after().seconds(), 2);
  session->OnEnd();
}

TEST_F(RiderServerTest, AStreamBeginsWithOpenAndEndsAfterTheLastAnswer) {
  const type::Ride ride = RideOf("r1");
  v1::StreamRideRequest open, cancel;
  *open.mutable_open() = WatchOf(ride, "r1");
  cancel.set_command_id("c1");
  cancel.mutable_cancel_ride()->set_reason(type::CANCEL_REASON_CHANGED_PLANS);

  const auto refused = std::make_shared<StreamList>();
  const auto wrong = rpc::OpenInbound<v1::StreamRideRequest>(server_->rider_service(), refused);
  wrong->OnMessage(cancel);
  EXPECT_TRUE(HasReason(refused->AwaitEnd(), Reason::kProtocolViolation));
  wrong->OnEnd();

  const auto list = std::make_shared<StreamList>();
  const auto session = rpc::OpenInbound<v1::StreamRideRequest>(server_->rider_service(), list);
  session->OnMessage(open);
  session->OnMessage(cancel);
  session->OnHalfClose();
  EXPECT_TRUE(list->AwaitEnd().ok());
  bool answered = false;
  for (const auto& message : list->AwaitCount(1)) {
    if (!message.has_command_result()) continue;
    answered = true;
    EXPECT_EQ(message.command_result().command_id(), "c1");
    EXPECT_EQ(message.command_result().ride().state(), type::RIDE_STATE_CANCELED);
  }
  EXPECT_TRUE(answered);
  session->OnEnd();
}

TEST_F(RiderServerTest, DriverServiceWatchesADriversRides) {
  const type::Ride ride = RideOf("r1");
  const auto list = std::make_shared<DriversList>();
  const auto session = rpc::OpenInbound<pb::WatchDriversRequest>(server_->assignment_service(), list);
  pb::WatchDriversRequest subscribe;
  subscribe.mutable_subscribe()->set_driver_id("d1");
  subscribe.mutable_subscribe()->set_subscription(7);
  session->OnMessage(subscribe);
  ASSERT_THAT(list->AwaitCount(1), SizeIs(1));
  ASSERT_TRUE(AskAssignment(ConfirmOf(ride, "d1")).ok());
  const auto messages = list->AwaitCount(2);
  ASSERT_THAT(messages, SizeIs(2));
  EXPECT_FALSE(messages[0].snapshot().has_ride());
  EXPECT_EQ(messages[0].snapshot().subscription(), 7);
  EXPECT_EQ(messages[1].event().event().ride().ride_id(), ride.ride_id());
  pb::FindAssignmentRequest find;
  find.set_driver_id("d1");
  find.set_offer_id("offer-" + ride.ride_id());
  EXPECT_EQ(AskAssignment(find)->ride().ride_id(), ride.ride_id());
  session->OnMessage({});
  EXPECT_TRUE(HasReason(list->AwaitEnd(), Reason::kProtocolViolation));
  session->OnEnd();
}

// For the thread sanitizer: all calls that may run at the same time do.
TEST_F(RiderServerTest, ManyCallAndWatchAtOnce) {
  constexpr int kThreads = 6;
  constexpr int kRides = 8;
  const auto drivers = std::make_shared<DriversList>();
  const auto feed = rpc::OpenInbound<pb::WatchDriversRequest>(server_->assignment_service(), drivers);
  for (int thread = 0; thread < kThreads; ++thread) {
    pb::WatchDriversRequest subscribe;
    subscribe.mutable_subscribe()->set_driver_id("d" + std::to_string(thread));
    feed->OnMessage(subscribe);
  }
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const std::string rider_id = "r" + std::to_string(thread);
      const std::string driver_id = "d" + std::to_string(thread);
      for (int i = 0; i < kRides; ++i) {
        const type::Ride ride = RideOf(rider_id, std::to_string(i));
        const auto list = std::make_shared<WatchList>();
        const auto session = rpc::Open(server_->rider_service(), WatchOf(ride, rider_id), list);
        EXPECT_TRUE(AskAssignment(ConfirmOf(ride, driver_id)).ok());
        session->OnHeartbeat();
        (void)server_->stats();
        EXPECT_TRUE(CancelOf(ride, rider_id).ok());
        if (i % 2 == 0) {
          EXPECT_TRUE(list->AwaitEnd().ok());
        } else {
          session->OnDrain(absl::ZeroDuration());
        }
        session->OnEnd();
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kRides);
  feed->OnEnd();
}

}  // namespace
}  // namespace hail::rider
