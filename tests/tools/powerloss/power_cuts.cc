#include "tests/tools/powerloss/power_cuts.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include <utility>

#include "tests/tools/powerloss/vfs.h"

namespace hail::powerloss {

std::uint64_t SeedsToTry(std::uint64_t usual) {
  const char* wanted = getenv("POWER_SEEDS");
  return wanted == nullptr ? usual : strtoull(wanted, nullptr, 10);
}

bool SomeSeedLoses(const std::function<bool(std::uint64_t seed)>& live) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    if (live(seed)) return true;
  }
  return false;
}

PowerCuts::PowerCuts(std::uint64_t seed) : seed_(seed) {
  InstallVfs();
  // In memory where possible: the test depends only on the operations sent to the disk, and a busy machine's disk is
  // slow.
  const bool memory = access("/dev/shm", W_OK) == 0;
  const std::filesystem::path parent = memory ? "/dev/shm" : std::filesystem::temp_directory_path();
  std::string pattern = (parent / "hail-power-XXXXXX").string();
  root_ = std::filesystem::canonical(mkdtemp(pattern.data()));
  folder_ = (root_ / "0").string();
  std::filesystem::create_directory(folder_);
}

PowerCuts::~PowerCuts() {
  disk_.reset();
  std::filesystem::remove_all(root_);
}

void PowerCuts::Begin(std::uint64_t at, std::function<void()> on_cut) {
  at_ = at;
  cut_ = false;
  on_cut_ = std::move(on_cut);
  DiskOptions options;
  options.seed = seed_;
  options.before = [this](const Op& op) {
    if (op.number >= at_) Cut();
    return SQLITE_OK;
  };
  disk_ = std::make_unique<Disk>(folder_, std::move(options));
}

// With the disk locked.
void PowerCuts::Cut() {
  if (cut_.exchange(true)) return;
  on_cut_();
  left_ = (root_ / std::to_string(++folders_)).string();
  disk_->LeaveAfterCut(left_, seed_ * 31 + static_cast<std::uint64_t>(folders_));
  disk_->Cut();
}

void PowerCuts::CutNow() {
  disk_->Locked([this] { Cut(); });
}

void PowerCuts::End() {
  disk_.reset();
  folder_ = left_;
}

std::string PowerCuts::Copy() {
  const std::string copy = (root_ / std::to_string(++folders_)).string();
  std::filesystem::copy(folder_, copy, std::filesystem::copy_options::recursive);
  return copy;
}

}  // namespace hail::powerloss
