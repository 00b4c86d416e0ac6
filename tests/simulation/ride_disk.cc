#include "tests/simulation/ride_disk.h"

#include <utility>

namespace hail::simulation {
namespace {

using rider::Ride;
using rider::RideEvent;

// As in schema.h: whether the unique indexes of live rides count the ride.
bool IsLive(const Ride& ride) {
  const int state = static_cast<int>(ride.state());
  return state >= 2 && state <= 6;
}
bool IsDriven(const Ride& ride) {
  const int state = static_cast<int>(ride.state());
  return ride.driver() != nullptr && state >= 3 && state <= 6;
}

// Whether `index` has `key` for a ride other than `ride_id`.
template <typename Index, typename Key>
bool Taken(const Index& index, const Key& key, const std::string& ride_id) {
  const auto at = index.find(key);
  return at != index.end() && at->second != ride_id;
}

// A ride as the store returns it with an event.
Ride WithoutInternals(Ride ride) {
  ride.EditInternals()->Clear();
  return ride;
}

}  // namespace

RideEvent AsKept(RideEvent event) {
  event.ride = WithoutInternals(std::move(event.ride));
  if (event.former) {
    event.former = WithoutInternals(*std::move(event.former));
    event.former->Edit()->set_assignment_ended(true);
  }
  return event;
}

const Ride* RideDisk::Find(const std::string& ride_id) const {
  const auto at = rides.find(ride_id);
  return at == rides.end() ? nullptr : &at->second;
}

std::int64_t RideDisk::LastOfDriver(const std::string& driver_id) const {
  const auto at = events_of_driver.find(driver_id);
  return at == events_of_driver.end() ? 0 : static_cast<std::int64_t>(at->second.size());
}

absl::Status RideDisk::CheckEvent(const RideEvent& event) const {
  const auto log = events.find(event.ride_id());
  if (log != events.end() && log->second.count(event.sequence()) > 0) {
    return absl::AlreadyExistsError("the ride has an event of that sequence");
  }
  return absl::OkStatus();
}

void RideDisk::Append(RideEvent& event) {
  if (!event.driver_id.empty()) {
    auto& log = events_of_driver[event.driver_id];
    log.emplace_back(event.ride_id(), event.sequence());
    event.driver_sequence = static_cast<std::int64_t>(log.size());
  }
  events[event.ride_id()].emplace(event.sequence(), AsKept(event));
}

absl::Status RideDisk::Insert(const Ride& ride, RideEvent& event) {
  const std::pair<std::string, std::string> request(ride.rider_id(), ride.request_id());
  if (rides.count(ride.ride_id()) > 0 || by_request.count(request) > 0 || by_quote.count(ride.quote_id()) > 0 ||
      (IsLive(ride) && live_of_rider.count(ride.rider_id()) > 0)) {
    return absl::AlreadyExistsError("the row breaks a unique index");
  }
  if (event.ride_id() != ride.ride_id() && Find(event.ride_id()) == nullptr) {
    return absl::FailedPreconditionError("the event is of no ride");
  }
  if (absl::Status status = CheckEvent(event); !status.ok()) return status;

  rides.emplace(ride.ride_id(), ride);
  by_request.emplace(request, ride.ride_id());
  if (!ride.quote_id().empty()) by_quote.emplace(ride.quote_id(), ride.ride_id());
  if (IsLive(ride)) live_of_rider.emplace(ride.rider_id(), ride.ride_id());
  of_rider[ride.rider_id()].insert(ride.ride_id());
  Append(event);
  return absl::OkStatus();
}

absl::StatusOr<RideDisk::Outcome> RideDisk::Update(const Ride& before, const Ride& after,
                                                   std::optional<RideEvent>& event) {
  const auto at = rides.find(after.ride_id());
  if (at == rides.end() || at->second.sequence() != before.sequence() || at->second.epoch() != before.epoch()) {
    return Outcome::kMoved;
  }
  Ride& row = at->second;
  if ((IsLive(after) && Taken(live_of_rider, row.rider_id(), row.ride_id())) ||
      (IsDriven(after) && Taken(live_of_driver, after.driver()->driver_id(), row.ride_id()))) {
    return Outcome::kDriverBusy;
  }
  if (event) {
    if (Find(event->ride_id()) == nullptr) return absl::FailedPreconditionError("the event is of no ride");
    if (absl::Status status = CheckEvent(*event); !status.ok()) return status;
  }

  if (IsLive(row)) live_of_rider.erase(row.rider_id());
  if (IsDriven(row)) live_of_driver.erase(row.driver()->driver_id());
  if (row.driver() != nullptr) of_driver[row.driver()->driver_id()].erase(row.ride_id());
  row = after;
  if (IsLive(row)) live_of_rider[row.rider_id()] = row.ride_id();
  if (IsDriven(row)) live_of_driver[row.driver()->driver_id()] = row.ride_id();
  if (row.driver() != nullptr) of_driver[row.driver()->driver_id()].insert(row.ride_id());
  if (event) Append(*event);
  return Outcome::kDone;
}

}  // namespace hail::simulation
