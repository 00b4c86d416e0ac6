#include "tests/tools/hailctl/ride_watch.h"

#include <memory>
#include <string>
#include <vector>

#include "common/errors/error.h"
#include "common/rpc/status.h"
#include "gmock/gmock.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "tests/conformance/temp_folder.h"
#include "tests/tools/hailctl/context.h"
#include "tests/tools/hailctl/ride_commands.h"

namespace hail::ctl {
namespace {

using hail::rider::v1::WatchRideResponse;
using testing::HasSubstr;

WatchRideResponse Event(std::int64_t sequence, hail::type::v1::RideState state) {
  WatchRideResponse message;
  message.mutable_event()->set_sequence(sequence);
  message.mutable_event()->mutable_ride()->set_state(state);
  return message;
}

TEST(RideWatcher, OpensWithoutACursorAtFirst) {
  const RideWatcher watcher("rider", "ride", std::nullopt);
  EXPECT_EQ(watcher.Open().rider_id(), "rider");
  EXPECT_EQ(watcher.Open().ride_id(), "ride");
  EXPECT_FALSE(watcher.Open().has_after_sequence());
}

TEST(RideWatcher, ResumesAfterTheLastEvent) {
  RideWatcher watcher("rider", "ride", std::nullopt);
  WatchRideResponse snapshot;
  snapshot.mutable_snapshot()->set_sequence(2);
  watcher.OnMessage(snapshot);
  EXPECT_EQ(watcher.Open().after_sequence(), 2);
  watcher.OnMessage(Event(3, hail::type::v1::RIDE_STATE_ARRIVED_AT_PICKUP));
  EXPECT_EQ(watcher.Open().after_sequence(), 3);
}

TEST(RideWatcher, AGivenCursorIsUsed) {
  const RideWatcher watcher("rider", "ride", 0);
  ASSERT_TRUE(watcher.Open().has_after_sequence());
  EXPECT_EQ(watcher.Open().after_sequence(), 0);
}

TEST(RideWatcher, ForgetsTheCursorOnReset) {
  RideWatcher watcher("rider", "ride", 9);
  WatchRideResponse reset;
  reset.mutable_start_over()->set_message("cursor 9 is ahead of 4");
  EXPECT_THAT(watcher.OnMessage(reset), HasSubstr("cursor 9 is ahead of 4"));
  EXPECT_FALSE(watcher.Open().has_after_sequence());
}

TEST(RideWatcher, SaysThatThePositionIsMissingAndThatItIsBack) {
  RideWatcher watcher("rider", "ride", std::nullopt);
  WatchRideResponse message;
  message.mutable_telemetry()->mutable_missing_since()->set_seconds(1'211'432'400);
  EXPECT_EQ(watcher.OnMessage(message), "driver's position missing since 2008-05-22 05:00:00Z");
  message.mutable_telemetry()->mutable_position()->mutable_location()->set_latitude_deg(37.5);
  EXPECT_THAT(watcher.OnMessage(message), HasSubstr("last at 37.50000,"));
  message.mutable_telemetry()->clear_missing_since();
  EXPECT_THAT(watcher.OnMessage(message), HasSubstr("driver at 37.50000,"));
}

TEST(RideWatcher, EndsWithTheFinalEventOnly) {
  RideWatcher watcher("rider", "ride", std::nullopt);
  watcher.OnMessage(Event(5, hail::type::v1::RIDE_STATE_ENROUTE_TO_DROPOFF));
  EXPECT_FALSE(watcher.ended().has_value());
  watcher.OnMessage(Event(6, hail::type::v1::RIDE_STATE_COMPLETED));
  EXPECT_EQ(watcher.ended(), hail::type::v1::RIDE_STATE_COMPLETED);
}

TEST(RideWatcher, EndsWithASnapshotOfAnEndedRide) {
  RideWatcher watcher("rider", "ride", std::nullopt);
  WatchRideResponse snapshot;
  snapshot.mutable_snapshot()->set_state(hail::type::v1::RIDE_STATE_NO_DRIVERS_AVAILABLE);
  watcher.OnMessage(snapshot);
  EXPECT_EQ(watcher.ended(), hail::type::v1::RIDE_STATE_NO_DRIVERS_AVAILABLE);
}

TEST(RideWatcher, SaysNothingOfHeartbeatsAndKeepsTheCursor) {
  RideWatcher watcher("rider", "ride", 3);
  WatchRideResponse heartbeat;
  heartbeat.mutable_heartbeat()->set_sequence(8);
  EXPECT_EQ(watcher.OnMessage(heartbeat), "");
  EXPECT_EQ(watcher.Open().after_sequence(), 3);
}

TEST(RideWatcher, TellsOnceHowLongADrainingServerAskedToWait) {
  RideWatcher watcher("rider", "ride", std::nullopt);
  EXPECT_FALSE(watcher.TakeRetryAfter().has_value());
  WatchRideResponse draining;
  draining.mutable_draining()->mutable_retry_after()->set_seconds(1);
  draining.mutable_draining()->mutable_retry_after()->set_nanos(500'000'000);
  watcher.OnMessage(draining);
  EXPECT_EQ(watcher.TakeRetryAfter(), absl::Milliseconds(1500));
  EXPECT_FALSE(watcher.TakeRetryAfter().has_value());
}

// Ends the first stream because its token has expired, the second one with the ride.
class ExpiringService final : public hail::rider::v1::RiderService::Service {
 public:
  grpc::Status WatchRide(grpc::ServerContext* context, const hail::rider::v1::WatchRideRequest* request,
                         grpc::ServerWriter<WatchRideResponse>* writer) override {
    const auto token = context->client_metadata().find("authorization");
    tokens.push_back(
        token == context->client_metadata().end() ? "" : std::string(token->second.data(), token->second.size()));
    cursors.push_back(request->after_sequence());
    if (tokens.size() > 1) {
      writer->Write(Event(4, hail::type::v1::RIDE_STATE_COMPLETED));
      return grpc::Status::OK;
    }
    writer->Write(Event(3, hail::type::v1::RIDE_STATE_ENROUTE_TO_DROPOFF));
    return rpc::ToGrpc(MakeError(absl::StatusCode::kUnauthenticated, "expired", {.reason = Reason::kTokenExpired}));
  }

  // Of each stream. Read after the last.
  std::vector<std::string> tokens;
  std::vector<std::int64_t> cursors;
};

TEST(RideWatch, AStreamWhoseTokenExpiredResumesWithANewOne) {
  ExpiringService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const TempFolder folder;
  ASSERT_TRUE(TokenKey::Make(folder.path("keys")).ok());
  Options options;
  options.rider_address = "127.0.0.1:" + std::to_string(port);
  // Used for half of its life, so each stream has another one.
  options.tokens = *TokenSource::Make({.key = folder.path("keys"), .valid_for = absl::Nanoseconds(2)});
  options.bearer = {.role = "rider", .subject = "ada"};
  Context context(options);
  RideArguments arguments;
  arguments.rider_id = "ada";
  arguments.ride_id = "r1";
  EXPECT_EQ(RideWatch(context, arguments), kOk);
  ASSERT_EQ(service.tokens.size(), 2u);
  EXPECT_THAT(service.tokens[0], testing::StartsWith("Bearer ey"));
  EXPECT_THAT(service.tokens[1], testing::StartsWith("Bearer ey"));
  EXPECT_NE(service.tokens[0], service.tokens[1]);
  EXPECT_EQ(service.cursors[1], 3);
}

}  // namespace
}  // namespace hail::ctl
