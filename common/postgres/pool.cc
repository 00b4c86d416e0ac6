#include "common/postgres/pool.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/failpoint/failpoint.h"

namespace hail::postgres {
namespace {

// The least RetryInfo of a refusal.
constexpr absl::Duration kRetryAfter = absl::Seconds(1);
// Between two attempts to connect.
constexpr absl::Duration kLeastBackOff = absl::Milliseconds(50);
constexpr absl::Duration kMostBackOff = absl::Seconds(2);
constexpr absl::Duration kConnectWithin = absl::Seconds(5);
// Beyond the statements' own time-out: a server that is silent for longer is gone.
constexpr absl::Duration kSilence = absl::Seconds(2);
constexpr absl::Duration kStopWithin = absl::Seconds(5);
// Of one unit, when the server asks for it to be tried again.
constexpr int kMaxAttempts = 100;

absl::Status NoConnection() { return Unavailable(Reason::kStoreUnavailable, "there is no connection to the database"); }

ConnectParams WithOptions(ConnectParams params, const Pool::Options& options) {
  SetDefault(&params, "application_name", options.application_name);
  const std::int64_t statement_ms = absl::ToInt64Milliseconds(options.statement_timeout);
  const std::string settings =
      absl::StrCat("-c search_path=", options.schema, " -c statement_timeout=", statement_ms,
                   " -c lock_timeout=", statement_ms / 2, " -c idle_in_transaction_session_timeout=", statement_ms);
  for (auto& [keyword, value] : params) {
    if (keyword == "options") {
      value = absl::StrCat(value, " ", settings);
      return params;
    }
  }
  params.emplace_back("options", settings);
  return params;
}

}  // namespace

Pool::Pool(ConnectParams params, Options options, const std::vector<const Statement*>& statements, const Clock* clock,
           Observer* observer)
    : params_(WithOptions(std::move(params), options)),
      options_(std::move(options)),
      clock_(clock),
      observer_(observer),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  for (const Statement* statement : statements) {
    statements_.emplace(statement, absl::StrCat("s", statements_.size()));
  }
  for (int i = 0; i < options_.writers + options_.readers; ++i) {
    lines_.push_back(std::make_unique<Line>());
    lines_.back()->writer = i < options_.writers;
    lines_.back()->back_off = kLeastBackOff;
  }
  absl::MutexLock lock(&join_mutex_);
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "postgres");
}

Pool::~Pool() {
  Stop();
  close(wake_);
}

bool Pool::AwaitConnections(absl::Duration wall) const {
  const auto all = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ready_writers_ == options_.writers && ready_readers_ == options_.readers;
  };
  absl::MutexLock lock(&mutex_);
  return ready_changed_.Await(&mutex_, wall, all);
}

void Pool::Read(Command command, Answer answer) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_ || ready_readers_ == 0) {
      refused = NoConnection();
    } else if (reads_.size() >= options_.admission.max_queue) {
      refused = Overloaded("too many reads wait for the database", kRetryAfter);
    } else {
      auto unit = std::make_unique<Unit>();
      unit->commands.push_back(std::move(command));
      unit->answer = std::move(answer);
      reads_.push_back(std::move(unit));
    }
  }
  if (refused.ok()) {
    Wake();
  } else {
    answer(std::move(refused));
  }
}

void Pool::Write(std::vector<Command> commands, std::string key, Deadline deadline, Answer answer, Work work) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    refused = AdmitLocked(deadline, work);
    if (refused.ok()) {
      auto unit = std::make_unique<Unit>();
      unit->commands = std::move(commands);
      unit->key = std::move(key);
      unit->deadline = deadline;
      unit->answer = std::move(answer);
      if (work == Work::kFirst) {
        writes_.push_front(std::move(unit));
      } else {
        writes_.push_back(std::move(unit));
      }
    }
  }
  if (refused.ok()) {
    Wake();
  } else {
    answer(std::move(refused));
  }
}

absl::Status Pool::Admit(Deadline deadline, Work work) const {
  absl::MutexLock lock(&mutex_);
  return AdmitLocked(deadline, work);
}

absl::Status Pool::AdmitLocked(Deadline deadline, Work work) const {
  if (stopping_ || ready_writers_ == 0) return NoConnection();
  if (work == Work::kFirst) return absl::OkStatus();
  const absl::Time now = WallNow();
  absl::Duration wait = absl::InfiniteDuration();
  for (const auto& line : lines_) {
    if (!line->writer) continue;
    wait = std::min(wait, line->wait.Estimate(now, writes_.size() / static_cast<std::size_t>(options_.writers)));
  }
  return options_.admission.Admit(work == Work::kNew, writes_.size(), wait, deadline - clock_->Read().wall);
}

std::size_t Pool::writes_queued() const {
  absl::MutexLock lock(&mutex_);
  return writes_.size();
}

