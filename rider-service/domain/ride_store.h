// The port that stores rides. The row is the only truth about which driver has which ride.
//
// Asynchronous: `done` runs exactly once, on a thread of the store, possibly before the call returns; it must not
// block. A write's `done` runs only after its transaction is durable. Any error that is not listed is
// STORE_UNAVAILABLE: the write may or may not have happened, and every write here is safe to repeat. Thread-safe.
//
// Changes keep the fields of a ride's record that only a later version knows. A ride in a state of a later version is
// left to replicas that know it: reads and changes of it end REPLICA_TOO_OLD.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/exec/done.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

using hail::Done;

// A decision about a ride. The store runs it on the loaded row, in the transaction that will store the outcome. Pure:
// it may run more than once. Its error refuses the command and changes nothing.
using Decide = std::function<absl::StatusOr<RideChange>(const Ride&)>;

struct Created {
  Ride ride;
  // Whether the ride existed already, by the same request.
  bool existed = false;
  // If so, the process that owns the ride, if it is another one (RideStore).
  std::string keeper;
  // REQUESTED; unset if existed.
  std::optional<RideEvent> event;
};

struct Changed {
  Ride ride;
  std::optional<RideEvent> event;
  bool changed = false;
  // The process that owned the ride before (RideStore), if it is another one. Unless `changed`, it still does.
  std::string keeper;
};

// A ride and the part of its log after a cursor, as of one instant.
struct RideLog {
  Ride ride;
  std::vector<RideEvent> events;
};

struct Cursor {
  std::string ride_id;
  std::int64_t sequence = 0;
};

// A driver's live ride and missed events, as of one instant.
struct DriverCatchUp {
  // The number of the driver's latest event (RideEvent::driver_sequence); 0: none.
  std::int64_t driver_sequence = 0;
  // The live ride.
  std::optional<Ride> ride;
  // The remaining events of the cursor's ride while it was this driver's.
  std::vector<RideEvent> missed;
  // The cursor matches no event of this driver.
  bool reset = false;
};

struct RidePage {
  std::vector<Ride> rides;
  bool more = false;
};

struct RiderListing {
  std::string rider_id;
  std::vector<RideState> states;  // empty: all
  // Only rides older than this one (an id from the previous page). Empty: from the start.
  std::string before_ride_id;
  int limit = 20;
};

struct DriverListing {
  std::string driver_id;
  // Only assignments before this one, as of the previous page. Unset: from the start.
  std::optional<absl::Time> before_assign_time;
  std::string before_ride_id;
  int limit = 20;
};

// The rides in one live state.
struct LiveRides {
  std::int64_t count = 0;
  // The last change (domain time) of the ride that has been unchanged for longest.
  absl::Time oldest;
};

// If several processes share the store, one of them owns each ride that waits for a driver, or for its driver to
// acknowledge it: the process that committed the latest version of the ride. The owner changes only with a commit, so
// (sequence, epoch) identifies it. A process is named by its incarnation, and counts as alive while its lease is valid
// by the store's clock. Any process may take over the rides of a dead one, by changing them.
class RideStore {
 public:
  virtual ~RideStore() = default;

  // OVERLOADED if a Create by `deadline` (wall) would be refused now because of the queue; otherwise OK, which is no
  // promise. Never blocks, because a refusal should be cheap.
  virtual absl::Status AdmitCreate(absl::Time /*deadline*/) const { return absl::OkStatus(); }

  // Stores a ride of NewRide() unless, in this order: the same rider's request_id is known, with the same fingerprint
  // (that ride, existed) or another (REQUEST_ID_REUSED); the rider has a live ride (RIDER_BUSY, metadata ride_id); the
  // quote was used (QUOTE_USED). Refused with DEADLINE_EXCEEDED if `deadline` (wall) passes before it begins.
  virtual void Create(RideChange change, absl::Time deadline, Done<Created> done) = 0;

  // Loads, decides, stores: row and event in one transaction, guarded by the loaded sequence and epoch. RIDE_NOT_FOUND;
  // `decide`'s own error; OFFER_EXPIRED if it assigns by an offer that ByOffer has denied; DRIVER_BUSY if the driver
  // has another live ride; DEADLINE_EXCEEDED.
  virtual void Change(std::string ride_id, Decide decide, absl::Time deadline, Done<Changed> done) = 0;

  virtual void ById(std::string ride_id, Done<std::optional<Ride>> done) = 0;
  virtual void ByRequest(std::string rider_id, std::string request_id, Done<std::optional<Ride>> done) = 0;
  virtual void ActiveOfRider(std::string rider_id, Done<std::optional<Ride>> done) = 0;
  // The ride that was assigned by that offer to that driver: the present ride; or, if the assignment ended before the
  // ride did (given up, never acknowledged), the ride as the driver last had it (assignment_ended). The answer "none"
  // is a promise, stored for at least an hour: no later change assigns by that offer to that driver. The promise is
  // needed because the driver learns that the offer failed, while an earlier confirmation may still be in flight.
  virtual void ByOffer(std::string driver_id, std::string offer_id, Done<std::optional<Ride>> done) = 0;
  // Latest request first.
  virtual void ListOfRider(RiderListing listing, Done<RidePage> done) = 0;
  // All rides that were assigned to the driver, each as in ByOffer. Latest assignment first.
  virtual void ListOfDriver(DriverListing listing, Done<RidePage> done) = 0;

  // The ride and, with `after`, its events above that sequence. RIDE_NOT_FOUND.
  virtual void ReadLog(std::string ride_id, std::optional<std::int64_t> after, Done<RideLog> done) = 0;
  virtual void ReadDriver(std::string driver_id, std::optional<Cursor> cursor, Done<DriverCatchUp> done) = 0;
  // The driver's events numbered above `after` (driver_sequence), in order, over all rides; at most 256 of them.
  virtual void ReadDriverEvents(std::string driver_id, std::int64_t after, Done<std::vector<RideEvent>> done) = 0;

  // For the 2 s check: present sequences of rides; latest driver_sequence of drivers (0: none). Unknown rides are
  // omitted.
  virtual void Sequences(std::vector<std::string> ride_ids, Done<std::map<std::string, std::int64_t>> done) = 0;
  virtual void DriverSequences(std::vector<std::string> driver_ids, Done<std::map<std::string, std::int64_t>> done) = 0;

  // All rides for the dispatch scheduler: MATCHING, or assigned but not seen, that this process or a dead process owns.
  virtual void Dispatchable(Done<std::vector<Ride>> done) = 0;

  // Whether several processes may share the store. If not, the functions below up to KeptElsewhere are not called.
  virtual bool shared() const { return false; }
  // Extends this process's lease to `lease` from now. Zero ends it for good; an open renewal then has no effect.
  virtual void RenewLease(absl::Duration /*lease*/, std::function<void(absl::Status)> done) { done(absl::OkStatus()); }
  // The rides of Dispatchable whose owner is dead.
  virtual void Orphans(Done<std::vector<Ride>> done) { done(std::vector<Ride>()); }
  // Of these rides, those that another process owns, as they are; also those in a state of a later version.
  virtual void KeptElsewhere(std::vector<std::string> /*ride_ids*/, Done<std::vector<Ride>> done) {
    done(std::vector<Ride>());
  }

  // The rides in each live state now; states without rides are omitted.
  virtual void CountLive(Done<std::map<RideState, LiveRides>> done) = 0;

  // The key that signs quotes, 32 bytes; generated from the system's random source at the first call.
  virtual void QuoteKey(Done<std::string> done) = 0;
};

}  // namespace hail::rider
