// What an asynchronous operation ends with.
#pragma once

#include <functional>

#include "absl/status/statusor.h"

namespace hail {

// Called once, with the result or with why there is none.
template <typename T>
using Done = std::function<void(absl::StatusOr<T>)>;

}  // namespace hail
