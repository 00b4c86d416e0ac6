// Between disk.cc and vfs.cc: what a Disk holds.
#pragma once

#include <sqlite3.h>

#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>

#include "tests/tools/powerloss/disk.h"
#include "tests/tools/powerloss/unsynced.h"

namespace hail::powerloss {

// A file, whatever its name is by now.
struct Inode {
  std::string path;
  Unsynced unsynced;
};

// A file that was deleted, in case the deletion does not last.
struct Ghost {
  std::string synced;
  Unsynced unsynced;
};

struct Disk::State {
  State(std::string folder, DiskOptions options);

  // Whether `path` is below the folder.
  bool Holds(const std::string& path) const;
  // Counts the operation, asks options.before; the error to fail with, or SQLITE_OK.
  int Begin(OpKind kind, const std::string& path, bool grows = false);
  // The file of that name, known from now on.
  std::shared_ptr<Inode> Find(const std::string& path);
  // Its name is gone.
  void Forget(const std::string& path);
  // What was created and deleted in the folder `path`, which may be the disk's own, lasts.
  void SyncFolder(const std::string& path);
  void SyncFolderOf(const std::string& path);

  const std::string folder;
  const DiskOptions options;

  // Of all below. Recursive: options.before may call the Disk.
  mutable std::recursive_mutex mutex;
  std::mt19937_64 random;
  std::uint64_t changes = 0;
  bool cut = false;
  std::map<std::string, std::shared_ptr<Inode>> inodes;
  // Files whose creation was not synced.
  std::set<std::string> created;
  // Files whose deletion was not synced.
  std::map<std::string, Ghost> ghosts;
  // Folders whose creation was.
  std::set<std::string> folders;
};

// The disk that holds `path`; null where none does.
std::shared_ptr<Disk::State> DiskOf(const std::string& path);
// Some program has synced the folder `path`. False where it is on no disk of ours.
bool FolderSynced(const std::string& path);

}  // namespace hail::powerloss
