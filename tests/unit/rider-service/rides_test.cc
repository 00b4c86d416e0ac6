#include "rider-service/domain/rides.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/errors/error.h"
#include "rider-service/codec/record_codec.h"
#include "tests/unit/rider-service/shown.h"
#include "tests/unit/rider-service/store_fixture.h"

namespace hail::rider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RidesTest : public StoreFixture, public RideObserver {
 protected:
  RidesTest() {
    rides_ = std::make_unique<Rides>(Rides::Ports{store_.get(), bus_.get(), &codec_, this, &quoter_, SystemRandom()},
                                     rules_);
  }
  ~RidesTest() override { store_->Stop(); }

  void OnCommitted(const Ride& ride, const RideEvent* event) override { Observe(ride, event ? "" : " no event"); }
  void OnFound(const Ride& ride) override { Observe(ride, " found"); }
  bool IsOverloaded() const override { return behind_; }
  void Observe(const Ride& ride, const std::string& how) {
    absl::MutexLock lock(&mutex_);
    observed_.push_back(ride.ride_id() + "@" + std::to_string(ride.sequence()) + "." + std::to_string(ride.epoch()) +
                        how);
  }
  std::vector<std::string> Observed() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(observed_, {});
  }

  static RideRequest Order(const std::string& rider_id = "rider-1", const std::string& request_id = "request-1") {
    RideRequest request;
    request.set_rider_id(rider_id);
    request.set_request_id(request_id);
    *request.mutable_pickup() = PlaceAt({37.7749, -122.4194}, "Civic Center");
    *request.mutable_dropoff() = PlaceAt({37.7955, -122.3937}, "Ferry Building");
    request.set_product_id("economy");
    return request;
  }

  absl::StatusOr<Ride> Request(const RideRequest& request) {
    return Await<Ride>([&](auto done) { rides_->Request(now_, request, kNever, done); });
  }
  absl::StatusOr<Ride> Confirm(const Ride& ride, const std::string& driver_id = "driver-1",
                               const std::string& offer_id = "offer-1") {
    return Await<Ride>(
        [&](auto done) { rides_->Confirm(now_, ride.ride_id(), Offer(ride, driver_id, offer_id), kNever, done); });
  }
  absl::StatusOr<Ride> Step(const std::string& ride_id, const DriverCommand& command) {
    return Await<Ride>([&](auto done) { rides_->RecordStep(now_, ride_id, command, kNever, done); });
  }
  absl::StatusOr<Ride> Cancel(const std::string& rider_id, const std::string& ride_id,
                              CancelReason reason = CancelReason::kOther, const std::string& note = "") {
    return Await<Ride>([&](auto done) { rides_->Cancel(now_, rider_id, ride_id, reason, note, kNever, done); });
  }
  absl::StatusOr<Ride> Resolve(const std::string& ride_id, Resolution resolution, const std::string& note) {
    return Await<Ride>([&](auto done) { rides_->ResolveRide(now_, ride_id, resolution, note, kNever, done); });
  }
  absl::StatusOr<Rides::Listed> List(const Rides::List& list) {
    return Await<Rides::Listed>([&](auto done) { rides_->ListForRider(list, done); });
  }

  static std::string FieldOf(const absl::Status& status) {
    const auto details = DetailsOf(status);
    return details && details->reason == Reason::kInvalidField ? details->field : "(none) " + status.ToString();
  }

  static constexpr absl::Time kNever = absl::InfiniteFuture();
  Now now_{kT0, kT0};
  Regions regions_ = *Regions::FromJson(Regions::ShippedJson());
  Quoter quoter_{&regions_, std::string(32, 'k'), SystemRandom()};
  std::unique_ptr<Bus> bus_ = MakeLocalBus();
  ProtoEventCodec codec_;
  absl::Mutex mutex_;
  std::atomic<bool> behind_ = false;
  std::vector<std::string> observed_;
  std::unique_ptr<Rides> rides_;
};

// --- Requests ---

TEST_F(RidesTest, NoRideBeginsThatNobodyWouldComeRoundToDispatch) {
  const absl::StatusOr<Ride> first = Request(Order());
  ASSERT_TRUE(first.ok());
  behind_ = true;
  EXPECT_TRUE(HasReason(Request(Order("rider-2")).status(), Reason::kOverloaded));
  // Commands of existing rides are still accepted.
  EXPECT_TRUE(Confirm(*first).ok());
  behind_ = false;
  EXPECT_TRUE(Request(Order("rider-2")).ok());
}

