// Persons in logs.
#pragma once

#include <string>
#include <string_view>

namespace hail {

// What lines of level info and above show in place of the id of a rider or driver: the same for each line about the
// person that this process writes, and computable by nobody, because its key is never stored. Logs are kept by other
// programs, from which Hail cannot erase a person. An empty id has an empty tag. Thread-safe.
std::string PersonTag(std::string_view id);

}  // namespace hail
