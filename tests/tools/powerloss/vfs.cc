#include "tests/tools/powerloss/vfs.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "tests/tools/powerloss/disk_state.h"

// Replaces libc's fsync in this process, because programs sync folders directly.
extern "C" int fsync(int fd) {
  struct stat about {};
  if (fstat(fd, &about) == 0 && S_ISDIR(about.st_mode)) {
    std::error_code error;
    const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), error);
    if (!error && hail::powerloss::FolderSynced(path.string())) return 0;
  }
  return static_cast<int>(syscall(SYS_fsync, fd));
}

namespace hail::powerloss {
namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

// SQLite's file object. The real file's object follows it in memory.
struct Handle {
  sqlite3_file base;
  // Null: not on a Disk; all operations go to the real file.
  Disk::State* disk;
  std::shared_ptr<Disk::State> disk_alive;
  std::shared_ptr<Inode> inode;
  // The next sync is the first one of a new journal or WAL: SQLite syncs the folder too.
  bool syncs_folder;
};

Handle* Of(sqlite3_file* file) { return reinterpret_cast<Handle*>(file); }

constexpr int kRealAt = (sizeof(Handle) + 15) / 16 * 16;
sqlite3_file* Real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + kRealAt);
}

// The real file's size; 0 on failure, because SQLite detects the error itself.
std::int64_t RealSize(sqlite3_file* real) {
  sqlite3_int64 size = 0;
  return real->pMethods->xFileSize(real, &size) == SQLITE_OK ? size : 0;
}

Unsynced::ReadBase Base(sqlite3_file* real) {
  return [real](std::int64_t offset, char* to, std::size_t size) -> std::size_t {
    const int result = real->pMethods->xRead(real, to, static_cast<int>(size), offset);
    // A short read has filled the rest with zeros, as required.
    return result == SQLITE_OK || result == SQLITE_IOERR_SHORT_READ ? size : 0;
  };
}

int Apply(const std::vector<Change>& changes, sqlite3_file* real) {
  for (const Change& change : changes) {
    int result = SQLITE_OK;
    if (change.truncate) {
      result = real->pMethods->xTruncate(real, change.offset);
    } else if (!change.bytes.empty()) {
      result = real->pMethods->xWrite(real, change.bytes.data(), static_cast<int>(change.bytes.size()), change.offset);
    }
    if (result != SQLITE_OK) return result;
  }
  return SQLITE_OK;
}

int Close(sqlite3_file* file) {
  sqlite3_file* real = Real(file);
  const int result = real->pMethods != nullptr ? real->pMethods->xClose(real) : SQLITE_OK;
  Of(file)->~Handle();
  return result;
}

int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  sqlite3_file* real = Real(file);
  Handle* handle = Of(file);
  if (handle->disk == nullptr) return real->pMethods->xRead(real, to, size, offset);
  const Lock lock(handle->disk->mutex);
  if (const int fault = handle->disk->Begin(OpKind::kRead, handle->inode->path); fault != SQLITE_OK) return fault;
  const Unsynced& unsynced = handle->inode->unsynced;
  if (unsynced.empty()) return real->pMethods->xRead(real, to, size, offset);
  char* bytes = static_cast<char*>(to);
  const std::size_t wanted = static_cast<std::size_t>(size);
  const std::size_t got = unsynced.Read(offset, bytes, wanted, Base(real));
  if (got == wanted) return SQLITE_OK;
  std::memset(bytes + got, 0, wanted - got);
  return SQLITE_IOERR_SHORT_READ;
}

std::int64_t SizeOf(sqlite3_file* file) {
  const Unsynced& unsynced = Of(file)->inode->unsynced;
  return unsynced.empty() ? RealSize(Real(file)) : unsynced.size();
}

// Writes a part of the unsynced data through to the real file.
int Leak(sqlite3_file* file) {
  Handle* handle = Of(file);
  return Apply(handle->inode->unsynced.Survivors(handle->disk->random), Real(file));
}

