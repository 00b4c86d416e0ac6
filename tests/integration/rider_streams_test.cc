// WatchRide and StreamRide: order, cursors, resets, telemetry, slow readers, draining.
#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/integration/rider_fixture.h"

namespace hail::testing {
namespace {

using grpc::StatusCode;
using hail::internal::v1::ReportLocationsRequest;
using hail::rider::v1::StreamRideRequest;
using hail::rider::v1::StreamRideResponse;
using hail::rider::v1::WatchRideResponse;
using hail::type::v1::Ride;
using ::testing::ElementsAre;

class RiderStreams : public RiderServiceTest {
 protected:
  explicit RiderStreams(double time_scale = 1) : RiderServiceTest(time_scale) {}

  // The sequences of a watch's events up to its end, and whether caught_up or telemetry came in between.
  static std::vector<std::int64_t> EventsToTheEnd(Watch& watch) {
    std::vector<std::int64_t> sequences;
    while (const auto update = watch.Next()) {
      if (update->has_event()) sequences.push_back(update->event().sequence());
    }
    return sequences;
  }

  static ReportLocationsRequest LocationOf(const Ride& ride, std::uint64_t position_seq, double latitude_deg,
                                           int age_s = 0) {
    ReportLocationsRequest request;
    auto* location = request.add_locations();
    location->set_driver_id(ride.driver().driver_id());
    location->set_ride_id(ride.ride_id());
    location->set_epoch(ride.epoch());
    location->set_session_epoch(1);
    location->mutable_position()->mutable_location()->set_latitude_deg(latitude_deg);
    location->mutable_position()->mutable_location()->set_longitude_deg(-122.4);
    location->mutable_position()->set_position_seq(position_seq);
    location->mutable_position()->mutable_age()->set_seconds(age_s);
    location->mutable_eta()->set_seconds(77);
    return request;
  }
};

TEST_F(RiderStreams, AWatchShowsThePresentAndThenEachEventUntilTheLast) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  Watch watch(client.rides(), "ann", requested.ride_id());
  auto update = watch.Next();
  ASSERT_TRUE(update && update->has_snapshot());
  EXPECT_EQ(update->snapshot().sequence(), 1);
  const Ride assigned = client.MustConfirm(requested, "driver-1");
  update = watch.Next();
  ASSERT_TRUE(update && update->has_event());
  EXPECT_EQ(update->event().type(), hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED);
  EXPECT_EQ(update->event().sequence(), 2);
  EXPECT_EQ(update->event().ride().driver().driver_id(), "driver-1");
  EXPECT_EQ(update->event().ride().offer_id(), "");
  using namespace hail::internal::v1;
  for (const TripStep step : {TRIP_STEP_SEEN, TRIP_STEP_ARRIVE, TRIP_STEP_START, TRIP_STEP_COMPLETE}) {
    ASSERT_TRUE(client.Step(assigned, step).ok());
  }
  EXPECT_THAT(EventsToTheEnd(watch), ElementsAre(3, 4, 5, 6));
  EXPECT_TRUE(watch.Finish().ok());

  // An ended ride: its snapshot, and the end.
  Watch late(client.rides(), "ann", requested.ride_id());
  update = late.Next();
  ASSERT_TRUE(update && update->has_snapshot());
  EXPECT_EQ(update->snapshot().state(), hail::type::v1::RIDE_STATE_COMPLETED);
  EXPECT_THAT(EventsToTheEnd(late), ElementsAre());
  EXPECT_TRUE(late.Finish().ok());
}

TEST_F(RiderStreams, AWatchGoesOnFromItsCursor) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  const Ride assigned = client.MustConfirm(requested, "driver-1");
  ASSERT_TRUE(client.Step(assigned, hail::internal::v1::TRIP_STEP_ARRIVE).ok());

  Watch watch(client.rides(), "ann", requested.ride_id(), 1);
  auto update = watch.Next();
  ASSERT_TRUE(update && update->has_event());
  EXPECT_EQ(update->event().sequence(), 2);
  update = watch.Next();
  ASSERT_TRUE(update && update->has_event());
  EXPECT_EQ(update->event().sequence(), 3);
  update = watch.Next();
  ASSERT_TRUE(update && update->has_caught_up());
  EXPECT_EQ(update->caught_up().sequence(), 3);

  Watch up_to_date(client.rides(), "ann", requested.ride_id(), 3);
  update = up_to_date.Next();
  ASSERT_TRUE(update && update->has_caught_up()) << "nothing was missed";

  ASSERT_TRUE(client.Cancel("ann", requested.ride_id()).ok());
  EXPECT_THAT(EventsToTheEnd(watch), ElementsAre(4));
  EXPECT_THAT(EventsToTheEnd(up_to_date), ElementsAre(4));

