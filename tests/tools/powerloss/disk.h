// A disk whose power can fail: what SQLite has not synced to it is lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace hail::powerloss {

enum class OpKind { kOpen, kRead, kWrite, kTruncate, kSync, kDelete, kSharedMemory };

// Something that SQLite is about to do.
struct Op {
  OpKind kind;
  const std::string& path;
  // The how-manieth change (write, truncate, sync, delete) on this disk, from 1; of others: the last change's.
  std::uint64_t number = 0;
  // A write or shared memory that makes the file longer.
  bool grows = false;
};

struct DiskOptions {
  std::uint64_t seed = 1;
  // False: nothing is ever lost, which leaves `before`.
  bool lose_unsynced = true;
  // Whether a sync also waits for the machine's own disk. A test of a power cut within the process can do without.
  bool sync_for_real = false;
  // For power cuts by SIGKILL, where what has reached the disk must be there before: one write in so many, and every
  // other sync, lets a part of what is unsynced through. 0: never.
  int leak_one_in = 0;
  // The most a sync takes longer, drawn for each: time in which a SIGKILL finds the leak of the line above.
  std::chrono::microseconds sync_delay{0};
  // Called before each operation, with the disk locked: whatever it does to the disk, nobody else does anything
  // meanwhile. Returns the SQLite error to fail with, or SQLITE_OK. SQLITE_READONLY for kOpen opens read-only.
  std::function<int(const Op&)> before;
};

// The files below one folder as SQLite sees them in this process, once InstallVfs() (vfs.h) was called. Unsynced
// writes are kept in memory and written through by xSync, so a process that is killed has lost them.
//
// What syncs a folder, so that creations and deletions in it last: fsync() by this process; and as in SQLite's own unix
// VFS a delete that asks for it, and the first sync of a journal or WAL that was created.
//
// Thread-safe. Only one process at a time may write to the files.
class Disk {
 public:
  // `folder` without a slash at the end; "" is the whole machine. SQLite must not have files open below it yet.
  Disk(std::string folder, DiskOptions options);
  // Files still open keep working on the disk as it was.
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // Copies to `folder` (made, must not exist) what one would find below the disk's folder after a power cut now, one of
  // the possibilities, drawn by `seed`. Only in processes without other users of the files: it breaks POSIX locks.
  void LeaveAfterCut(const std::string& folder, std::uint64_t seed);
  // From now on each operation fails; unsynced writes are gone.
  void Cut();
  // Writes everything through, as the system does sooner or later if the power stays.
  void WriteBack();
  // Calls `what` while nobody does anything to the disk.
  void Locked(const std::function<void()>& what);
  // How many changes there were.
  std::uint64_t changes() const;

  struct State;

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace hail::powerloss
