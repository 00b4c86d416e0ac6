#include "common/sqlite/connection.h"

#include <sqlite3.h>

#include <cstring>
#include <limits>

#include "absl/strings/cord.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"

namespace hail::sqlite {
namespace {

constexpr char kUniquePayload[] = "hail/sqlite-unique";
constexpr std::string_view kUniquePrefix = "UNIQUE constraint failed: ";

absl::Status MakeStatus(int result, const std::string& message) {
  // Extended codes carry the primary one in their low byte.
  switch (result & 0xff) {
    case SQLITE_CONSTRAINT: {
      if (result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY ||
          result == SQLITE_CONSTRAINT_ROWID) {
        absl::Status status = absl::AlreadyExistsError(message);
        const std::size_t at = message.find(kUniquePrefix);
        status.SetPayload(kUniquePayload,
                          absl::Cord(at == std::string::npos ? message : message.substr(at + kUniquePrefix.size())));
        return status;
      }
      return absl::FailedPreconditionError(message);
    }
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
    case SQLITE_INTERNAL:
    case SQLITE_TOOBIG:
    case SQLITE_SCHEMA:
      return Internal("sqlite: " + message);
    default:
      return Unavailable(Reason::kStoreUnavailable, "sqlite: " + message);
  }
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      sql_(std::move(other.sql_)),
      stmt_(other.stmt_),
      bind_error_(std::move(other.bind_error_)) {
  other.stmt_ = nullptr;
}

Statement::~Statement() {
  if (stmt_ == nullptr) return;
  Reset();
  connection_->Return(std::move(sql_), stmt_);
}

Statement& Statement::Note(int result) {
  if (result != SQLITE_OK && bind_error_.ok()) bind_error_ = connection_->Error(result);
  return *this;
}

Statement& Statement::BindInt64(int index, std::int64_t value) { return Note(sqlite3_bind_int64(stmt_, index, value)); }

Statement& Statement::Bind(int index, double value) { return Note(sqlite3_bind_double(stmt_, index, value)); }

Statement& Statement::Bind(int index, std::string_view text) {
  // A null pointer would bind NULL, not the empty text.
  return Note(
      sqlite3_bind_text64(stmt_, index, text.empty() ? "" : text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

Statement& Statement::Bind(int index, Blob blob) {
  return Note(sqlite3_bind_blob64(stmt_, index, blob.bytes.empty() ? "" : blob.bytes.data(), blob.bytes.size(),
                                  SQLITE_TRANSIENT));
}

Statement& Statement::Bind(int index, std::nullptr_t) { return Note(sqlite3_bind_null(stmt_, index)); }

absl::StatusOr<bool> Statement::Step() {
  if (!bind_error_.ok()) return bind_error_;
  const int result = sqlite3_step(stmt_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return connection_->Error(result);
}

absl::Status Statement::Run() {
  while (true) {
    absl::StatusOr<bool> row = Step();
    if (row.ok() && *row) continue;
    absl::Status status = row.status();
    sqlite3_reset(stmt_);
    return status;
  }
}

void Statement::Reset() {
  sqlite3_reset(stmt_);
  sqlite3_clear_bindings(stmt_);
  bind_error_ = absl::OkStatus();
}

std::int64_t Statement::Int64(int column) const { return sqlite3_column_int64(stmt_, column); }
double Statement::Double(int column) const { return sqlite3_column_double(stmt_, column); }

std::string_view Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(stmt_, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column))};
}

std::string_view Statement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(stmt_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column))};
}

bool Statement::IsNull(int column) const { return sqlite3_column_type(stmt_, column) == SQLITE_NULL; }

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& path, Mode mode,
                                                             absl::Duration busy_timeout) {
  // Only one thread at a time uses a connection, so SQLite need not lock it.
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == Mode::kReadWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  sqlite3* db = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  std::unique_ptr<Connection> connection(new Connection(db));
  if (result != SQLITE_OK) {
    return Unavailable(Reason::kStoreUnavailable, "cannot open " + path + ": " + sqlite3_errstr(result));
  }
  // SQLite opens a file without write permission read-only.
  if (mode == Mode::kReadWrite && sqlite3_db_readonly(db, "main") == 1) {
    return Unavailable(Reason::kStoreUnavailable, path + " cannot be written: it, or where it is, is read-only");
  }
  sqlite3_busy_timeout(db, static_cast<int>(absl::ToInt64Milliseconds(busy_timeout)));
  std::string pragmas =
      "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384; PRAGMA secure_delete=ON;";
  if (mode == Mode::kReadWrite) {
    pragmas += "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;";
  }
  if (absl::Status status = connection->Execute(pragmas); !status.ok()) {
    return Unavailable(Reason::kStoreUnavailable, "cannot use " + path + ": " + std::string(status.message()));
  }
  return connection;
}

Connection::~Connection() {
  for (auto& [sql, stmt] : idle_) sqlite3_finalize(stmt);
  sqlite3_close_v2(db_);
}

absl::Status Connection::Execute(const std::string& sql) {
  const int result = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : Error(result);
}

absl::StatusOr<Statement> Connection::Prepare(std::string_view sql) {
  std::string text(sql);
  if (auto kept = idle_.find(text); kept != idle_.end()) {
    sqlite3_stmt* stmt = kept->second;
    idle_.erase(kept);
    return Statement(this, std::move(text), stmt);
  }
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    return Internal("sqlite: statement too long");
  sqlite3_stmt* stmt = nullptr;
  const int result = sqlite3_prepare_v3(db_, text.c_str(), static_cast<int>(text.size()) + 1, SQLITE_PREPARE_PERSISTENT,
                                        &stmt, nullptr);
  if (result != SQLITE_OK) return Error(result);
  if (stmt == nullptr) return Internal("sqlite: empty statement");
  return Statement(this, std::move(text), stmt);
}

void Connection::Return(std::string sql, sqlite3_stmt* stmt) {
  if (idle_.size() >= kMaxIdle) {
    sqlite3_finalize(stmt);
    return;
  }
  idle_.emplace(std::move(sql), stmt);
}

std::int64_t Connection::Changes() const { return sqlite3_changes64(db_); }

bool Connection::InTransaction() const { return sqlite3_get_autocommit(db_) == 0; }

absl::Status Connection::Error(int result) const {
  std::string message = sqlite3_errmsg(db_);
  const int primary = result & 0xff;
  if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) {
    // SQLite's text is the same for many errors, so add the code and the error of the system.
    message += " (code " + std::to_string(result);
    if (const int error = sqlite3_system_errno(db_); error != 0) message += std::string(", ") + std::strerror(error);
    message += ")";
  }
  return MakeStatus(result, message);
}

std::optional<std::string> UniqueViolation(const absl::Status& status) {
  const auto payload = status.GetPayload(kUniquePayload);
  if (!payload.has_value()) return std::nullopt;
  return std::string(*payload);
}

}  // namespace hail::sqlite
