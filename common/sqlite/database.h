// A service's database file: its schema, one writer, several readers, checkpoints off the hot path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/sqlite/checkpointer.h"
#include "common/sqlite/file_lock.h"
#include "common/sqlite/group_committer.h"
#include "common/sqlite/readers.h"
#include "common/time/clock.h"

namespace hail::sqlite {

// The statements that take a database from one version of its schema to the next. They never change after a release.
struct Migration {
  std::string sql;
};

struct DatabaseOptions {
  // The file; missing folders are created. ":memory:" and URIs are not supported.
  std::string path;
  // At least 1.
  int readers = 2;
  GroupCommitter::Options writer;
  Readers::Options reader;
  // The WAL is written back above this size, while commits wait. Pages that change often are then written once.
  std::int64_t checkpoint_wal_bytes = 16 << 20;
  // A larger file is written anew only at the next start: changes wait meanwhile.
  std::int64_t scrub_at_once_bytes = 64 << 20;
};

// Thread-safe once open.
class Database {
 public:
  // Opens `options.path`, migrates its schema to version migrations.size() (migrations[i] leads from version i to i +
  // 1, each in a transaction), starts the threads. `clock` and `observer` (may be null) must outlive the database.
  // FAILED_PRECONDITION if the file's schema is newer than the program, or another process (or Database) has it open;
  // UNAVAILABLE if the file cannot be used. Once open, all readable data is durable.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const DatabaseOptions& options,
                                                        const std::vector<Migration>& migrations, const Clock* clock,
                                                        Observer* observer);
  // Calls Stop.
  ~Database();

  GroupCommitter& writer() { return *writer_; }
  Readers& readers() { return *readers_; }

  // Checks whether commits work: commits a change that keeps the value, which writes and syncs a page. `done` runs like
  // that of the writer's jobs.
  void ProbeWrite(Done done);

  // Removes what deleted and changed values left in the file and the WAL. SQLite overwrites such values itself, except
  // copies in the unused part of pages that it has split. So this empties the WAL and writes the file anew (VACUUM),
  // which takes free disk space of twice its size; a large file at the next Open (scrub_at_once_bytes). Changes wait
  // meanwhile, reads do not. `done` runs like that of the writer's jobs. STORE_UNAVAILABLE if a read lasted too long:
  // repeat it.
  void Scrub(Done done);

  // Finishes queued jobs (reads, then writes), writes the WAL back, closes the file. Idempotent.
  void Stop();

 private:
  Database() = default;

  std::string path_;
  std::int64_t scrub_at_once_bytes_ = 0;
  // In order of construction; destroyed in reverse.
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<GroupCommitter> writer_;
  std::unique_ptr<Readers> readers_;
};

}  // namespace hail::sqlite
