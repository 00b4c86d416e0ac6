// The disk contents of rider-service's simulated store: plain data that outlives the process, with constraints that
// hold whatever the process does. Written independently of the SQLite adapter: both pass the same conformance suite.
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

// Not thread-safe. Read freely; write only by the two functions. Each makes all of its changes or none.
struct RideDisk {
  // By ride_id.
  std::map<std::string, rider::Ride> rides;
  // By ride_id and sequence.
  std::map<std::string, std::map<std::int64_t, rider::RideEvent>> events;
  // The key that signs quotes, once a process has asked for it.
  std::optional<std::string> quote_key;
  // By offer_id and driver_id: a ride can no longer be assigned by these offers.
  std::set<std::pair<std::string, std::string>> denied_offers;

  // The owner of each ride, by ride_id: the incarnation that committed the latest version.
  std::map<std::string, std::string> keepers;
  // Leases of the incarnations.
  SimLeases leases;

  // --- Indexes: each entry is a ride_id, or the ride_id and sequence of an event ---

  // By rider_id and request_id.
  std::map<std::pair<std::string, std::string>, std::string> by_request;
  std::map<std::string, std::string> by_quote;
  std::map<std::string, std::string> live_of_rider;
  std::map<std::string, std::string> live_of_driver;
  std::map<std::string, std::set<std::string>> of_rider;
  std::map<std::string, std::set<std::string>> of_driver;
  // A driver's events in order: event number n (driver_sequence) is at index n − 1.
  std::map<std::string, std::vector<std::pair<std::string, std::int64_t>>> events_of_driver;

  const rider::Ride* Find(const std::string& ride_id) const;
  // 0: none.
  std::int64_t LastOfDriver(const std::string& driver_id) const;

  // Adds a row and its first event, and numbers the event for its driver (driver_sequence), if any. ALREADY_EXISTS if
  // that breaks a constraint.
  absl::Status Insert(const rider::Ride& ride, rider::RideEvent& event);

  enum class Outcome { kDone, kMoved, kDriverBusy };
  // Replaces the row of after.ride_id by `after` if it still has the sequence and epoch of `before` (else kMoved), and
  // numbers and appends the event, if any. ALREADY_EXISTS, FAILED_PRECONDITION: the event breaks a constraint.
  absl::StatusOr<Outcome> Update(const rider::Ride& before, const rider::Ride& after,
                                 std::optional<rider::RideEvent>& event);

 private:
  absl::Status CheckEvent(const rider::RideEvent& event) const;
  void Append(rider::RideEvent& event);
};

// The event as a store returns it: its rides have no internal fields.
rider::RideEvent AsKept(rider::RideEvent event);

}  // namespace hail::simulation
