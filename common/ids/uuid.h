// Ids that sort by creation time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hail {

// 64 random bits per call. Cores get it as a parameter; services pass SystemRandom(), tests a seeded generator.
using RandomBits = std::function<std::uint64_t()>;

// Thread-safe; from the operating system's generator.
RandomBits SystemRandom();

// A UUIDv7 (RFC 9562 §5.7) for `wall` in lower-case canonical text: 48 bits of milliseconds, then version, variant and
// 74 random bits.
std::string UuidV7(absl::Time wall, const RandomBits& random);

// INVALID_FIELD naming `field` unless `id` has 1 to 128 bytes of valid UTF-8 without white space, control characters
// and invisible characters (zero-width, direction, variation). Such characters could make two different ids look alike.
absl::Status CheckId(std::string_view id, std::string_view field);

}  // namespace hail
