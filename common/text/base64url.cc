#include "common/text/base64url.h"

#include "absl/strings/escaping.h"

namespace hail {

std::string ToBase64Url(std::string_view bytes) {
  return absl::WebSafeBase64Escape(absl::string_view(bytes.data(), bytes.size()));
}

bool FromBase64Url(std::string_view text, std::string* bytes) {
  // abseil's decoder accepts more texts than its encoder writes.
  return absl::WebSafeBase64Unescape(absl::string_view(text.data(), text.size()), bytes) && ToBase64Url(*bytes) == text;
}

}  // namespace hail
