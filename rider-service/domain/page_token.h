// Opaque page tokens, each bound to the filter it was made for.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace hail::rider {

// `filter` is the listing's filter in any unambiguous text; `position` where the page ended.
std::string MakePageToken(const std::string& filter, const std::string& position);
// The position. INVALID_FIELD page_token if damaged or made for another filter.
absl::StatusOr<std::string> ReadPageToken(const std::string& filter, const std::string& token);

}  // namespace hail::rider
