// Digests of texts that are compared, not kept secret.
#pragma once

#include <string>
#include <string_view>

namespace hail::rider {

// The 32 bytes of SHA-256.
std::string Sha256(std::string_view text);

}  // namespace hail::rider
