#include "common/sqlite/checkpointer.h"

#include <sqlite3.h>

#include <algorithm>

namespace hail::sqlite {
namespace {

// A PASSIVE checkpoint keeps clear of the writer, and so never catches up with one that does not pause; beyond this
// many times the wanted size the writer is made to wait for a moment (RESTART).
constexpr int kInsistAt = 4;

}  // namespace

Checkpointer::Checkpointer(std::unique_ptr<Connection> connection, std::int64_t wal_bytes, Observer* observer)
    : connection_(std::move(connection)), wal_bytes_(wal_bytes), observer_(observer), trigger_bytes_(wal_bytes) {
  absl::StatusOr<Statement> page = connection_->Prepare("PRAGMA page_size");
  if (page.ok()) {
    if (absl::StatusOr<bool> row = page->Step(); row.ok() && *row) page_bytes_ = page->Int64(0);
  }
  absl::MutexLock lock(&join_mutex_);
  thread_ = std::thread([this] { Run(); });
}

Checkpointer::~Checkpointer() { Stop(); }

void Checkpointer::Follow(Connection& writer) { sqlite3_wal_hook(writer.handle(), &Checkpointer::OnCommit, this); }

int Checkpointer::OnCommit(void* self, sqlite3*, const char*, int wal_pages) {
  auto* checkpointer = static_cast<Checkpointer*>(self);
  absl::MutexLock lock(&checkpointer->mutex_);
  const std::int64_t bytes = wal_pages * checkpointer->page_bytes_;
  // Smaller than before: the WAL was started over.
  if (bytes < checkpointer->wal_now_bytes_) checkpointer->trigger_bytes_ = checkpointer->wal_bytes_;
  checkpointer->wal_now_bytes_ = bytes;
  return SQLITE_OK;
}

void Checkpointer::Run() {
  while (true) {
    std::int64_t bytes = 0;
    {
      absl::MutexLock lock(&mutex_);
      const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || wal_now_bytes_ >= trigger_bytes_;
      };
      mutex_.Await(absl::Condition(&wanted));
      if (stopping_) return;
      bytes = wal_now_bytes_;
      // Where readers or the writer keep the WAL from starting over, try again once it has grown by as much.
      trigger_bytes_ = wal_now_bytes_ + wal_bytes_;
    }
    const bool all = Checkpoint(SQLITE_CHECKPOINT_PASSIVE) == 0;
    if (!all && bytes > kInsistAt * wal_bytes_) Checkpoint(SQLITE_CHECKPOINT_RESTART);
  }
}

int Checkpointer::Checkpoint(int mode) {
  const absl::Time began = absl::Now();
  int in_wal = 0;
  int written = 0;
  const int result = sqlite3_wal_checkpoint_v2(connection_->handle(), nullptr, mode, &in_wal, &written);
  if (result != SQLITE_OK) return -1;
  if (observer_ != nullptr) observer_->OnCheckpoint(written, absl::Now() - began);
  return in_wal - written;
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
  Checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
}

}  // namespace hail::sqlite