TEST_F(RidesTest, ARequestIsStoredThenAnnouncedThenAnswered) {
  const absl::StatusOr<Ride> ride = Request(Order());
  ASSERT_TRUE(ride.ok()) << ride.status();
  EXPECT_EQ(ride->state(), RideState::kMatching);
  EXPECT_EQ(ride->message().region_id(), "san_francisco");
  EXPECT_EQ(ride->message().seats(), 1);
  EXPECT_GT(ride->quoted_fare().micros, 0);
  EXPECT_GT(ride->message().distance_m(), 0);
  EXPECT_EQ(ride->ride_id().size(), 36u);
  EXPECT_EQ(ride->request_fingerprint(), "") << "answers hold no internals";
  EXPECT_THAT(Observed(), ElementsAre(ride->ride_id() + "@1.1"));
  EXPECT_EQ(Find(ride->ride_id())->cancellation_terms().free_for, absl::Seconds(120));
}

TEST_F(RidesTest, ARepeatedRequestIsAnsweredWithItsRide) {
  const Ride ride = *Request(Order());
  Observed();
  ASSERT_TRUE(Confirm(ride).ok());
  Observed();
  const absl::StatusOr<Ride> again = Request(Order());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->ride_id(), ride.ride_id());
  EXPECT_EQ(again->state(), RideState::kEnrouteToPickup);
  // Announced again, because the first announcement may have been lost with its process.
  EXPECT_THAT(Observed(), ElementsAre(ride.ride_id() + "@2.1 found"));

  RideRequest other = Order();
  other.set_seats(2);
  EXPECT_TRUE(HasReason(Request(other).status(), Reason::kRequestIdReused));
}

TEST_F(RidesTest, AKnownRequestIdIsLookedUpBeforeAnythingIsJudged) {
  RideRequest request = Order();
  request.set_quote_token((*quoter_.QuoteRide(now_, request))[0].token);
  const Ride ride = *Request(request);
  // The quote has expired and the rider has a live ride, but the request is known.
  now_.domain += absl::Hours(1);
  const absl::StatusOr<Ride> again = Request(request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->ride_id(), ride.ride_id());
  // The same id with another body, which would be refused anyway.
  RideRequest broken = request;
  *broken.mutable_dropoff() = broken.pickup();
  EXPECT_TRUE(HasReason(Request(broken).status(), Reason::kRequestIdReused));
}

TEST_F(RidesTest, TheRidersWordsReachBothSidesAndAreAPartOfTheRequest) {
  RideRequest request = Order();
  request.set_rider_display_name("Ann");
  request.mutable_pickup()->set_note("blue door");
  request.mutable_dropoff()->set_note("the far gate");
  const Ride ride = *Request(request);
  for (const Ride& view : {ride, *Confirm(ride)}) {
    const hail::type::v1::Ride shown = Shown(view);
    EXPECT_EQ(shown.rider_display_name(), "Ann");
    EXPECT_EQ(shown.pickup().note(), "blue door");
    EXPECT_EQ(shown.dropoff().note(), "the far gate");
  }
  EXPECT_EQ(Request(request)->ride_id(), ride.ride_id());
  const auto reused = [&](auto change) {
    RideRequest other = request;
    change(other);
    return HasReason(Request(other).status(), Reason::kRequestIdReused);
  };
  EXPECT_TRUE(reused([](RideRequest& r) { r.mutable_pickup()->set_note("red door"); }));
  EXPECT_TRUE(reused([](RideRequest& r) { r.mutable_dropoff()->clear_note(); }));
  EXPECT_TRUE(reused([](RideRequest& r) { r.set_rider_display_name("Anne"); }));
}

TEST_F(RidesTest, TheRidersWordsAreShortTexts) {
  const auto field = [&](auto change) {
    RideRequest request = Order();
    change(request);
    return FieldOf(Request(request).status());
  };
  EXPECT_EQ(field([](RideRequest& r) { r.mutable_pickup()->set_note("blue\ndoor"); }), "pickup.note");
  EXPECT_EQ(field([](RideRequest& r) { r.mutable_pickup()->set_note(std::string(257, 'x')); }), "pickup.note");
  EXPECT_EQ(field([](RideRequest& r) { r.mutable_dropoff()->set_note(std::string(257, 'x')); }), "dropoff.note");
  EXPECT_EQ(field([](RideRequest& r) { r.set_rider_display_name("\xE2\x80\xAE"); }), "rider_display_name");
  EXPECT_EQ(field([](RideRequest& r) { r.set_rider_display_name(std::string(129, 'x')); }), "rider_display_name");

  RideRequest longest = Order();
  longest.mutable_pickup()->set_note(std::string(256, 'x'));
  longest.mutable_dropoff()->set_note(std::string(256, 'x'));
  longest.set_rider_display_name(std::string(128, 'x'));
  EXPECT_TRUE(Request(longest).ok());
}

