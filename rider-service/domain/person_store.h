// The port through which persons are erased from stored rides, and exported.
//
// Asynchronous like RideStore, with its errors.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "rider-service/domain/ride_store.h"

namespace hail::rider {

// Rides to walk through, by ride_id.
struct RideSelection {
  enum class Of {
    // The rides of the rider `key`.
    kRider,
    // The rides that were ever assigned to the driver `key`.
    kDriver,
    // Ended rides with ids below `key` that were never marked as coarse. The id of a ride begins with the wall time of
    // its request (UUIDv7).
    kOld,
  };
  Of of = Of::kRider;
  std::string key;
};

// A pure function of a ride's whole log. It keeps the ride's id, state, sequence and epoch, and the number and order of
// events, and may run more than once.
using Rewrite = std::function<RideLog(RideLog)>;

// Thread-safe.
class PersonStore {
 public:
  virtual ~PersonStore() = default;

  // The lowest ride ids of the selection above `after` (empty: from the start), in order; at most `limit`.
  virtual void RideIds(RideSelection selection, std::string after, int limit, Done<std::vector<std::string>> done) = 0;

  // A live ride of the selection, if there is one.
  virtual void FindLive(RideSelection selection, Done<std::optional<std::string>> done) = 0;

  // Replaces the row and all events of an ended ride in one transaction, and marks it as coarse if `coarse`. The change
  // is not an event: feeds do not report it, and cursors stay valid. False if the ride is unknown or live.
  virtual void RewriteRide(std::string ride_id, Rewrite rewrite, bool coarse, Done<bool> done) = 0;

  // Deletes the outcomes of offers to that driver, and those that RideStore::ByOffer need no longer keep.
  virtual void ForgetOffers(std::string driver_id, Done<bool> done) = 0;

  // Removes what earlier values left in the store's files, as far as the store can.
  virtual void Scrub(Done<bool> done) = 0;

  // The key of Pseudonyms, 32 bytes; generated from the system's random source at the first call.
  virtual void PseudonymKey(Done<std::string> done) = 0;
};

}  // namespace hail::rider
