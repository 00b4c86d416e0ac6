// A fault of the program under test, planted from outside: weaker syncing than it asks for.
#pragma once

#include <string>

namespace hail::powerloss {

// While one lives, connections that are opened run at this level and ignore their own PRAGMA synchronous. One at a
// time.
class PlantedSynchronous {
 public:
  // "OFF" or "NORMAL".
  explicit PlantedSynchronous(std::string level);
  ~PlantedSynchronous();
  PlantedSynchronous(const PlantedSynchronous&) = delete;
  PlantedSynchronous& operator=(const PlantedSynchronous&) = delete;
};

}  // namespace hail::powerloss
