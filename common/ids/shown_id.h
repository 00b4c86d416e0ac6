// Ids in answers.
#pragma once

#include <string>

namespace hail {

// Echoes an id that may have been refused: unchanged, or cut to the maximum length of an id (CheckId). `id` is valid
// UTF-8, and so is the result.
std::string ShownId(const std::string& id);

}  // namespace hail
