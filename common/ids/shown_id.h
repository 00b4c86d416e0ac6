// Ids in answers.
#pragma once

#include <string>

namespace hail {

// For echoing an id that may have been refused: as it is, or its first characters if it is longer than an id can be
// (CheckId). `id` is valid UTF-8, and so is the result.
std::string ShownId(const std::string& id);

}  // namespace hail