TEST_F(RidesTest, AQuoteDoesNotDependOnNotes) {
  RideRequest request = Order();
  request.mutable_pickup()->set_note("blue door");
  request.set_quote_token((*quoter_.QuoteRide(now_, request))[0].token);
  request.mutable_pickup()->set_note("red door");
  EXPECT_EQ(Request(request)->message().pickup().note(), "red door");
  request.mutable_pickup()->set_note("blue\ndoor");
  EXPECT_EQ(FieldOf(quoter_.QuoteRide(now_, request).status()), "pickup.note");
}

// Stored texts that would be refused today are readable, and their request is still known.
TEST_F(RidesTest, ARideWithAnOldTextIsReadAsItIs) {
  RideRequest request = Order();
  request.mutable_pickup()->set_address("\x1B[2JHere\n\xE2\x80\xAE");
  EXPECT_EQ(FieldOf(Request(request).status()), "pickup.address");
  Ride old = Requested("old-ride");
  old.Edit()->mutable_pickup()->set_address(request.pickup().address());
  (*old.Edit()->mutable_labels())["note\n"] = "\xC2\x9B";
  old.EditInternals()->set_request_fingerprint(RequestFingerprint(request));
  ASSERT_TRUE(Await<Created>([&](auto done) { store_->Create(NewRide(old, rules_, kT0), kNever, done); }).ok());
  const absl::StatusOr<Ride> again = Request(request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->ride_id(), "old-ride");
  EXPECT_EQ(again->message().pickup().address(), request.pickup().address());
  EXPECT_EQ(again->message().labels().at("note\n"), "\xC2\x9B");
  EXPECT_EQ(again->message().labels().size(), old.message().labels().size());
  EXPECT_TRUE(Cancel("rider-1", "old-ride").ok());
}

TEST_F(RidesTest, ARefusedRequestConsumesNothing) {
  RideRequest request = Order();
  request.set_quote_token((*quoter_.QuoteRide(now_, request))[0].token);
  RideRequest broken = request;
  broken.set_seats(17);
  EXPECT_EQ(FieldOf(Request(broken).status()), "seats");
  now_.domain += absl::Hours(1);
  EXPECT_TRUE(HasReason(Request(request).status(), Reason::kQuoteExpired));
  now_.domain -= absl::Hours(1);
  EXPECT_THAT(Observed(), IsEmpty());
  EXPECT_TRUE(Request(request).ok());
}

TEST_F(RidesTest, AQuoteIsUsedOnceAndARiderHasOneRide) {
  RideRequest request = Order();
  const SignedQuote held = (*quoter_.QuoteRide(now_, request))[0];
  request.set_quote_token(held.token);
  const Ride ride = *Request(request);
  EXPECT_EQ(ride.quote_id(), held.quote.quote_id());
  EXPECT_EQ(ride.quoted_fare(), FareOf(held.quote));

  request.set_request_id("request-2");
  const absl::Status busy = Request(request).status();
  EXPECT_TRUE(HasReason(busy, Reason::kRiderBusy)) << busy;
  EXPECT_EQ(DetailsOf(busy)->metadata.at("ride_id"), ride.ride_id());
  ASSERT_TRUE(Cancel("rider-1", ride.ride_id()).ok());
  EXPECT_TRUE(HasReason(Request(request).status(), Reason::kQuoteUsed));
  request.clear_quote_token();
  EXPECT_TRUE(Request(request).ok());
}

TEST_F(RidesTest, BadRequestsNameTheField) {
  EXPECT_EQ(FieldOf(Request(Order("", "request-1")).status()), "rider_id");
  EXPECT_EQ(FieldOf(Request(Order("rider-1", "")).status()), "request_id");
  EXPECT_EQ(FieldOf(Request(Order(std::string(129, 'x'), "request-1")).status()), "rider_id");
  EXPECT_EQ(FieldOf(Request(Order("rider 1", "request-1")).status()), "rider_id");
  RideRequest request = Order();
  request.set_product_id("boat");
  EXPECT_EQ(FieldOf(Request(request).status()), "product_id");
  request = Order();
  Encode(LatLng{34.05, -118.24}, request.mutable_pickup()->mutable_position());
  EXPECT_TRUE(HasReason(Request(request).status(), Reason::kOutsideServiceArea));
}