std::size_t Pool::reads_queued() const {
  absl::MutexLock lock(&mutex_);
  return reads_.size();
}

void Pool::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  Wake();
  absl::MutexLock lock(&join_mutex_);
  if (thread_.joinable()) thread_.join();
}

void Pool::Wake() const { eventfd_write(wake_, 1); }

void Pool::Run() {
  absl::Time stop_by = absl::InfiniteFuture();
  std::vector<pollfd> polled;
  while (true) {
    absl::Time next = LookAfterLines();
    Dispatch();
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) {
        stop_by = std::min(stop_by, WallNow() + kStopWithin);
        next = std::min(next, stop_by);
        const bool idle =
            writes_.empty() && reads_.empty() && std::all_of(lines_.begin(), lines_.end(), [](const auto& line) {
              return line->connection == nullptr || line->connection->in_flight() == 0 || !line->ready;
            });
        if (idle || WallNow() >= stop_by) break;
      }
    }
    polled.assign(1, {.fd = wake_, .events = POLLIN, .revents = 0});
    for (const auto& line : lines_) {
      // A negative descriptor is skipped.
      polled.push_back({.fd = line->connection == nullptr ? -1 : line->connection->fd(),
                        .events = line->connection == nullptr ? short{0} : line->connection->events(),
                        .revents = 0});
    }
    const std::int64_t ms = absl::ToInt64Milliseconds(next - WallNow()) + 1;
    poll(polled.data(), polled.size(), static_cast<int>(std::clamp<std::int64_t>(ms, 0, 1000)));
    eventfd_t woken;
    eventfd_read(wake_, &woken);
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (polled[i + 1].revents != 0 && lines_[i]->connection != nullptr) lines_[i]->connection->Advance();
    }
  }
  for (const auto& line : lines_) line->connection.reset();
  RefuseAll();
}

absl::Time Pool::LookAfterLines() {
  const absl::Time now = WallNow();
  absl::Time next = now + absl::Seconds(1);
  for (const auto& line : lines_) {
    if (line->connection != nullptr) {
      Connection& connection = *line->connection;
      const bool connecting = connection.state() == Connection::State::kConnecting;
      const bool waits = connecting || connection.in_flight() > 0;
      const absl::Duration patience = connecting ? kConnectWithin : options_.statement_timeout + kSilence;
      if (waits && now - connection.quiet_since() > patience) {
        connection.Abandon(Unavailable(Reason::kStoreUnavailable, "the database does not answer"));
      }
      if (connection.state() == Connection::State::kLost) {
        Close(*line, connection.loss());
      } else if (connection.state() == Connection::State::kReady && !line->ready) {
        line->ready = true;
        line->back_off = kLeastBackOff;
      }
    }
    if (line->connection == nullptr) {
      if (line->connect_at <= now) {
        line->connection = std::make_unique<Connection>(params_, &statements_);
        next = now;
      } else {
        next = std::min(next, line->connect_at);
      }
    }
  }
  CountReady();
  return next;
}

void Pool::Close(Line& line, const absl::Status& why) {
  if (observer_ != nullptr) observer_->OnConnectionLost(why);
  // One that worked is made again at once: most likely only its server is new.
  line.connect_at = line.ready ? WallNow() : WallNow() + line.back_off;
  line.back_off = std::min(kMostBackOff, line.back_off * 2);
  line.ready = false;
  line.connection.reset();
}

void Pool::CountReady() {
  int writers = 0;
  int readers = 0;
  for (const auto& line : lines_) (line->writer ? writers : readers) += line->ready ? 1 : 0;
  bool changed = false;
  {
    absl::MutexLock lock(&mutex_);
    changed = writers != ready_writers_ || readers != ready_readers_;
    ready_writers_ = writers;
    ready_readers_ = readers;
    if (changed) ready_changed_.SignalAll();
  }
  if (!changed) return;
  if (observer_ != nullptr) observer_->OnConnections(writers + readers, options_.writers + options_.readers);
  if (writers == 0 || readers == 0) RefuseAll();
}

void Pool::Dispatch() {
  for (const auto& line : lines_) {
    if (!line->ready) continue;
    if (line->writer) {
      if (line->connection->in_flight() > 0) continue;
      Batch batch;
      {
        absl::MutexLock lock(&mutex_);
        batch = TakeWrites(*line);
      }
      if (!batch.empty()) SendWrites(*line, std::move(batch));
    } else {
      Batch batch;
      {
        absl::MutexLock lock(&mutex_);
        batch = TakeReads(options_.max_reads_in_flight - line->connection->in_flight());
      }
      for (auto& unit : batch) SendRead(*line, std::move(unit));
    }
  }
}

Pool::Batch Pool::TakeWrites(Line& line) {
  Batch batch;
  while (!writes_.empty() && batch.size() < options_.max_batch) {
    if (writes_.front()->alone && !batch.empty()) break;
    batch.push_back(std::move(writes_.front()));
    writes_.pop_front();
    if (batch.back()->alone) break;
  }
  if (!batch.empty()) line.wait.BatchBegan(WallNow(), batch.size());
  return batch;
}

