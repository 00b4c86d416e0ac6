#include "common/sqlite/readers.h"

#include <exception>
#include <utility>

#include "common/errors/error.h"
#include "common/errors/reason.h"

namespace hail::sqlite {

Readers::Readers(std::vector<std::unique_ptr<Connection>> connections, const Clock* clock, Options options,
                 Observer* observer)
    : clock_(clock), options_(options), observer_(observer) {
  absl::MutexLock lock(&join_mutex_);
  for (std::unique_ptr<Connection>& connection : connections) {
    threads_.emplace_back([this, connection = std::move(connection)]() mutable { Run(std::move(connection)); });
  }
}

Readers::~Readers() { Stop(); }

void Readers::Submit(Deadline deadline, Job job, Done done) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) {
      refused = Unavailable(Reason::kStoreUnavailable, "the store is closed");
    } else if (queue_.size() >= options_.max_queue) {
      refused = Overloaded("too many reads wait for the store", absl::Seconds(1));
    } else {
      queue_.push_back({deadline, std::move(job), std::move(done)});
      return;
    }
  }
  done(std::move(refused));
}

std::size_t Readers::depth() const {
  absl::MutexLock lock(&mutex_);
  return queue_.size();
}

void Readers::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  absl::MutexLock lock(&join_mutex_);
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Readers::Run(std::unique_ptr<Connection> connection) {
  while (true) {
    mutex_.Lock();
    const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); };
    mutex_.Await(absl::Condition(&wanted));
    if (queue_.empty()) {
      mutex_.Unlock();
      return;
    }
    Entry entry = std::move(queue_.front());
    queue_.pop_front();
    mutex_.Unlock();
    absl::Status outcome = Read(*connection, entry);
    try {
      entry.done(std::move(outcome));
    } catch (const std::exception& thrown) {
      if (observer_ != nullptr) observer_->OnException(thrown.what());
    }
  }
}

absl::Status Readers::Read(Connection& connection, Entry& entry) {
  if (entry.deadline <= clock_->Read().wall) {
    return absl::DeadlineExceededError("the deadline passed before the read began");
  }
  absl::Status outcome = connection.Execute("BEGIN");
  if (!outcome.ok()) {
    if (observer_ != nullptr) observer_->OnJobFailed(outcome);
    return outcome;
  }
  try {
    outcome = entry.job(connection);
  } catch (const std::exception& thrown) {
    if (observer_ != nullptr) observer_->OnException(thrown.what());
    outcome = Internal("the read failed");
  }
  if (observer_ != nullptr && HasReason(outcome, Reason::kStoreUnavailable)) observer_->OnJobFailed(outcome);
  // Nothing was written, so a rollback of the snapshot loses nothing.
  if (connection.InTransaction()) connection.Execute("ROLLBACK").IgnoreError();
  return outcome;
}

}  // namespace hail::sqlite