// --- Events on the bus ---

TEST_F(RidesTest, EventsArePublishedForTheRideAndItsDriver) {
  const Ride ride = *Request(Order());
  absl::Mutex mutex;
  std::vector<std::string> received;
  const auto listen = [&](const std::string& topic, const std::string& name) {
    return bus_->Subscribe(topic, [&, name](const BusPayload& payload) {
      const RideEvent event = *codec_.Decode(*payload);
      absl::MutexLock lock(&mutex);
      received.push_back(name + " " + std::to_string(event.sequence()) + "/" + std::to_string(event.driver_sequence));
    });
  };
  const auto of_ride = listen(RideTopic(ride.ride_id()), "ride");
  const auto of_driver = listen(DriverTopic("driver-1"), "driver");
  ASSERT_TRUE(Confirm(ride).ok());
  ASSERT_TRUE(Confirm(ride).ok());  // a replay: nothing new
  const DriverCommand cancel = {"driver-1", 1, 0, trip::Cancel{CancelReason::kOther, ""}};
  ASSERT_TRUE(Step(ride.ride_id(), cancel).ok());
  // A raised epoch is no event, so nothing is published; the observer is called.
  ASSERT_TRUE(Await<Changed>([&](auto done) { rides_->RaiseEpoch(ride.ride_id(), 2, kNever, done); }).ok());
  ASSERT_TRUE(Cancel("rider-1", ride.ride_id()).ok());
  EXPECT_THAT(received, ElementsAre("ride 2/1", "driver 2/1", "ride 3/2", "driver 3/2", "ride 4/0"));
  EXPECT_THAT(Observed(), ElementsAre(ride.ride_id() + "@1.1", ride.ride_id() + "@2.1", ride.ride_id() + "@3.2",
                                      ride.ride_id() + "@3.3 no event", ride.ride_id() + "@4.3"));
}

TEST_F(RidesTest, TopicsAreSafeForAnyId) {
  EXPECT_EQ(RideTopic("a.b"), "ride.a%2Eb");
  EXPECT_EQ(DriverTopic("*"), "driver.%2A");
}

// --- Riders ---

TEST_F(RidesTest, NobodyReadsOrMovesARideThatIsNotTheirs) {
  const Ride ride = *Request(Order());
  const auto get = [&](const std::string& rider) {
    return Await<Ride>([&](auto done) { rides_->Get(rider, ride.ride_id(), done); });
  };
  EXPECT_EQ(get("rider-1")->ride_id(), ride.ride_id());
  EXPECT_TRUE(HasReason(get("rider-2").status(), Reason::kRideNotFound));
  EXPECT_TRUE(HasReason(Cancel("rider-2", ride.ride_id()).status(), Reason::kRideNotFound));
  EXPECT_TRUE(HasReason(Cancel("rider-1", "nosuch").status(), Reason::kRideNotFound));
  EXPECT_EQ(FieldOf(get("").status()), "rider_id");
  EXPECT_EQ(Find(ride.ride_id())->state(), RideState::kMatching);

  const auto active = [&](const std::string& rider) {
    return Await<std::optional<Ride>>([&](auto done) { rides_->GetActive(rider, done); });
  };
  EXPECT_EQ((*active("rider-1"))->ride_id(), ride.ride_id());
  EXPECT_FALSE(*active("rider-2"));
  EXPECT_EQ(FieldOf(active("").status()), "rider_id");
}

TEST_F(RidesTest, CancelAnswersTheCanceledRideTwice) {
  const Ride ride = *Request(Order());
  const absl::StatusOr<Ride> canceled = Cancel("rider-1", ride.ride_id(), CancelReason::kWaitTooLong, "too slow");
  ASSERT_TRUE(canceled.ok());
  EXPECT_EQ(canceled->cancellation()->actor, CancelActor::kRider);
  EXPECT_EQ(canceled->cancellation()->note, "too slow");
  EXPECT_EQ(Cancel("rider-1", ride.ride_id())->sequence(), canceled->sequence());
  EXPECT_EQ(FieldOf(Cancel("rider-1", ride.ride_id(), CancelReason::kOperator).status()), "reason");
  EXPECT_EQ(FieldOf(Cancel("rider-1", ride.ride_id(), CancelReason::kOther, std::string(513, 'x')).status()), "note");
  EXPECT_EQ(FieldOf(Cancel("rider-1", "").status()), "ride_id");
}

