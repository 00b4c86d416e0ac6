// The port through which rides are kept. The row is the only truth about who drives whom (DESIGN §2).
//
// Asynchronous: `done` runs exactly once, on a thread of the store's, possibly before the call returns; it must not
// block. A write's `done` runs only after its transaction is durable. Any error that is not listed is
// STORE_UNAVAILABLE: the write may or may not have happened, and every write here is safe to repeat. Thread-safe.
//
// What a later version has stored in a ride's record and this one does not know goes through every change as it is. A
// ride in a state of a later version is left to replicas that know it: what would read or change it is REPLICA_TOO_OLD.
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

// A decision about a ride, run by the store on the row it has loaded, in the transaction that will store the outcome.
// Pure: it may run more than once. Its error refuses the command and changes nothing.
using Decide = std::function<absl::StatusOr<RideChange>(const Ride&)>;

struct Created {
  Ride ride;
  // The ride was there already, by the same request.
  bool existed = false;
  // Then, the process that looks after it, if that is another one (RideStore).
  std::string keeper;
  // REQUESTED; unset if existed.
  std::optional<RideEvent> event;
};

struct Changed {
  Ride ride;
  std::optional<RideEvent> event;
  bool changed = false;
  // The process that looked after the ride before (RideStore), if that is another one. Unless `changed` it still does.
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

// What a driver has in hand, as of one instant.
struct DriverCatchUp {
  // The number of the driver's latest event (RideEvent::driver_sequence); 0: none.
  std::int64_t driver_sequence = 0;
  // The live ride.
  std::optional<Ride> ride;
  // The rest of the cursor's ride while it was this driver's.
  std::vector<RideEvent> missed;
  // The cursor names no event that was this driver's.
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
  // When the one that has been the same for longest last changed (domain time).
  absl::Time oldest;
};

// Where several processes share the store, a ride that waits for a driver, or for its driver to see it, is looked after
// by one of them: its keeper, who committed what the ride is now. So the keeper changes only as the ride does, and
// whoever knows the ride's latest sequence and epoch knows its keeper. A process is named by its incarnation, and
// counts as alive while its lease runs, by the store's clock. What a dead one kept is for anybody to take over, by
// changing it.
class RideStore {
 public:
  virtual ~RideStore() = default;

  // OVERLOADED if a Create by `deadline` (wall) would be refused now because too much waits; otherwise OK, and no
  // promise. Never blocks: what is refused should cost as little as it can.
  virtual absl::Status AdmitCreate(absl::Time /*deadline*/) const { return absl::OkStatus(); }

  // Stores a ride of NewRide() unless, in this order: the same rider's request_id is known, with the same fingerprint
  // (that ride, existed) or another (REQUEST_ID_REUSED); the rider has a live ride (RIDER_BUSY, metadata ride_id); the
  // quote was used (QUOTE_USED). Refused with DEADLINE_EXCEEDED if `deadline` (wall) passes before it begins.
  virtual void Create(RideChange change, absl::Time deadline, Done<Created> done) = 0;

  // Loads, decides, stores: row and event in one transaction, guarded by the sequence and epoch that were loaded.
  // RIDE_NOT_FOUND; `decide`'s own error; OFFER_EXPIRED if it assigns by an offer that ByOffer has denied; DRIVER_BUSY
  // if the driver has another live ride; DEADLINE_EXCEEDED.
  virtual void Change(std::string ride_id, Decide decide, absl::Time deadline, Done<Changed> done) = 0;

  virtual void ById(std::string ride_id, Done<std::optional<Ride>> done) = 0;
  virtual void ByRequest(std::string rider_id, std::string request_id, Done<std::optional<Ride>> done) = 0;
  virtual void ActiveOfRider(std::string rider_id, Done<std::optional<Ride>> done) = 0;
  // The ride that was assigned by that offer to that driver: as it is, or, if the assignment ended before the ride did
  // (given up, never acknowledged), as the driver last had it (assignment_ended). None is a promise, kept in the store
  // for an hour at least: no change after it assigns by that offer to that driver. For the driver is told that it came
  // to nothing, while a confirmation that was sent before may still be on its way.
  virtual void ByOffer(std::string driver_id, std::string offer_id, Done<std::optional<Ride>> done) = 0;
  // Latest request first.
  virtual void ListOfRider(RiderListing listing, Done<RidePage> done) = 0;
  // All that were assigned to the driver, each as in ByOffer. Latest assignment first.
  virtual void ListOfDriver(DriverListing listing, Done<RidePage> done) = 0;

  // The ride and, with `after`, its events above that sequence. RIDE_NOT_FOUND.
  virtual void ReadLog(std::string ride_id, std::optional<std::int64_t> after, Done<RideLog> done) = 0;
  virtual void ReadDriver(std::string driver_id, std::optional<Cursor> cursor, Done<DriverCatchUp> done) = 0;
  // The driver's events numbered above `after` (driver_sequence), in order, over all rides; at most 256 of them.
  virtual void ReadDriverEvents(std::string driver_id, std::int64_t after, Done<std::vector<RideEvent>> done) = 0;

  // The 2 s check: present sequences of rides; latest driver_sequence of drivers (0: none). Unknown rides are left out.
  virtual void Sequences(std::vector<std::string> ride_ids, Done<std::map<std::string, std::int64_t>> done) = 0;
  virtual void DriverSequences(std::vector<std::string> driver_ids, Done<std::map<std::string, std::int64_t>> done) = 0;

  // All that the dispatch book must look after: MATCHING, and assigned but not seen, of which this process is the
  // keeper, or which a process kept that is dead.
  virtual void Dispatchable(Done<std::vector<Ride>> done) = 0;

  // Whether several processes may share it. If not, the rest of these are not called.
  virtual bool shared() const { return false; }
  // Lets this process count as alive for so long from now. Zero: no longer, and for good; a renewal that is under way
  // comes to nothing.
  virtual void RenewLease(absl::Duration /*lease*/, std::function<void(absl::Status)> done) { done(absl::OkStatus()); }
  // Of Dispatchable, those of the dead.
  virtual void Orphans(Done<std::vector<Ride>> done) { done(std::vector<Ride>()); }
  // Of these rides, as they are, those that another process keeps; also those in a state of a later version.
  virtual void KeptElsewhere(std::vector<std::string> /*ride_ids*/, Done<std::vector<Ride>> done) {
    done(std::vector<Ride>());
  }

  // The rides in each live state now; states without any are left out.
  virtual void CountLive(Done<std::map<RideState, LiveRides>> done) = 0;

  // The key quotes are signed with, 32 bytes; made from the system's generator the first time.
  virtual void QuoteKey(Done<std::string> done) = 0;
};

}  // namespace hail::rider
