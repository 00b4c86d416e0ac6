// StreamDriver: opening, resuming, being replaced, draining, and answers to invalid messages.
#include "tests/integration/driver_fixture.h"

namespace hail::testing {
namespace {

namespace driver = hail::driver::v1;
namespace type = hail::type::v1;

using DriverStreamTest = DriverServiceTest;

bool IsSnapshot(const DriverApp::Response& response) { return response.has_snapshot(); }
bool IsCaughtUp(const DriverApp::Response& response) { return response.has_caught_up(); }

TEST_F(DriverStreamTest, OpensWithASnapshotThenCaughtUp) {
  auto app = NewApp("ada");
  app->Open();
  const driver::DriverState state = app->Next(IsSnapshot, "a snapshot").snapshot();
  EXPECT_EQ(state.driver_id(), "ada");
  EXPECT_EQ(state.status(), driver::DRIVER_STATUS_OFFLINE);
  EXPECT_FALSE(state.has_ride());
  EXPECT_GT(state.session_epoch(), 0);
  EXPECT_EQ(app->Next(IsCaughtUp, "caught_up").caught_up().sequence(), 0);
}

TEST_F(DriverStreamTest, ALaterSessionHasAHigherEpoch) {
  auto app = NewApp("ada");
  app->Open();
  const int64_t first = app->Next(IsSnapshot, "a snapshot").snapshot().session_epoch();
  driver_.Kill();
  ASSERT_TRUE(driver_.Start());
  app->Open();
  EXPECT_GT(app->Next(IsSnapshot, "a snapshot").snapshot().session_epoch(), first);
}

TEST_F(DriverStreamTest, TheFirstMessageMustBeOpen) {
  auto app = NewApp("ada");
  app->Connect();
  app->SendPosition(kMarketStreet);
  const grpc::Status status = app->AwaitEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "PROTOCOL_VIOLATION");
}

TEST_F(DriverStreamTest, OpenIsSaidOnce) {
  auto app = NewApp("ada");
  app->Open();
  app->Next(IsCaughtUp, "caught_up");
  DriverApp::Request again;
  again.mutable_open()->set_driver_id("ada");
  app->Send(again);
  EXPECT_EQ(ReasonOf(app->AwaitEnd()), "PROTOCOL_VIOLATION");
}

// An app does this with messages that it kept without a network: it sends all at once, without waiting for the session.
TEST_F(DriverStreamTest, WhatIsSentBeforeTheSessionIsOpenIsTakenLater) {
  auto app = NewApp("ada");
  app->Open();
  for (int i = 0; i < 1000; ++i) app->SendPosition(kMarketStreet);
  EXPECT_EQ(app->SetAvailability(driver::AVAILABILITY_ONLINE).status().code(), 0);
  app->HalfClose();
  EXPECT_TRUE(app->AwaitEnd().ok());
}

// More messages than the loop has handled: the app is slowed down, not cut off.
TEST_F(DriverStreamTest, AnAppThatAsksFasterThanItIsAnsweredIsHeldBack) {
  auto app = AvailableApp("ada");
  for (int i = 0; i < 3000; ++i) app->SendOfferReceived("none");
  EXPECT_EQ(app->SetAvailability(driver::AVAILABILITY_ONLINE).status().code(), 0);
  app->HalfClose();
  EXPECT_TRUE(app->AwaitEnd().ok());
}

TEST_F(DriverStreamTest, UnknownDriversAreNotFound) {
  DriverApp app(driver_.PublicChannel(), "nobody");
  app.Open();
  const grpc::Status status = app.AwaitEnd();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(status), "DRIVER_NOT_FOUND");
}

TEST_F(DriverStreamTest, HalfClosingEndsTheStreamWithOk) {
  auto app = NewApp("ada");
  app->Open();
  app->Next(IsCaughtUp, "caught_up");
  app->HalfClose();
  EXPECT_TRUE(app->AwaitEnd().ok());
}

TEST_F(DriverStreamTest, ANewerStreamReplacesTheOlder) {
  auto older = AvailableApp("ada");
  DriverApp newer(driver_.PublicChannel(), "ada");
  newer.Open();
  newer.Next(IsSnapshot, "a snapshot");
  older->Next([](const DriverApp::Response& response) { return response.has_replaced(); }, "replaced");
  EXPECT_TRUE(older->AwaitEnd().ok());
  // The newer stream is the driver's now: replacing the older one did not log the driver off.
  newer.SendPosition(kMarketStreet);
  newer.AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_AVAILABLE; },
                   "available");
}

