// The one writer of a database: whatever is queued becomes one transaction and one fsync.
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

// Observes the work done, for metrics. Called on the threads that do it; must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  // A batch of `jobs` was committed (or not) in `took`, from BEGIN to the end of COMMIT.
  virtual void OnBatch(std::size_t jobs, absl::Duration took, const absl::Status& status) = 0;
  // A checkpoint wrote `pages` back, in `took`.
  virtual void OnCheckpoint(int pages, absl::Duration took) = 0;
  // A checkpoint failed; it is tried again when the WAL has grown.
  virtual void OnCheckpointFailed(const absl::Status&) {}
  // The file failed one job (STORE_UNAVAILABLE), a read or a change, while its transaction stood.
  virtual void OnJobFailed(const absl::Status&) {}
  // A job threw. A bug; `what` is for the log.
  virtual void OnException(const std::string& what) = 0;
};

// Thread-safe.
//
// A batch is everything queued when the writer becomes free and somebody waits for it, at most `max_batch` jobs: BEGIN
// IMMEDIATE, each job within a SAVEPOINT of its own, COMMIT. A job that returns an error is rolled back alone; its
// neighbours do not notice. `done` callbacks run on the writer's thread, in order of submission, after COMMIT returned:
// OK means durable. If BEGIN or COMMIT fails, every job of the batch ends with STORE_UNAVAILABLE and nothing of it has
// happened.
class GroupCommitter {
 public:
  // What a job is for. Under overload what was begun goes on to its end, and what is new is refused first. For what is
  // in no hurry alone no batch begins before `unhurried_wait`: nobody waits for a log.
  enum class Work { kBegun, kNew, kUnhurried };

  struct Options {
    std::size_t max_batch = 512;
    WriteAdmission admission;
    absl::Duration unhurried_wait = absl::Milliseconds(200);
  };

  // `clock` (wall) and `observer` (may be null) must outlive this.
  GroupCommitter(std::unique_ptr<Connection> connection, const Clock* clock, Options options, Observer* observer);
  // Stops.
  ~GroupCommitter();

  // Queues `job`. Without running it, `done` gets: OVERLOADED (before Submit returns, on the caller's thread) when the
  // queue is full, or too long for the job to be done by its deadline; STORE_UNAVAILABLE (likewise) after Stop;
  // DEADLINE_EXCEEDED when `deadline` had passed when the transaction began.
  void Submit(Deadline deadline, Job job, Done done, Work work = Work::kBegun) ABSL_LOCKS_EXCLUDED(mutex_);

  // The same for a job with a result: `job` is Connection& -> StatusOr<T>, `done` takes StatusOr<T>.
  template <typename T>
  void SubmitFor(Deadline deadline, absl::AnyInvocable<absl::StatusOr<T>(Connection&)> job,
                 absl::AnyInvocable<void(absl::StatusOr<T>)> done, Work work = Work::kBegun) {
    auto [plain_job, plain_done] = WithResult<T>(std::move(job), std::move(done));
    Submit(deadline, std::move(plain_job), std::move(plain_done), work);
  }

  // Whether Submit would refuse such a job now, and how: OVERLOADED, STORE_UNAVAILABLE, or OK, which is no promise.
  absl::Status Admit(Deadline deadline, Work work) const ABSL_LOCKS_EXCLUDED(mutex_);

  // How many jobs wait now.
  std::size_t depth() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Commits what is queued, refuses what comes later, closes the connection. Idempotent; not from a job or a `done`.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    Deadline deadline;
    Job job;
    Done done;
    absl::Status outcome;
  };

  void Run();
  // Waits for a batch to begin with.
  void AwaitWork() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // OK, or why a job may not be queued now.
  absl::Status AdmitLocked(Deadline deadline, Work work) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Runs `batch` as one transaction, leaves each entry's outcome, returns the transaction's.
  absl::Status Commit(std::vector<Entry>& batch);
  absl::Status RunJobs(std::vector<Entry>& batch);

  const Clock* const clock_;
  const Options options_;
  Observer* const observer_;
  // The writer thread's own.
  std::unique_ptr<Connection> connection_;

  mutable absl::Mutex mutex_;
  std::deque<Entry> queue_ ABSL_GUARDED_BY(mutex_);
  // When the next batch begins at the latest.
  absl::Time begin_by_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  QueueWait wait_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // begin_by_ is sooner than it was, or stopping_ is set.
  SteadyCondVar changed_;
  absl::Mutex join_mutex_;
  std::thread thread_ ABSL_GUARDED_BY(join_mutex_);
};

}  // namespace hail::sqlite
