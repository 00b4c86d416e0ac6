#include "common/sqlite/database.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"

namespace hail::sqlite {
namespace {

absl::Status Migrate(Connection& connection, const std::string& path, const std::vector<Migration>& migrations) {
  std::int64_t version = 0;
  {
    absl::StatusOr<Statement> statement = connection.Prepare("PRAGMA user_version");
    if (!statement.ok()) return statement.status();
    absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    version = statement->Int64(0);
  }
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

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const DatabaseOptions& options,
                                                         const std::vector<Migration>& migrations, const Clock* clock,
                                                         Observer* observer) {
  const std::filesystem::path folder = std::filesystem::path(options.path).parent_path();
  if (!folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      return Unavailable(Reason::kStoreUnavailable, "cannot create " + folder.string() + ": " + error.message());
    }
  }
  std::unique_ptr<Database> database(new Database());
  absl::StatusOr<std::unique_ptr<FileLock>> lock = FileLock::Take(options.path + ".lock");
  if (!lock.ok()) return lock.status();
  database->lock_ = *std::move(lock);

  absl::StatusOr<std::unique_ptr<Connection>> writer = Connection::Open(options.path, Connection::Mode::kReadWrite);
  if (!writer.ok()) return writer.status();
  if (absl::Status status = Migrate(**writer, options.path, migrations); !status.ok()) return status;

  absl::StatusOr<std::unique_ptr<Connection>> checkpoints =
      Connection::Open(options.path, Connection::Mode::kReadWrite);
  if (!checkpoints.ok()) return checkpoints.status();
  database->checkpointer_ =
      std::make_unique<Checkpointer>(*std::move(checkpoints), options.checkpoint_wal_bytes, observer);
  database->checkpointer_->Follow(**writer);

  std::vector<std::unique_ptr<Connection>> readers;
  for (int i = 0; i < options.readers; ++i) {
    absl::StatusOr<std::unique_ptr<Connection>> reader = Connection::Open(options.path, Connection::Mode::kReadOnly);
    if (!reader.ok()) return reader.status();
    readers.push_back(*std::move(reader));
  }
  database->writer_ = std::make_unique<GroupCommitter>(*std::move(writer), clock, options.writer, observer);
  database->readers_ = std::make_unique<Readers>(std::move(readers), clock, options.reader, observer);
  return database;
}

Database::~Database() { Stop(); }

void Database::Stop() {
  if (readers_ != nullptr) readers_->Stop();
  if (writer_ != nullptr) writer_->Stop();
  checkpointer_.reset();
  lock_.reset();
}

}  // namespace hail::sqlite
