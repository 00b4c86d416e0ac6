// The public keys that may sign tokens, as a JSON Web Key Set (RFC 7517).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/auth/public_key.h"

namespace hail::auth {

// Immutable and thread-safe.
class KeySet {
 public:
  static constexpr std::size_t kMaxBytes = 256 * 1024;
  static constexpr std::size_t kMaxKeys = 64;
  static constexpr std::size_t kMaxKeyIdBytes = 256;

  struct LeftOut {
    // Empty if it has none.
    std::string key_id;
    // "its modulus has 1024 bits, fewer than 2048": for the log.
    std::string why;
  };

  // Reads `jwks`. Keys that cannot verify tokens are left out: of another kind or algorithm, without `kid`, for
  // encryption, too weak, or private. INVALID_ARGUMENT if it is no key set, exceeds the limits, names a `kid` twice, or
  // has no usable key; the message has no part of a key.
  static absl::StatusOr<std::shared_ptr<const KeySet>> Parse(std::string_view jwks);

  // Null if there is none. Valid as long as the set.
  const PublicKey* Find(std::string_view key_id) const;

  std::size_t size() const { return keys_.size(); }
  const std::vector<LeftOut>& left_out() const { return left_out_; }
  // No other set of this process has it, not even one of the same keys.
  std::uint64_t generation() const { return generation_; }

 private:
  KeySet();

  std::map<std::string, PublicKey, std::less<>> keys_;
  std::vector<LeftOut> left_out_;
  const std::uint64_t generation_;
};

}  // namespace hail::auth
