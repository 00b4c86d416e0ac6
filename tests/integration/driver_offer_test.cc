// Offers on the stream: accepted, declined, ignored, withdrawn; and confirmations with an uncertain outcome.
#include "tests/integration/driver_fixture.h"

namespace hail::testing {
namespace {

namespace driver = hail::driver::v1;
namespace internal = hail::internal::v1;
namespace type = hail::type::v1;

using DriverOfferTest = DriverServiceTest;

class ShortOfferTest : public DriverServiceTest {
 protected:
  ShortOfferTest() { rider_.set_offer_time(absl::Seconds(1)); }
};

class QuickReceiptTest : public DriverServiceTest {
 protected:
  QuickReceiptTest() : DriverServiceTest({{"offer.receive_time", "300ms"}}) {}
};

bool IsStarted(const internal::DispatchResponse& message) { return message.has_started(); }
bool IsSettled(const internal::DispatchResponse& message) { return message.has_settled(); }
bool IsExhausted(const internal::DispatchResponse& message) { return message.has_exhausted(); }

bool Available(const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_AVAILABLE; }
bool Reserved(const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_RESERVED; }

TEST_F(DriverOfferTest, AnAcceptedOfferBecomesTheRide) {
  auto app = AvailableApp("ada");
  const internal::StartDispatch start = rider_.StartRide("ride-1", 1, Toward(kMarketStreet, 90, 400));
  internal::DispatchResponse started;
  ASSERT_TRUE(rider_.NextLinkMessage(IsStarted, &started));
  EXPECT_EQ(started.started().ride_id(), "ride-1");
  EXPECT_EQ(started.started().epoch(), 1);

  const driver::Offer offer = app->NextOffer();
  EXPECT_EQ(offer.ride_id(), "ride-1");
  EXPECT_EQ(offer.epoch(), 1);
  EXPECT_EQ(offer.status(), driver::OFFER_STATUS_PENDING);
  EXPECT_EQ(offer.pickup().SerializeAsString(), start.pickup().SerializeAsString());
  EXPECT_EQ(offer.fare().micros(), start.fare().micros());
  EXPECT_GT(offer.remaining().seconds(), 10);
  EXPECT_LE(offer.remaining().seconds(), 15);
  EXPECT_GE(offer.pickup_distance_m(), 400);
  EXPECT_GT(offer.pickup_eta().seconds(), 0);
  app->SendOfferReceived(offer.offer_id());

  const driver::CommandResult result = app->Respond(offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(result.status().code(), 0) << result.status().message();
  EXPECT_EQ(result.state().status(), driver::DRIVER_STATUS_ON_TRIP);
  EXPECT_EQ(result.state().ride().ride_id(), "ride-1");

  ASSERT_EQ(rider_.confirms().size(), 1u);
  const auto confirm = rider_.confirms()[0];
  EXPECT_EQ(confirm.offer_id(), offer.offer_id());
  EXPECT_EQ(confirm.epoch(), 1);
  EXPECT_EQ(confirm.driver().driver_id(), "ada");
  EXPECT_EQ(confirm.driver().vehicle().plate(), "7ABC-ada");

  // Accepting again has the same outcome, without another request to rider-service.
  EXPECT_EQ(app->Respond(offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT).status().code(), 0);
  EXPECT_EQ(rider_.confirms().size(), 1u);
}

TEST_F(DriverOfferTest, TheAssignmentIsToldOnceAndInOrder) {
  auto app = AppOnTrip("ada", "ride-1");
  app->AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_ON_TRIP; },
                  "on a trip");
  DriverApp::Request arrive;
  arrive.mutable_advance_trip()->set_ride_id("ride-1");
  arrive.mutable_advance_trip()->set_epoch(1);
  arrive.mutable_advance_trip()->mutable_arrive();
  EXPECT_EQ(app->Command(arrive).status().code(), 0);
  app->AwaitState(
      [](const driver::DriverState& state) { return state.ride().state() == type::RIDE_STATE_ARRIVED_AT_PICKUP; },
      "at the pickup");
  std::vector<int64_t> sequences;
  for (const auto& message : app->received()) {
    if (message.has_event()) sequences.push_back(message.event().sequence());
  }
  EXPECT_EQ(sequences, (std::vector<int64_t>{2, 3}));
}

TEST_F(DriverOfferTest, ADeclinedRideGoesToTheNextDriver) {
  auto near = AvailableApp("near");
  auto far = AvailableApp("far", Toward(kMarketStreet, 180, 900));
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer first = near->NextOffer();
  near->SendOfferReceived(first.offer_id());
  EXPECT_EQ(near->Respond(first.offer_id(), driver::OFFER_RESPONSE_DECLINE).status().code(), 0);
  internal::DispatchResponse settled;
  ASSERT_TRUE(rider_.NextLinkMessage(IsSettled, &settled));
  EXPECT_EQ(settled.settled().driver_id(), "near");
  EXPECT_EQ(settled.settled().outcome(), internal::OFFER_OUTCOME_DECLINED);

  const driver::Offer second = far->NextOffer();
  EXPECT_EQ(second.ride_id(), "ride-1");
  EXPECT_NE(second.offer_id(), first.offer_id());
  // The driver can no longer accept the declined offer.
  const driver::CommandResult late = near->Respond(first.offer_id(), driver::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(late.status().code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(late.status()), "OFFER_DECLINED");
  EXPECT_EQ(far->Respond(second.offer_id(), driver::OFFER_RESPONSE_ACCEPT).status().code(), 0);
}

TEST_F(ShortOfferTest, AnUnansweredOfferExpires) {
  auto app = AvailableApp("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet, absl::Seconds(3));
  const driver::Offer offer = app->NextOffer();
  app->SendOfferReceived(offer.offer_id());
  EXPECT_EQ(app->NextOfferUpdate(driver::OFFER_STATUS_EXPIRED).offer_id(), offer.offer_id());
  internal::DispatchResponse settled;
  ASSERT_TRUE(rider_.NextLinkMessage(IsSettled, &settled));
  EXPECT_EQ(settled.settled().outcome(), internal::OFFER_OUTCOME_EXPIRED);

  const driver::CommandResult late = app->Respond(offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(ReasonOf(late.status()), "OFFER_EXPIRED");
  EXPECT_TRUE(rider_.confirms().empty());

  // There is no other driver: after the deadline the service reports `exhausted`.
  internal::DispatchResponse exhausted;
  ASSERT_TRUE(rider_.NextLinkMessage(IsExhausted, &exhausted));
  EXPECT_EQ(exhausted.exhausted().ride_id(), "ride-1");
  app->AwaitState(Available, "available again");
}

TEST_F(QuickReceiptTest, AnOfferNobodyShowsGoesToTheNextDriverWithoutPenalty) {
  auto silent = AvailableApp("silent");
  auto awake = AvailableApp("awake", Toward(kMarketStreet, 180, 900));
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer first = silent->NextOffer();
  const driver::OfferUpdate update = silent->NextOfferUpdate(driver::OFFER_STATUS_REVOKED);
  EXPECT_EQ(update.offer_id(), first.offer_id());
  EXPECT_EQ(update.reason(), driver::OFFER_REVOKE_REASON_SUPERSEDED);
  const driver::Offer second = awake->NextOffer();
  awake->SendOfferReceived(second.offer_id());
  EXPECT_EQ(awake->Respond(second.offer_id(), driver::OFFER_RESPONSE_ACCEPT).status().code(), 0);
  EXPECT_EQ(rider_.ride("ride-1").driver().driver_id(), "awake");
  silent->AwaitState(Available, "available, without a penalty");
}

TEST_F(DriverOfferTest, ACanceledRideWithdrawsTheOffer) {
  auto app = AvailableApp("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer offer = app->NextOffer();
  rider_.StopRide("ride-1", 1, internal::STOP_REASON_RIDE_CANCELED);
  const driver::OfferUpdate update = app->NextOfferUpdate(driver::OFFER_STATUS_REVOKED);
  EXPECT_EQ(update.offer_id(), offer.offer_id());
  EXPECT_EQ(update.reason(), driver::OFFER_REVOKE_REASON_RIDE_CANCELED);
  EXPECT_EQ(ReasonOf(app->Respond(offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT).status()), "OFFER_REVOKED");
  app->AwaitState(Available, "available");
}

TEST_F(DriverOfferTest, TheEndOfTheLinkWithdrawsItsOffers) {
  auto app = AvailableApp("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer first = app->NextOffer();
  rider_.CloseLink();
  EXPECT_EQ(app->NextOfferUpdate(driver::OFFER_STATUS_REVOKED).reason(), driver::OFFER_REVOKE_REASON_SUPERSEDED);
  rider_.OpenLink(driver_.internal_address());
  rider_.StartRide("ride-1", 2, kMarketStreet);
  const driver::Offer second = app->NextOffer();
  EXPECT_EQ(second.epoch(), 2);
  EXPECT_NE(second.offer_id(), first.offer_id());
  app->SendOfferReceived(second.offer_id());
  EXPECT_EQ(app->Respond(second.offer_id(), driver::OFFER_RESPONSE_ACCEPT).status().code(), 0);
}

TEST_F(DriverOfferTest, GoingOfflineWithdrawsTheOffer) {
  auto app = AvailableApp("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  app->NextOffer();
  EXPECT_EQ(app->SetAvailability(driver::AVAILABILITY_OFFLINE).status().code(), 0);
  bool withdrawn = false;
  for (const auto& message : app->received()) {
    withdrawn |= message.has_offer_update() && message.offer_update().status() == driver::OFFER_STATUS_REVOKED &&
                 message.offer_update().reason() == driver::OFFER_REVOKE_REASON_WENT_OFFLINE;
  }
  EXPECT_TRUE(withdrawn);
}

TEST_F(DriverOfferTest, AnUnknownOutcomeIsAskedForUntilItIsCertain) {
  rider_.SetConfirmRule([](const FakeRider::ConfirmRequest&, int attempt) {
    return attempt <= 3 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "try again") : grpc::Status::OK;
  });
  auto app = AvailableApp("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer offer = app->NextOffer();
  app->SendOfferReceived(offer.offer_id());
  const std::string command_id = app->RespondLater(offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(app->NextOfferUpdate(driver::OFFER_STATUS_CONFIRMING).offer_id(), offer.offer_id());
  app->AwaitState(Reserved, "reserved while nobody knows");
  const driver::CommandResult result = app->NextResult(command_id);
  EXPECT_EQ(result.status().code(), 0);
  EXPECT_EQ(result.state().status(), driver::DRIVER_STATUS_ON_TRIP);
  EXPECT_EQ(rider_.confirms().size(), 4u);
}

TEST_F(DriverOfferTest, ALostRaceIsTold) {
  rider_.SetConfirmRule([](const FakeRider::ConfirmRequest&, int) {
    return rpc::ToGrpc(FailedPrecondition(Reason::kStaleEpoch, "there is a newer epoch"));
  });
  auto app = AvailableApp("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer offer = app->NextOffer();
  const driver::CommandResult result = app->Respond(offer.offer_id(), driver::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(result.status().code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(result.status()), "OFFER_REVOKED");
  app->AwaitState(Available, "available");
  EXPECT_EQ(rider_.confirms().size(), 1u) << "a definite answer is not asked for again";
}

TEST_F(DriverOfferTest, AnOfferNobodyRemembersIsLookedUp) {
  auto app = AppOnTrip("ada", "ride-1");
  const std::string offer_id = rider_.ride("ride-1").offer_id();
  driver_.Kill();
  ASSERT_TRUE(driver_.Start());
  app->Open();
  const driver::CommandResult known = app->Respond(offer_id, driver::OFFER_RESPONSE_ACCEPT);
  EXPECT_EQ(known.status().code(), 0) << known.status().message();
  EXPECT_EQ(ReasonOf(app->Respond("never-made", driver::OFFER_RESPONSE_ACCEPT).status()), "OFFER_NOT_FOUND");
}

TEST_F(DriverOfferTest, ADeclineSurvivesARestart) {
  auto app = AvailableApp("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const std::string offer_id = app->NextOffer().offer_id();
  ASSERT_EQ(app->Respond(offer_id, driver::OFFER_RESPONSE_DECLINE).status().code(), 0);
  // The shutdown writes the records that wait for the log.
  EXPECT_EQ(driver_.Terminate(), 0);
  ASSERT_TRUE(driver_.Start());
  app->Open();
  EXPECT_EQ(app->Respond(offer_id, driver::OFFER_RESPONSE_DECLINE).status().code(), 0);
  EXPECT_EQ(ReasonOf(app->Respond(offer_id, driver::OFFER_RESPONSE_ACCEPT).status()), "OFFER_DECLINED");
}

TEST_F(DriverOfferTest, AnAssignmentFromTheFeedWinsOverAnOffer) {
  auto app = AvailableApp("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer offer = app->NextOffer();
  rider_.AssignDirectly("ride-2", "ada");
  const driver::OfferUpdate update = app->NextOfferUpdate(driver::OFFER_STATUS_REVOKED);
  EXPECT_EQ(update.offer_id(), offer.offer_id());
  EXPECT_EQ(update.reason(), driver::OFFER_REVOKE_REASON_SUPERSEDED);
  EXPECT_EQ(app->NextEvent(type::RIDE_EVENT_TYPE_ASSIGNED).ride_id(), "ride-2");
}

TEST_F(DriverOfferTest, ARidersCancelFreesTheDriver) {
  auto app = AppOnTrip("ada", "ride-1");
  rider_.CancelByRider("ride-1");
  app->NextEvent(type::RIDE_EVENT_TYPE_CANCELED);
  app->SendPosition(kMarketStreet);
  app->AwaitState(Available, "available");
  rider_.StartRide("ride-2", 1, kMarketStreet);
  EXPECT_EQ(app->NextOffer().ride_id(), "ride-2");
}

TEST_F(DriverOfferTest, ADriverHasOneOfferAtATime) {
  auto app = AvailableApp("ada");
  rider_.StartRide("ride-1", 1, kMarketStreet);
  const driver::Offer first = app->NextOffer();
  app->SendOfferReceived(first.offer_id());
  rider_.StartRide("ride-2", 1, kMarketStreet);
  ASSERT_TRUE(rider_.NextLinkMessage(
      [](const internal::DispatchResponse& message) { return message.started().ride_id() == "ride-2"; }, nullptr));
  int offers = 0;
  for (const auto& message : app->received()) offers += message.has_offer() ? 1 : 0;
  EXPECT_EQ(offers, 1) << "the second ride waits";
  EXPECT_EQ(app->Respond(first.offer_id(), driver::OFFER_RESPONSE_DECLINE).status().code(), 0);
  app->Next([](const DriverApp::Response& response) { return response.offer().ride_id() == "ride-2"; }, "the second");
}

TEST_F(DriverOfferTest, ExcludedDriversAreNotAsked) {
  auto excluded = AvailableApp("excluded");
  auto other = AvailableApp("other", Toward(kMarketStreet, 180, 900));
  rider_.StartRide("ride-1", 1, kMarketStreet, absl::Seconds(120), {"excluded"});
  EXPECT_EQ(other->NextOffer().ride_id(), "ride-1");
  for (const auto& message : excluded->received()) EXPECT_FALSE(message.has_offer());
}

}  // namespace
}  // namespace hail::testing