TEST_F(RidesTest, PagesOfARidersList) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    now_.wall += absl::Seconds(1);  // ids sort by it
    ids.push_back(Request(Order("rider-1", "request-" + std::to_string(i)))->ride_id());
    ASSERT_TRUE(Cancel("rider-1", ids.back()).ok());
  }
  std::vector<std::string> seen;
  std::string token;
  int pages = 0;
  do {
    const absl::StatusOr<Rides::Listed> page = List({"rider-1", 2, token, {}});
    ASSERT_TRUE(page.ok()) << page.status();
    for (const Ride& ride : page->rides) {
      EXPECT_EQ(ride.request_fingerprint(), "");
      seen.insert(seen.begin(), ride.ride_id());
    }
    token = page->next_page_token;
    if (++pages == 1) {
      EXPECT_EQ(FieldOf(List({"rider-2", 2, token, {}}).status()), "page_token");
      EXPECT_EQ(FieldOf(List({"rider-1", 2, token, {RideState::kCanceled}}).status()), "page_token");
    }
  } while (!token.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(seen, ids);

  EXPECT_EQ(List({"rider-1", 0, "", {RideState::kCanceled}})->rides.size(), 5u);
  // A state named again and again is that state.
  const absl::StatusOr<Rides::Listed> named =
      List({"rider-1", 2, "", std::vector<RideState>(60'000, RideState::kCanceled)});
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(List({"rider-1", 2, named->next_page_token, {RideState::kCanceled}})->rides.size(), 2u);
  EXPECT_EQ(List({"rider-1", 100, "", {RideState::kMatching}})->rides.size(), 0u);
  EXPECT_EQ(FieldOf(List({"rider-1", 101, "", {}}).status()), "page_size");
  EXPECT_EQ(FieldOf(List({"rider-1", -1, "", {}}).status()), "page_size");
  EXPECT_EQ(FieldOf(List({"rider-1", 1, "", {RideState::kUnspecified}}).status()), "states");
  EXPECT_EQ(FieldOf(List({"", 1, "", {}}).status()), "rider_id");
}

// --- Drivers ---

TEST_F(RidesTest, TheCommitPointAnswersTheDriversView) {
  const Ride ride = *Request(Order());
  const absl::StatusOr<Ride> confirmed = Confirm(ride);
  ASSERT_TRUE(confirmed.ok()) << confirmed.status();
  EXPECT_EQ(Shown(*confirmed).rider_id(), "");
  EXPECT_EQ(Shown(*confirmed).offer_id(), "offer-1");
  // The answer was lost; meanwhile the rider canceled.
  ASSERT_TRUE(Cancel("rider-1", ride.ride_id()).ok());
  EXPECT_EQ(Confirm(ride)->state(), RideState::kCanceled);
  EXPECT_TRUE(HasReason(Confirm(ride, "driver-2", "offer-2").status(), Reason::kRideNotMatching));

  const auto find = [&](const std::string& driver, const std::string& offer) {
    return Await<Ride>([&](auto done) { rides_->FindAssignment(driver, offer, done); });
  };
  EXPECT_EQ(find("driver-1", "offer-1")->ride_id(), ride.ride_id());
  EXPECT_EQ(Shown(*find("driver-1", "offer-1")).rider_id(), "");
  EXPECT_TRUE(HasReason(find("driver-2", "offer-1").status(), Reason::kRideNotFound));
  EXPECT_EQ(FieldOf(find("", "offer-1").status()), "driver_id");
}

TEST_F(RidesTest, BadConfirmationsNameTheField) {
  const auto confirm = [&](const std::string& ride_id, const AcceptedOffer& assignment) {
    return FieldOf(Await<Ride>([&](auto done) { rides_->Confirm(now_, ride_id, assignment, kNever, done); }).status());
  };
  EXPECT_EQ(confirm("", {1, Driver("d"), "o", {}}), "ride_id");
  EXPECT_EQ(confirm("r", {1, Driver(""), "o", {}}), "driver.driver_id");
  EXPECT_EQ(confirm("r", {1, Driver("d"), "", {}}), "offer_id");
  EXPECT_EQ(confirm("r", {0, Driver("d"), "o", {}}), "epoch");
}

TEST_F(RidesTest, ADriverWhoGivesUpSeesTheRideAsLastHad) {
  const Ride ride = *Request(Order());
  ASSERT_TRUE(Confirm(ride).ok());
  const DriverCommand cancel = {"driver-1", 1, 0, trip::Cancel{CancelReason::kOther, "tired"}};
  const absl::StatusOr<Ride> answer = Step(ride.ride_id(), cancel);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->state(), RideState::kEnrouteToPickup);
  EXPECT_EQ(answer->epoch(), 1);
  EXPECT_EQ(Shown(*answer).rider_id(), "");
  EXPECT_TRUE(HasReason(Step(ride.ride_id(), cancel).status(), Reason::kAssignmentEnded));
  EXPECT_EQ(Find(ride.ride_id())->redispatch_count(), 1);

  // A later lookup, by offer or in the list of trips, shows the ride as the driver last had it, marked as ended.
  ASSERT_TRUE(Confirm(*Find(ride.ride_id()), "driver-2", "offer-2").ok());
  const Ride found = *Await<Ride>([&](auto done) { rides_->FindAssignment("driver-1", "offer-1", done); });
  const Rides::Listed trips =
      *Await<Rides::Listed>([&](auto done) { rides_->ListForDriver("driver-1", 20, "", done); });
  ASSERT_EQ(trips.rides.size(), 1u);
  for (const Ride& had : {*answer, found, trips.rides[0]}) {
    EXPECT_TRUE(Shown(had).assignment_ended());
    EXPECT_EQ(had.state(), RideState::kEnrouteToPickup);
    EXPECT_EQ(had.driver()->driver_id(), "driver-1");
    EXPECT_EQ(Shown(had).offer_id(), "offer-1");
    EXPECT_EQ(Shown(had).rider_id() + Shown(had).request_id(), "");
  }
}

TEST_F(RidesTest, BadStepsNameTheField) {
  const DriverCommand good = {"driver-1", 1, 0, trip::Arrive{}};
  const auto field = [&](auto change) {
    DriverCommand command = good;
    change(command);
    return FieldOf(Step("ride-1", command).status());
  };
  EXPECT_EQ(FieldOf(Step("", good).status()), "ride_id");
  EXPECT_EQ(field([](DriverCommand& c) { c.driver_id = ""; }), "driver_id");
  EXPECT_EQ(field([](DriverCommand& c) { c.epoch = 0; }), "epoch");
  EXPECT_EQ(field([](DriverCommand& c) { c.leg = -1; }), "leg");
  EXPECT_EQ(field([](DriverCommand& c) { c.action = trip::None{}; }), "step");
  EXPECT_EQ(field([](DriverCommand& c) { c.action = trip::Cancel{CancelReason::kDriverUnreachable, ""}; }), "reason");
  EXPECT_EQ(field([](DriverCommand& c) {
              c.action = trip::Cancel{CancelReason::kUnspecified, std::string(513, 'x')};
            }),
            "note");
}

TEST_F(RidesTest, PagesOfADriversList) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    now_.domain += absl::Seconds(1);
    const Ride ride = *Request(Order("rider-" + std::to_string(i)));
    ASSERT_TRUE(Confirm(ride, "driver-1", "offer-" + std::to_string(i)).ok());
    ASSERT_TRUE(Cancel("rider-" + std::to_string(i), ride.ride_id()).ok());
    ids.push_back(ride.ride_id());
  }
  const auto list = [&](const std::string& driver, int size, const std::string& token) {
    return Await<Rides::Listed>([&](auto done) { rides_->ListForDriver(driver, size, token, done); });
  };
  const absl::StatusOr<Rides::Listed> first = list("driver-1", 2, "");
  ASSERT_EQ(first->rides.size(), 2u);
  EXPECT_EQ(first->rides[0].ride_id(), ids[2]);
  EXPECT_EQ(Shown(first->rides[0]).rider_id(), "");
  const absl::StatusOr<Rides::Listed> second = list("driver-1", 2, first->next_page_token);
  ASSERT_EQ(second->rides.size(), 1u);
  EXPECT_EQ(second->rides[0].ride_id(), ids[0]);
  EXPECT_EQ(second->next_page_token, "");
  EXPECT_EQ(FieldOf(list("driver-2", 2, first->next_page_token).status()), "page_token");
  EXPECT_EQ(FieldOf(list("driver-1", -2, "").status()), "page_size");
  EXPECT_EQ(FieldOf(list("driver-1", 101, "").status()), "page_size");
}

