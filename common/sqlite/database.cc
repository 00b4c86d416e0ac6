#include "common/sqlite/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/errors/status_macros.h"
#include "common/sqlite/private_files.h"

namespace hail::sqlite {
namespace {

// Makes creations and deletions in `folder` durable.
absl::Status SyncFolder(const std::filesystem::path& folder) {
  const int fd = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // A folder that is writable but not readable cannot be synced.
  if (fd < 0) return absl::OkStatus();
  // Some file systems cannot sync folders; only a disk error matters.
  const bool failed = fsync(fd) != 0 && errno == EIO;
  close(fd);
  if (!failed) return absl::OkStatus();
  return Unavailable(Reason::kStoreUnavailable, "cannot sync " + folder.string() + ": " + std::strerror(EIO));
}

// A new folder must be as durable as the file in it.
absl::Status MakeFolder(const std::filesystem::path& folder) {
  std::error_code error;
  if (folder.empty() || std::filesystem::exists(folder, error)) return absl::OkStatus();
  HAIL_RETURN_IF_ERROR(MakeFolder(folder.parent_path()));
  if (const auto made = MakePrivate(folder.string(), /*tighten=*/false); !made.ok()) return made.status();
  return SyncFolder(folder.parent_path());
}

// A crash of the process (not the machine) may have left commits in the WAL that were written but not synced; the name
// of the WAL file may not be synced either. From now on they can be read and used in answers, so they must survive a
// power cut. SQLite itself would sync them only with the next commit. Must be called after the WAL was read.
absl::Status SyncWhatWasLeft(Connection& connection, const std::string& path) {
  sqlite3_file* wal = nullptr;
  int result = sqlite3_file_control(connection.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  if (result == SQLITE_OK && wal != nullptr && wal->pMethods != nullptr) {
    result = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
  }
  if (result != SQLITE_OK) {
    return Unavailable(Reason::kStoreUnavailable, "cannot sync the WAL of " + path + ": " + sqlite3_errstr(result));
  }
  return SyncFolder(std::filesystem::path(path).parent_path());
}

absl::StatusOr<std::int64_t> SchemaVersion(Connection& connection) {
  HAIL_ASSIGN_OR_RETURN(Statement statement, connection.Prepare("PRAGMA user_version"));
  HAIL_RETURN_IF_ERROR(statement.Step().status());
  return statement.Int64(0);
}

absl::Status Migrate(Connection& connection, const std::string& path, const std::vector<Migration>& migrations) {
  HAIL_ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(connection));
  const auto known = static_cast<std::int64_t>(migrations.size());
  if (version > known) {
    return absl::FailedPreconditionError(path + " has schema version " + std::to_string(version) +
                                         ", newer than this program's " + std::to_string(known) +
                                         ": run the program that wrote it, or a later one");
  }
  for (std::int64_t next = version; next < known; ++next) {
    const absl::Status status = connection.Execute("BEGIN IMMEDIATE;" + migrations[static_cast<std::size_t>(next)].sql +
                                                   ";PRAGMA user_version=" + std::to_string(next + 1) + ";COMMIT;");
    if (!status.ok()) {
      if (connection.InTransaction()) connection.Execute("ROLLBACK").IgnoreError();
      return absl::Status(status.code(), path + ": taking the schema to version " + std::to_string(next + 1) +
                                             " failed: " + std::string(status.message()));
    }
  }
  return absl::OkStatus();
}

// The file's application_id while it must be written anew at the next start.
constexpr std::int64_t kScrubDue = 1;
constexpr char kSetScrubDue[] = "PRAGMA application_id=1";
constexpr char kSetScrubbed[] = "PRAGMA application_id=0";

// SQLite copies the file by way of a temporary one. It must not be in memory, nor anywhere else than beside the file: a
// container can often write nowhere else.
absl::Status WriteAnew(Connection& connection, const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::string folder;
  for (const char c : parent.empty() ? std::string(".") : parent.string()) {
    folder += c;
    if (c == '\'') folder += c;
  }
  const absl::Status written =
      connection.Execute("PRAGMA temp_store_directory='" + folder + "'; PRAGMA temp_store=FILE; VACUUM;");
  HAIL_RETURN_IF_ERROR(connection.Execute("PRAGMA temp_store=MEMORY"));
  return written;
}

// Does what an earlier Scrub has left to this start.
absl::Status ScrubIfDue(Connection& connection, const std::string& path) {
  bool due = false;
  {
    HAIL_ASSIGN_OR_RETURN(Statement statement, connection.Prepare("PRAGMA application_id"));
    HAIL_RETURN_IF_ERROR(statement.Step().status());
    due = statement.Int64(0) == kScrubDue;
  }
  if (!due) return absl::OkStatus();
  HAIL_RETURN_IF_ERROR(WriteAnew(connection, path));
  HAIL_RETURN_IF_ERROR(connection.Execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  return connection.Execute(kSetScrubbed);
}

// The database file and the files that SQLite keeps beside it.
absl::Status MakeFilesPrivate(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    HAIL_RETURN_IF_ERROR(MakeFilePrivate(path + suffix));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const DatabaseOptions& options,
                                                         const std::vector<Migration>& migrations, const Clock* clock,
                                                         Observer* observer) {
  HAIL_RETURN_IF_ERROR(MakeFolder(std::filesystem::path(options.path).parent_path()));
  HAIL_RETURN_IF_ERROR(MakeFilesPrivate(options.path));
  std::unique_ptr<Database> database(new Database());
  database->path_ = options.path;
  database->scrub_at_once_bytes_ = options.scrub_at_once_bytes;
  HAIL_ASSIGN_OR_RETURN(database->lock_, FileLock::Take(options.path + ".lock"));

  HAIL_ASSIGN_OR_RETURN(std::unique_ptr<Connection> writer,
                        Connection::Open(options.path, Connection::Mode::kReadWrite));
  HAIL_RETURN_IF_ERROR(Migrate(*writer, options.path, migrations));
  HAIL_RETURN_IF_ERROR(SyncWhatWasLeft(*writer, options.path));
  // Without the disk space for it the service starts all the same, and the next start tries again.
  if (const absl::Status scrubbed = ScrubIfDue(*writer, options.path); !scrubbed.ok() && observer != nullptr) {
    observer->OnCheckpointFailed(scrubbed);
  }
  // Includes the files created just now, whatever the umask.
  HAIL_RETURN_IF_ERROR(MakeFilesPrivate(options.path));

  HAIL_ASSIGN_OR_RETURN(std::unique_ptr<Connection> checkpoints,
                        Connection::Open(options.path, Connection::Mode::kReadWrite));
  database->checkpointer_ =
      std::make_unique<Checkpointer>(std::move(checkpoints), options.checkpoint_wal_bytes, observer);
  database->checkpointer_->Follow(*writer);

  std::vector<std::unique_ptr<Connection>> readers;
  for (int i = 0; i < options.readers; ++i) {
    HAIL_ASSIGN_OR_RETURN(std::unique_ptr<Connection> reader,
                          Connection::Open(options.path, Connection::Mode::kReadOnly));
    readers.push_back(std::move(reader));
  }
  database->writer_ = std::make_unique<GroupCommitter>(std::move(writer), clock, options.writer, observer);
  database->readers_ = std::make_unique<Readers>(std::move(readers), clock, options.reader, observer);
  return database;
}

Database::~Database() { Stop(); }

void Database::ProbeWrite(Done done) {
  writer_->Submit(
      absl::InfiniteFuture(),
      [](Connection& connection) -> absl::Status {
        HAIL_ASSIGN_OR_RETURN(const std::int64_t version, SchemaVersion(connection));
        // SQLite writes the page even if the number is unchanged.
        return connection.Execute("PRAGMA user_version=" + std::to_string(version));
      },
      std::move(done));
}

void Database::Scrub(Done done) {
  writer_->SubmitAlone(
      [this](Connection& connection) -> absl::Status {
        std::error_code error;
        const std::uintmax_t bytes = std::filesystem::file_size(path_, error);
        const bool at_once = !error && bytes <= static_cast<std::uintmax_t>(scrub_at_once_bytes_);
        HAIL_RETURN_IF_ERROR(at_once ? WriteAnew(connection, path_) : connection.Execute(kSetScrubDue));
        return checkpointer_->Empty(connection);
      },
      std::move(done));
}

void Database::Stop() {
  if (readers_ != nullptr) readers_->Stop();
  if (writer_ != nullptr) writer_->Stop();
  checkpointer_.reset();
  lock_.reset();
}

}  // namespace hail::sqlite
