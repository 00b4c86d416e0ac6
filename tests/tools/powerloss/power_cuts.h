// A store's lives on one disk after another: each ends with a power cut, and the next begins with the remaining files.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "tests/tools/powerloss/disk.h"

namespace hail::powerloss {

// How many seeds to try: POWER_SEEDS of the environment, else `usual`.
std::uint64_t SeedsToTry(std::uint64_t usual);

// Whether any seed from 1 on makes `live` lose data, that is, whether a planted fault is found. That depends on how the
// threads happen to run, so this tries as many seeds as a fault could plausibly escape.
bool SomeSeedLoses(const std::function<bool(std::uint64_t seed)>& live);

// For tests within one process. Each life is: Begin(), open the store in folder(), use it, CutNow(), close the store,
// End().
class PowerCuts {
 public:
  // Keeps its folders in a new temporary folder. The same `seed` and the same changes by SQLite leave the same files.
  explicit PowerCuts(std::uint64_t seed);
  // Removes them.
  ~PowerCuts();
  PowerCuts(const PowerCuts&) = delete;
  PowerCuts& operator=(const PowerCuts&) = delete;

  // The folder of the store's files in the present life.
  const std::string& folder() const { return folder_; }

  // The power will fail when SQLite is about to make its `at`th change (write, sync, truncation, deletion) from here
  // on, in any thread. `on_cut` runs at that moment, before any other operation on the disk: it records the changes
  // acknowledged so far.
  void Begin(std::uint64_t at, std::function<void()> on_cut);
  // Whether the power has failed in this life.
  bool cut() const { return cut_; }
  // Cuts the power now, unless it has failed already.
  void CutNow();
  // Call it with the store closed. Afterwards folder() has the files that the cut left.
  void End();

  // A new copy of folder(), for checks that change it.
  std::string Copy();

 private:
  void Cut();

  const std::uint64_t seed_;
  std::filesystem::path root_;
  std::string folder_;
  int folders_ = 0;
  std::uint64_t at_ = 0;
  std::atomic<bool> cut_{false};
  std::function<void()> on_cut_;
  std::string left_;
  std::unique_ptr<Disk> disk_;
};

}  // namespace hail::powerloss
