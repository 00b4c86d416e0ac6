// A store's lives on one disk after another: each ends by a power cut, the next begins with what that left.
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

// Whether any seed from 1 on makes `live` lose something: that a planted fault is found. How many seeds do depends on
// how the threads happen to run, so as many are tried as a fault could plausibly hide behind.
bool SomeSeedLoses(const std::function<bool(std::uint64_t seed)>& live);

// For tests within one process. Each life is: Begin(), open the store in folder(), use it, CutNow(), close the store,
// End().
class PowerCuts {
 public:
  // Keeps its folders in a new temporary folder. With `seed` and the same changes by SQLite, the same is left.
  explicit PowerCuts(std::uint64_t seed);
  // Removes them.
  ~PowerCuts();
  PowerCuts(const PowerCuts&) = delete;
  PowerCuts& operator=(const PowerCuts&) = delete;

  // Where the store of the present life has its files.
  const std::string& folder() const { return folder_; }

  // The power will fail when SQLite is about to make its `at`th change (write, sync, truncation, deletion) from here
  // on, in whatever thread that is. `on_cut` runs at that moment, before anything else is done to the disk: it takes
  // down what has been acknowledged until then.
  void Begin(std::uint64_t at, std::function<void()> on_cut);
  // Whether it has failed in this life.
  bool cut() const { return cut_; }
  // The power fails now, unless it has.
  void CutNow();
  // With the store closed. What was left is in folder() from here on.
  void End();

  // A new copy of folder(), for a look that changes it.
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
