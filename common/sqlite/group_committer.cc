#include "common/sqlite/group_committer.h"

#include <pthread.h>

#include <exception>

#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/failpoint/failpoint.h"

namespace hail::sqlite {
namespace {

absl::Status Run(Connection& connection, std::string_view sql) {
  absl::StatusOr<Statement> statement = connection.Prepare(sql);
  return statement.ok() ? statement->Run() : statement.status();
}

}  // namespace

GroupCommitter::GroupCommitter(std::unique_ptr<Connection> connection, const Clock* clock, Options options,
                               Observer* observer)
    : clock_(clock), options_(options), observer_(observer), connection_(std::move(connection)) {
  absl::MutexLock lock(&join_mutex_);
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "store-writer");
}

GroupCommitter::~GroupCommitter() { Stop(); }

void GroupCommitter::Submit(Deadline deadline, Job job, Done done, Work work) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    refused = AdmitLocked(deadline, work);
    if (refused.ok()) {
      queue_.push_back({deadline, std::move(job), std::move(done), absl::OkStatus(), /*alone=*/false});
      const absl::Time by = work == Work::kUnhurried ? WallNow() + options_.unhurried_wait : absl::InfinitePast();
      if (by < begin_by_) {
        begin_by_ = by;
        changed_.Signal();
      }
      return;
    }
  }
  done(std::move(refused));
}

void GroupCommitter::SubmitAlone(Job job, Done done) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    refused = AdmitLocked(absl::InfiniteFuture(), Work::kBegun);
    if (refused.ok()) {
      queue_.push_back({absl::InfiniteFuture(), std::move(job), std::move(done), absl::OkStatus(), /*alone=*/true});
      begin_by_ = absl::InfinitePast();
      changed_.Signal();
      return;
    }
  }
  done(std::move(refused));
}

absl::Status GroupCommitter::Admit(Deadline deadline, Work work) const {
  absl::MutexLock lock(&mutex_);
  return AdmitLocked(deadline, work);
}

absl::Status GroupCommitter::AdmitLocked(Deadline deadline, Work work) const {
  if (stopping_) return Unavailable(Reason::kStoreUnavailable, "the store is closed");
  return options_.admission.Admit(work == Work::kNew, queue_.size(), wait_.Estimate(WallNow(), queue_.size()),
                                  deadline - clock_->Read().wall);
}

std::size_t GroupCommitter::depth() const {
  absl::MutexLock lock(&mutex_);
  return queue_.size();
}

void GroupCommitter::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  absl::MutexLock lock(&join_mutex_);
  if (thread_.joinable()) thread_.join();
}

void GroupCommitter::AwaitWork() {
  while (!stopping_) {
    const absl::Duration wait = begin_by_ - WallNow();
    if (wait <= absl::ZeroDuration()) return;
    changed_.WaitFor(&mutex_, wait);
  }
}

void GroupCommitter::Run() {
  std::vector<Entry> batch;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      AwaitWork();
      if (queue_.empty()) break;
      Take(batch);
      begin_by_ = queue_.empty() ? absl::InfiniteFuture() : absl::InfinitePast();
      wait_.BatchBegan(WallNow(), batch.size());
    }
    const absl::Time began = WallNow();
    const absl::Status status = batch.front().alone ? RunAlone(batch) : Commit(batch);
    if (observer_ != nullptr) observer_->OnBatch(batch.size(), WallNow() - began, status);
    for (Entry& entry : batch) {
      try {
        entry.done(std::move(entry.outcome));
      } catch (const std::exception& thrown) {
        if (observer_ != nullptr) observer_->OnException(thrown.what());
      }
    }
    batch.clear();
    absl::MutexLock lock(&mutex_);
    wait_.BatchEnded(WallNow());
  }
  connection_.reset();
}

void GroupCommitter::Take(std::vector<Entry>& batch) {
  do {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  } while (!batch.front().alone && !queue_.empty() && !queue_.front().alone && batch.size() < options_.max_batch);
}

absl::Status GroupCommitter::RunAlone(std::vector<Entry>& batch) {
  Entry& entry = batch.front();
  try {
    entry.outcome = entry.job(*connection_);
  } catch (const std::exception& thrown) {
    if (observer_ != nullptr) observer_->OnException(thrown.what());
    entry.outcome = Internal("the job failed");
  }
  return entry.outcome;
}

absl::Status GroupCommitter::Commit(std::vector<Entry>& batch) {
  absl::Status status = RunJobs(batch);
  if (status.ok()) return status;
  // The batch has had no effect, so all its jobs fail, whatever their own outcome.
  if (connection_->InTransaction()) sqlite::Run(*connection_, "ROLLBACK").IgnoreError();
  const absl::Status refusal =
      Unavailable(Reason::kStoreUnavailable, "the store could not commit: " + std::string(status.message()));
  for (Entry& entry : batch) entry.outcome = refusal;
  return status;
}

absl::Status GroupCommitter::RunJobs(std::vector<Entry>& batch) {
  absl::Status status = sqlite::Run(*connection_, "BEGIN IMMEDIATE");
  if (!status.ok()) return status;
  const absl::Time now = clock_->Read().wall;
  for (Entry& entry : batch) {
    if (entry.deadline <= now) {
      entry.outcome = absl::DeadlineExceededError("the deadline passed before the change began");
      continue;
    }
    status = sqlite::Run(*connection_, "SAVEPOINT job");
    if (!status.ok()) return status;
    try {
      entry.outcome = entry.job(*connection_);
    } catch (const std::exception& thrown) {
      if (observer_ != nullptr) observer_->OnException(thrown.what());
      entry.outcome = Internal("the change failed");
    }
    // SQLite rolls back the whole transaction after errors such as a full disk: earlier jobs are undone too.
    if (!connection_->InTransaction()) {
      return entry.outcome.ok() ? Internal("a job ended the transaction") : entry.outcome;
    }
    if (!entry.outcome.ok()) {
      if (observer_ != nullptr && HasReason(entry.outcome, Reason::kStoreUnavailable)) {
        observer_->OnJobFailed(entry.outcome);
      }
      status = sqlite::Run(*connection_, "ROLLBACK TO job");
      if (!status.ok()) return status;
    }
    status = sqlite::Run(*connection_, "RELEASE job");
    if (!status.ok()) return status;
  }
  HAIL_FAILPOINT(kCommitBefore);
  status = sqlite::Run(*connection_, "COMMIT");
  HAIL_FAILPOINT(kCommitAfter);
  return status;
}

}  // namespace hail::sqlite
