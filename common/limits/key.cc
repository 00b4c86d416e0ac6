#include "common/limits/key.h"

#include <tuple>

#include "absl/hash/hash.h"

namespace hail::limits {
namespace {

// Two independent hashes. Never the key of nobody.
template <typename... Name>
Key Hashed(const std::uint64_t (&salt)[4], const Name&... name) {
  return {absl::Hash<std::tuple<std::uint64_t, std::uint64_t, Name...>>()({salt[0], salt[1], name...}),
          absl::Hash<std::tuple<std::uint64_t, std::uint64_t, Name...>>()({salt[2], salt[3], name...}) | 1};
}

}  // namespace

Key Keys::OfSubject(std::string_view role, std::string_view subject) const { return Hashed(salt_, role, subject); }

Key Keys::OfNetwork(const Network& network) const { return Hashed(salt_, network.bytes); }

Key Part(const Key& caller, std::uint8_t what) {
  // Odd, so that different parts of one caller differ, and the parts of two callers stay independent.
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;
  return {caller.high + kStep * what, caller.low};
}

}  // namespace hail::limits
