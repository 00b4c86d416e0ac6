// Opaque page tokens, each valid for one filter.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace hail::rider {

// `filter` is the listing's filter as unambiguous text; `position` is the end of the page.
std::string MakePageToken(const std::string& filter, const std::string& position);
// Returns the position. INVALID_FIELD page_token if the token is damaged or made for another filter.
absl::StatusOr<std::string> ReadPageToken(const std::string& filter, const std::string& token);

}  // namespace hail::rider
