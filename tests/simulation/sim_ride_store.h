// RideStore on a simulated disk, driven by a seed. It keeps the port's contract as SqliteRideStore does, with group
// commit and readers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/exec/executor.h"
#include "common/time/clock.h"
#include "rider-service/domain/ride_store.h"
#include "tests/simulation/chance.h"
#include "tests/simulation/ride_disk.h"
#include "tests/simulation/sim_committer.h"
#include "tests/simulation/sim_readers.h"
#include "tests/simulation/store_faults.h"

namespace hail::simulation {

// Belongs to one thread, the executor's. It dies with its process: once destroyed (also from within a `done` or a
// hook), none of its `done`s runs any more. `disk` keeps all commits, acknowledged or not.
class SimRideStore final : public rider::RideStore {
 public:
  // All pointers must outlive the store. `random`: 64 bits at a time, seeded. `incarnation_id` names the process if
  // several share the disk; empty: the process does not share the disk. `clock` is the disk's; `own_clock` is the
  // process's, for deadlines, if different.
  SimRideStore(RideDisk* disk, Executor& executor, const Clock* clock, std::function<std::uint64_t()> random,
               StoreFaults faults, std::string incarnation_id = "", const Clock* own_clock = nullptr);
  ~SimRideStore() override = default;

  // --- Hooks for observers; may be empty, may destroy the store ---

  // Called at the instant of the commit, in order, for each changed row: the ride before (null: it is new) and after,
  // the event, if any, and the port's write: "create", "change".
  void set_on_commit(std::function<void(const rider::Ride* before, const rider::Ride& after,
                                        const rider::RideEvent* event, const std::string& what)>
                         on_commit);
  // Called after a commit, right before the callbacks run.
  void set_before_ack(std::function<void()> before_ack) { committer_.set_before_ack(std::move(before_ack)); }

  // Applies to jobs that begin from now on.
  void set_faults(const StoreFaults& faults);

  void Create(rider::RideChange change, absl::Time deadline, rider::Done<rider::Created> done) override;
  void Change(std::string ride_id, rider::Decide decide, absl::Time deadline,
              rider::Done<rider::Changed> done) override;
  void ById(std::string ride_id, rider::Done<std::optional<rider::Ride>> done) override;
  void ByRequest(std::string rider_id, std::string request_id, rider::Done<std::optional<rider::Ride>> done) override;
  void ActiveOfRider(std::string rider_id, rider::Done<std::optional<rider::Ride>> done) override;
  void ByOffer(std::string driver_id, std::string offer_id, rider::Done<std::optional<rider::Ride>> done) override;
  void ListOfRider(rider::RiderListing listing, rider::Done<rider::RidePage> done) override;
  void ListOfDriver(rider::DriverListing listing, rider::Done<rider::RidePage> done) override;
  void ReadLog(std::string ride_id, std::optional<std::int64_t> after, rider::Done<rider::RideLog> done) override;
  void ReadDriver(std::string driver_id, std::optional<rider::Cursor> cursor,
                  rider::Done<rider::DriverCatchUp> done) override;
  void ReadDriverEvents(std::string driver_id, std::int64_t after,
                        rider::Done<std::vector<rider::RideEvent>> done) override;
  void Sequences(std::vector<std::string> ride_ids, rider::Done<std::map<std::string, std::int64_t>> done) override;
  void DriverSequences(std::vector<std::string> driver_ids,
                       rider::Done<std::map<std::string, std::int64_t>> done) override;
  void Dispatchable(rider::Done<std::vector<rider::Ride>> done) override;
  void CountLive(rider::Done<std::map<rider::RideState, rider::LiveRides>> done) override;
  void QuoteKey(rider::Done<std::string> done) override;
  bool shared() const override { return !incarnation_id_.empty(); }
  void RenewLease(absl::Duration lease, std::function<void(absl::Status)> done) override;
  void Orphans(rider::Done<std::vector<rider::Ride>> done) override;
  void KeptElsewhere(std::vector<std::string> ride_ids, rider::Done<std::vector<rider::Ride>> done) override;

  // Jobs that wait or are in progress.
  std::size_t writes_queued() const { return committer_.depth(); }
  std::size_t reads_queued() const { return readers_.depth(); }

 private:
  // A row that a batch has changed.
  struct Row {
    std::optional<rider::Ride> before;
    rider::Ride after;
    std::optional<rider::RideEvent> event;
    std::string what;
  };

  static absl::StatusOr<rider::Created> CreateOn(RideDisk& disk, const rider::RideChange& change,
                                                 const std::string& incarnation_id, std::vector<Row>* rows);
  static absl::StatusOr<rider::Changed> ChangeOn(RideDisk& disk, const std::string& ride_id,
                                                 const rider::Decide& decide, const std::string& incarnation_id,
                                                 std::vector<Row>* rows);
  // Reads the rides to dispatch: those that this incarnation owns (`own`), or those of dead owners.
  void ReadDispatchable(bool own, rider::Done<std::vector<rider::Ride>> done);

  const Clock* const clock_;
  const std::string incarnation_id_;
  const Bits random_;
  SimCommitter<RideDisk, Row> committer_;
  SimReaders<RideDisk> readers_;
};

}  // namespace hail::simulation