// --- Operators and the book ---

TEST_F(RidesTest, OperatorsReadARideOfAnyRider) {
  RideRequest order = Order();
  (*order.mutable_labels())["trip"] = "7";
  const Ride ride = *Request(order);
  const auto get = [&](const std::string& ride_id) {
    return Await<Ride>([&](auto done) { rides_->GetForOperator(ride_id, done); });
  };
  const Ride read = *get(ride.ride_id());
  const auto shown = Shown(read);
  EXPECT_EQ(shown.rider_id(), "rider-1");
  EXPECT_EQ(shown.labels().at("trip"), "7");
  EXPECT_TRUE(HasReason(get("nosuch").status(), Reason::kRideNotFound));
  EXPECT_EQ(FieldOf(get("").status()), "ride_id");
}

TEST_F(RidesTest, OperatorsEndWhatNobodyElseWill) {
  const Ride ride = *Request(Order());
  EXPECT_EQ(FieldOf(Resolve(ride.ride_id(), Resolution::kCancel, "").status()), "note");
  EXPECT_EQ(FieldOf(Resolve(ride.ride_id(), Resolution::kUnspecified, "ann").status()), "resolution");
  EXPECT_TRUE(HasReason(Resolve("nosuch", Resolution::kCancel, "ann").status(), Reason::kRideNotFound));
  EXPECT_TRUE(HasReason(Resolve(ride.ride_id(), Resolution::kComplete, "ann").status(), Reason::kIllegalTransition));
  EXPECT_EQ(Resolve(ride.ride_id(), Resolution::kCancel, "ann")->cancellation()->reason, CancelReason::kOperator);
  EXPECT_EQ(Resolve(ride.ride_id(), Resolution::kCancel, "ann")->sequence(), 2);
  EXPECT_TRUE(HasReason(Resolve(ride.ride_id(), Resolution::kComplete, "ann").status(), Reason::kRideEnded));
}