int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  sqlite3_file* real = Real(file);
  Handle* handle = Of(file);
  if (handle->disk == nullptr) return real->pMethods->xWrite(real, from, size, offset);
  const Lock lock(handle->disk->mutex);
  const bool grows = offset + size > SizeOf(file);
  if (const int fault = handle->disk->Begin(OpKind::kWrite, handle->inode->path, grows); fault != SQLITE_OK) {
    return fault;
  }
  const DiskOptions& options = handle->disk->options;
  if (!options.lose_unsynced) return real->pMethods->xWrite(real, from, size, offset);
  handle->inode->unsynced.Write(offset, {static_cast<const char*>(from), static_cast<std::size_t>(size)},
                                RealSize(real), Base(real));
  if (options.leak_one_in > 0 && handle->disk->random() % static_cast<unsigned>(options.leak_one_in) == 0) {
    return Leak(file);
  }
  return SQLITE_OK;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  sqlite3_file* real = Real(file);
  Handle* handle = Of(file);
  if (handle->disk == nullptr) return real->pMethods->xTruncate(real, size);
  const Lock lock(handle->disk->mutex);
  if (const int fault = handle->disk->Begin(OpKind::kTruncate, handle->inode->path); fault != SQLITE_OK) return fault;
  if (!handle->disk->options.lose_unsynced) return real->pMethods->xTruncate(real, size);
  handle->inode->unsynced.Truncate(size, RealSize(real));
  return SQLITE_OK;
}

int Sync(sqlite3_file* file, int flags) {
  sqlite3_file* real = Real(file);
  Handle* handle = Of(file);
  if (handle->disk == nullptr) return real->pMethods->xSync(real, flags);
  const DiskOptions& options = handle->disk->options;
  std::chrono::microseconds delay{0};
  {
    const Lock lock(handle->disk->mutex);
    if (const int fault = handle->disk->Begin(OpKind::kSync, handle->inode->path); fault != SQLITE_OK) return fault;
    if (!options.lose_unsynced) return real->pMethods->xSync(real, flags);
    if (options.leak_one_in > 0 && (handle->disk->random() & 1) != 0) {
      if (const int result = Leak(file); result != SQLITE_OK) return result;
    }
    if (options.sync_delay.count() > 0) {
      delay = std::chrono::microseconds(
          static_cast<std::int64_t>(handle->disk->random() % static_cast<std::uint64_t>(options.sync_delay.count())));
    }
  }
  // Unlocked: a disk that is busy with one file does not block readers of data in memory.
  if (delay.count() > 0) std::this_thread::sleep_for(delay);
  {
    const Lock lock(handle->disk->mutex);
    if (handle->disk->cut) return SQLITE_IOERR_FSYNC;
    if (const int result = Apply(handle->inode->unsynced.changes(), real); result != SQLITE_OK) return result;
    handle->inode->unsynced.Clear();
    if (handle->syncs_folder) handle->disk->SyncFolderOf(handle->inode->path);
    handle->syncs_folder = false;
  }
  return options.sync_for_real ? real->pMethods->xSync(real, flags) : SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  sqlite3_file* real = Real(file);
  Handle* handle = Of(file);
  if (handle->disk == nullptr) return real->pMethods->xFileSize(real, size);
  const Lock lock(handle->disk->mutex);
  if (handle->inode->unsynced.empty()) return real->pMethods->xFileSize(real, size);
  *size = handle->inode->unsynced.size();
  return SQLITE_OK;
}

int TakeLock(sqlite3_file* file, int level) { return Real(file)->pMethods->xLock(Real(file), level); }
int ReleaseLock(sqlite3_file* file, int level) { return Real(file)->pMethods->xUnlock(Real(file), level); }
int CheckReservedLock(sqlite3_file* file, int* taken) {
  return Real(file)->pMethods->xCheckReservedLock(Real(file), taken);
}