  Watch after_the_end(client.rides(), "ann", requested.ride_id(), 2);
  EXPECT_THAT(EventsToTheEnd(after_the_end), ElementsAre(3, 4));
  EXPECT_TRUE(after_the_end.Finish().ok());
}

TEST_F(RiderStreams, ACursorAheadOfTheRideIsReset) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  Watch watch(client.rides(), "ann", requested.ride_id(), 17);
  auto update = watch.Next();
  ASSERT_TRUE(update && update->has_start_over());
  update = watch.Next();
  ASSERT_TRUE(update && update->has_snapshot());
  EXPECT_EQ(update->snapshot().sequence(), 1);
}

TEST_F(RiderStreams, NobodyWatchesSomebodyElsesRide) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  Watch foreign(client.rides(), "bob", requested.ride_id());
  EXPECT_FALSE(foreign.Next().has_value());
  const grpc::Status status = foreign.Finish();
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(ErrorOf(status).reason, "RIDE_NOT_FOUND");
  Watch nobody(client.rides(), "", requested.ride_id());
  const grpc::Status invalid = nobody.Finish();
  EXPECT_EQ(invalid.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(ErrorOf(invalid).fields, ElementsAre("rider_id"));
}

TEST_F(RiderStreams, RidersSeeTheirDriversPositionAndNoOlderOne) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  const Ride assigned = client.MustConfirm(requested, "driver-1");
  Watch watch(client.rides(), "ann", requested.ride_id());
  ASSERT_TRUE(watch.Next()->has_snapshot());

  const auto context = PatientContext();
  hail::internal::v1::ReportLocationsResponse response;
  const auto writer = client.assignments().ReportLocations(context.get(), &response);
  ASSERT_TRUE(writer->Write(LocationOf(assigned, 5, 37.76)));
  auto update = watch.Next();
  ASSERT_TRUE(update && update->has_telemetry());
  EXPECT_EQ(update->telemetry().position().location().latitude_deg(), 37.76);
  EXPECT_EQ(update->telemetry().eta().seconds(), 77);
  EXPECT_EQ(update->telemetry().epoch(), 1);

  // An older position, one of another assignment, and then a newer one: only the last is shown.
  ASSERT_TRUE(writer->Write(LocationOf(assigned, 4, 37.75)));
  Ride other_epoch = assigned;
  other_epoch.set_epoch(0);
  ASSERT_TRUE(writer->Write(LocationOf(other_epoch, 6, 37.74)));
  const auto seen = client.Get("ann", requested.ride_id()).response.ride().driver_last_seen();
  ASSERT_TRUE(writer->Write(LocationOf(assigned, 6, 37.73, 100)));
  ASSERT_TRUE(writer->Write(LocationOf(assigned, 7, 37.77)));
  // A position that comes while the watch opens may be its first telemetry and the next one, too.
  do {
    update = watch.Next();
    ASSERT_TRUE(update && update->has_telemetry());
  } while (update->telemetry().position().position_seq() == 5);
  EXPECT_EQ(update->telemetry().position().location().latitude_deg(), 37.77);
  const auto seen_later = client.Get("ann", requested.ride_id()).response.ride().driver_last_seen();
  EXPECT_GE(std::pair(seen_later.seconds(), seen_later.nanos()), std::pair(seen.seconds(), seen.nanos()));

  // A watch opened later gets the latest position at once.
  Watch late(client.rides(), "ann", requested.ride_id());
  ASSERT_TRUE(late.Next()->has_snapshot());
  update = late.Next();
  ASSERT_TRUE(update && update->has_telemetry());
  EXPECT_EQ(update->telemetry().position().position_seq(), 7u);
  writer->WritesDone();
  EXPECT_TRUE(writer->Finish().ok());
}

// Half a minute of domain time passes in little more than a second.
class RiderStreamsInAHurry : public RiderStreams {
 protected:
  RiderStreamsInAHurry() : RiderStreams(20) {}

  static std::optional<hail::rider::v1::RideTelemetry> NextTelemetry(Watch& watch) {
    std::optional<WatchRideResponse> update = watch.Next();
    while (update && !update->has_telemetry()) update = watch.Next();
    return update ? std::optional(update->telemetry()) : std::nullopt;
  }
};

