// The kinds of cars, each stored once, however many drivers have one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "driver-service/domain/near_driver.h"

namespace hail::driver {

struct CarKind {
  std::shared_ptr<const CarProfile> profile;
  // Starts at 1; unique, and never reused.
  std::uint32_t number = 0;
  // The number of drivers with this kind; guarded by the mutex of CarKinds.
  std::size_t drivers = 0;
};

// Thread-safe. Its lock is taken last: no call is made under it.
class CarKinds {
 public:
  // The kind equal to `profile`; it stays while it is held.
  const CarKind* Hold(std::shared_ptr<const CarProfile> profile);
  void Release(const CarKind* kind);

 private:
  using Contents = std::tuple<std::string, std::vector<std::string>, int>;

  absl::Mutex mutex_;
  absl::flat_hash_map<Contents, std::unique_ptr<CarKind>> kinds_ ABSL_GUARDED_BY(mutex_);
  std::uint32_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hail::driver
