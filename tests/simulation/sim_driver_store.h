// DriverStore on a simulated disk: the port's contract as SqliteDriverStore keeps it, group commit, readers and the
// lazy offer log included, from a seed; but sessions as replicas share them, written as PostgresDriverStore does.
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

// Belongs to one thread, the executor's. It dies with the process whose store it is: once destroyed (also from within
// a `done` or a hook) none of its `done`s runs any more, while `disk` has what was committed before, told or not.
class SimDriverStore final : public driver::DriverStore {
 public:
  using Done = std::function<void(absl::StatusOr<driver::StoredDriver>)>;

  // All must outlive the store. `clock` is the disk's; `own_clock` the process's, for deadlines, if that is another.
  // `random`: 64 bits at a time, seeded. Of the offer records that wait to be written the
  // oldest beyond `max_waiting_records` are lost.
  SimDriverStore(DriverDisk* disk, Executor& executor, const Clock* clock, std::function<std::uint64_t()> random,
                 StoreFaults faults, const Clock* own_clock = nullptr, std::size_t max_waiting_records = 50'000);
  ~SimDriverStore() override = default;

  // --- For those who watch; may be empty, may destroy the store ---

  // At the instant of the commit, for each driver changed, in order: as it was (null: it is new) and as it is, and by
  // which of the port's writes: "register", "set_availability". Offer records are not told.
  void set_on_commit(std::function<void(const driver::StoredDriver* before, const driver::StoredDriver& after,
                                        const std::string& what)>
                         on_commit);
  // Of a session that was claimed, at the instant of the commit; `before` as it was.
  void set_on_claim(
      std::function<void(const driver::SessionClaim& before, const driver::SessionClaim& after)> on_claim) {
    on_claim_ = std::move(on_claim);
  }
  // A desired availability was not written: the session it was to be written under has moved.
  void set_on_moved(std::function<void()> on_moved) { on_moved_ = std::move(on_moved); }
  // A read will fail, or take so much longer than reads do.
  void set_on_late_read(std::function<void(absl::Duration late)> on_late_read) {
    readers_.set_on_late(std::move(on_late_read));
  }
  // After a commit, right before those who wait for it are told.
  void set_before_ack(std::function<void()> before_ack) { committer_.set_before_ack(std::move(before_ack)); }

  // For what begins from now on.
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

  // Jobs that wait or are under way.
  std::size_t depth() const { return committer_.depth() + readers_.depth(); }
  // Offer records that were never written: too many were waiting, or the store refused them.
  std::uint64_t lost_records() const { return lost_; }

 private:
  // A row that a batch has changed: a driver's, or a session's.
  struct Row {
    std::optional<driver::StoredDriver> before;
    driver::StoredDriver after;
    std::string what;
    std::optional<driver::SessionClaim> claimed_before;
    driver::SessionClaim claimed;
  };
  void OnCommit(const Row& row);

  // Claims if `may`, which is asked of the disk as it is then.
  void Claim(const std::string& driver_id, const std::string& replica, std::optional<driver::Opening> opening,
             std::function<bool(const DriverDisk& disk, const DriverDisk::Session& session)> may, ClaimDone done);
  // A command without a result.
  void Change(std::function<absl::Status(DriverDisk& disk)> change, std::function<void(absl::Status)> done);

  // Hands the waiting records to the committer, unless that is under way.
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
