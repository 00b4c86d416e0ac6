// How a time scale is written in configuration and on command lines.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "common/time/clock.h"

namespace hail {

// The scale that runs `scale` domain seconds a wall second from `anchor`, "WALL:DOMAIN" in epoch seconds, each with an
// optional fraction. An empty anchor is the identity and needs `scale` 1. The error says what is wrong, for the person
// who wrote it, and carries no Reason.
absl::StatusOr<TimeScale> ParseTimeScale(double scale, std::string_view anchor);

}  // namespace hail
