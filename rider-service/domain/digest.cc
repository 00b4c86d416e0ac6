#include "rider-service/domain/digest.h"

#include <openssl/evp.h>

#include "common/errors/check.h"

namespace hail::rider {

std::string Sha256(std::string_view text) {
  // OpenSSL 3 looks an algorithm up for each call of SHA256(), which takes longer than the digest of a request.
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  std::string digest(32, '\0');
  HAIL_CHECK(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr, sha256,
                        nullptr) == 1);
  return digest;
}

}  // namespace hail::rider