TEST_F(RiderStreamsInAHurry, RidersAreToldThatTheirDriversPositionIsMissingAndThatItIsBack) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  const Ride assigned = client.MustConfirm(requested, "driver-1");
  ASSERT_TRUE(client.Step(assigned, hail::internal::v1::TRIP_STEP_SEEN).ok());
  Watch watch(client.rides(), "ann", requested.ride_id());
  auto telemetry = NextTelemetry(watch);
  ASSERT_TRUE(telemetry.has_value());
  EXPECT_EQ(telemetry->missing_since().SerializeAsString(), assigned.assign_time().SerializeAsString())
      << "none came since the assignment";
  EXPECT_FALSE(telemetry->has_position());
  EXPECT_EQ(telemetry->epoch(), 1);

  const auto context = PatientContext();
  hail::internal::v1::ReportLocationsResponse response;
  const auto writer = client.assignments().ReportLocations(context.get(), &response);
  ASSERT_TRUE(writer->Write(LocationOf(assigned, 1, 37.76)));
  telemetry = NextTelemetry(watch);
  ASSERT_TRUE(telemetry.has_value());
  EXPECT_FALSE(telemetry->has_missing_since()) << "it is back";
  EXPECT_EQ(telemetry->position().location().latitude_deg(), 37.76);

  telemetry = NextTelemetry(watch);
  ASSERT_TRUE(telemetry.has_value());
  EXPECT_TRUE(telemetry->has_missing_since());
  EXPECT_EQ(telemetry->missing_since().SerializeAsString(),
            client.Get("ann", requested.ride_id()).response.ride().driver_last_seen().SerializeAsString());
  EXPECT_EQ(telemetry->position().location().latitude_deg(), 37.76) << "the last one known";
  EXPECT_GE(telemetry->position().age().seconds(), 30);

  // A stream opened meanwhile gets it at once, and only once.
  Watch late(client.rides(), "ann", requested.ride_id());
  ASSERT_TRUE(late.Next()->has_snapshot());
  auto update = late.Next();
  ASSERT_TRUE(update && update->has_telemetry());
  EXPECT_TRUE(update->telemetry().has_missing_since());

  const auto stream_context = PatientContext();
  const auto stream = client.rides().StreamRide(stream_context.get());
  StreamRideRequest open;
  open.mutable_open()->set_rider_id("ann");
  open.mutable_open()->set_ride_id(requested.ride_id());
  ASSERT_TRUE(stream->Write(open));
  StreamRideResponse message;
  int missing = 0;
  // A heartbeat comes after two reads of the store.
  while (stream->Read(&message) && !message.update().has_heartbeat())
    missing += message.update().has_telemetry() ? 1 : 0;
  EXPECT_TRUE(message.update().has_heartbeat());
  EXPECT_EQ(missing, 1);

  // A late position becomes the last known one; it does not end the missing state.
  ASSERT_TRUE(writer->Write(LocationOf(assigned, 2, 37.77, 31)));
  do ASSERT_TRUE(stream->Read(&message));
  while (message.update().has_heartbeat());
  ASSERT_TRUE(message.update().has_telemetry());
  EXPECT_EQ(message.update().telemetry().position().location().latitude_deg(), 37.77);
  EXPECT_TRUE(message.update().telemetry().has_missing_since());
  writer->WritesDone();
  EXPECT_TRUE(writer->Finish().ok());
}

TEST_F(RiderStreams, CommandsOnTheStreamAreAnsweredAndWorkAsTheirTwins) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  const auto context = PatientContext();
  const auto stream = client.rides().StreamRide(context.get());
  StreamRideRequest open;
  open.mutable_open()->set_rider_id("ann");
  open.mutable_open()->set_ride_id(requested.ride_id());
  ASSERT_TRUE(stream->Write(open));
  StreamRideResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(response.update().has_snapshot());

  StreamRideRequest bad;
  bad.set_command_id("c-1");
  bad.mutable_cancel_ride()->set_reason(hail::type::v1::CANCEL_REASON_REDISPATCH_LIMIT);
  ASSERT_TRUE(stream->Write(bad));
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(response.has_command_result());
  EXPECT_EQ(response.command_result().command_id(), "c-1");
  EXPECT_EQ(response.command_result().status().code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_GT(response.command_result().status().details_size(), 0);

  StreamRideRequest cancel;
  cancel.set_command_id("c-2");
  cancel.mutable_cancel_ride()->set_reason(hail::type::v1::CANCEL_REASON_CHANGED_PLANS);
  ASSERT_TRUE(stream->Write(cancel));
  bool answered = false, updated = false;
  while (stream->Read(&response)) {
    if (response.has_command_result()) {
      answered = true;
      EXPECT_EQ(response.command_result().command_id(), "c-2");
      EXPECT_EQ(response.command_result().status().code(), 0);
      EXPECT_EQ(response.command_result().ride().state(), hail::type::v1::RIDE_STATE_CANCELED);
    } else if (response.update().has_event()) {
      updated = true;
      EXPECT_EQ(response.update().event().type(), hail::type::v1::RIDE_EVENT_TYPE_CANCELED);
    }
  }
  EXPECT_TRUE(answered) << "the final event must not cut off the answer";
  EXPECT_TRUE(updated);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RiderStreams, AReaderThatDoesNotKeepUpIsToldAndCanResume) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  const auto context = PatientContext(absl::Seconds(60));
  const auto stream = client.rides().StreamRide(context.get());
  StreamRideRequest open;
  open.mutable_open()->set_rider_id("ann");
  open.mutable_open()->set_ride_id(requested.ride_id());
  ASSERT_TRUE(stream->Write(open));
  // Each command is answered, and the client reads no answer: at some point more answers wait than the limit.
  StreamRideRequest command;
  command.set_command_id(std::string(128, 'c'));
  command.mutable_cancel_ride()->set_rider_id("somebody-else");
  std::atomic<int> written = 0;
  std::thread writer([&] {
    while (stream->Write(command)) ++written;
  });
  // The server has ended the stream when it reads no more commands. A client that still does not read is cut off within
  // seconds without a reason; this one reads at last.
  for (int before = -1; before != written; absl::SleepFor(absl::Seconds(2))) before = written;
  StreamRideResponse response;
  while (stream->Read(&response)) {
  }
  writer.join();
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_EQ(ErrorOf(status).reason, "STREAM_TOO_SLOW");

  ASSERT_TRUE(client.Cancel("ann", requested.ride_id()).ok());
  Watch resumed(client.rides(), "ann", requested.ride_id(), 1);
  EXPECT_THAT(EventsToTheEnd(resumed), ElementsAre(2));
}

