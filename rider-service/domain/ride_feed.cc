#include "rider-service/domain/ride_feed.h"

#include <algorithm>
#include <utility>

#include "common/errors/error.h"
#include "rider-service/domain/ride_refusals.h"
#include "rider-service/domain/view.h"

namespace hail::rider {
namespace {

// Events kept that came before their turn; what does not fit is read from the store.
constexpr std::size_t kMaxEarly = 64;

}  // namespace

RideFeed::RideFeed(std::string rider_id, std::string ride_id, std::optional<std::int64_t> cursor, Out* out)
    : rider_id_(std::move(rider_id)),
      ride_id_(std::move(ride_id)),
      cursor_(cursor ? std::optional<std::int64_t>(std::max<std::int64_t>(*cursor, 0)) : std::nullopt),
      out_(out) {}

void RideFeed::Begin() { ReadFrom(cursor_); }

void RideFeed::ReadFrom(std::optional<std::int64_t> after) {
  reading_ = true;
  out_->Read(after);
}

void RideFeed::FinishWith(const absl::Status& status) {
  finished_ = true;
  early_.clear();
  out_->Finish(status);
}

void RideFeed::OnRead(const absl::StatusOr<RideLog>& log) {
  if (finished_ || !reading_) return;
  reading_ = false;
  if (!log.ok()) {
    // Once begun, the next check reads again, unless only another replica can.
    if (!begun_ || HasReason(log.status(), Reason::kReplicaTooOld)) FinishWith(log.status());
    return;
  }
  if (log->ride.rider_id != rider_id_) return FinishWith(NoSuchRide());
  const std::int64_t present = log->ride.sequence;
  const std::int64_t before = sent_;
  known_ = std::max(known_, present);
  if (begun_) {
    for (const RideEvent& event : log->events) Deliver(event);
  } else {
    begun_ = true;
    const bool ahead = cursor_ && *cursor_ > present;
    if (ahead) out_->SendReset("the cursor is ahead of the ride");
    if (cursor_ && !ahead) {
      sent_ = *cursor_;
      ride_ = RideForRider(log->ride);
      for (const RideEvent& event : log->events) Deliver(event);
      out_->SendCaughtUp(sent_);
    } else {
      sent_ = present;
      ride_ = RideForRider(log->ride);
      out_->SendSnapshot(*ride_);
    }
  }
  Drain();
  // Read on only if that helped; otherwise the next check will.
  if (!finished_ && known_ > sent_ && sent_ > before) ReadFrom(sent_);
}

void RideFeed::Deliver(const RideEvent& event) {
  if (event.sequence != sent_ + 1) return;
  sent_ = event.sequence;
  const RideEvent view = EventForRider(event);
  ride_ = view.ride;
  out_->SendEvent(view);
}

void RideFeed::Drain() {
  early_.erase(early_.begin(), early_.upper_bound(sent_));
  for (auto next = early_.begin(); next != early_.end() && next->first == sent_ + 1; next = early_.erase(next)) {
    Deliver(next->second);
  }
  if (IsFinal(ride_->state)) FinishWith(absl::OkStatus());
}

void RideFeed::OnEvent(const RideEvent& event) {
  if (finished_ || event.ride_id != ride_id_ || event.sequence <= sent_) return;
  known_ = std::max(known_, event.sequence);
  if (early_.size() < kMaxEarly) early_.emplace(event.sequence, event);
  if (!begun_) return;
  // What is next goes out at once, also while the store is asked about something else.
  Drain();
  if (!finished_ && !reading_ && known_ > sent_) ReadFrom(sent_);
}

void RideFeed::OnStoreSequence(std::int64_t sequence) {
  if (finished_) return;
  known_ = std::max(known_, sequence);
  if (begun_ && !reading_ && known_ > sent_) ReadFrom(sent_);
}

}  // namespace hail::rider
