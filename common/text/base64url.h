// The text form of tokens.
#pragma once

#include <string>
#include <string_view>

namespace hail {

// RFC 4648's base64url without padding.
std::string ToBase64Url(std::string_view bytes);
// Decodes `text` into `bytes`. Strict, so that each token has one form only: false for padding, blanks, the other
// alphabet, and unused bits at the end that are not zero.
bool FromBase64Url(std::string_view text, std::string* bytes);

}  // namespace hail
