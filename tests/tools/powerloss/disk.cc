#include "tests/tools/powerloss/disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "tests/tools/powerloss/disk_state.h"

namespace hail::powerloss {
namespace {

struct Disks {
  std::mutex mutex;
  std::vector<std::weak_ptr<Disk::State>> all;
};

// Never destroyed: SQLite may use its files while the process ends.
Disks& AllDisks() {
  static Disks* disks = new Disks();
  return *disks;
}

std::string FolderOf(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string Content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void Apply(const std::vector<Change>& changes, const std::string& path) {
  if (changes.empty()) return;
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return;
  for (const Change& change : changes) {
    if (change.truncate) {
      if (ftruncate(fd, change.offset) != 0) break;
      continue;
    }
    for (std::size_t done = 0; done < change.bytes.size();) {
      const ssize_t wrote = pwrite(fd, change.bytes.data() + done, change.bytes.size() - done,
                                   static_cast<off_t>(change.offset) + static_cast<off_t>(done));
      if (wrote <= 0) break;
      done += static_cast<std::size_t>(wrote);
    }
  }
  close(fd);
}

}  // namespace

Disk::State::State(std::string folder, DiskOptions options)
    : folder(std::move(folder)), options(std::move(options)), random(this->options.seed) {
  if (this->folder.empty()) return;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(this->folder)) {
    if (entry.is_directory()) folders.insert(entry.path().string());
  }
}

bool Disk::State::Holds(const std::string& path) const {
  return path.size() > folder.size() && path.compare(0, folder.size(), folder) == 0 && path[folder.size()] == '/';
}

int Disk::State::Begin(OpKind kind, const std::string& path, bool grows) {
  if (cut) return SQLITE_IOERR;
  const bool change =
      kind == OpKind::kWrite || kind == OpKind::kTruncate || kind == OpKind::kSync || kind == OpKind::kDelete;
  if (change) ++changes;
  if (!options.before) return SQLITE_OK;
  const int result = options.before({kind, path, changes, grows});
  return cut ? SQLITE_IOERR : result;
}

std::shared_ptr<Inode> Disk::State::Find(const std::string& path) {
  std::shared_ptr<Inode>& inode = inodes[path];
  if (inode == nullptr) inode = std::make_shared<Inode>(Inode{path, {}});
  return inode;
}

void Disk::State::Forget(const std::string& path) {
  const auto inode = inodes.find(path);
  // A file whose creation was never synced leaves nothing; an older file of the same name may come back.
  if (created.erase(path) == 0 && ghosts.count(path) == 0) {
    Ghost ghost{Content(path), {}};
    if (inode != inodes.end()) ghost.unsynced = inode->second->unsynced;
    ghosts.emplace(path, std::move(ghost));
  }
  if (inode != inodes.end()) inodes.erase(inode);
}

void Disk::State::SyncFolder(const std::string& path) {
  std::erase_if(created, [&](const std::string& name) { return FolderOf(name) == path; });
  std::erase_if(ghosts, [&](const auto& ghost) { return FolderOf(ghost.first) == path; });
  if (folder.empty()) return;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_directory()) folders.insert(entry.path().string());
  }
}

void Disk::State::SyncFolderOf(const std::string& path) { SyncFolder(FolderOf(path)); }

std::shared_ptr<Disk::State> DiskOf(const std::string& path) {
  Disks& disks = AllDisks();
  const std::lock_guard<std::mutex> lock(disks.mutex);
  for (const std::weak_ptr<Disk::State>& weak : disks.all) {
    if (std::shared_ptr<Disk::State> state = weak.lock(); state != nullptr && state->Holds(path)) return state;
  }
  return nullptr;
}

bool FolderSynced(const std::string& path) {
  const std::shared_ptr<Disk::State> disk = DiskOf(path + "/.");
  if (disk == nullptr) return false;
  const std::lock_guard<std::recursive_mutex> lock(disk->mutex);
  if (!disk->cut) disk->SyncFolder(path);
  return true;
}

Disk::Disk(std::string folder, DiskOptions options)
    : state_(std::make_shared<State>(std::move(folder), std::move(options))) {
  Disks& disks = AllDisks();
  const std::lock_guard<std::mutex> lock(disks.mutex);
  std::erase_if(disks.all, [](const std::weak_ptr<State>& weak) { return weak.expired(); });
  disks.all.push_back(state_);
}

Disk::~Disk() {
  Disks& disks = AllDisks();
  const std::lock_guard<std::mutex> lock(disks.mutex);
  std::erase_if(disks.all, [this](const std::weak_ptr<State>& weak) { return weak.lock() == state_; });
}

void Disk::LeaveAfterCut(const std::string& folder, std::uint64_t seed) {
  const std::lock_guard<std::recursive_mutex> lock(state_->mutex);
  std::mt19937_64 random(seed);
  const auto coin = [&random] { return (random() & 1) != 0; };
  const auto survive = [&random](const Unsynced& unsynced, const std::string& to) {
    Apply(unsynced.Survivors(random), to);
  };
  std::filesystem::create_directories(folder);
  // In a fixed order, so that a seed always gives the same result.
  std::vector<std::string> paths;
  for (auto at = std::filesystem::recursive_directory_iterator(state_->folder); at != end(at); ++at) {
    const std::string path = at->path().string();
    if (at->is_regular_file()) paths.push_back(path);
    if (!at->is_directory()) continue;
    if (state_->folders.count(path) == 0 && coin()) {
      at.disable_recursion_pending();
      continue;
    }
    std::filesystem::create_directories(folder + path.substr(state_->folder.size()));
  }
  for (const auto& [path, ghost] : state_->ghosts) paths.push_back(path);
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  for (const std::string& path : paths) {
    const std::string to = folder + path.substr(state_->folder.size());
    const auto ghost = state_->ghosts.find(path);
    const bool exists = std::filesystem::exists(path);
    const bool lasts = exists && (state_->created.count(path) == 0 || coin());
    if (lasts) {
      // Memory shared by processes, in the form of a file: never synced, and SQLite creates it anew.
      if (EndsWith(path, "-shm") && coin()) continue;
      std::filesystem::copy_file(path, to);
      if (const auto inode = state_->inodes.find(path); inode != state_->inodes.end()) {
        survive(inode->second->unsynced, to);
      }
    } else if (ghost != state_->ghosts.end() && coin()) {
      std::ofstream(to, std::ios::binary) << ghost->second.synced;
      survive(ghost->second.unsynced, to);
    }
  }
}

void Disk::Cut() {
  const std::lock_guard<std::recursive_mutex> lock(state_->mutex);
  state_->cut = true;
}

void Disk::WriteBack() {
  const std::lock_guard<std::recursive_mutex> lock(state_->mutex);
  for (auto& [path, inode] : state_->inodes) {
    Apply(inode->unsynced.changes(), path);
    inode->unsynced.Clear();
  }
}

void Disk::Locked(const std::function<void()>& what) {
  const std::lock_guard<std::recursive_mutex> lock(state_->mutex);
  what();
}

std::uint64_t Disk::changes() const {
  const std::lock_guard<std::recursive_mutex> lock(state_->mutex);
  return state_->changes;
}

}  // namespace hail::powerloss