// All ways to read a canceled ride. Commands are sent twice, because a repeated command also returns the ride.
TEST_F(RidesTest, NoAnswerTellsOneSideWhatTheOtherWrote) {
  const auto find = [&](const Ride& ride) {
    return Await<Ride>([&](auto done) { rides_->FindAssignment("driver-1", ride.offer_id(), done); });
  };
  const auto trips = [&] {
    return Await<Rides::Listed>([&](auto done) { rides_->ListForDriver("driver-1", 1, "", done); })->rides.at(0);
  };
  const auto get = [&](const std::string& ride_id) {
    return *Await<Ride>([&](auto done) { rides_->Get("rider-1", ride_id, done); });
  };
  const auto expect = [](const Ride& ride, bool reads, const std::string& path) {
    ASSERT_TRUE(ride.cancellation()) << path;
    EXPECT_EQ(ride.cancellation()->note != "", reads) << path;
    EXPECT_EQ(ride.cancellation()->reason == CancelReason::kSafety, reads) << path;
  };
  int number = 0;
  const auto arrived = [&] {
    const std::string n = std::to_string(++number);
    now_.domain += absl::Seconds(1);
    now_.wall += absl::Seconds(1);
    const Ride ride = *Request(Order("rider-1", "request-" + n));
    Ride confirmed = *Confirm(ride, "driver-1", "offer-" + n);
    EXPECT_TRUE(Step(ride.ride_id(), {"driver-1", 1, 0, trip::Arrive{}}).ok());
    return confirmed;
  };

  const Ride by_rider = arrived();
  for (int i = 0; i < 2; ++i) {
    expect(*Cancel("rider-1", by_rider.ride_id(), CancelReason::kSafety, "he frightened me"), true, "CancelRide");
  }
  expect(get(by_rider.ride_id()), true, "GetRide");
  expect(List({"rider-1", 1, "", {}})->rides.at(0), true, "ListRides");
  expect(*Confirm(by_rider, "driver-1", by_rider.offer_id()), false, "ConfirmAssignment");
  expect(*find(by_rider), false, "FindAssignment");
  expect(trips(), false, "ListDriverRides");
  expect(*Step(by_rider.ride_id(), {"driver-1", 1, 0, trip::Arrive{}}), false, "RecordTripEvent");

  const Ride by_driver = arrived();
  const DriverCommand cancel = {"driver-1", 1, 0, trip::Cancel{CancelReason::kSafety, "she has a knife"}};
  for (int i = 0; i < 2; ++i) expect(*Step(by_driver.ride_id(), cancel), true, "RecordTripEvent");
  expect(*find(by_driver), true, "FindAssignment");
  expect(trips(), true, "ListDriverRides");
  expect(get(by_driver.ride_id()), false, "GetRide");
  expect(List({"rider-1", 1, "", {}})->rides.at(0), false, "ListRides");
  expect(*Cancel("rider-1", by_driver.ride_id()), false, "CancelRide");
  expect(*Request(Order("rider-1", "request-" + std::to_string(number))), false, "RequestRide");

  const Ride by_operator = arrived();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Resolve(by_operator.ride_id(), Resolution::kCancel, "ann: 12")->cancellation()->note, "ann: 12");
  }
  expect(get(by_operator.ride_id()), false, "GetRide");
  expect(trips(), false, "ListDriverRides");
}

