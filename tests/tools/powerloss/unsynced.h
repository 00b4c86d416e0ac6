// What was written to one file since its last sync, and what a power cut may leave of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace hail::powerloss {

// One change to a file: bytes at an offset or, with `truncate`, the file's new size.
struct Change {
  std::int64_t offset = 0;
  std::string bytes;
  bool truncate = false;
};

// Not thread-safe. The file on the disk is the base; this holds what lies over it. Bytes are kept until Clear(), also
// those that have leaked to the disk meanwhile.
class Unsynced {
 public:
  // Reads the base: as many bytes as there are, at most `size`.
  using ReadBase = std::function<std::size_t(std::int64_t offset, char* to, std::size_t size)>;

  // `base_size` is the base's size; it counts with the first change only.
  void Write(std::int64_t offset, std::string_view bytes, std::int64_t base_size, const ReadBase& base);
  void Truncate(std::int64_t size, std::int64_t base_size);
  // Everything has reached the disk.
  void Clear();

  bool empty() const { return changes_.empty(); }
  // In the order they came; applied in that order they make the file what programs see.
  const std::vector<Change>& changes() const { return changes_; }

  // The file as programs see it. Only while not empty: otherwise it is the base.
  std::int64_t size() const { return size_; }
  // As many bytes as there are, at most `size`.
  std::size_t Read(std::int64_t offset, char* to, std::size_t size, const ReadBase& base) const;

  // What of the changes reached a disk whose power failed now, drawn from `random`: none, all, some, in whatever order
  // the disk chose; the last of them torn at any byte or with only some of its sectors written; what lies behind the
  // end the file had at the last sync possibly zeros or garbage. A disk keeps the order of writes to one sector, so
  // the answer is to be applied in its order.
  std::vector<Change> Survivors(std::mt19937_64& random) const;

 private:
  void Begin(std::int64_t base_size);
  void Tear(const Change& change, std::mt19937_64& random, std::vector<Change>& out) const;

  std::vector<Change> changes_;
  std::int64_t size_ = 0;
  std::int64_t synced_size_ = 0;
  // Base bytes from here on are not part of the file.
  std::int64_t base_limit_ = 0;
  // The present content of all that was touched, by chunk.
  std::map<std::int64_t, std::string> chunks_;
};

}  // namespace hail::powerloss
