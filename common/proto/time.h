// protobuf's Timestamp and Duration ↔ absl's Time and Duration. Pure functions, thread-safe.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace hail {

inline void Encode(absl::Duration duration, google::protobuf::Duration* out) {
  // Rounded towards zero, so that both parts have the same sign, as duration.proto requires. The rest of an infinite
  // duration is infinite.
  absl::Duration rest;
  out->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  out->set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest) % 1'000'000'000));
}

// Infinite if the message holds no valid Duration; negative if either part is.
inline absl::Duration DecodeDuration(const google::protobuf::Duration& duration) {
  constexpr std::int64_t kMaxSeconds = 315'576'000'000;  // as in duration.proto
  constexpr std::int32_t kMaxNanos = 999'999'999;
  const std::int64_t seconds = duration.seconds();
  const std::int32_t nanos = duration.nanos();
  // Without std::abs: the minimum has no positive counterpart.
  if (nanos > kMaxNanos || nanos < -kMaxNanos || seconds > kMaxSeconds || seconds < -kMaxSeconds ||
      (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) {
    return seconds < 0 || nanos < 0 ? -absl::InfiniteDuration() : absl::InfiniteDuration();
  }
  return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
}

inline void Encode(absl::Time time, google::protobuf::Timestamp* out) {
  // Rounded down, as timestamp.proto requires.
  const std::int64_t seconds = absl::ToUnixSeconds(time);
  out->set_seconds(seconds);
  out->set_nanos(
      static_cast<std::int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds)) % 1'000'000'000));
}

inline absl::Time DecodeTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

}  // namespace hail
