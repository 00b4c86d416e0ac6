// common/sqlite's Readers, simulated: each read sees the disk at one instant and is answered some time later, in no
// particular order with other reads or with writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/errors/error.h"
#include "common/exec/executor.h"
#include "tests/simulation/chance.h"
#include "tests/simulation/store_faults.h"

namespace hail::simulation {

// Belongs to one thread, the executor's. May be destroyed by a `done`; then it drops its pending reads.
template <typename Disk>
class SimReaders {
 public:
  SimReaders(const Disk* disk, Executor& executor, Bits random, const StoreFaults& faults)
      : disk_(disk), executor_(executor), random_(std::move(random)), faults_(faults) {}
  ~SimReaders() { *alive_ = false; }
  SimReaders(const SimReaders&) = delete;
  SimReaders& operator=(const SimReaders&) = delete;

  // For observers: called when a read will fail, or will be slower than usual by `late`.
  void set_on_late(std::function<void(absl::Duration late)> on_late) { on_late_ = std::move(on_late); }

  void set_faults(const StoreFaults& faults) { faults_ = faults; }

  // `done` gets OVERLOADED before this returns if too many reads wait, else the outcome.
  template <typename T>
  void Submit(std::function<absl::StatusOr<T>(const Disk&)> query, std::function<void(absl::StatusOr<T>)> done) {
    if (pending_.size() >= faults_.max_queue) {
      done(Overloaded("too many reads wait for the store", absl::Seconds(1)));
      return;
    }
    absl::Duration before = Length(random_, faults_.read_mean, faults_.read_max);
    absl::Duration after = Length(random_, faults_.read_mean, faults_.read_max);
    absl::Duration slow;
    if (Chance(random_, faults_.slow_read)) {
      absl::Duration& way = Chance(random_, 0.5) ? before : after;
      slow = Below(random_, faults_.slow);
      way += slow;
    }
    const bool fails = Chance(random_, faults_.fail_read);
    if (on_late_ && (fails || slow > absl::ZeroDuration())) on_late_(slow);

    auto result = std::make_shared<absl::StatusOr<T>>(
        Unavailable(Reason::kStoreUnavailable, "the store could not read: simulated fault"));
    const std::uint64_t number = ++asked_;
    pending_[number] = {.read =
                            [this, fails, result, query = std::move(query)] {
                              if (!fails) *result = query(*disk_);
                            },
                        .answer = [result, done = std::move(done)] { done(std::move(*result)); }};
    executor_.PostAfter(before, [this, alive = alive_, number, after] {
      if (!*alive) return;
      pending_.at(number).read();
      executor_.PostAfter(after, [this, alive, number] {
        if (!*alive) return;
        const auto at = pending_.find(number);
        const std::function<void()> answer = std::move(at->second.answer);
        pending_.erase(at);
        answer();
      });
    });
  }

  // Reads that wait or are in progress.
  std::size_t depth() const { return pending_.size(); }

 private:
  struct Pending {
    std::function<void()> read;
    std::function<void()> answer;
  };

  const Disk* const disk_;
  Executor& executor_;
  const Bits random_;
  StoreFaults faults_;
  std::function<void(absl::Duration)> on_late_;
  // Pending reads in the order of their calls. Callbacks are kept here and not in the executor, so that they die with
  // the process.
  std::uint64_t asked_ = 0;
  std::map<std::uint64_t, Pending> pending_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hail::simulation
