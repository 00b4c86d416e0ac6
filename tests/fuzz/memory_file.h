// A file without a disk, for parsers that take a path.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "tests/fuzz/fuzz_target.h"

namespace hail::fuzz {

class MemoryFile {
 public:
  explicit MemoryFile(const std::string& content) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    Require(descriptor_ >= 0, "memfd_create");
    std::size_t done = 0;
    while (done < content.size()) {
      const ssize_t wrote = write(descriptor_, content.data() + done, content.size() - done);
      Require(wrote > 0, "write to a memory file");
      done += static_cast<std::size_t>(wrote);
    }
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // Opening the file by its path reads it from its beginning.
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  const int descriptor_;
};

}  // namespace hail::fuzz
