#include "rider-service/domain/driver_feed.h"

#include <algorithm>
#include <utility>

#include "rider-service/domain/view.h"

namespace hail::rider {
namespace {

// Events kept that came before their turn; what does not fit is read from the store.
constexpr std::size_t kMaxEarly = 64;

}  // namespace

DriverFeed::DriverFeed(std::string driver_id, std::int64_t subscription, std::optional<Cursor> cursor, Out* out)
    : driver_id_(std::move(driver_id)), subscription_(subscription), cursor_(std::move(cursor)), out_(out) {}

void DriverFeed::Begin() { ReadCatchUp(); }

void DriverFeed::ReadCatchUp() {
  reading_ = true;
  out_->ReadCatchUp(driver_id_, cursor_);
}

void DriverFeed::ReadEvents() {
  reading_ = true;
  out_->ReadEvents(driver_id_, sent_);
}

void DriverFeed::OnCatchUp(const absl::StatusOr<DriverCatchUp>& result) {
  if (begun_ || !reading_) return;
  reading_ = false;
  // The next check, or the next event, reads again.
  if (!result.ok()) return;
  begun_ = true;
  sent_ = result->driver_sequence;
  known_ = std::max(known_, sent_);
  DriverCatchUp view = *result;
  if (view.ride) view.ride = RideForDriver(*view.ride);
  for (RideEvent& event : view.missed) event = EventForDriver(event);
  out_->SendSnapshot(driver_id_, subscription_, view);
  Drain();
  if (known_ > sent_) ReadEvents();
}

void DriverFeed::OnEvents(const absl::StatusOr<std::vector<RideEvent>>& result) {
  if (!begun_ || !reading_) return;
  reading_ = false;
  if (!result.ok()) return;
  const std::int64_t before = sent_;
  for (const RideEvent& event : *result) {
    known_ = std::max(known_, event.driver_sequence);
    Deliver(event);
  }
  Drain();
  // Read on only if that helped; otherwise the next check will.
  if (known_ > sent_ && sent_ > before) ReadEvents();
}

void DriverFeed::Deliver(const RideEvent& event) {
  if (event.driver_sequence != sent_ + 1) return;
  sent_ = event.driver_sequence;
  out_->SendEvent(driver_id_, subscription_, EventForDriver(event));
}

void DriverFeed::Drain() {
  early_.erase(early_.begin(), early_.upper_bound(sent_));
  for (auto next = early_.begin(); next != early_.end() && next->first == sent_ + 1; next = early_.erase(next)) {
    Deliver(next->second);
  }
}

void DriverFeed::OnEvent(const RideEvent& event) {
  if (event.driver_id != driver_id_ || event.driver_sequence <= sent_) return;
  known_ = std::max(known_, event.driver_sequence);
  if (early_.size() < kMaxEarly) early_.emplace(event.driver_sequence, event);
  if (!begun_) {
    if (!reading_) ReadCatchUp();
    return;
  }
  // What is next goes out at once, also while the store is asked about something else.
  Drain();
  if (!reading_ && known_ > sent_) ReadEvents();
}

void DriverFeed::OnStoreSequence(std::int64_t driver_sequence) {
  known_ = std::max(known_, driver_sequence);
  if (reading_) return;
  if (!begun_) return ReadCatchUp();
  if (known_ > sent_) ReadEvents();
}

}  // namespace hail::rider
