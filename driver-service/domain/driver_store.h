// The store port of driver-service: profiles, desired availability, owners of sessions, offer log.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/time/lease.h"
#include "driver-service/domain/driver.h"
#include "driver-service/domain/offer.h"
#include "driver-service/domain/session.h"

namespace hail::driver {

struct StoredDriver {
  Driver driver;
  Availability availability = Availability::kOffline;
};

// The result of a claim, or of a write under a claim.
struct ClaimedSession {
  // The driver after it.
  StoredDriver stored;
  // Whether the claimant now owns the session. For a write: whether the writer owned it, so that the write was made.
  bool claimed = false;
  // The session after it: the claimant's, or its present owner's.
  SessionClaim session;
};

// Thread-safe and asynchronous: nothing blocks. `done` runs exactly once, on a thread of the store, and must not block;
// after a change, only when the change is durable. Errors: STORE_UNAVAILABLE, OVERLOADED, DEADLINE_EXCEEDED besides
// those listed.
class DriverStore {
 public:
  virtual ~DriverStore() = default;

  using ClaimDone = std::function<void(absl::StatusOr<ClaimedSession>)>;

  // Adds `driver` with create_time = update_time = `now` (domain). If the stored profile is the same, returns the
  // stored driver. A different profile replaces the stored one, with update_time = `now`, if `replica` has the session
  // at `epoch`. It also does so if the driver has no session, the lease of the session's replica has ended, or the
  // session is at `epoch` and its replica reported it as lost. In these cases it ends that session by a higher epoch
  // without an owner, so that any remains of it learn of the change. Otherwise nothing is written (`claimed`).
  // PLATE_IN_USE if the driver is online and another driver is online with the new plate. `deadline` is wall time.
  virtual void Register(const Driver& driver, const std::string& replica, std::int64_t epoch, absl::Time now,
                        absl::Time deadline, ClaimDone done) = 0;

  // DRIVER_NOT_FOUND.
  virtual void Get(const std::string& driver_id, std::function<void(absl::StatusOr<StoredDriver>)> done) = 0;

  // Stores the desired availability, under the claim `session` (driver_id, replica and epoch). After a later claim
  // nothing is stored (`claimed`), because that claim has read the old value. DRIVER_NOT_FOUND; PLATE_IN_USE for going
  // online while another driver is online with the same plate. `now` is domain time, `deadline` wall time.
  virtual void SetAvailability(const SessionClaim& session, Availability availability, absl::Time now,
                               absl::Time deadline, ClaimDone done) = 0;

  // ---- Sessions. Of the replicas that share a store, the one that claimed a driver's session last owns it. A store
  // that only one process can open need not store claims: every claim succeeds, and there are no other claims. A claim
  // is answered with the driver as of that claim, including all writes under earlier claims.

  // For a stream of the driver's app at `replica`, which claims the session. Not claimed: the stream is late, because
  // the same run of the app has opened a later one (`opening`). DRIVER_NOT_FOUND.
  virtual void ClaimSession(const std::string& driver_id, const std::string& replica, const Opening& opening,
                            ClaimDone done) = 0;

  // For a unary call: `replica` claims the session if it has no owner, if the owner is `replica` itself or its lease
  // has ended, or if the epoch is `gone`: the epoch of a session that its replica reported as lost (0: none).
  // DRIVER_NOT_FOUND.
  virtual void ClaimIdleSession(const std::string& driver_id, const std::string& replica, std::int64_t gone,
                                ClaimDone done) = 0;

  // Reads the driver and the owner of the session (none if its lease has ended). `claimed` has no meaning here.
  // DRIVER_NOT_FOUND.
  virtual void GetSession(const std::string& driver_id, ClaimDone done) = 0;

  // Extends the lease of `replica` on its sessions to kLeaseTime from now.
  virtual void RenewLease(const std::string& replica, std::function<void(absl::Status)> done) = 0;
  // Ends the lease of `replica` on all its sessions for good: an open renewal has no effect.
  virtual void EndLease(const std::string& replica, std::function<void(absl::Status)> done) = 0;

  // The sessions claimed within `within` before now, by the store's clock, in no particular order.
  virtual void RecentClaims(absl::Duration within,
                            std::function<void(absl::StatusOr<std::vector<SessionClaim>>)> done) = 0;

  // Appends to the log, later and in batches. Never waits. If the store does not keep up, the oldest waiting records
  // are lost and counted; a crash loses all waiting records. The log therefore decides nothing about rides: it is for
  // audit, and for the reason of a failed offer in answers to drivers.
  virtual void AppendOfferLog(OfferRecord record) = 0;

  using FindOfferDone = std::function<void(absl::StatusOr<std::optional<LoggedOffer>>)>;
  // The present record of that offer in the log.
  virtual void FindOffer(const std::string& offer_id, FindOfferDone done) = 0;
};

}  // namespace hail::driver
