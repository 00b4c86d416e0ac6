// A fault planted from outside into the program under test: weaker syncing than it asks for.
#pragma once

#include <string>

namespace hail::powerloss {

// While an object lives, new connections run at its level and ignore their own PRAGMA synchronous. At most one object
// at a time.
class PlantedSynchronous {
 public:
  // "OFF" or "NORMAL".
  explicit PlantedSynchronous(std::string level);
  ~PlantedSynchronous();
  PlantedSynchronous(const PlantedSynchronous&) = delete;
  PlantedSynchronous& operator=(const PlantedSynchronous&) = delete;
};

}  // namespace hail::powerloss
