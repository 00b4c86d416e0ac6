#include "common/sqlite/checkpointer.h"

#include <pthread.h>
#include <sqlite3.h>

#include <algorithm>
#include <string>
#include <utility>

#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/time/clock.h"

namespace hail::sqlite {
namespace {

// A PASSIVE checkpoint never blocks the writer. Under constant writes it therefore never finishes: the WAL restarts
// only when it is written back completely and nobody writes. So the writer itself writes the rest back, right after a
// commit of its own, when nothing can be added. It does so at kInsistAt times the wanted size after a checkpoint of
// this thread, and at kInsistAtOnce times in any case.
constexpr int kInsistAt = 4;
constexpr int kInsistAtOnce = 8;

}  // namespace

Checkpointer::Checkpointer(std::unique_ptr<Connection> connection, std::int64_t wal_bytes, Observer* observer)
    : connection_(std::move(connection)),
      wal_bytes_(wal_bytes),
      observer_(observer),
      trigger_bytes_(wal_bytes),
      insist_bytes_(kInsistAtOnce * wal_bytes) {
  absl::StatusOr<Statement> page = connection_->Prepare("PRAGMA page_size");
  if (page.ok()) {
    if (absl::StatusOr<bool> row = page->Step(); row.ok() && *row) page_bytes_ = page->Int64(0);
  }
  absl::MutexLock lock(&join_mutex_);
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "checkpointer");
}

Checkpointer::~Checkpointer() { Stop(); }

void Checkpointer::Follow(Connection& writer) { sqlite3_wal_hook(writer.handle(), &Checkpointer::OnCommit, this); }

int Checkpointer::OnCommit(void* self, sqlite3* db, const char*, int wal_pages) {
  auto* checkpointer = static_cast<Checkpointer*>(self);
  {
    absl::MutexLock lock(&checkpointer->mutex_);
    if (!checkpointer->Insist(wal_pages * checkpointer->page_bytes_)) return SQLITE_OK;
    // Only one checkpoint can run at a time.
    const auto idle = [checkpointer]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpointer->mutex_) { return !checkpointer->working_; };
    checkpointer->mutex_.Await(absl::Condition(&idle));
  }
  checkpointer->Checkpoint(db, SQLITE_CHECKPOINT_PASSIVE);
  return SQLITE_OK;
}

bool Checkpointer::Insist(std::int64_t bytes) {
  // Smaller than before: the WAL was restarted.
  if (bytes < wal_now_bytes_) {
    trigger_bytes_ = wal_bytes_;
    insist_bytes_ = kInsistAtOnce * wal_bytes_;
  }
  wal_now_bytes_ = bytes;
  if (bytes < insist_bytes_) return false;
  // If readers prevent the restart of the WAL, an attempt at each commit would be useless.
  insist_bytes_ = bytes + kInsistAt * wal_bytes_;
  return true;
}

absl::Status Checkpointer::Empty(Connection& writer) {
  {
    absl::MutexLock lock(&mutex_);
    const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !working_; };
    mutex_.Await(absl::Condition(&idle));
    working_ = true;
  }
  const int result = Checkpoint(writer.handle(), SQLITE_CHECKPOINT_TRUNCATE);
  {
    absl::MutexLock lock(&mutex_);
    working_ = false;
    if (result == SQLITE_OK) {
      wal_now_bytes_ = 0;
      trigger_bytes_ = wal_bytes_;
      insist_bytes_ = kInsistAtOnce * wal_bytes_;
    }
  }
  if (result == SQLITE_OK) return absl::OkStatus();
  return Unavailable(Reason::kStoreUnavailable, std::string("sqlite: the WAL is in use: ") + sqlite3_errstr(result));
}

void Checkpointer::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || (!working_ && wal_now_bytes_ >= trigger_bytes_);
      };
      mutex_.Await(absl::Condition(&wanted));
      if (stopping_) return;
      // If readers or the writer prevent the restart of the WAL, try again once it has grown by the same amount.
      trigger_bytes_ = wal_now_bytes_ + wal_bytes_;
      working_ = true;
    }
    Checkpoint(connection_->handle(), SQLITE_CHECKPOINT_PASSIVE);
    absl::MutexLock lock(&mutex_);
    working_ = false;
    if (wal_now_bytes_ >= kInsistAt * wal_bytes_) insist_bytes_ = std::min(insist_bytes_, wal_now_bytes_);
  }
}

int Checkpointer::Checkpoint(sqlite3* db, int mode) {
  const absl::Time began = WallNow();
  int in_wal = 0;
  int written = 0;
  const int result = sqlite3_wal_checkpoint_v2(db, nullptr, mode, &in_wal, &written);
  // A failed checkpoint is retried when the WAL has grown.
  if (observer_ == nullptr) return result;
  const int primary = result & 0xff;
  if (result == SQLITE_OK) {
    observer_->OnCheckpoint(written, WallNow() - began);
  } else if (primary != SQLITE_BUSY && primary != SQLITE_LOCKED) {
    observer_->OnCheckpointFailed(
        Unavailable(Reason::kStoreUnavailable, std::string("sqlite: checkpoint: ") + sqlite3_errstr(result)));
  }
  return result;
}

void Checkpointer::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  {
    absl::MutexLock lock(&join_mutex_);
    thread_.join();
  }
  Checkpoint(connection_->handle(), SQLITE_CHECKPOINT_TRUNCATE);
}

}  // namespace hail::sqlite
