#include "rider-service/domain/page_token.h"

#include "common/errors/error.h"
#include "common/text/base64url.h"
#include "rider-service/domain/digest.h"

namespace hail::rider {
namespace {

// Enough bytes of the filter's digest to distinguish filters.
constexpr std::size_t kDigestBytes = 8;

std::string FilterDigest(const std::string& filter) { return Sha256(filter).substr(0, kDigestBytes); }

}  // namespace

std::string MakePageToken(const std::string& filter, const std::string& position) {
  return ToBase64Url(FilterDigest(filter) + position);
}

absl::StatusOr<std::string> ReadPageToken(const std::string& filter, const std::string& token) {
  std::string bytes;
  if (!FromBase64Url(token, &bytes) || bytes.size() <= kDigestBytes ||
      bytes.compare(0, kDigestBytes, FilterDigest(filter)) != 0) {
    return InvalidField("page_token", "not a page token of this listing with this filter");
  }
  return bytes.substr(kDigestBytes);
}

}  // namespace hail::rider
