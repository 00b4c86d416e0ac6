// Makes data private to its owner: addresses, positions, and the key that signs quotes.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hail::sqlite {

// The permissions of a data folder.
enum class Privacy {
  // Only the owner has access.
  kPrivate,
  // Tightened just now; other users had access before.
  kTightened,
  // Other users have access, and this process may not change that.
  kOpen,
};

// Creates `folder` (not its parents) for this user alone, or checks the existing one. FAILED_PRECONDITION if a user
// other than root owns it, because that user can replace our files. `tighten`: the folder is for data alone, so its
// permissions may be tightened.
absl::StatusOr<Privacy> MakePrivate(const std::string& folder, bool tighten);

// Removes other users' permissions from the file `path`, if it exists. FAILED_PRECONDITION for a link, which could
// point to any file, and for anything that is not a regular file.
absl::Status MakeFilePrivate(const std::string& path);

}  // namespace hail::sqlite
