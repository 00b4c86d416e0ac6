// The text form of a time scale, for configuration and command lines.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "common/time/clock.h"

namespace hail {

// The scale that runs `scale` domain seconds per wall second from `anchor`, "WALL:DOMAIN" in epoch seconds, each with
// an optional fraction. An empty anchor is the identity and needs `scale` 1. The error describes the fault for the
// author of the text, and carries no Reason.
absl::StatusOr<TimeScale> ParseTimeScale(double scale, std::string_view anchor);

}  // namespace hail