Pool::Batch Pool::TakeReads(std::size_t most) {
  Batch batch;
  while (!reads_.empty() && batch.size() < most) {
    batch.push_back(std::move(reads_.front()));
    reads_.pop_front();
  }
  return batch;
}

void Pool::SendWrites(Line& line, Batch batch) {
  const absl::Time now = clock_->Read().wall;
  Batch late;
  for (auto& unit : batch) {
    if (unit->deadline <= now) late.push_back(std::move(unit));
  }
  std::erase(batch, nullptr);
  for (auto& unit : late) Tell(*unit, absl::DeadlineExceededError("the deadline passed before the change began"));
  if (batch.empty()) {
    absl::MutexLock lock(&mutex_);
    line.wait.BatchEnded(WallNow());
    return;
  }
  std::stable_sort(batch.begin(), batch.end(), [](const auto& a, const auto& b) { return a->key < b->key; });
  std::vector<const Command*> commands;
  for (const auto& unit : batch) {
    for (const Command& command : unit->commands) commands.push_back(&command);
  }
  HAIL_FAILPOINT(kCommitBefore);
  line.connection->Send(commands, [this, &line, batch = std::move(batch), began = WallNow()](
                                      absl::StatusOr<std::vector<Rows>> rows, bool lost) mutable {
    OnWritten(line, std::move(batch), began, std::move(rows), lost);
  });
}

void Pool::SendRead(Line& line, std::unique_ptr<Unit> unit) {
  const Command* const command = unit->commands.data();
  line.connection->Send({command},
                        [this, unit = std::move(unit)](absl::StatusOr<std::vector<Rows>> rows, bool lost) mutable {
                          OnRead(std::move(unit), std::move(rows), lost);
                        });
}

void Pool::OnWritten(Line& line, Batch batch, absl::Time began, absl::StatusOr<std::vector<Rows>> rows, bool lost) {
  HAIL_FAILPOINT(kCommitAfter);
  {
    absl::MutexLock lock(&mutex_);
    line.wait.BatchEnded(WallNow());
  }
  // A transaction that only has to be taken apart is not one that failed.
  const bool again = !rows.ok() && !lost &&
                     (batch.size() > 1 || (absl::IsAborted(rows.status()) && batch[0]->attempts < kMaxAttempts));
  if (observer_ != nullptr && !again && !absl::IsAlreadyExists(rows.status())) {
    observer_->OnCommit(batch.size(), WallNow() - began, rows.status());
  }
  if (again) {
    absl::MutexLock lock(&mutex_);
    for (auto unit = batch.rbegin(); unit != batch.rend(); ++unit) {
      (*unit)->alone = true;
      ++(*unit)->attempts;
      writes_.push_front(std::move(*unit));
    }
    return;
  }
  if (!rows.ok()) {
    for (const auto& unit : batch) Tell(*unit, rows.status());
    return;
  }
  auto next = rows->begin();
  for (const auto& unit : batch) {
    const auto end = next + static_cast<std::ptrdiff_t>(unit->commands.size());
    Tell(*unit, std::vector<Rows>(std::make_move_iterator(next), std::make_move_iterator(end)));
    next = end;
  }
}

void Pool::OnRead(std::unique_ptr<Unit> unit, absl::StatusOr<std::vector<Rows>> rows, bool lost) {
  // A read that lost its connection has done nothing: another connection may answer it.
  const bool again = !rows.ok() && (lost || absl::IsAborted(rows.status())) && ++unit->attempts < kMaxAttempts;
  if (again) {
    absl::MutexLock lock(&mutex_);
    reads_.push_front(std::move(unit));
    return;
  }
  if (!rows.ok() && observer_ != nullptr) observer_->OnReadFailed(rows.status());
  Tell(*unit, std::move(rows));
}

void Pool::Tell(Unit& unit, absl::StatusOr<std::vector<Rows>> rows) {
  if (absl::IsAborted(rows.status()) || absl::IsFailedPrecondition(rows.status())) {
    rows = Unavailable(Reason::kStoreUnavailable, std::string(rows.status().message()));
  }
  try {
    unit.answer(std::move(rows));
  } catch (const std::exception& thrown) {
    if (observer_ != nullptr) observer_->OnException(thrown.what());
  }
}

void Pool::RefuseAll() {
  std::deque<std::unique_ptr<Unit>> refused;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_ || ready_writers_ == 0) refused.swap(writes_);
    if (stopping_ || ready_readers_ == 0) {
      std::move(reads_.begin(), reads_.end(), std::back_inserter(refused));
      reads_.clear();
    }
  }
  for (const auto& unit : refused) Tell(*unit, NoConnection());
}

}  // namespace hail::postgres
