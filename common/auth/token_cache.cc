#include "common/auth/token_cache.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "common/errors/check.h"

namespace hail::auth {

TokenCache::Digest TokenCache::DigestOf(std::string_view token) {
  // Found and made once: that takes longer than the digest of a token.
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  Digest digest;
  unsigned int size = 0;
  HAIL_CHECK(sha256 != nullptr && context != nullptr);
  HAIL_CHECK(EVP_DigestInit_ex2(context.get(), sha256, nullptr) == 1);
  HAIL_CHECK(EVP_DigestUpdate(context.get(), token.data(), token.size()) == 1);
  HAIL_CHECK(EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1 && size == digest.size());
  return digest;
}

std::size_t TokenCache::Hash::operator()(const Digest& digest) const {
  std::size_t hash;
  // The first bytes choose the shard.
  std::memcpy(&hash, digest.data() + sizeof hash, sizeof hash);
  return hash;
}

TokenCache::TokenCache(std::size_t max) : max_in_map_(std::max<std::size_t>(1, max / kShards / 2)) {}

std::optional<Identity> TokenCache::Find(const Digest& token, std::uint64_t generation, absl::Time now) {
  Shard& shard = ShardOf(token);
  const absl::MutexLock lock(&shard.mutex);
  auto found = shard.young.find(token);
  if (found == shard.young.end()) {
    const auto old = shard.old.find(token);
    if (old == shard.old.end()) return std::nullopt;
    Entry entry = std::move(old->second);
    shard.old.erase(old);
    Keep(shard, token, std::move(entry));
    found = shard.young.find(token);
  }
  const Entry& entry = found->second;
  if (entry.generation == generation && now < entry.identity.expires) return entry.identity;
  shard.young.erase(found);
  return std::nullopt;
}

void TokenCache::Put(const Digest& token, std::uint64_t generation, const Identity& identity) {
  Shard& shard = ShardOf(token);
  const absl::MutexLock lock(&shard.mutex);
  Keep(shard, token, {generation, identity});
}

void TokenCache::Keep(Shard& shard, const Digest& token, Entry entry) {
  if (shard.young.size() >= max_in_map_ && !shard.young.contains(token)) {
    shard.old = std::exchange(shard.young, {});
  }
  shard.young.insert_or_assign(token, std::move(entry));
}

}  // namespace hail::auth
