// What rider-service's simulated store has on disk: plain data that outlives the process, with the constraints that
// hold for it whatever the process does. Written independently of the SQLite adapter: both answer to the same
// conformance suite.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rider-service/domain/ride.h"
#include "tests/simulation/sim_leases.h"

namespace hail::simulation {

// Not thread-safe. Read freely; written only by the two functions, which either do all or nothing.
struct RideDisk {
  // By ride_id.
  std::map<std::string, rider::Ride> rides;
  // By ride_id and sequence.
  std::map<std::string, std::map<std::int64_t, rider::RideEvent>> events;
  // What quotes are signed with, once somebody has asked for it.
  std::optional<std::string> quote_key;
  // By offer_id and driver_id: no ride is assigned by them any more.
  std::set<std::pair<std::string, std::string>> denied_offers;

  // By ride_id: the incarnation that committed what the ride is now.
  std::map<std::string, std::string> keepers;
  // Of the incarnations.
  SimLeases leases;

  // --- Indexes: each entry is a ride_id, or the ride_id and sequence of an event ---

  // By rider_id and request_id.
  std::map<std::pair<std::string, std::string>, std::string> by_request;
  std::map<std::string, std::string> by_quote;
  std::map<std::string, std::string> live_of_rider;
  std::map<std::string, std::string> live_of_driver;
  std::map<std::string, std::set<std::string>> of_rider;
  std::map<std::string, std::set<std::string>> of_driver;
  // A driver's events in order: the one numbered n (driver_sequence) is at n − 1.
  std::map<std::string, std::vector<std::pair<std::string, std::int64_t>>> events_of_driver;

  const rider::Ride* Find(const std::string& ride_id) const;
  // 0: none.
  std::int64_t LastOfDriver(const std::string& driver_id) const;

  // A new row and its first event, which is numbered for its driver (driver_sequence) if it has one. ALREADY_EXISTS if
  // that breaks a constraint.
  absl::Status Insert(const rider::Ride& ride, rider::RideEvent& event);

  enum class Outcome { kDone, kMoved, kDriverBusy };
  // The row of after.ride_id, if it still is at the sequence and epoch of `before` (else kMoved), becomes `after`, and
  // the event, if any, is numbered and appended. ALREADY_EXISTS, FAILED_PRECONDITION: the event breaks a constraint.
  absl::StatusOr<Outcome> Update(const rider::Ride& before, const rider::Ride& after,
                                 std::optional<rider::RideEvent>& event);

 private:
  absl::Status CheckEvent(const rider::RideEvent& event) const;
  void Append(rider::RideEvent& event);
};

// As it comes back from a store: its rides without what is internal to a ride.
rider::RideEvent AsKept(rider::RideEvent event);

}  // namespace hail::simulation
