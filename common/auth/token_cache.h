// The tokens that were verified lately.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/auth/caller.h"

namespace hail::auth {

// Thread-safe.
//
// Verifying a signature takes 20 to 110 µs, finding its token here 0.5 µs. Only tokens that were verified are kept:
// strangers cannot fill it. It keeps the SHA-256 of a token, not the token.
class TokenCache {
 public:
  static constexpr std::size_t kDefaultMax = 65'536;

  // Of one token: its key in the cache.
  using Digest = std::array<std::uint8_t, 32>;
  static Digest DigestOf(std::string_view token);

  // Keeps at most `max` identities, and at least the half of it that was used last.
  explicit TokenCache(std::size_t max = kDefaultMax);

  // The identity of the token, if it was put in with the same `generation` (KeySet::generation) and holds at `now`.
  std::optional<Identity> Find(const Digest& token, std::uint64_t generation, absl::Time now);
  void Put(const Digest& token, std::uint64_t generation, const Identity& identity);

 private:
  struct Entry {
    std::uint64_t generation;
    Identity identity;
  };
  // A digest is as good as a hash.
  struct Hash {
    std::size_t operator()(const Digest& digest) const;
  };
  using Entries = absl::flat_hash_map<Digest, Entry, Hash>;

  // Each call takes the lock of one shard only.
  struct Shard {
    absl::Mutex mutex;
    // When `young` is full it becomes `old`, and what was old is forgotten, unless it was used since.
    Entries young ABSL_GUARDED_BY(mutex);
    Entries old ABSL_GUARDED_BY(mutex);
  };
  static constexpr std::size_t kShards = 16;

  Shard& ShardOf(const Digest& digest) { return shards_[digest[0] % kShards]; }
  void Keep(Shard& shard, const Digest& token, Entry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  // Of one of a shard's two maps.
  const std::size_t max_in_map_;
  std::array<Shard, kShards> shards_;
};

}  // namespace hail::auth
