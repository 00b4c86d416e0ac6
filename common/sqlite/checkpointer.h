// Writes the WAL back into the database, on its own thread unless that cannot keep up.
#pragma once

#include <cstdint>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/sqlite/connection.h"
#include "common/sqlite/group_committer.h"

namespace hail::sqlite {

// Thread-safe.
class Checkpointer {
 public:
  // Uses `connection` alone. `observer` (may be null) must outlive this.
  Checkpointer(std::unique_ptr<Connection> connection, std::int64_t wal_bytes, Observer* observer);
  // Calls Stop.
  ~Checkpointer();

  // Makes commits on `writer` wake this checkpointer, which must outlive the connection. Call before the writer's
  // thread starts.
  void Follow(Connection& writer);

  // Writes everything back and empties the WAL, on the writer's thread between two commits. STORE_UNAVAILABLE if
  // another connection prevents it for longer than the writer's lock time-out.
  absl::Status Empty(Connection& writer) ABSL_LOCKS_EXCLUDED(mutex_);

  // Writes everything back and empties the WAL, unless another connection prevents it. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static int OnCommit(void* self, sqlite3* db, const char* name, int wal_pages);
  // Records the WAL's size after a commit. Returns whether the writer itself must write back.
  bool Insist(std::int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run();
  // Returns SQLite's result.
  int Checkpoint(sqlite3* db, int mode);

  const std::unique_ptr<Connection> connection_;
  const std::int64_t wal_bytes_;
  Observer* const observer_;
  std::int64_t page_bytes_ = 4096;

  absl::Mutex mutex_;
  std::int64_t wal_now_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // The WAL size at which this thread writes back next.
  std::int64_t trigger_bytes_ ABSL_GUARDED_BY(mutex_);
  // The WAL size at which the writer writes back.
  std::int64_t insist_bytes_ ABSL_GUARDED_BY(mutex_);
  // Whether this thread is writing back, or Empty.
  bool working_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex join_mutex_;
  std::thread thread_ ABSL_GUARDED_BY(join_mutex_);
};

}  // namespace hail::sqlite
