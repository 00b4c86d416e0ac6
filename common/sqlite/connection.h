// SQLite behind absl::Status: nothing throws, nothing leaks.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hail::sqlite {

class Connection;

// Bytes, as opposed to text, in Statement::Bind.
struct Blob {
  std::string_view bytes;
};

// A prepared statement, borrowed from its connection. The destructor resets and returns it. Belongs to the connection's
// thread and must not outlive the connection.
//
// Binding errors are kept and returned by the next Step() or Run().
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Parameters are counted from 1. Text and bytes are copied. An empty optional binds NULL.
  template <std::integral T>
  Statement& Bind(int index, T value) {
    return BindInt64(index, static_cast<std::int64_t>(value));
  }
  Statement& Bind(int index, double value);
  Statement& Bind(int index, std::string_view text);
  Statement& Bind(int index, const std::string& text) { return Bind(index, std::string_view(text)); }
  Statement& Bind(int index, const char* text) { return Bind(index, std::string_view(text)); }
  Statement& Bind(int index, Blob blob);
  Statement& Bind(int index, std::nullptr_t);
  template <typename T>
  Statement& Bind(int index, const std::optional<T>& value) {
    return value ? Bind(index, *value) : Bind(index, nullptr);
  }
  // Binds all parameters, from the first on.
  template <typename... Values>
  Statement& BindAll(const Values&... values) {
    int index = 0;
    (Bind(++index, values), ...);
    return *this;
  }

  // Moves to the next row: true if there is one.
  absl::StatusOr<bool> Step();
  // Runs to the end, for statements whose rows are not needed. May be bound and run again afterwards.
  absl::Status Run();
  // Prepares the statement for new bindings; clears the old ones.
  void Reset();

  // Columns of the present row, counted from 0. Views live until the next Step(), Reset() or the statement's end.
  // NULL reads as 0, 0.0 or empty.
  std::int64_t Int64(int column) const;
  double Double(int column) const;
  std::string_view Text(int column) const;
  std::string_view Bytes(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Connection;
  Statement(Connection* connection, std::string sql, sqlite3_stmt* stmt)
      : connection_(connection), sql_(std::move(sql)), stmt_(stmt) {}
  Statement& BindInt64(int index, std::int64_t value);
  Statement& Note(int result);

  Connection* connection_;
  std::string sql_;
  sqlite3_stmt* stmt_;
  absl::Status bind_error_;
};

// One connection, used by one thread at a time. Statements are prepared once and kept, up to kMaxIdle of them.
//
// Errors: a violated UNIQUE or PRIMARY KEY is ALREADY_EXISTS (see UniqueViolation), any other constraint
// FAILED_PRECONDITION, a file that cannot be used now UNAVAILABLE (STORE_UNAVAILABLE), a wrong statement INTERNAL.
class Connection {
 public:
  enum class Mode { kReadWrite, kReadOnly };
  // Much more than the number of a program's own texts: generated texts must not grow the cache without limit.
  static constexpr std::size_t kMaxIdle = 256;

  // Opens the database file, and creates it for kReadWrite. Sets WAL, synchronous=FULL, foreign keys, temporary tables
  // in memory, zeros in place of deleted values, no automatic checkpoints (the caller runs them), and a lock time-out
  // of `busy_timeout`.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& path, Mode mode,
                                                          absl::Duration busy_timeout = absl::Seconds(5));
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs one or more statements whose rows are not needed.
  absl::Status Execute(const std::string& sql);

  // Prepares `sql` (one statement), or returns the cached one.
  absl::StatusOr<Statement> Prepare(std::string_view sql);

  // Rows changed by the last INSERT, UPDATE or DELETE.
  std::int64_t Changes() const;

  // Whether a transaction is open. SQLite itself ends a transaction after some errors (for example a full disk).
  bool InTransaction() const;

  // For functions without a wrapper here.
  sqlite3* handle() const { return db_; }

  // `result` (an SQLite code other than OK, ROW, DONE) as a status, with the connection's latest message.
  absl::Status Error(int result) const;

 private:
  friend class Statement;
  explicit Connection(sqlite3* db) : db_(db) {}
  void Return(std::string sql, sqlite3_stmt* stmt);

  sqlite3* db_;
  // Prepared statements that are not borrowed, by their text.
  std::unordered_multimap<std::string, sqlite3_stmt*> idle_;
};

// The constraint in the error of a violated UNIQUE constraint, as SQLite names it: "rides.rider_id, rides.request_id"
// for an index over columns (also a partial one), "index 'name'" for one over expressions. nullopt for any other
// status.
std::optional<std::string> UniqueViolation(const absl::Status& status);

}  // namespace hail::sqlite
