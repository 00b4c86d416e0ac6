#include "driver-service/domain/car_kinds.h"

#include <utility>

namespace hail::driver {

const CarKind* CarKinds::Hold(std::shared_ptr<const CarProfile> profile) {
  absl::MutexLock lock(&mutex_);
  std::unique_ptr<CarKind>& kind = kinds_[Contents(profile->region_id, profile->product_ids, profile->seats)];
  if (kind == nullptr) kind = std::make_unique<CarKind>(CarKind{std::move(profile), ++last_number_});
  ++kind->drivers;
  return kind.get();
}

void CarKinds::Release(const CarKind* kind) {
  absl::MutexLock lock(&mutex_);
  auto it = kinds_.find(Contents(kind->profile->region_id, kind->profile->product_ids, kind->profile->seats));
  if (--it->second->drivers == 0) kinds_.erase(it);
}

}  // namespace hail::driver
