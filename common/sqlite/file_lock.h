// Prevents two processes from using one data file.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace hail::sqlite {

// Holds an exclusive lock on the file `path` (created, and never deleted) until destroyed or until the process ends in
// any way.
class FileLock {
 public:
  // FAILED_PRECONDITION while another process holds it; UNAVAILABLE if the file cannot be created.
  static absl::StatusOr<std::unique_ptr<FileLock>> Take(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace hail::sqlite
