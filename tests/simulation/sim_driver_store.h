// DriverStore on a simulated disk, driven by a seed. It keeps the port's contract as SqliteDriverStore does, with group
// commit, readers and the lazy offer log. Replicas share sessions as in PostgresDriverStore.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/exec/executor.h"
#include "common/time/clock.h"
#include "driver-service/domain/driver_store.h"
#include "tests/simulation/chance.h"
#include "tests/simulation/driver_disk.h"
#include "tests/simulation/sim_committer.h"
#include "tests/simulation/sim_readers.h"
#include "tests/simulation/store_faults.h"

namespace hail::simulation {

// Belongs to one thread, the executor's. It dies with its process: once destroyed (also from within a `done` or a
// hook), none of its `done`s runs any more. `disk` keeps all commits, acknowledged or not.
class SimDriverStore final : public driver::DriverStore {
 public:
  using Done = std::function<void(absl::StatusOr<driver::StoredDriver>)>;

  // All pointers must outlive the store. `clock` is the disk's; `own_clock` is the process's, for deadlines, if
  // different. `random`: 64 bits at a time, seeded. If more than `max_waiting_records` offer records wait to be
  // written, the oldest are lost.
  SimDriverStore(DriverDisk* disk, Executor& executor, const Clock* clock, std::function<std::uint64_t()> random,
                 StoreFaults faults, const Clock* own_clock = nullptr, std::size_t max_waiting_records = 50'000);
  ~SimDriverStore() override = default;

  // --- Hooks for observers; may be empty, may destroy the store ---

  // Called at the instant of the commit, in order, for each changed driver: its state before (null: it is new), its
  // state after, and the port's write: "register", "set_availability". Not called for offer records.
  void set_on_commit(std::function<void(const driver::StoredDriver* before, const driver::StoredDriver& after,
                                        const std::string& what)>
                         on_commit);
  // Called at the instant of the commit of a session's claim, with the session before and after.
  void set_on_claim(
      std::function<void(const driver::SessionClaim& before, const driver::SessionClaim& after)> on_claim) {
    on_claim_ = std::move(on_claim);
  }
  // Called if a desired availability was not written because the session's owner or epoch had changed.
  void set_on_moved(std::function<void()> on_moved) { on_moved_ = std::move(on_moved); }
  // Called if a read will fail, or will be slower than usual by `late`.
  void set_on_late_read(std::function<void(absl::Duration late)> on_late_read) {
    readers_.set_on_late(std::move(on_late_read));
  }
  // Called after a commit, right before the callbacks run.
  void set_before_ack(std::function<void()> before_ack) { committer_.set_before_ack(std::move(before_ack)); }

  // Applies to jobs that begin from now on.
  void set_faults(const StoreFaults& faults);

  void Register(const driver::Driver& driver, const std::string& replica, std::int64_t epoch, absl::Time now,
                absl::Time deadline, ClaimDone done) override;
  void Get(const std::string& driver_id, Done done) override;
  void SetAvailability(const driver::SessionClaim& session, driver::Availability availability, absl::Time now,
                       absl::Time deadline, ClaimDone done) override;
  void ClaimSession(const std::string& driver_id, const std::string& replica, const driver::Opening& opening,
                    ClaimDone done) override;
  void ClaimIdleSession(const std::string& driver_id, const std::string& replica, std::int64_t gone,
                        ClaimDone done) override;
  void GetSession(const std::string& driver_id, ClaimDone done) override;
  void RenewLease(const std::string& replica, std::function<void(absl::Status)> done) override;
  void EndLease(const std::string& replica, std::function<void(absl::Status)> done) override;
  void RecentClaims(absl::Duration within,
                    std::function<void(absl::StatusOr<std::vector<driver::SessionClaim>>)> done) override;
  void AppendOfferLog(driver::OfferRecord record) override;
  void FindOffer(const std::string& offer_id, FindOfferDone done) override;

  // Jobs that wait or are in progress.
  std::size_t depth() const { return committer_.depth() + readers_.depth(); }
  // Offer records that were never written because too many waited or the store refused them.
  std::uint64_t lost_records() const { return lost_; }

 private:
  // A row that a batch has changed: a driver's or a session's.
  struct Row {
    std::optional<driver::StoredDriver> before;
    driver::StoredDriver after;
    std::string what;
    std::optional<driver::SessionClaim> claimed_before;
    driver::SessionClaim claimed;
  };
  void OnCommit(const Row& row);

  // Claims the session if `may` agrees; `may` is called with the disk's contents at the commit.
  void Claim(const std::string& driver_id, const std::string& replica, std::optional<driver::Opening> opening,
             std::function<bool(const DriverDisk& disk, const DriverDisk::Session& session)> may, ClaimDone done);
  // A command without a result.
  void Change(std::function<absl::Status(DriverDisk& disk)> change, std::function<void(absl::Status)> done);

  // Passes the waiting records to the committer, unless a flush is in progress.
  void FlushRecords();

  const Clock* const clock_;
  std::function<void(const driver::StoredDriver*, const driver::StoredDriver&, const std::string&)> on_commit_;
  std::function<void(const driver::SessionClaim&, const driver::SessionClaim&)> on_claim_;
  std::function<void()> on_moved_;
  const std::size_t max_waiting_records_;
  const Bits random_;
  std::deque<driver::OfferRecord> waiting_;
  bool writing_ = false;
  std::uint64_t lost_ = 0;
  SimCommitter<DriverDisk, Row> committer_;
  SimReaders<DriverDisk> readers_;
};

}  // namespace hail::simulation
