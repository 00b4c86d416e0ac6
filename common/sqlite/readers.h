// Threads that read a database while its writer writes.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/group_committer.h"
#include "common/sqlite/work.h"
#include "common/time/clock.h"

namespace hail::sqlite {

// Thread-safe. Each job runs in its own read transaction: all its queries see one state of the database, which includes
// every commit reported before the job was submitted.
class Readers {
 public:
  struct Options {
    // Limit of the waiting jobs; more are refused.
    std::size_t max_queue = 10'000;
  };

  // One thread for each connection (read-only ones, at least one). `clock` (wall) and `observer` (may be null) must
  // outlive this.
  Readers(std::vector<std::unique_ptr<Connection>> connections, const Clock* clock, Options options,
          Observer* observer);
  // Calls Stop.
  ~Readers();

  // Queues `job`; `done` runs after it on the same thread, in no particular order with other jobs. Refusals are those
  // of GroupCommitter::Submit.
  void Submit(Deadline deadline, Job job, Done done) ABSL_LOCKS_EXCLUDED(mutex_);

  // The same for a job with a result: `job` is Connection& -> StatusOr<T>, `done` takes StatusOr<T>.
  template <typename T>
  void SubmitFor(Deadline deadline, absl::AnyInvocable<absl::StatusOr<T>(Connection&)> job,
                 absl::AnyInvocable<void(absl::StatusOr<T>)> done) {
    auto [plain_job, plain_done] = WithResult<T>(std::move(job), std::move(done));
    Submit(deadline, std::move(plain_job), std::move(plain_done));
  }

  // The number of waiting jobs.
  std::size_t depth() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs queued jobs, refuses later ones, closes the connections. Idempotent; must not be called from a job or a
  // `done`.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    Deadline deadline;
    Job job;
    Done done;
  };

  void Run(std::unique_ptr<Connection> connection);
  absl::Status Read(Connection& connection, Entry& entry);

  const Clock* const clock_;
  const Options options_;
  Observer* const observer_;

  mutable absl::Mutex mutex_;
  std::deque<Entry> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex join_mutex_;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(join_mutex_);
};

}  // namespace hail::sqlite
