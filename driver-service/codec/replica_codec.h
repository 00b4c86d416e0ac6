// Converts the messages between replicas of driver-service to and from bytes.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "driver-service/domain/replica_message.h"

namespace hail::driver {

// `now` is domain time: positions are sent with their ages.
std::string ReplicaBytes(const std::string& from, const ReplicaMessage& message, absl::Time now);

// The sender and the message, received at `now` (domain). An error for bytes that no replica sent; presences that no
// replica can have made are omitted.
absl::StatusOr<std::pair<std::string, ReplicaMessage>> ReplicaMessageFromBytes(std::string_view bytes, absl::Time now);

}  // namespace hail::driver
