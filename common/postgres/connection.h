// One connection to PostgreSQL in pipeline mode. Internal to common/postgres.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/postgres/statement.h"
#include "common/postgres/url.h"

struct pg_conn;

namespace hail::postgres {

// The name of each statement, the same on every connection.
using StatementNames = std::unordered_map<const Statement*, std::string>;

// Never blocks, except while libpq resolves the host name. Belongs to one thread, which polls fd() for events() and
// calls Advance.
//
// Errors of commands. After each of them, the transaction has had no effect:
//   ALREADY_EXISTS       a unique index refused it; the message is the index's name
//   ABORTED              it may be retried: a serialization failure, a deadlock
//   FAILED_PRECONDITION  the server will never accept it (rights, a syntax it does not know)
//   STORE_UNAVAILABLE    any other error
class Connection {
 public:
  enum class State { kConnecting, kReady, kLost };
  // One Rows for each command. `lost`, which implies STORE_UNAVAILABLE, if the connection ended first: then the
  // transaction may have been committed.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::vector<Rows>>, bool lost)>;

  // Begins to connect and to prepare `statements`, which must outlive this.
  Connection(const ConnectParams& params, const StatementNames* statements);
  // Open transactions end as lost.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  State state() const { return state_; }
  // The reason of kLost. FAILED_PRECONDITION if a retry cannot succeed before somebody repairs something (password,
  // database, rights), UNAVAILABLE otherwise.
  const absl::Status& loss() const { return loss_; }

  // Sends `commands` as one transaction: all of them or none. `done` runs once, inside a later Advance, Abandon or the
  // destructor, or at once if the connection is not ready.
  void Send(const std::vector<const Command*>& commands, Done done);
  // The number of open transactions.
  std::size_t in_flight() const { return sent_.size(); }
  // When the server last sent something, or, if later, when the first transaction in flight was sent.
  absl::Time quiet_since() const { return quiet_since_; }

  int fd() const;
  // The events for poll(2).
  short events() const;
  // Sends and reads as far as the socket allows.
  void Advance();
  // Closes the connection; open transactions end as lost.
  void Abandon(absl::Status why);

 private:
  struct Transaction {
    Done done;
    std::vector<Rows> rows;
    absl::Status error;
  };

  void AdvanceConnect();
  void Prepare();
  // Ends the commands sent so far as one transaction.
  void EndTransaction(Done done);
  void Flush();
  void Read();
  void TakeResult(pg_result* result);

  const StatementNames* const statements_;
  std::unique_ptr<pg_conn, void (*)(pg_conn*)> conn_;
  State state_ = State::kConnecting;
  absl::Status loss_;
  short events_ = 0;
  std::deque<Transaction> sent_;
  absl::Time quiet_since_;
};

}  // namespace hail::postgres