int FileControl(sqlite3_file* file, int code, void* argument) {
  // Would make the file longer without this VFS noticing.
  if (Of(file)->disk != nullptr && (code == SQLITE_FCNTL_SIZE_HINT || code == SQLITE_FCNTL_CHUNK_SIZE)) {
    return SQLITE_OK;
  }
  return Real(file)->pMethods->xFileControl(Real(file), code, argument);
}

int SectorSize(sqlite3_file* file) { return Real(file)->pMethods->xSectorSize(Real(file)); }
int DeviceCharacteristics(sqlite3_file* file) { return Real(file)->pMethods->xDeviceCharacteristics(Real(file)); }

// The WAL's index is shared memory. It is never synced, and is created anew after a cut, so the real one is used.
int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** at) {
  if (Handle* handle = Of(file); handle->disk != nullptr) {
    const Lock lock(handle->disk->mutex);
    const int fault = handle->disk->Begin(OpKind::kSharedMemory, handle->inode->path, extend != 0);
    if (fault != SQLITE_OK) return fault;
  }
  return Real(file)->pMethods->xShmMap(Real(file), region, size, extend, at);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return Real(file)->pMethods->xShmLock(Real(file), offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) { Real(file)->pMethods->xShmBarrier(Real(file)); }
int ShmUnmap(sqlite3_file* file, int remove) { return Real(file)->pMethods->xShmUnmap(Real(file), remove); }

// Version 2: with shared memory, without memory-mapped reads.
const sqlite3_io_methods kMethods = {
    2,
    Close,
    Read,
    Write,
    Truncate,
    Sync,
    FileSize,
    TakeLock,
    ReleaseLock,
    CheckReservedLock,
    FileControl,
    SectorSize,
    DeviceCharacteristics,
    ShmMap,
    ShmLock,
    ShmBarrier,
    ShmUnmap,
    nullptr,
    nullptr,
};

sqlite3_vfs* RealVfs(sqlite3_vfs* vfs) { return static_cast<sqlite3_vfs*>(vfs->pAppData); }

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  Handle* handle = new (file) Handle{};
  sqlite3_file* real = Real(file);
  real->pMethods = nullptr;
  constexpr int kJournals = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
  std::shared_ptr<Disk::State> disk;
  if (name != nullptr && (flags & (SQLITE_OPEN_MAIN_DB | kJournals)) != 0) disk = DiskOf(name);
  int result = SQLITE_OK;
  if (disk == nullptr) {
    result = RealVfs(vfs)->xOpen(RealVfs(vfs), name, real, flags, out_flags);
  } else {
    const std::string path(name);
    const Lock lock(disk->mutex);
    result = disk->Begin(OpKind::kOpen, path);
    if (result == SQLITE_READONLY) {
      flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
      result = SQLITE_OK;
    }
    const bool existed = access(name, F_OK) == 0;
    if (result == SQLITE_OK) result = RealVfs(vfs)->xOpen(RealVfs(vfs), name, real, flags, out_flags);
    if (result == SQLITE_OK) {
      handle->disk = disk.get();
      handle->disk_alive = disk;
      handle->inode = disk->Find(path);
      if (!existed) {
        disk->created.insert(path);
        handle->syncs_folder = (flags & kJournals) != 0;
      }
    }
  }
  if (result != SQLITE_OK) {
    // Without methods SQLite does not call xClose.
    if (real->pMethods != nullptr) real->pMethods->xClose(real);
    handle->~Handle();
    file->pMethods = nullptr;
    return result;
  }
  handle->base.pMethods = &kMethods;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  const std::shared_ptr<Disk::State> disk = DiskOf(name);
  if (disk == nullptr) return RealVfs(vfs)->xDelete(RealVfs(vfs), name, sync_folder);
  const std::string path(name);
  const Lock lock(disk->mutex);
  if (const int fault = disk->Begin(OpKind::kDelete, path); fault != SQLITE_OK) return fault;
  // A kill brings no deleted file back, so only LeaveAfterCut needs its contents. For the whole machine's disk, deleted
  // files are not kept in memory.
  if (disk->options.lose_unsynced && !disk->folder.empty() && access(name, F_OK) == 0) disk->Forget(path);
  disk->inodes.erase(path);
  const int result = RealVfs(vfs)->xDelete(RealVfs(vfs), name, sync_folder);
  if (result == SQLITE_OK && sync_folder != 0) disk->SyncFolderOf(path);
  return result;
}

