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

// The minimum RetryInfo of a refusal.
constexpr absl::Duration kRetryAfter = absl::Seconds(1);
// Back-off between two attempts to connect.
constexpr absl::Duration kLeastBackOff = absl::Milliseconds(50);
constexpr absl::Duration kMostBackOff = absl::Seconds(2);
constexpr absl::Duration kConnectWithin = absl::Seconds(5);
// Added to the statement time-out: a server that is silent for longer counts as dead.
constexpr absl::Duration kSilence = absl::Seconds(2);
constexpr absl::Duration kStopWithin = absl::Seconds(5);
// Attempts per job, if the server asks for a retry.
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
    pooled_.push_back(std::make_unique<PooledConnection>());
    pooled_.back()->writer = i < options_.writers;
    pooled_.back()->back_off = kLeastBackOff;
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
      auto job = std::make_unique<Job>();
      job->commands.push_back(std::move(command));
      job->answer = std::move(answer);
      reads_.push_back(std::move(job));
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
      auto job = std::make_unique<Job>();
      job->commands = std::move(commands);
      job->key = std::move(key);
      job->deadline = deadline;
      job->answer = std::move(answer);
      if (work == Work::kFirst) {
        writes_.push_front(std::move(job));
      } else {
        writes_.push_back(std::move(job));
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
  for (const auto& pooled : pooled_) {
    if (!pooled->writer) continue;
    wait = std::min(wait, pooled->wait.Estimate(now, writes_.size() / static_cast<std::size_t>(options_.writers)));
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
    absl::Time next = LookAfterConnections();
    Dispatch();
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) {
        stop_by = std::min(stop_by, WallNow() + kStopWithin);
        next = std::min(next, stop_by);
        const bool idle =
            writes_.empty() && reads_.empty() && std::all_of(pooled_.begin(), pooled_.end(), [](const auto& pooled) {
              return pooled->connection == nullptr || pooled->connection->in_flight() == 0 || !pooled->ready;
            });
        if (idle || WallNow() >= stop_by) break;
      }
    }
    polled.assign(1, {.fd = wake_, .events = POLLIN, .revents = 0});
    for (const auto& pooled : pooled_) {
      // poll(2) skips a negative descriptor.
      polled.push_back({.fd = pooled->connection == nullptr ? -1 : pooled->connection->fd(),
                        .events = pooled->connection == nullptr ? short{0} : pooled->connection->events(),
                        .revents = 0});
    }
    const std::int64_t ms = absl::ToInt64Milliseconds(next - WallNow()) + 1;
    poll(polled.data(), polled.size(), static_cast<int>(std::clamp<std::int64_t>(ms, 0, 1000)));
    eventfd_t woken;
    eventfd_read(wake_, &woken);
    for (std::size_t i = 0; i < pooled_.size(); ++i) {
      if (polled[i + 1].revents != 0 && pooled_[i]->connection != nullptr) pooled_[i]->connection->Advance();
    }
  }
  for (const auto& pooled : pooled_) pooled->connection.reset();
  RefuseAll();
}

absl::Time Pool::LookAfterConnections() {
  const absl::Time now = WallNow();
  absl::Time next = now + absl::Seconds(1);
  for (const auto& pooled : pooled_) {
    if (pooled->connection != nullptr) {
      Connection& connection = *pooled->connection;
      const bool connecting = connection.state() == Connection::State::kConnecting;
      const bool waits = connecting || connection.in_flight() > 0;
      const absl::Duration patience = connecting ? kConnectWithin : options_.statement_timeout + kSilence;
      if (waits && now - connection.quiet_since() > patience) {
        connection.Abandon(Unavailable(Reason::kStoreUnavailable, "the database does not answer"));
      }
      if (connection.state() == Connection::State::kLost) {
        Close(*pooled, connection.loss());
      } else if (connection.state() == Connection::State::kReady && !pooled->ready) {
        pooled->ready = true;
        pooled->back_off = kLeastBackOff;
      }
    }
    if (pooled->connection == nullptr) {
      if (pooled->connect_at <= now) {
        pooled->connection = std::make_unique<Connection>(params_, &statements_);
        next = now;
      } else {
        next = std::min(next, pooled->connect_at);
      }
    }
  }
  CountReady();
  return next;
}

void Pool::Close(PooledConnection& pooled, const absl::Status& why) {
  if (observer_ != nullptr) observer_->OnConnectionLost(why);
  // A connection that was ready reconnects at once: most likely the server was replaced.
  pooled.connect_at = pooled.ready ? WallNow() : WallNow() + pooled.back_off;
  pooled.back_off = std::min(kMostBackOff, pooled.back_off * 2);
  pooled.ready = false;
  pooled.connection.reset();
}

void Pool::CountReady() {
  int writers = 0;
  int readers = 0;
  for (const auto& pooled : pooled_) (pooled->writer ? writers : readers) += pooled->ready ? 1 : 0;
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
  for (const auto& pooled : pooled_) {
    if (!pooled->ready) continue;
    if (pooled->writer) {
      if (pooled->connection->in_flight() > 0) continue;
      Batch batch;
      {
        absl::MutexLock lock(&mutex_);
        batch = TakeWrites(*pooled);
      }
      if (!batch.empty()) SendWrites(*pooled, std::move(batch));
    } else {
      Batch batch;
      {
        absl::MutexLock lock(&mutex_);
        batch = TakeReads(options_.max_reads_in_flight - pooled->connection->in_flight());
      }
      for (auto& job : batch) SendRead(*pooled, std::move(job));
    }
  }
}

