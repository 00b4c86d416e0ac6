// The store port of driver-service: profiles, the durable desired availability, whose the sessions are, the offer log.
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

// What came of a claim, or of a write under one.
struct ClaimedSession {
  // As it is after it.
  StoredDriver stored;
  // Whether the session is the claimant's now; of a write: whether it was the writer's, so that it was made.
  bool claimed = false;
  // As it is after it: the claimant's, or whose it stayed.
  SessionClaim session;
};

// Thread-safe and asynchronous: nothing blocks. `done` runs exactly once, on a thread of the store's, and must not
// block; for a change, after it is durable. Errors: STORE_UNAVAILABLE, OVERLOADED, DEADLINE_EXCEEDED beside those
// named.
class DriverStore {
 public:
  virtual ~DriverStore() = default;

  using ClaimDone = std::function<void(absl::StatusOr<ClaimedSession>)>;

  // Adds `driver` with create_time = update_time = `now` (domain). The same profile again: the stored driver. Another
  // profile under the same id replaces the stored one, with update_time = `now`: under `replica`'s session if that has
  // `epoch`. It is made as well where nobody has the session, the lease of the replica that has it has ended, or its
  // epoch is `epoch`, which another replica said that it has no more: then it ends that session, by a higher epoch that
  // is nobody's, so that what is left of it hears of it. Otherwise it is not made (`claimed`). PLATE_IN_USE if the
  // driver is online and another one is with the new plate. `deadline` is wall time.
  virtual void Register(const Driver& driver, const std::string& replica, std::int64_t epoch, absl::Time now,
                        absl::Time deadline, ClaimDone done) = 0;

  // DRIVER_NOT_FOUND.
  virtual void Get(const std::string& driver_id, std::function<void(absl::StatusOr<StoredDriver>)> done) = 0;

  // Stores the desired availability, under the session that `session` claimed (by driver_id, replica and epoch): where
  // another claim came after it, that one has read the desired availability as it was, and nothing is stored
  // (`claimed`). DRIVER_NOT_FOUND; PLATE_IN_USE for going online while another driver is with the same plate. `now` is
  // domain time, `deadline` wall time.
  virtual void SetAvailability(const SessionClaim& session, Availability availability, absl::Time now,
                               absl::Time deadline, ClaimDone done) = 0;

  // ---- Sessions: of the replicas that share a store one has a driver's, the one that claimed it last. A store that
  // only one process can have open need not write any of it: every claim succeeds, and there are no other claims.
  // A claim is answered with the driver as of that claim: all that was written under an earlier one is in it.

  // A stream of the driver's app is opened at `replica`, which claims the session. Not claimed: the stream came late,
  // the same run of the app has opened a later one (`opening`). DRIVER_NOT_FOUND.
  virtual void ClaimSession(const std::string& driver_id, const std::string& replica, const Opening& opening,
                            ClaimDone done) = 0;

  // For a unary call: `replica` claims the session if nobody has it, or a replica whose lease has ended, or it itself,
  // or if its epoch is `gone`: that of a session whose replica said that it has it no more (0: none).
  // DRIVER_NOT_FOUND.
  virtual void ClaimIdleSession(const std::string& driver_id, const std::string& replica, std::int64_t gone,
                                ClaimDone done) = 0;

  // A read: the driver, and who has the session (no replica where its lease has ended, too). `claimed` says nothing.
  // DRIVER_NOT_FOUND.
  virtual void GetSession(const std::string& driver_id, ClaimDone done) = 0;

  // `replica` lives: what it claimed is its own for another kLeaseTime.
  virtual void RenewLease(const std::string& replica, std::function<void(absl::Status)> done) = 0;
  // It goes, and has no sessions any more. For good: a renewal that is under way comes to nothing.
  virtual void EndLease(const std::string& replica, std::function<void(absl::Status)> done) = 0;

  // The sessions claimed within `within` before now, by the store's clock, in no particular order.
  virtual void RecentClaims(absl::Duration within,
                            std::function<void(absl::StatusOr<std::vector<SessionClaim>>)> done) = 0;

  // Appends to the log, some time later and together with others. Never waits; when the store does not keep up, the
  // oldest waiting records are lost and counted, and a crash loses what was waiting. So no ride is decided by the log.
  // It is for audit, and for the words in which a driver is told that an offer came to nothing.
  virtual void AppendOfferLog(OfferRecord record) = 0;

  using FindOfferDone = std::function<void(absl::StatusOr<std::optional<LoggedOffer>>)>;
  // What is in the log of that offer by now.
  virtual void FindOffer(const std::string& offer_id, FindOfferDone done) = 0;
};

}  // namespace hail::driver