int Access(sqlite3_vfs* vfs, const char* name, int flags, int* yes) {
  if (flags == SQLITE_ACCESS_EXISTS) {
    // The unix VFS treats an empty file as missing, and unsynced data is not in the real file yet.
    if (const std::shared_ptr<Disk::State> disk = DiskOf(name); disk != nullptr) {
      const Lock lock(disk->mutex);
      const auto inode = disk->inodes.find(name);
      if (inode != disk->inodes.end() && !inode->second->unsynced.empty()) {
        *yes = inode->second->unsynced.size() > 0 ? 1 : 0;
        return SQLITE_OK;
      }
    }
  }
  return RealVfs(vfs)->xAccess(RealVfs(vfs), name, flags, yes);
}

int FullPathname(sqlite3_vfs* vfs, const char* name, int size, char* out) {
  return RealVfs(vfs)->xFullPathname(RealVfs(vfs), name, size, out);
}
void* DlOpen(sqlite3_vfs* vfs, const char* name) { return RealVfs(vfs)->xDlOpen(RealVfs(vfs), name); }
void DlError(sqlite3_vfs* vfs, int size, char* out) { RealVfs(vfs)->xDlError(RealVfs(vfs), size, out); }
void (*DlSym(sqlite3_vfs* vfs, void* library, const char* name))() {
  return RealVfs(vfs)->xDlSym(RealVfs(vfs), library, name);
}
void DlClose(sqlite3_vfs* vfs, void* library) { RealVfs(vfs)->xDlClose(RealVfs(vfs), library); }
int Randomness(sqlite3_vfs* vfs, int size, char* out) { return RealVfs(vfs)->xRandomness(RealVfs(vfs), size, out); }
int Sleep(sqlite3_vfs* vfs, int micros) { return RealVfs(vfs)->xSleep(RealVfs(vfs), micros); }
int CurrentTime(sqlite3_vfs* vfs, double* out) { return RealVfs(vfs)->xCurrentTime(RealVfs(vfs), out); }
int GetLastError(sqlite3_vfs* vfs, int size, char* out) { return RealVfs(vfs)->xGetLastError(RealVfs(vfs), size, out); }
int CurrentTimeInt64(sqlite3_vfs* vfs, sqlite3_int64* out) {
  return RealVfs(vfs)->xCurrentTimeInt64(RealVfs(vfs), out);
}

}  // namespace

int InstallVfs() {
  static sqlite3_vfs vfs{};
  static const int result = [] {
    sqlite3_vfs* real = sqlite3_vfs_find("unix");
    if (real == nullptr) return SQLITE_ERROR;
    vfs.iVersion = 2;
    vfs.szOsFile = kRealAt + real->szOsFile;
    vfs.mxPathname = real->mxPathname;
    vfs.zName = "powerloss";
    vfs.pAppData = real;
    vfs.xOpen = Open;
    vfs.xDelete = Delete;
    vfs.xAccess = Access;
    vfs.xFullPathname = FullPathname;
    vfs.xDlOpen = DlOpen;
    vfs.xDlError = DlError;
    vfs.xDlSym = DlSym;
    vfs.xDlClose = DlClose;
    vfs.xRandomness = Randomness;
    vfs.xSleep = Sleep;
    vfs.xCurrentTime = CurrentTime;
    vfs.xGetLastError = GetLastError;
    vfs.xCurrentTimeInt64 = CurrentTimeInt64;
    return sqlite3_vfs_register(&vfs, 1);
  }();
  return result;
}

}  // namespace hail::powerloss
