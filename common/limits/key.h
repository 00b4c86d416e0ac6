// Names of those who are counted, in 16 bytes each: tables of limits then have a size that no caller's name changes.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "common/ids/uuid.h"
#include "common/limits/network.h"

namespace hail::limits {

// The hash of a subject or a network, and of what is counted for it. The default counts nobody.
struct Key {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  explicit operator bool() const { return high != 0 || low != 0; }
  friend bool operator==(const Key&, const Key&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Key& key) {
    return H::combine(std::move(state), key.high, key.low);
  }
};

// Makes keys with a secret of this process, so that nobody can choose two names with the same key: by chance that
// happens to one pair in 2^128. Immutable, thread-safe.
class Keys {
 public:
  explicit Keys(const RandomBits& random) : salt_{random(), random(), random(), random()} {}

  // Not of people: `role` is part of the name, so the rider "ada" and the driver "ada" are two.
  Key OfSubject(std::string_view role, std::string_view subject) const;
  Key OfNetwork(const Network& network) const;

 private:
  const std::uint64_t salt_[4];
};

// The key of the same caller for one of the things that are counted of it.
Key Part(const Key& caller, std::uint8_t what);

}  // namespace hail::limits
