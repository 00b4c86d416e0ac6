// A disk whose power can fail: data that SQLite has not synced is lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace hail::powerloss {

enum class OpKind { kOpen, kRead, kWrite, kTruncate, kSync, kDelete, kSharedMemory };

// An operation that SQLite is about to perform.
struct Op {
  OpKind kind;
  const std::string& path;
  // The number of this change (write, truncate, sync, delete) on this disk, from 1; for other operations: of the last
  // change.
  std::uint64_t number = 0;
  // A write, or shared memory, that makes the file longer.
  bool grows = false;
};

struct DiskOptions {
  std::uint64_t seed = 1;
  // False: no data is ever lost; only `before` has an effect.
  bool lose_unsynced = true;
  // Whether a sync also waits for the machine's own disk. A test of a power cut within the process does not need that.
  bool sync_for_real = false;
  // For power cuts by SIGKILL, where data that reached the disk must be in the real file before the kill: one write in
  // leak_one_in, and every other sync, writes a part of the unsynced data through. 0: never.
  int leak_one_in = 0;
  // The maximum extra duration of a sync, drawn for each: time in which a SIGKILL can hit the leak above.
  std::chrono::microseconds sync_delay{0};
  // Called before each operation, with the disk locked: no other operation runs meanwhile. Returns the SQLite error to
  // fail with, or SQLITE_OK. SQLITE_READONLY for kOpen opens read-only.
  std::function<int(const Op&)> before;
};

// The files below one folder as SQLite sees them in this process, once InstallVfs() (vfs.h) was called. Unsynced writes
// are kept in memory and written through by xSync, so a process that is killed loses them.
//
// A folder is synced, so that creations and deletions in it last, by: fsync() of this process; and, as in SQLite's own
// unix VFS, a delete that asks for it, and the first sync of a journal or WAL that was created.
//
// Thread-safe. Only one process at a time may write to the files.
class Disk {
 public:
  // `folder` without a slash at the end; "" is the whole machine. SQLite must not have files open below it yet.
  Disk(std::string folder, DiskOptions options);
  // Files that are still open continue to use the disk's state.
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // Copies to `folder` (created; must not exist) one possible content of the disk's folder after a power cut now, drawn
  // by `seed`. Only in processes without other users of the files, because it breaks POSIX locks.
  void LeaveAfterCut(const std::string& folder, std::uint64_t seed);
  // From now on each operation fails; unsynced writes are gone.
  void Cut();
  // Writes all data through, as the system eventually does if the power stays.
  void WriteBack();
  // Calls `what` while no operation runs on the disk.
  void Locked(const std::function<void()>& what);
  // The number of changes so far.
  std::uint64_t changes() const;

  struct State;

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace hail::powerloss
