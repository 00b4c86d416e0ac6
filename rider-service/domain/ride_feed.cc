#include "rider-service/domain/ride_feed.h"

#include <algorithm>
#include <utility>

#include "common/errors/error.h"
#include "rider-service/domain/ride_refusals.h"
#include "rider-service/domain/view.h"

namespace hail::rider {
RideFeed::RideFeed(std::string rider_id, std::string ride_id, std::optional<std::int64_t> cursor, Out* out)
    : CursorFeed([](const RideEvent& event) { return event.sequence(); }),
      rider_id_(std::move(rider_id)),
      ride_id_(std::move(ride_id)),
      cursor_(cursor ? std::optional<std::int64_t>(std::max<std::int64_t>(*cursor, 0)) : std::nullopt),
      out_(out) {}

void RideFeed::Begin() {
  BeginRead();
  out_->Read(cursor_);
}

void RideFeed::ReadAfter(std::int64_t after) { out_->Read(after); }

void RideFeed::FinishWith(const absl::Status& status) {
  finished_ = true;
  DropHeld();
  out_->Finish(status);
}

void RideFeed::OnRead(const absl::StatusOr<RideLog>& log) {
  if (finished_ || !EndRead()) return;
  if (!log.ok()) {
    // Once begun, the next check reads again, unless only a newer replica can read the ride.
    if (!begun() || HasReason(log.status(), Reason::kReplicaTooOld)) FinishWith(log.status());
    return;
  }
  if (log->ride.rider_id() != rider_id_) return FinishWith(NoSuchRide());
  const std::int64_t present = log->ride.sequence();
  const std::int64_t before = sent_sequence();
  Know(present);
  if (begun()) {
    Deliver(log->events);
  } else {
    const bool ahead = cursor_ && *cursor_ > present;
    if (ahead) out_->SendReset("the cursor is ahead of the ride");
    ride_ = RideForRider(log->ride);
    if (cursor_ && !ahead) {
      CursorFeed::Begin(*cursor_);
      Deliver(log->events);
      out_->SendCaughtUp(sent_sequence());
    } else {
      CursorFeed::Begin(present);
      out_->SendSnapshot(*ride_);
    }
  }
  // Reads again only if there was progress; otherwise the next check does.
  GoOn(sent_sequence() > before);
}

void RideFeed::SendNext(const RideEvent& event) {
  const RideEvent view = EventForRider(event);
  ride_ = view.ride;
  out_->SendEvent(view);
}

void RideFeed::GoOn(bool read_on) {
  Drain();
  if (IsFinal(ride_->state())) return FinishWith(absl::OkStatus());
  if (read_on) ReadOn();
}

void RideFeed::OnEvent(const RideEvent& event) {
  if (finished_ || event.ride_id() != ride_id_ || !Hold(event)) return;
  // The next event in order is sent at once, even while a read is open.
  if (begun()) GoOn(true);
}

void RideFeed::OnStoreSequence(std::int64_t sequence) {
  if (finished_) return;
  Know(sequence);
  ReadOn();
}

}  // namespace hail::rider
