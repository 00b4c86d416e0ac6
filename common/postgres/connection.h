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

// What each statement is called on every connection.
using StatementNames = std::unordered_map<const Statement*, std::string>;

// Never blocks (except to resolve the host's name, which libpq does as it connects). Belongs to one thread, which polls
// fd() for events() and calls Advance.
//
// Errors of commands, all of which mean that nothing of the transaction has happened:
//   ALREADY_EXISTS       a unique index refused it; the message is the index's name
//   ABORTED              it may be tried again: a serialization failure, a deadlock
//   FAILED_PRECONDITION  the server will not have it, now or later (rights, a syntax it does not know)
//   STORE_UNAVAILABLE    all else
class Connection {
 public:
  enum class State { kConnecting, kReady, kLost };
  // One Rows for each command. LOST, which is STORE_UNAVAILABLE too, if the connection ended first: then the
  // transaction may have happened.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::vector<Rows>>, bool lost)>;

  // Begins to connect and to prepare `statements`, which must outlive this.
  Connection(const ConnectParams& params, const StatementNames* statements);
  // Whatever is under way ends as lost.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  State state() const { return state_; }
  // Why it is kLost. FAILED_PRECONDITION where trying again will not help until somebody mends something (password,
  // database, rights), UNAVAILABLE otherwise.
  const absl::Status& loss() const { return loss_; }

  // Sends `commands` as one transaction: all of them or none. `done` runs once, inside a later Advance, Abandon or the
  // destructor, or at once if the connection is not ready.
  void Send(const std::vector<const Command*>& commands, Done done);
  // Transactions that are not done.
  std::size_t in_flight() const { return sent_.size(); }
  // When the server last sent something, or, if later, when the first transaction in flight was sent.
  absl::Time quiet_since() const { return quiet_since_; }

  int fd() const;
  // Of poll(2).
  short events() const;
  // Sends and reads as far as the socket allows.
  void Advance();
  // Gives the connection up.
  void Abandon(absl::Status why);

 private:
  struct Transaction {
    Done done;
    std::vector<Rows> rows;
    absl::Status error;
  };

  void AdvanceConnect();
  void Prepare();
  // Ends what was sent so far, as one transaction.
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
