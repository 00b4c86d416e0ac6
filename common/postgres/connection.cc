#include "common/postgres/connection.h"

#include <poll.h>

#include <utility>

#include "common/errors/error.h"
#include "common/postgres/libpq.h"
#include "common/time/clock.h"

namespace hail::postgres {
namespace {

absl::Status LostConnection() {
  return Unavailable(Reason::kStoreUnavailable, "the connection to the database was lost");
}

}  // namespace

Connection::Connection(const ConnectParams& params, const StatementNames* statements)
    : statements_(statements), conn_(StartConnect(params)), quiet_since_(WallNow()) {
  if (conn_ == nullptr || PQstatus(conn_.get()) == CONNECTION_BAD) {
    Abandon(ConnectFailure(conn_.get()));
    return;
  }
  events_ = POLLOUT;
}

Connection::~Connection() { Abandon(Unavailable(Reason::kStoreUnavailable, "the connection was closed")); }

void Connection::Send(const std::vector<const Command*>& commands, Done done) {
  if (state_ != State::kReady) {
    done(LostConnection(), /*lost=*/true);
    return;
  }
  std::vector<const char*> values;
  std::vector<int> lengths;
  std::vector<int> formats;
  for (const Command* command : commands) {
    values.clear();
    lengths.clear();
    formats.clear();
    for (const Params::Value& value : command->params.values_) {
      values.push_back(value.null ? nullptr : value.bytes.c_str());
      lengths.push_back(static_cast<int>(value.bytes.size()));
      formats.push_back(value.binary ? 1 : 0);
    }
    // Fails only without memory. The connection must then be closed, as the libpq manual says.
    if (PQsendQueryPrepared(conn_.get(), statements_->at(command->statement).c_str(), static_cast<int>(values.size()),
                            values.data(), lengths.data(), formats.data(), /*resultFormat=*/1) == 0) {
      EndTransaction(std::move(done));
      Abandon(ConnectFailure(conn_.get()));
      return;
    }
  }
  EndTransaction(std::move(done));
  Flush();
}

void Connection::EndTransaction(Done done) {
  if (sent_.empty()) quiet_since_ = WallNow();
  sent_.push_back({.done = std::move(done), .rows = {}, .error = absl::OkStatus()});
  PQpipelineSync(conn_.get());
}

int Connection::fd() const { return conn_ == nullptr ? -1 : PQsocket(conn_.get()); }

short Connection::events() const { return events_; }

void Connection::Advance() {
  if (state_ == State::kLost) return;
  if (PQstatus(conn_.get()) != CONNECTION_OK) {
    AdvanceConnect();
    return;
  }
  Flush();
  if (state_ != State::kLost) Read();
}

void Connection::AdvanceConnect() {
  switch (PQconnectPoll(conn_.get())) {
    case PGRES_POLLING_READING:
      events_ = POLLIN;
      return;
    case PGRES_POLLING_WRITING:
      events_ = POLLOUT;
      return;
    case PGRES_POLLING_OK:
      Prepare();
      return;
    default:
      Abandon(ConnectFailure(conn_.get()));
  }
}

void Connection::Prepare() {
  PQsetErrorVerbosity(conn_.get(), PQERRORS_DEFAULT);
  if (PQsetnonblocking(conn_.get(), 1) != 0 || PQenterPipelineMode(conn_.get()) == 0) {
    Abandon(ConnectFailure(conn_.get()));
    return;
  }
  for (const auto& [statement, name] : *statements_) {
    PQsendPrepare(conn_.get(), name.c_str(), statement->sql.c_str(), 0, nullptr);
  }
  EndTransaction([this](absl::StatusOr<std::vector<Rows>> prepared, bool lost) {
    if (lost) return;
    if (prepared.ok()) {
      state_ = State::kReady;
    } else {
      Abandon(prepared.status());
    }
  });
  Flush();
}

void Connection::Flush() {
  const int flushed = PQflush(conn_.get());
  if (flushed < 0) {
    Abandon(ConnectFailure(conn_.get()));
    return;
  }
  events_ = static_cast<short>(flushed == 0 ? POLLIN : POLLIN | POLLOUT);
}

void Connection::Read() {
  if (PQconsumeInput(conn_.get()) == 0) {
    Abandon(ConnectFailure(conn_.get()));
    return;
  }
  // A null result separates the results of two commands; two in a row mean the end.
  bool null_before = false;
  while (state_ != State::kLost && PQisBusy(conn_.get()) == 0) {
    pg_result* const result = PQgetResult(conn_.get());
    if (result == nullptr) {
      if (null_before) return;
      null_before = true;
      continue;
    }
    null_before = false;
    quiet_since_ = WallNow();
    TakeResult(result);
  }
}

void Connection::TakeResult(pg_result* result) {
  Rows rows(result);
  if (sent_.empty()) {
    // A message without a request: the server is about to close the connection.
    Abandon(CommandFailure(result));
    return;
  }
  Transaction& transaction = sent_.front();
  switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC: {
      Transaction ended = std::move(transaction);
      sent_.pop_front();
      if (ended.error.ok()) {
        ended.done(std::move(ended.rows), /*lost=*/false);
      } else {
        ended.done(std::move(ended.error), /*lost=*/false);
      }
      return;
    }
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
      transaction.rows.push_back(std::move(rows));
      return;
    case PGRES_PIPELINE_ABORTED:
      return;
    default:
      if (transaction.error.ok()) transaction.error = CommandFailure(result);
  }
}

void Connection::Abandon(absl::Status why) {
  if (state_ == State::kLost) return;
  state_ = State::kLost;
  loss_ = std::move(why);
  events_ = 0;
  conn_.reset();
  std::deque<Transaction> lost;
  lost.swap(sent_);
  for (Transaction& transaction : lost) {
    transaction.done(LostConnection(), /*lost=*/true);
  }
}

}  // namespace hail::postgres
