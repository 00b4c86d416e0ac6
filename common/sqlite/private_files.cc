#include "common/sqlite/private_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/errors/error.h"
#include "common/errors/reason.h"

namespace hail::sqlite {
namespace {

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

absl::Status Failed(const std::string& what) {
  return Unavailable(Reason::kStoreUnavailable, what + ": " + std::strerror(errno));
}

}  // namespace

absl::StatusOr<Privacy> MakePrivate(const std::string& folder, bool tighten) {
  if (mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) return Failed("cannot create " + folder);
  struct stat found {};
  if (stat(folder.c_str(), &found) != 0) return Failed("cannot look at " + folder);
  if (!S_ISDIR(found.st_mode)) return absl::FailedPreconditionError(folder + " is not a folder");
  if (found.st_uid != geteuid() && found.st_uid != 0) {
    return absl::FailedPreconditionError(folder + " belongs to another user (" + std::to_string(found.st_uid) + ")");
  }
  if ((found.st_mode & kOthers) == 0) return Privacy::kPrivate;
  // Volumes may belong to root, with a group of ours.
  if (!tighten || found.st_uid != geteuid()) return Privacy::kOpen;
  if (chmod(folder.c_str(), S_IRWXU) != 0) return Privacy::kOpen;
  return Privacy::kTightened;
}

absl::Status MakeFilePrivate(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return errno == ENOENT ? absl::OkStatus() : Failed("cannot look at " + path);
  if (S_ISLNK(found.st_mode)) {
    return absl::FailedPreconditionError(path + " is a symbolic link; name the file itself");
  }
  if (!S_ISREG(found.st_mode)) return absl::FailedPreconditionError(path + " is not a file");
  if ((found.st_mode & kOthers) == 0 || found.st_uid != geteuid()) return absl::OkStatus();
  // Without opening the file: closing it would release the locks that SQLite holds on it elsewhere in this process.
  if (fchmodat(AT_FDCWD, path.c_str(), found.st_mode & S_IRWXU, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT) {
    return Failed("cannot remove other users' access to " + path);
  }
  return absl::OkStatus();
}

}  // namespace hail::sqlite
