#include "common/time/time_anchor.h"

#include <cmath>
#include <optional>
#include <string>

namespace hail {
namespace {

// Epoch seconds in decimal, exactly: a double would round, and two processes must agree.
std::optional<absl::Time> ParseEpochSeconds(const std::string& text) {
  if (text.empty() || text.find_first_not_of("-0123456789.") != std::string::npos) return std::nullopt;
  absl::Duration since_epoch;
  if (!absl::ParseDuration(text + "s", &since_epoch) || since_epoch == absl::InfiniteDuration() ||
      since_epoch == -absl::InfiniteDuration()) {
    return std::nullopt;
  }
  return absl::UnixEpoch() + since_epoch;
}

}  // namespace

absl::StatusOr<TimeScale> ParseTimeScale(double scale, std::string_view anchor) {
  if (!std::isfinite(scale) || scale <= 0) return absl::InvalidArgumentError("the time scale must be above 0");
  TimeScale result;
  result.scale = scale;
  if (anchor.empty()) {
    if (scale != 1.0) return absl::InvalidArgumentError("a time scale other than 1 needs an anchor, WALL:DOMAIN");
    return result;
  }
  const std::string text(anchor);
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return absl::InvalidArgumentError("the time anchor must be WALL:DOMAIN");
  const auto wall = ParseEpochSeconds(text.substr(0, colon));
  const auto domain = ParseEpochSeconds(text.substr(colon + 1));
  if (!wall || !domain) return absl::InvalidArgumentError("both parts of the time anchor must be epoch seconds");
  result.anchor_wall = *wall;
  result.anchor_domain = *domain;
  return result;
}

}  // namespace hail
