#include "tests/tools/hailctl/ride_watch.h"

#include <iostream>
#include <utility>

#include "absl/time/clock.h"
#include "common/proto/time.h"
#include "common/text/text.h"
#include "tests/tools/hailctl/format.h"
#include "tests/tools/hailctl/patience.h"
#include "tests/tools/hailctl/ride_commands.h"
#include "tests/tools/hailctl/show.h"
#include "tests/tools/hailctl/silence.h"

namespace hail::ctl {
namespace {

using hail::rider::v1::WatchRideResponse;

// A watcher gives up if no stream has delivered a message for this long.
constexpr absl::Duration kGiveUp = absl::Minutes(1);
// Minimum interval between positions in text output; JSON output has all of them.
constexpr absl::Duration kPositionEvery = absl::Seconds(5);

ExitCode CodeOf(hail::type::v1::RideState final_state) {
  return final_state == hail::type::v1::RIDE_STATE_COMPLETED ? kOk : kRideFailed;
}

}  // namespace

RideWatcher::RideWatcher(std::string rider_id, std::string ride_id, std::optional<std::int64_t> after)
    : rider_id_(std::move(rider_id)), ride_id_(std::move(ride_id)), last_sequence_(after) {}

hail::rider::v1::WatchRideRequest RideWatcher::Open() const {
  hail::rider::v1::WatchRideRequest request;
  request.set_rider_id(rider_id_);
  request.set_ride_id(ride_id_);
  if (last_sequence_.has_value()) request.set_after_sequence(*last_sequence_);
  return request;
}

std::string RideWatcher::OnMessage(const WatchRideResponse& message) {
  switch (message.message_case()) {
    case WatchRideResponse::kSnapshot:
      last_sequence_ = message.snapshot().sequence();
      if (IsFinal(message.snapshot().state())) ended_ = message.snapshot().state();
      return "now: " + RideLine(message.snapshot());
    case WatchRideResponse::kEvent:
      last_sequence_ = message.event().sequence();
      if (IsFinal(message.event().ride().state())) ended_ = message.event().ride().state();
      return EventLine(message.event());
    case WatchRideResponse::kTelemetry:
      return TelemetryLine(message.telemetry());
    case WatchRideResponse::kStartOver:
      last_sequence_.reset();
      return Shown("starting over: " + message.start_over().message());
    case WatchRideResponse::kDraining:
      retry_after_ = DecodeDuration(message.draining().retry_after());
      return "";
    default:
      return "";
  }
}

std::optional<absl::Duration> RideWatcher::TakeRetryAfter() { return std::exchange(retry_after_, std::nullopt); }

ExitCode RideWatch(Context& context, const RideArguments& arguments) {
  RideWatcher watcher(arguments.rider_id, arguments.ride_id, arguments.after);
  Patience patience;
  std::optional<absl::Time> last_message;
  absl::Time next_position = absl::InfinitePast();
  bool missing = false;
  for (;;) {
    grpc::ClientContext call;
    context.Authorize(&call);
    grpc::Status status;
    {
      SilenceGuard guard(&call);
      const auto reader = context.rider().WatchRide(&call, watcher.Open());
      WatchRideResponse message;
      while (reader->Read(&message)) {
        guard.OnMessage();
        last_message = absl::Now();
        patience.Reset();
        const std::string line = watcher.OnMessage(message);
        if (!context.json()) {
          if (line.empty()) continue;
          if (message.has_telemetry()) {
            // Print at once that the position is missing, or back.
            const bool was_missing = std::exchange(missing, message.telemetry().has_missing_since());
            if (missing == was_missing && *last_message < next_position) continue;
            next_position = *last_message + kPositionEvery;
          }
        }
        context.Print(message, line + '\n');
      }
      status = reader->Finish();
    }
    if (watcher.ended().has_value()) return CodeOf(*watcher.ended());
    const std::optional<absl::Duration> retry_after = watcher.TakeRetryAfter();
    if (status.ok() && !retry_after.has_value()) {
      // The stream ended normally without a final event: the cursor was already past it.
      hail::rider::v1::GetRideRequest request;
      request.set_rider_id(arguments.rider_id);
      request.set_ride_id(arguments.ride_id);
      hail::rider::v1::GetRideResponse response;
      status = context.Call([&](grpc::ClientContext* get) { return context.rider().GetRide(get, request, &response); });
      if (status.ok() && IsFinal(response.ride().state())) {
        context.Print(response, "now: " + RideLine(response.ride()) + '\n');
        return CodeOf(response.ride().state());
      }
    }
    // A failure of the first stream before any message is reported at once; a broken stream is retried for a while.
    if (!status.ok() && (IsAnswer(status) || !last_message.has_value() || absl::Now() - *last_message > kGiveUp)) {
      return context.Fail(status);
    }
    if (!status.ok() && !context.json()) {
      std::cerr << "the stream broke: " << Shown(status.error_message()) << "; resuming\n";
    }
    const absl::Duration wait = patience.After(status);
    // `draining` says when to come back, spread over clients.
    absl::SleepFor(retry_after.value_or(wait));
  }
}

}  // namespace hail::ctl
