// A bounded number of connections to PostgreSQL, and the commands that wait for them.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/exec/queue_wait.h"
#include "common/exec/write_admission.h"
#include "common/postgres/connection.h"
#include "common/postgres/statement.h"
#include "common/postgres/url.h"
#include "common/time/clock.h"
#include "common/time/cond_var.h"

namespace hail::postgres {

// Receives the pool's events, for metrics and logs. Called on the pool's thread; must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  // A transaction of `writes` writes ended with `status`. `took`: from its first byte to the answer.
  virtual void OnCommit(std::size_t writes, absl::Duration took, const absl::Status& status) = 0;
  // The number of ready connections and the wanted number. Called when either changes.
  virtual void OnConnections(int ready, int wanted) = 0;
  // A connection attempt failed, or a connection ended.
  virtual void OnConnectionLost(const absl::Status& why) = 0;
  // A read failed, though its connection works.
  virtual void OnReadFailed(const absl::Status&) {}
  // An answer threw an exception, which is a bug; `what` is for the log.
  virtual void OnException(const std::string& what) = 0;
};

// Wall time after which nobody waits for the outcome; InfiniteFuture: none.
using Deadline = absl::Time;

// Thread-safe. The pool's own thread does all I/O, and runs all answers.
//
// Reads are transactions of one command each, many on one connection at a time. Writes that wait for a connection share
// one transaction and one commit. So a write must not fail because of its neighbours, nor make them fail: it states its
// conditions by WHERE and ON CONFLICT DO NOTHING, and its rows show whether it took effect. If a command fails all the
// same, the pool rolls the transaction back and runs each of its writes alone; it repeats serialization failures and
// deadlocks.
//
// A write is answered after COMMIT. ALREADY_EXISTS (with the index's name) if a unique index refused it when run alone;
// STORE_UNAVAILABLE for all other errors. If the connection ended before the answer, the write may have been committed.
// While no connection is up, every command is refused at once.
class Pool {
 public:
  // The kind of a write. Under overload, kNew (begins something new) is refused before kBegun (continues something).
  // kFirst waits behind no other write: it keeps the process alive in the view of others.
  enum class Work { kBegun, kNew, kFirst };
  using Answer = absl::AnyInvocable<void(absl::StatusOr<std::vector<Rows>>)>;

  struct Options {
    // At least 1 each.
    int writers = 2;
    int readers = 2;
    // The maximum number of writes in one transaction.
    std::size_t max_batch = 256;
    // Unanswered reads per connection.
    std::size_t max_reads_in_flight = 32;
    // Its max_queue limits reads too.
    WriteAdmission admission;
    // The server cancels a statement after this, or after half of it spent waiting for a lock.
    absl::Duration statement_timeout = absl::Seconds(5);
    // The schema of the service, in the database of the URL.
    std::string schema;
    // Shown in pg_stat_activity.
    std::string application_name;
  };

  // Starts to connect; returns at once. `clock` (wall), `observer` (may be null) and `statements` must outlive the
  // pool. `statements` lists all statements that will ever be sent.
  Pool(ConnectParams params, Options options, const std::vector<const Statement*>& statements, const Clock* clock,
       Observer* observer);
  // Calls Stop.
  ~Pool();

  // Returns true once all connections are up, false when `wall` has passed first.
  bool AwaitConnections(absl::Duration wall) const ABSL_LOCKS_EXCLUDED(mutex_);

  // If the read is not run, `answer` gets STORE_UNAVAILABLE or OVERLOADED (before this returns, on the caller's
  // thread).
  void Read(Command command, Answer answer) ABSL_LOCKS_EXCLUDED(mutex_);

  // The commands are one write: all of them or none, in this order. Within a transaction writes are ordered by `key`.
  // Writes that lock the same rows must use the same key; this prevents deadlocks. If the write is not run, `answer`
  // gets STORE_UNAVAILABLE or OVERLOADED (as above), or DEADLINE_EXCEEDED if `deadline` had passed when the transaction
  // began.
  void Write(std::vector<Command> commands, std::string key, Deadline deadline, Answer answer, Work work = Work::kBegun)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The result that Write would give such a write now: OVERLOADED, STORE_UNAVAILABLE, or OK, which is no promise.
  absl::Status Admit(Deadline deadline, Work work) const ABSL_LOCKS_EXCLUDED(mutex_);

  // The number of waiting commands, without those under way.
  std::size_t writes_queued() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::size_t reads_queued() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Finishes the queued commands, for some seconds at most, and closes the connections. Idempotent; must not be called
  // from an answer.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Job {
    std::vector<Command> commands;
    std::string key;
    Deadline deadline;
    Answer answer;
    // Run it alone, because a shared transaction failed.
    bool alone = false;
    int attempts = 0;
  };
  using Batch = std::vector<std::unique_ptr<Job>>;
  struct PooledConnection {
    bool writer = false;
    // Null between two attempts to connect.
    std::unique_ptr<Connection> connection;
    bool ready = false;
    absl::Time connect_at;
    absl::Duration back_off;
    // Used for writers.
    QueueWait wait;
  };

  void Run();
  // Connects the connections that are due, and handles lost connections. Returns the time of the next call.
  absl::Time LookAfterConnections();
  void Close(PooledConnection& pooled, const absl::Status& why);
  void CountReady();
  // Hands waiting jobs to connections that can take them.
  void Dispatch();
  Batch TakeWrites(PooledConnection& pooled) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Batch TakeReads(std::size_t most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendWrites(PooledConnection& pooled, Batch batch);
  void SendRead(PooledConnection& pooled, std::unique_ptr<Job> job);
  void OnWritten(PooledConnection& pooled, Batch batch, absl::Time began, absl::StatusOr<std::vector<Rows>> rows,
                 bool lost);
  void OnRead(std::unique_ptr<Job> job, absl::StatusOr<std::vector<Rows>> rows, bool lost);
  void Tell(Job& job, absl::StatusOr<std::vector<Rows>> rows);
  // Refuses all waiting commands, because no connection is up.
  void RefuseAll();
  absl::Status AdmitLocked(Deadline deadline, Work work) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake() const;

  const ConnectParams params_;
  const Options options_;
  StatementNames statements_;
  const Clock* const clock_;
  Observer* const observer_;
  // eventfd(2): wakes the thread.
  const int wake_;

  // Used by the pool's thread only, except each connection's `wait`, which mutex_ guards.
  std::vector<std::unique_ptr<PooledConnection>> pooled_;

  mutable absl::Mutex mutex_;
  std::deque<std::unique_ptr<Job>> writes_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::unique_ptr<Job>> reads_ ABSL_GUARDED_BY(mutex_);
  int ready_writers_ ABSL_GUARDED_BY(mutex_) = 0;
  int ready_readers_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable SteadyCondVar ready_changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex join_mutex_;
  std::thread thread_ ABSL_GUARDED_BY(join_mutex_);
};

}  // namespace hail::postgres