Pool::Batch Pool::TakeWrites(PooledConnection& pooled) {
  Batch batch;
  while (!writes_.empty() && batch.size() < options_.max_batch) {
    if (writes_.front()->alone && !batch.empty()) break;
    batch.push_back(std::move(writes_.front()));
    writes_.pop_front();
    if (batch.back()->alone) break;
  }
  if (!batch.empty()) pooled.wait.BatchBegan(WallNow(), batch.size());
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

void Pool::SendWrites(PooledConnection& pooled, Batch batch) {
  const absl::Time now = clock_->Read().wall;
  Batch late;
  for (auto& job : batch) {
    if (job->deadline <= now) late.push_back(std::move(job));
  }
  std::erase(batch, nullptr);
  for (auto& job : late) Tell(*job, absl::DeadlineExceededError("the deadline passed before the change began"));
  if (batch.empty()) {
    absl::MutexLock lock(&mutex_);
    pooled.wait.BatchEnded(WallNow());
    return;
  }
  std::stable_sort(batch.begin(), batch.end(), [](const auto& a, const auto& b) { return a->key < b->key; });
  std::vector<const Command*> commands;
  for (const auto& job : batch) {
    for (const Command& command : job->commands) commands.push_back(&command);
  }
  HAIL_FAILPOINT(kCommitBefore);
  pooled.connection->Send(commands, [this, &pooled, batch = std::move(batch), began = WallNow()](
                                        absl::StatusOr<std::vector<Rows>> rows, bool lost) mutable {
    OnWritten(pooled, std::move(batch), began, std::move(rows), lost);
  });
}

void Pool::SendRead(PooledConnection& pooled, std::unique_ptr<Job> job) {
  const Command* const command = job->commands.data();
  pooled.connection->Send({command},
                          [this, job = std::move(job)](absl::StatusOr<std::vector<Rows>> rows, bool lost) mutable {
                            OnRead(std::move(job), std::move(rows), lost);
                          });
}

void Pool::OnWritten(PooledConnection& pooled, Batch batch, absl::Time began, absl::StatusOr<std::vector<Rows>> rows,
                     bool lost) {
  HAIL_FAILPOINT(kCommitAfter);
  {
    absl::MutexLock lock(&mutex_);
    pooled.wait.BatchEnded(WallNow());
  }
  // A failed batch that is split up and retried does not count as a failed commit.
  const bool again = !rows.ok() && !lost &&
                     (batch.size() > 1 || (absl::IsAborted(rows.status()) && batch[0]->attempts < kMaxAttempts));
  if (observer_ != nullptr && !again && !absl::IsAlreadyExists(rows.status())) {
    observer_->OnCommit(batch.size(), WallNow() - began, rows.status());
  }
  if (again) {
    absl::MutexLock lock(&mutex_);
    for (auto job = batch.rbegin(); job != batch.rend(); ++job) {
      (*job)->alone = true;
      ++(*job)->attempts;
      writes_.push_front(std::move(*job));
    }
    return;
  }
  if (!rows.ok()) {
    for (const auto& job : batch) Tell(*job, rows.status());
    return;
  }
  auto next = rows->begin();
  for (const auto& job : batch) {
    const auto end = next + static_cast<std::ptrdiff_t>(job->commands.size());
    Tell(*job, std::vector<Rows>(std::make_move_iterator(next), std::make_move_iterator(end)));
    next = end;
  }
}

void Pool::OnRead(std::unique_ptr<Job> job, absl::StatusOr<std::vector<Rows>> rows, bool lost) {
  // A read on a lost connection had no effect, so another connection may run it.
  const bool again = !rows.ok() && (lost || absl::IsAborted(rows.status())) && ++job->attempts < kMaxAttempts;
  if (again) {
    absl::MutexLock lock(&mutex_);
    reads_.push_front(std::move(job));
    return;
  }
  if (!rows.ok() && observer_ != nullptr) observer_->OnReadFailed(rows.status());
  Tell(*job, std::move(rows));
}

void Pool::Tell(Job& job, absl::StatusOr<std::vector<Rows>> rows) {
  if (absl::IsAborted(rows.status()) || absl::IsFailedPrecondition(rows.status())) {
    rows = Unavailable(Reason::kStoreUnavailable, std::string(rows.status().message()));
  }
  try {
    job.answer(std::move(rows));
  } catch (const std::exception& thrown) {
    if (observer_ != nullptr) observer_->OnException(thrown.what());
  }
}

void Pool::RefuseAll() {
  std::deque<std::unique_ptr<Job>> refused;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_ || ready_writers_ == 0) refused.swap(writes_);
    if (stopping_ || ready_readers_ == 0) {
      std::move(reads_.begin(), reads_.end(), std::back_inserter(refused));
      reads_.clear();
    }
  }
  for (const auto& job : refused) Tell(*job, NoConnection());
}

}  // namespace hail::postgres
