// libpowerloss.so: a Disk under any program that uses the system's SQLite, by LD_PRELOAD. docs/testing/power-loss.md
// describes the environment variables.
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "tests/tools/powerloss/disk.h"
#include "tests/tools/powerloss/plant.h"
#include "tests/tools/powerloss/vfs.h"

namespace hail::powerloss {
namespace {

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::uint64_t Number(const char* name, std::uint64_t otherwise) {
  const std::string text = Env(name);
  return text.empty() ? otherwise : std::strtoull(text.c_str(), nullptr, 10);
}

// Each fault lasts while a file of its name is in a folder.
class Faults {
 public:
  explicit Faults(std::string folder) : folder_(std::move(folder)) {}

  // Returns the codes that SQLite's unix VFS returns for the kernel's errors in these cases.
  int operator()(const Op& op) const {
    const bool writes = op.kind == OpKind::kWrite || op.kind == OpKind::kTruncate || op.kind == OpKind::kSync;
    if (op.kind == OpKind::kWrite && op.grows && On("disk-full")) return SQLITE_FULL;
    if (op.kind == OpKind::kSharedMemory && op.grows && On("disk-full")) return SQLITE_IOERR_SHMSIZE;
    if (On("read-only")) {
      if (op.kind == OpKind::kOpen) return SQLITE_READONLY;
      if (op.kind == OpKind::kWrite || op.kind == OpKind::kTruncate) return SQLITE_IOERR_WRITE;
      if (op.kind == OpKind::kDelete) return SQLITE_IOERR_DELETE;
    }
    if (On("io-error")) {
      if (op.kind == OpKind::kRead) return SQLITE_IOERR_READ;
      if (writes) return SQLITE_IOERR_WRITE;
    }
    if (op.kind == OpKind::kSync && On("sync-error")) return SQLITE_IOERR_FSYNC;
    return SQLITE_OK;
  }

 private:
  bool On(const char* fault) const { return access((folder_ + "/" + fault).c_str(), F_OK) == 0; }

  const std::string folder_;
};

std::unique_ptr<Disk>& TheDisk() {
  static auto* disk = new std::unique_ptr<Disk>();
  return *disk;
}

__attribute__((constructor)) void Load() {
  const bool lose = Env("POWERLOSS") == "1";
  const std::string faults = Env("POWERLOSS_FAULTS");
  if (!lose && faults.empty()) return;
  DiskOptions options;
  options.seed = Number("POWERLOSS_SEED",
                        static_cast<std::uint64_t>(getpid()) * 1'000'003 +
                            static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()));
  options.lose_unsynced = lose;
  options.sync_for_real = true;
  options.leak_one_in = static_cast<int>(Number("POWERLOSS_LEAK", 16));
  options.sync_delay = std::chrono::microseconds(Number("POWERLOSS_SYNC_DELAY_US", 2000));
  if (!faults.empty()) options.before = Faults(faults);
  TheDisk() = std::make_unique<Disk>(Env("POWERLOSS_FOLDER"), std::move(options));
  if (InstallVfs() != SQLITE_OK) {
    std::fputs("powerloss: SQLite took no VFS\n", stderr);
    std::abort();
  }
  // Lives as long as the process.
  if (const std::string level = Env("POWERLOSS_SYNCHRONOUS"); !level.empty()) new PlantedSynchronous(level);
}

// A process that exits normally leaves its files to a running system.
__attribute__((destructor)) void Unload() {
  if (TheDisk() != nullptr) TheDisk()->WriteBack();
}

}  // namespace
}  // namespace hail::powerloss
