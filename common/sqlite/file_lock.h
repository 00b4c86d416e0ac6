// Keeps two processes from using one data file.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace hail::sqlite {

// Holds an exclusive lock on the file `path` (created, and left in place) until destroyed or until the process ends,
// however it ends.
class FileLock {
 public:
  // FAILED_PRECONDITION while somebody else holds it; UNAVAILABLE where the file cannot be made.
  static absl::StatusOr<std::unique_ptr<FileLock>> Take(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace hail::sqlite
