// common/sqlite's GroupCommitter, simulated: queued jobs become one batch, the batch is on disk at one instant, and
// some time later the callbacks run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/errors/error.h"
#include "common/exec/executor.h"
#include "common/time/clock.h"
#include "tests/simulation/chance.h"
#include "tests/simulation/store_faults.h"

namespace hail::simulation {

// Belongs to one thread, the executor's. May be destroyed by its own callback; then it drops its pending jobs. A `Row`
// is the data that a command passes to the commit hook.
template <typename Disk, typename Row>
class SimCommitter {
 public:
  // A command that returns an error must have changed nothing (in SQLite a SAVEPOINT ensures that).
  template <typename T>
  using Command = std::function<absl::StatusOr<T>(Disk&, std::vector<Row>*)>;

  SimCommitter(Disk* disk, Executor& executor, const Clock* clock, Bits random, const StoreFaults& faults)
      : disk_(disk), executor_(executor), clock_(clock), random_(std::move(random)), faults_(faults) {}
  ~SimCommitter() { *alive_ = false; }
  SimCommitter(const SimCommitter&) = delete;
  SimCommitter& operator=(const SimCommitter&) = delete;

  void set_on_commit(std::function<void(const Row&)> on_commit) { on_commit_ = std::move(on_commit); }
  void set_before_ack(std::function<void()> before_ack) { before_ack_ = std::move(before_ack); }
  void set_faults(const StoreFaults& faults) { faults_ = faults; }

  // `done` gets OVERLOADED before this returns if the queue is full, else the outcome.
  template <typename T>
  void Submit(absl::Time deadline, Command<T> command, std::function<void(absl::StatusOr<T>)> done) {
    if (queue_.size() >= faults_.max_queue) {
      done(Overloaded("too many changes wait for the store", absl::Seconds(1)));
      return;
    }
    auto result = std::make_shared<absl::StatusOr<T>>();
    queue_.push_back({.deadline = deadline,
                      .run = [result, command = std::move(command)](
                                 Disk& disk, std::vector<Row>* rows) { *result = command(disk, rows); },
                      .refuse = [result](absl::Status status) { *result = std::move(status); },
                      .answer = [result, done = std::move(done)] { done(std::move(*result)); }});
    if (busy_) return;
    busy_ = true;
    executor_.Post(WhileAlive(&SimCommitter::Begin));
  }

  // Jobs that wait or are in progress.
  std::size_t depth() const { return queue_.size() + batch_.size(); }

 private:
  struct Entry {
    absl::Time deadline;
    std::function<void(Disk&, std::vector<Row>*)> run;
    std::function<void(absl::Status)> refuse;
    std::function<void()> answer;
    bool late = false;
  };

  std::function<void()> WhileAlive(void (SimCommitter::*step)()) {
    return [this, step, alive = alive_] {
      if (*alive) (this->*step)();
    };
  }

  void Begin() {
    while (!queue_.empty() && batch_.size() < faults_.max_batch) {
      batch_.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    const absl::Time now = clock_->Read().wall;
    for (Entry& entry : batch_) entry.late = entry.deadline <= now;

    absl::Duration until_commit = Length(random_, faults_.commit_mean, faults_.commit_max);
    until_ack_ = Length(random_, faults_.ack_mean, faults_.ack_max);
    if (Chance(random_, faults_.slow_commit)) {
      (Chance(random_, 0.5) ? until_commit : until_ack_) += Below(random_, faults_.slow);
    }
    executor_.PostAfter(until_commit, WhileAlive(&SimCommitter::Commit));
  }

  void Commit() {
    const bool fail_unwritten = Chance(random_, faults_.fail_unwritten);
    const bool fail_written = !fail_unwritten && Chance(random_, faults_.fail_written);
    std::vector<Row> rows;
    if (fail_unwritten) {
      // The commands run, and their changes are lost: no caller may rely on a decision made in a command.
      Disk lost = *disk_;
      Run(lost, &rows);
      rows.clear();
    } else {
      Run(*disk_, &rows);
    }
    if (fail_unwritten || fail_written) {
      for (Entry& entry : batch_) {
        entry.refuse(Unavailable(Reason::kStoreUnavailable, "the store could not commit: simulated fault"));
      }
    }
    // The whole batch is on disk, even if a hook ends the process.
    const std::shared_ptr<bool> alive = alive_;
    if (const auto on_commit = on_commit_; on_commit) {
      for (const Row& row : rows) on_commit(row);
    }
    if (!*alive) return;
    executor_.PostAfter(until_ack_, WhileAlive(&SimCommitter::Acknowledge));
  }

  void Run(Disk& disk, std::vector<Row>* rows) {
    for (Entry& entry : batch_) {
      if (entry.late) {
        entry.refuse(absl::DeadlineExceededError("the deadline passed before the change began"));
      } else {
        entry.run(disk, rows);
      }
    }
  }

  void Acknowledge() {
    const std::shared_ptr<bool> alive = alive_;
    if (const auto before_ack = before_ack_; before_ack) before_ack();
    if (!*alive) return;
    const std::vector<Entry> batch = std::exchange(batch_, {});
    for (const Entry& entry : batch) {
      entry.answer();
      if (!*alive) return;
    }
    busy_ = !queue_.empty();
    if (busy_) executor_.Post(WhileAlive(&SimCommitter::Begin));
  }

  Disk* const disk_;
  Executor& executor_;
  const Clock* const clock_;
  const Bits random_;
  StoreFaults faults_;
  std::function<void(const Row&)> on_commit_;
  std::function<void()> before_ack_;

  std::deque<Entry> queue_;
  // A batch is in progress, or about to begin.
  bool busy_ = false;
  std::vector<Entry> batch_;
  absl::Duration until_ack_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hail::simulation
