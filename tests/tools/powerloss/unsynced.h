// The changes to one file since its last sync, and the part of them that a power cut may leave.
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

// Not thread-safe. The file on the disk is the base; this holds the changes over it. Bytes are kept until Clear(), even
// if they have leaked to the disk meanwhile.
class Unsynced {
 public:
  // Reads the base: as many bytes as exist, at most `size`.
  using ReadBase = std::function<std::size_t(std::int64_t offset, char* to, std::size_t size)>;

  // `base_size` is the base's size; only the first change uses it.
  void Write(std::int64_t offset, std::string_view bytes, std::int64_t base_size, const ReadBase& base);
  void Truncate(std::int64_t size, std::int64_t base_size);
  // All changes have reached the disk.
  void Clear();

  bool empty() const { return changes_.empty(); }
  // In the order of arrival; applied in that order they turn the base into the file that programs see.
  const std::vector<Change>& changes() const { return changes_; }

  // The size of the file as programs see it. Only while not empty: otherwise the file equals the base.
  std::int64_t size() const { return size_; }
  // Reads as many bytes as exist, at most `size`.
  std::size_t Read(std::int64_t offset, char* to, std::size_t size, const ReadBase& base) const;

  // The changes that reached a disk whose power failed now, drawn from `random`: none, all, or some, in any order that
  // the disk chose. The last one may be torn at any byte, or have only some of its sectors written. Bytes behind the
  // end that the file had at the last sync may be zeros or garbage. A disk keeps the order of writes to one sector, so
  // apply the result in its order.
  std::vector<Change> Survivors(std::mt19937_64& random) const;

 private:
  void Begin(std::int64_t base_size);
  void Tear(const Change& change, std::mt19937_64& random, std::vector<Change>& out) const;

  std::vector<Change> changes_;
  std::int64_t size_ = 0;
  std::int64_t synced_size_ = 0;
  // Base bytes from this offset on are not part of the file.
  std::int64_t base_limit_ = 0;
  // The present content of all changed chunks.
  std::map<std::int64_t, std::string> chunks_;
};

}  // namespace hail::powerloss
