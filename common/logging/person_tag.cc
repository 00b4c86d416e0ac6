#include "common/logging/person_tag.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/escaping.h"
#include "common/ids/uuid.h"

namespace hail {
namespace {

constexpr std::size_t kTagBytes = 8;

std::string DrawKey() {
  const RandomBits random = SystemRandom();
  std::string key;
  for (int i = 0; i < 4; ++i) {
    const std::uint64_t bits = random();
    key.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
  }
  return key;
}

}  // namespace

std::string PersonTag(std::string_view id) {
  if (id.empty()) return "";
  static const std::string& key = *new std::string(DrawKey());
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(id.data()),
       id.size(), digest, &size);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), kTagBytes});
}

}  // namespace hail
