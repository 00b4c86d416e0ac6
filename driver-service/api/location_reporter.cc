#include "driver-service/api/location_reporter.h"

#include <utility>

#include "common/logging/log.h"

namespace hail::driver {
namespace {

// Wall time. Minimum interval between messages: a message costs more than the positions in it.
constexpr absl::Duration kMessagesApart = absl::Milliseconds(5);
// Interval for sending positions that came while the stream was down.
constexpr absl::Duration kSendEvery = absl::Milliseconds(100);

}  // namespace

LocationReporter::LocationReporter(const Clock& clock, Executor& loop, TripPositions& trips, RiderCalls& rider)
    : clock_(clock),
      loop_(loop),
      trips_(trips),
      stream_(rider.ReportLocations({
          .on_up = [this](std::uint64_t link) { link_ = link; },
          .on_down =
              [](const absl::Status& status) {
                Log(LogLevel::kDebug, "rider_positions_down", {{"status", status}});
              },
          .heartbeat = [] { return internal::v1::ReportLocationsRequest(); },
      })) {}

void LocationReporter::Start() {
  stream_->Start();
  trips_.SetOnDirty([this] { loop_.Post([this] { SendSoon(); }); });
  loop_.Every(kSendEvery, [this] { Send(); });
}

void LocationReporter::Stop() {
  trips_.SetOnDirty(nullptr);
  stream_->Stop();
}

void LocationReporter::SendSoon() {
  const absl::Duration wait = sent_ + kMessagesApart - clock_.Read().wall;
  // A clock that was set back must not delay positions.
  if (wait <= absl::ZeroDuration() || wait > kMessagesApart) return Send();
  loop_.PostAfter(wait, [this] { Send(); });
}

void LocationReporter::Send() {
  // While the stream is down positions wait; the latest of each driver counts.
  if (!stream_->up()) return;
  sent_ = clock_.Read().wall;
  for (internal::v1::ReportLocationsRequest& message : trips_.Take(clock_.Read().domain)) {
    stream_->Send(link_, std::move(message));
  }
}

}  // namespace hail::driver
