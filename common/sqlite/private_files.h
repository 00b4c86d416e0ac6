// Data that only its owner reads: addresses, positions, and the key that signs quotes.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hail::sqlite {

// What was found of a folder for data.
enum class Privacy {
  // Only its owner gets in.
  kPrivate,
  // So it is now; others did before.
  kTightened,
  // Others get in, and it is not this process's to change.
  kOpen,
};

// Makes `folder` (not those above it) for this user alone, or makes sure of one that is there. FAILED_PRECONDITION
// where somebody else but root owns it: whoever does can put other files in place of ours. `tighten`: it is for data
// alone, so that others may be shut out of it.
absl::StatusOr<Privacy> MakePrivate(const std::string& folder, bool tighten);

// Takes what others may do from the file `path`, if it is there. FAILED_PRECONDITION for a link, which would lead to a
// file of somebody else's choice, and for what is no file.
absl::Status MakeFilePrivate(const std::string& path);

}  // namespace hail::sqlite
