#include "rider-service/domain/driver_feed.h"

#include <algorithm>
#include <utility>

#include "rider-service/domain/view.h"

namespace hail::rider {
DriverFeed::DriverFeed(std::string driver_id, std::int64_t subscription, std::optional<Cursor> cursor, Out* out)
    : CursorFeed([](const RideEvent& event) { return event.driver_sequence; }),
      driver_id_(std::move(driver_id)),
      subscription_(subscription),
      cursor_(std::move(cursor)),
      out_(out) {}

void DriverFeed::Begin() {
  BeginRead();
  out_->ReadCatchUp(driver_id_, cursor_);
}

void DriverFeed::ReadAfter(std::int64_t after) { out_->ReadEvents(driver_id_, after); }

void DriverFeed::OnCatchUp(const absl::StatusOr<DriverCatchUp>& result) {
  if (begun() || !EndRead()) return;
  // The next check or event reads again.
  if (!result.ok()) return;
  CursorFeed::Begin(result->driver_sequence);
  DriverCatchUp view = *result;
  if (view.ride) view.ride = RideForDriver(*view.ride);
  for (RideEvent& event : view.missed) event = EventForDriver(event);
  out_->SendSnapshot(driver_id_, subscription_, view);
  Drain();
  ReadOn();
}

void DriverFeed::OnEvents(const absl::StatusOr<std::vector<RideEvent>>& result) {
  if (!begun() || !EndRead() || !result.ok()) return;
  const std::int64_t before = sent_sequence();
  Deliver(*result);
  Drain();
  // Reads again only if there was progress; otherwise the next check does.
  if (sent_sequence() > before) ReadOn();
}

void DriverFeed::SendNext(const RideEvent& event) { out_->SendEvent(driver_id_, subscription_, EventForDriver(event)); }

void DriverFeed::OnEvent(const RideEvent& event) {
  if (event.driver_id != driver_id_ || !Hold(event)) return;
  if (!begun()) {
    if (!reading()) Begin();
    return;
  }
  // The next event in order is sent at once, even while a read is open.
  Drain();
  ReadOn();
}

void DriverFeed::OnStoreSequence(std::int64_t driver_sequence) {
  Know(driver_sequence);
  if (!begun() && !reading()) return Begin();
  ReadOn();
}

}  // namespace hail::rider