TEST_F(RiderStreams, AStreamThatDoesNotBeginWithOpenIsRefused) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  {
    const auto context = PatientContext();
    const auto stream = client.rides().StreamRide(context.get());
    StreamRideRequest command;
    command.set_command_id("c-1");
    command.mutable_cancel_ride()->set_rider_id("ann");
    command.mutable_cancel_ride()->set_ride_id(requested.ride_id());
    stream->Write(command);
    StreamRideResponse response;
    EXPECT_FALSE(stream->Read(&response));
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
    EXPECT_EQ(ErrorOf(status).reason, "PROTOCOL_VIOLATION");
  }
  {
    const auto context = PatientContext();
    const auto stream = client.rides().StreamRide(context.get());
    stream->WritesDone();
    StreamRideResponse response;
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_FALSE(stream->Finish().ok());
  }
  EXPECT_EQ(client.Get("ann", requested.ride_id()).response.ride().state(), hail::type::v1::RIDE_STATE_MATCHING);
}

TEST_F(RiderStreams, AWatcherThatComesAndGoesHurtsNobody) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  for (int i = 0; i < 50; ++i) {
    Watch watch(client.rides(), "ann", requested.ride_id());
    if (i % 2 == 0) watch.Next();
    watch.Cancel();
  }
  Watch watch(client.rides(), "ann", requested.ride_id());
  ASSERT_TRUE(watch.Next()->has_snapshot());
  ASSERT_TRUE(client.Cancel("ann", requested.ride_id()).ok());
  EXPECT_THAT(EventsToTheEnd(watch), ElementsAre(2));
}

TEST_F(RiderStreams, AQuietRideStillSendsHeartbeatsWithItsSequence) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  hail::rider::v1::WatchRideRequest request;
  request.set_rider_id("ann");
  request.set_ride_id(requested.ride_id());
  const auto context = PatientContext();
  const auto reader = client.rides().WatchRide(context.get(), request);
  WatchRideResponse response;
  ASSERT_TRUE(reader->Read(&response));
  ASSERT_TRUE(reader->Read(&response));
  ASSERT_TRUE(response.has_heartbeat());
  EXPECT_EQ(response.heartbeat().sequence(), 1);
  context->TryCancel();
}

TEST_F(RiderStreams, DrainingIsToldAndTheStreamEndsWithOk) {
  auto client = Client();
  const Ride requested = client.MustRequest("ann");
  client.MustConfirm(requested, "driver-1");
  Watch watch(client.rides(), "ann", requested.ride_id());
  ASSERT_TRUE(watch.Next()->has_snapshot());
  rider_.Signal(SIGTERM);
  const auto update = watch.Next();
  ASSERT_TRUE(update && update->has_draining());
  EXPECT_EQ(update->draining().cursor().ride_id(), requested.ride_id());
  EXPECT_EQ(update->draining().cursor().sequence(), 2);
  EXPECT_TRUE(watch.Finish().ok());
  EXPECT_EQ(rider_.WaitForExit(absl::Seconds(20)), 0);

  // The cursor is valid at the next process.
  ASSERT_TRUE(rider_.Start());
  auto restarted = Client();
  Watch resumed(restarted.rides(), "ann", requested.ride_id(), update->draining().cursor().sequence());
  const auto next = resumed.Next();
  ASSERT_TRUE(next && next->has_caught_up());
  EXPECT_EQ(next->caught_up().sequence(), 2);
}

}  // namespace
}  // namespace hail::testing
