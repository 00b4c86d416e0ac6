// Shared by disk.cc and vfs.cc: the state of a Disk.
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

// A file, independent of its present name.
struct Inode {
  std::string path;
  Unsynced unsynced;
};

// A deleted file, in case the deletion does not last.
struct Ghost {
  std::string synced;
  Unsynced unsynced;
};

struct Disk::State {
  State(std::string folder, DiskOptions options);

  // Whether `path` is below the folder.
  bool Holds(const std::string& path) const;
  // Counts the operation and calls options.before; returns the error to fail with, or SQLITE_OK.
  int Begin(OpKind kind, const std::string& path, bool grows = false);
  // The file of that name; registers it if it is new.
  std::shared_ptr<Inode> Find(const std::string& path);
  // Its name is gone.
  void Forget(const std::string& path);
  // Makes creations and deletions in the folder `path` last. `path` may be the disk's own folder.
  void SyncFolder(const std::string& path);
  void SyncFolderOf(const std::string& path);

  const std::string folder;
  const DiskOptions options;

  // Guards all members below. Recursive, because options.before may call the Disk.
  mutable std::recursive_mutex mutex;
  std::mt19937_64 random;
  std::uint64_t changes = 0;
  bool cut = false;
  std::map<std::string, std::shared_ptr<Inode>> inodes;
  // Files whose creation was not synced.
  std::set<std::string> created;
  // Files whose deletion was not synced.
  std::map<std::string, Ghost> ghosts;
  // Folders whose creation was not synced.
  std::set<std::string> folders;
};

// The disk that holds `path`; null if none does.
std::shared_ptr<Disk::State> DiskOf(const std::string& path);
// Called when a program has synced the folder `path`. False if it is on no Disk.
bool FolderSynced(const std::string& path);

}  // namespace hail::powerloss
