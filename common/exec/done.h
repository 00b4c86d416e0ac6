// The callback of an asynchronous operation.
#pragma once

#include <functional>

#include "absl/status/statusor.h"

namespace hail {

// Called once, with the result or with the error.
template <typename T>
using Done = std::function<void(absl::StatusOr<T>)>;

}  // namespace hail
