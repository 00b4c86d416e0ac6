// All commands and queries about rides, for riders, drivers and operators, over the ports.
//
// After its commit, never before, each event is published on the bus (RideTopic, DriverTopic) and passed to the
// observer; then `done` runs. Rides passed to `done` are views for the caller (view.h), except where noted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/bus/bus.h"
#include "common/ids/uuid.h"
#include "common/time/clock.h"
#include "rider-service/domain/quote.h"
#include "rider-service/domain/request_rules.h"
#include "rider-service/domain/ride.h"
#include "rider-service/domain/ride_store.h"

namespace hail::rider {

// The topics for the events of a ride, and of a driver's rides.
std::string RideTopic(const std::string& ride_id);
std::string DriverTopic(const std::string& driver_id);
// The topic for events by which other processes took over rides of this process (RideStore).
std::string KeeperTopic(const std::string& incarnation);

// The encoding of events on the bus. Thread-safe. Implemented in codec/.
class EventCodec {
 public:
  virtual ~EventCodec() = default;
  virtual std::string Encode(const RideEvent& event) const = 0;
  virtual absl::StatusOr<RideEvent> Decode(const std::string& payload) const = 0;
};

// Observes this process's commits. Called on the store's threads: must not block. Thread-safe.
class RideObserver {
 public:
  virtual ~RideObserver() = default;
  // This process committed the ride. `event` is null when only the epoch rose. `ride` includes internals. May come
  // twice, and in any order for different rides.
  virtual void OnCommitted(const Ride& ride, const RideEvent* event) = 0;
  // A repeated request found its ride, which this process dispatches and may not know yet: the commit's outcome was
  // unknown, or the commit was before this process started.
  virtual void OnFound(const Ride& /*ride*/) {}
  // Whether its queue is so long that no further rides should begin. Thread-safe.
  virtual bool IsOverloaded() const { return false; }
};

// Thread-safe; stateless except for its ports, which must outlive every call. `deadline` is wall time: a write that
// cannot begin before it is refused (DEADLINE_EXCEEDED).
class Rides {
 public:
  struct Ports {
    RideStore* store = nullptr;
    Bus* bus = nullptr;
    const EventCodec* codec = nullptr;
    RideObserver* observer = nullptr;
    const Quoter* quoter = nullptr;
    RandomBits random;
  };
  Rides(Ports ports, RideRules rules);

  const RideRules& rules() const { return rules_; }

  // --- Riders ---

  // OVERLOADED if a request could not be stored in time now; otherwise OK, which is no promise. Request calls it first;
  // an earlier call by a handler saves the decoding of a request that will be refused.
  absl::Status Admit(absl::Time deadline) const;

  // Looks up the request_id before any other check. A known one returns its present ride, or REQUEST_ID_REUSED, even if
  // the request would be refused now. INVALID_FIELD, OUTSIDE_SERVICE_AREA, QUOTE_*, RIDER_BUSY (metadata ride_id),
  // OVERLOADED.
  void Request(const Now& now, const RideRequest& request, absl::Time deadline, Done<Ride> done);
  // RIDE_NOT_FOUND also for another rider's ride.
  void Cancel(const Now& now, std::string rider_id, std::string ride_id, CancelReason reason, std::string note,
              absl::Time deadline, Done<Ride> done);
  void Get(std::string rider_id, std::string ride_id, Done<Ride> done);
  void GetActive(std::string rider_id, Done<std::optional<Ride>> done);

  struct List {
    std::string rider_id;
    int page_size = 0;
    std::string page_token;
    std::vector<RideState> states;
  };
  struct Listed {
    std::vector<Ride> rides;
    std::string next_page_token;
  };
  void ListForRider(List list, Done<Listed> done);

  // --- Drivers, through driver-service ---

  // The one commit point of an assignment. Assign's refusals, RIDE_NOT_FOUND, OFFER_EXPIRED, DRIVER_BUSY,
  // INVALID_FIELD.
  void Confirm(const Now& now, std::string ride_id, AcceptedOffer assignment, absl::Time deadline, Done<Ride> done);
  // RIDE_NOT_FOUND unless the offer was committed for that driver; after that answer it never will be.
  void FindAssignment(std::string driver_id, std::string offer_id, Done<Ride> done);
  // As TakeStep. After a cancel: the ride as the driver last had it.
  void RecordStep(const Now& now, std::string ride_id, DriverCommand command, absl::Time deadline, Done<Ride> done);
  void ListForDriver(std::string driver_id, int page_size, std::string page_token, Done<Listed> done);

  // --- Operators ---

  // RIDE_NOT_FOUND.
  void GetForOperator(std::string ride_id, Done<Ride> done);
  void ResolveRide(const Now& now, std::string ride_id, Resolution resolution, std::string note, absl::Time deadline,
                   Done<Ride> done);

  // --- The dispatch scheduler's commands: `done` gets the whole ride, with internals ---

  void RaiseEpoch(std::string ride_id, std::int64_t epoch, absl::Time deadline, Done<Changed> done);
  void EndUnfulfilled(const Now& now, std::string ride_id, std::int64_t epoch, absl::Time deadline, Done<Changed> done);
  void ExpireUnacknowledged(const Now& now, std::string ride_id, std::int64_t epoch, absl::Time deadline,
                            Done<Changed> done);

 private:
  void Change(std::string ride_id, Decide decide, absl::Time deadline, Done<Changed> done);
  // `former_keeper`: another process to notify; empty: none.
  void Announce(const RideEvent& event, const std::string& former_keeper = "") const;

  const Ports ports_;
  const RideRules rules_;
};

}  // namespace hail::rider
