// What replicas of driver-service say to each other, as bytes.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "driver-service/domain/replica_message.h"

namespace hail::driver {

// `now` is domain time: positions travel with their ages.
std::string ReplicaBytes(const std::string& from, const ReplicaMessage& message, absl::Time now);

// Who says it, and what, received at `now` (domain). An error for bytes that no replica sent; a presence that no
// replica can have made is left out.
absl::StatusOr<std::pair<std::string, ReplicaMessage>> ReplicaMessageFromBytes(std::string_view bytes, absl::Time now);

}  // namespace hail::driver
