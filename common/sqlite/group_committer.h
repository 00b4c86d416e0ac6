// The one writer of a database: the queued jobs become one transaction and one fsync.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/exec/queue_wait.h"
#include "common/exec/write_admission.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/work.h"
#include "common/time/clock.h"
#include "common/time/cond_var.h"

namespace hail::sqlite {

// Receives events for metrics. Called on the threads that do the work; must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  // A batch of `jobs` ended with `status`. `took`: from BEGIN to the end of COMMIT.
  virtual void OnBatch(std::size_t jobs, absl::Duration took, const absl::Status& status) = 0;
  // A checkpoint wrote `pages` back, in `took`.
  virtual void OnCheckpoint(int pages, absl::Duration took) = 0;
  // A checkpoint failed; it is retried when the WAL has grown.
  virtual void OnCheckpointFailed(const absl::Status&) {}
  // A job (read or change) failed because of the file (STORE_UNAVAILABLE), but its transaction continued.
  virtual void OnJobFailed(const absl::Status&) {}
  // A job threw an exception, which is a bug; `what` is for the log.
  virtual void OnException(const std::string& what) = 0;
};

// Thread-safe.
//
// A batch starts when the writer is free and a job is urgent. It takes everything queued, at most `max_batch` jobs:
// BEGIN IMMEDIATE, each job in its own SAVEPOINT, COMMIT. A job that returns an error is rolled back alone, without
// effect on the others. `done` callbacks run on the writer's thread, in order of submission, after COMMIT has returned:
// OK means durable. If BEGIN or COMMIT fails, the batch has no effect, and all its jobs end with STORE_UNAVAILABLE.
class GroupCommitter {
 public:
  // The kind of a job. Under overload, kNew (begins something new) is refused before kBegun (continues something).
  // kUnhurried jobs alone start a batch only after `unhurried_wait`: nobody waits for a log.
  enum class Work { kBegun, kNew, kUnhurried };

  struct Options {
    std::size_t max_batch = 512;
    WriteAdmission admission;
    absl::Duration unhurried_wait = absl::Milliseconds(200);
  };

  // `clock` (wall) and `observer` (may be null) must outlive this.
  GroupCommitter(std::unique_ptr<Connection> connection, const Clock* clock, Options options, Observer* observer);
  // Calls Stop.
  ~GroupCommitter();

  // Queues `job`. If it does not run, `done` gets one of these errors: OVERLOADED (before Submit returns, on the
  // caller's thread) if the queue is full, or too long for the deadline; STORE_UNAVAILABLE (likewise) after Stop;
  // DEADLINE_EXCEEDED if `deadline` had passed when the transaction began.
  void Submit(Deadline deadline, Job job, Done done, Work work = Work::kBegun) ABSL_LOCKS_EXCLUDED(mutex_);

  // The same for a job with a result: `job` is Connection& -> StatusOr<T>, `done` takes StatusOr<T>.
  template <typename T>
  void SubmitFor(Deadline deadline, absl::AnyInvocable<absl::StatusOr<T>(Connection&)> job,
                 absl::AnyInvocable<void(absl::StatusOr<T>)> done, Work work = Work::kBegun) {
    auto [plain_job, plain_done] = WithResult<T>(std::move(job), std::move(done));
    Submit(deadline, std::move(plain_job), std::move(plain_done), work);
  }

  // The same for a job that runs between two batches, outside a transaction (VACUUM). Changes by others wait for it.
  void SubmitAlone(Job job, Done done) ABSL_LOCKS_EXCLUDED(mutex_);

  // The result that Submit would give such a job now: OVERLOADED, STORE_UNAVAILABLE, or OK, which is no promise.
  absl::Status Admit(Deadline deadline, Work work) const ABSL_LOCKS_EXCLUDED(mutex_);

  // The number of waiting jobs.
  std::size_t depth() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Commits queued jobs, refuses later ones, closes the connection. Idempotent; must not be called from a job or a
  // `done`.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    Deadline deadline;
    Job job;
    Done done;
    absl::Status outcome;
    // Runs outside a transaction.
    bool alone = false;
  };

  void Run();
  // Waits until a batch should begin.
  void AwaitWork() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // OK, or the reason why a job is refused now.
  absl::Status AdmitLocked(Deadline deadline, Work work) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Moves the next batch out of the queue: one job that runs alone, or those before the next such job.
  void Take(std::vector<Entry>& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Runs the only job of `batch`.
  absl::Status RunAlone(std::vector<Entry>& batch);
  // Runs `batch` as one transaction, sets each entry's outcome, returns the transaction's.
  absl::Status Commit(std::vector<Entry>& batch);
  absl::Status RunJobs(std::vector<Entry>& batch);

  const Clock* const clock_;
  const Options options_;
  Observer* const observer_;
  // Used by the writer's thread only.
  std::unique_ptr<Connection> connection_;

  mutable absl::Mutex mutex_;
  std::deque<Entry> queue_ ABSL_GUARDED_BY(mutex_);
  // The latest time at which the next batch begins.
  absl::Time begin_by_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  QueueWait wait_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Signalled when begin_by_ becomes earlier or stopping_ is set.
  SteadyCondVar changed_;
  absl::Mutex join_mutex_;
  std::thread thread_ ABSL_GUARDED_BY(join_mutex_);
};

}  // namespace hail::sqlite