TEST_F(RidesTest, TheBooksCommandsAnswerTheWholeRide) {
  const Ride ride = *Request(Order());
  ASSERT_TRUE(Confirm(ride).ok());
  now_.domain += absl::Seconds(60);
  const absl::StatusOr<Changed> unseen =
      Await<Changed>([&](auto done) { rides_->ExpireUnacknowledged(now_, ride.ride_id(), 1, kNever, done); });
  ASSERT_TRUE(unseen.ok());
  EXPECT_EQ(unseen->ride.state(), RideState::kMatching);
  EXPECT_THAT(unseen->ride.excluded_driver_ids(), ElementsAre("driver-1"));

  const auto end = [&] {
    return Await<Changed>([&](auto done) { rides_->EndUnfulfilled(now_, ride.ride_id(), 2, kNever, done); });
  };
  EXPECT_EQ(end()->ride.state(), RideState::kMatching) << "the deadline is a new one";
  now_.domain += absl::Seconds(120);
  EXPECT_EQ(end()->ride.state(), RideState::kNoDriversAvailable);
}

TEST_F(RidesTest, AStoreThatIsGoneIsSaidSo) {
  store_->Stop();
  const auto gone = [](const absl::Status& status) { return HasReason(status, Reason::kStoreUnavailable); };
  EXPECT_TRUE(gone(Request(Order()).status()));
  RideRequest broken = Order();
  broken.set_seats(9);
  EXPECT_TRUE(gone(Request(broken).status())) << "a repeat cannot be distinguished from a new request";
  EXPECT_TRUE(gone(Cancel("rider-1", "ride-1").status()));
  EXPECT_TRUE(gone(Confirm(RideIn(RideState::kMatching)).status()));
  EXPECT_TRUE(gone(Step("ride-1", {"driver-1", 1, 0, trip::Seen{}}).status()));
  EXPECT_TRUE(gone(Resolve("ride-1", Resolution::kCancel, "ann").status()));
  EXPECT_TRUE(gone(List({"rider-1", 0, "", {}}).status()));
  EXPECT_TRUE(gone(Await<Ride>([&](auto done) { rides_->Get("rider-1", "ride-1", done); }).status()));
  EXPECT_TRUE(gone(Await<Ride>([&](auto done) { rides_->GetForOperator("ride-1", done); }).status()));
  EXPECT_TRUE(gone(Await<std::optional<Ride>>([&](auto done) { rides_->GetActive("rider-1", done); }).status()));
  EXPECT_TRUE(gone(Await<Ride>([&](auto done) { rides_->FindAssignment("d", "o", done); }).status()));
  EXPECT_TRUE(gone(Await<Rides::Listed>([&](auto done) { rides_->ListForDriver("d", 0, "", done); }).status()));
  EXPECT_TRUE(gone(Await<Changed>([&](auto done) { rides_->RaiseEpoch("r", 1, kNever, done); }).status()));
  EXPECT_TRUE(gone(Await<Changed>([&](auto done) { rides_->EndUnfulfilled(now_, "r", 1, kNever, done); }).status()));
  EXPECT_TRUE(
      gone(Await<Changed>([&](auto done) { rides_->ExpireUnacknowledged(now_, "r", 1, kNever, done); }).status()));
  EXPECT_THAT(Observed(), IsEmpty());
}

}  // namespace
}  // namespace hail::rider