TEST_F(DriverStreamTest, ResumesAfterTheCursor) {
  auto app = AppOnTrip("ada", "ride-1");
  app->Drop();
  // While the phone's stream is down, the unary call still works.
  driver::AdvanceTripRequest arrive;
  arrive.set_driver_id("ada");
  arrive.set_ride_id("ride-1");
  arrive.set_epoch(1);
  arrive.mutable_arrive();
  driver::AdvanceTripResponse response;
  ASSERT_TRUE(app->stub().AdvanceTrip(CallContext().get(), arrive, &response).ok());
  EXPECT_EQ(response.ride().state(), type::RIDE_STATE_ARRIVED_AT_PICKUP);

  app->Resume("ride-1", 2);
  const type::RideEvent event = app->NextEvent(type::RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP);
  EXPECT_EQ(event.sequence(), 3);
  const driver::DriverState state = app->Next(IsSnapshot, "a snapshot").snapshot();
  EXPECT_EQ(state.status(), driver::DRIVER_STATUS_ON_TRIP);
  EXPECT_EQ(state.ride().ride_id(), "ride-1");
  EXPECT_EQ(app->Next(IsCaughtUp, "caught_up").caught_up().sequence(), 3);
  int events = 0;
  for (const auto& message : app->received()) events += message.has_event() ? 1 : 0;
  EXPECT_EQ(events, 1) << "only what came after the cursor";
}

TEST_F(DriverStreamTest, ACursorThatMakesNoSenseIsReset) {
  auto app = AppOnTrip("ada", "ride-1");
  app->Drop();
  app->Resume("ride-1", 99);
  app->Next([](const DriverApp::Response& response) { return response.has_start_over(); }, "reset");
  EXPECT_EQ(app->Next(IsSnapshot, "a snapshot").snapshot().ride().ride_id(), "ride-1");
  app->Next(IsCaughtUp, "caught_up");
}

TEST_F(DriverStreamTest, CursorsAreChecked) {
  auto app = NewApp("ada");
  app->Resume("ride-1", -4);
  EXPECT_EQ(app->AwaitEnd().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(DriverStreamTest, CommandsNeedAnId) {
  auto app = NewApp("ada");
  app->Open();
  DriverApp::Request request;
  request.mutable_set_availability()->set_availability(driver::AVAILABILITY_ONLINE);
  app->Send(request);
  const driver::CommandResult result = app->NextResult("");
  EXPECT_EQ(result.status().code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(result.state().availability(), driver::AVAILABILITY_OFFLINE) << "a refused command has no effect";
}

TEST_F(DriverStreamTest, AStreamSpeaksForItsDriverOnly) {
  auto app = NewApp("ada");
  app->Open();
  DriverApp::Request request;
  request.mutable_set_availability()->set_driver_id("grace");
  request.mutable_set_availability()->set_availability(driver::AVAILABILITY_ONLINE);
  EXPECT_EQ(app->Command(request).status().code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(DriverStreamTest, AMessageOfNoKindIsAnswered) {
  auto app = NewApp("ada");
  app->Open();
  EXPECT_EQ(app->Command({}).status().code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(app->SetAvailability(driver::AVAILABILITY_ONLINE).status().code(), 0) << "and the stream goes on";
}

TEST_F(DriverStreamTest, OversizedMessagesEndTheStream) {
  auto app = NewApp("ada");
  app->Open();
  DriverApp::Request request;
  request.set_command_id(std::string(100'000, 'x'));
  request.mutable_set_availability()->set_availability(driver::AVAILABILITY_ONLINE);
  app->Send(request);
  EXPECT_EQ(app->AwaitEnd().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(DriverStreamTest, DrainsWithACursorThenOk) {
  auto on_trip = AppOnTrip("ada", "ride-1");
  auto idle = AvailableApp("grace");
  driver_.Signal(SIGTERM);
  const type::Draining draining =
      on_trip->Next([](const DriverApp::Response& response) { return response.has_draining(); }, "draining").draining();
  EXPECT_EQ(draining.cursor().ride_id(), "ride-1");
  EXPECT_EQ(draining.cursor().sequence(), 2);
  EXPECT_TRUE(draining.has_retry_after());
  EXPECT_FALSE(idle->Next([](const DriverApp::Response& response) { return response.has_draining(); }, "draining")
                   .draining()
                   .has_cursor());
  EXPECT_TRUE(on_trip->AwaitEnd().ok());
  EXPECT_TRUE(idle->AwaitEnd().ok());
  EXPECT_EQ(driver_.WaitForExit(absl::Seconds(15)), 0);

  // The next run resumes at the cursor of `draining`.
  ASSERT_TRUE(driver_.Start());
  on_trip->Resume(draining.cursor().ride_id(), draining.cursor().sequence());
  EXPECT_EQ(on_trip->Next(IsSnapshot, "a snapshot").snapshot().status(), driver::DRIVER_STATUS_ON_TRIP);
}

TEST_F(DriverStreamTest, HeartbeatsCarryTheSequence) {
  auto app = AppOnTrip("ada", "ride-1");
  const type::Heartbeat heartbeat =
      app->Next([](const DriverApp::Response& response) { return response.has_heartbeat(); }, "a heartbeat")
          .heartbeat();
  EXPECT_EQ(heartbeat.sequence(), 2);
}

}  // namespace
}  // namespace hail::testing
