// Tokens' outward form.
#pragma once

#include <string>
#include <string_view>

namespace hail {

// RFC 4648's base64url without padding.
std::string ToBase64Url(std::string_view bytes);
// Whether `text` is what ToBase64Url makes of some bytes, which are set. It is read strictly: each token has one form
// only. Padding, blanks, the other alphabet, and bits at the end that mean nothing are refused.
bool FromBase64Url(std::string_view text, std::string* bytes);

}  // namespace hail
