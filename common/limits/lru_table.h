// A table of limited size: the entry that was not used for the longest time makes room for a new one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>

#include "absl/container/flat_hash_map.h"
#include "common/limits/key.h"

namespace hail::limits {

// Grows as keys come, up to `most` entries. An entry takes sizeof(Value) + 24 bytes, and 28 to 57 bytes in the index:
// tests/unit/common/limits/lru_table_test.cc measures a million. Not thread-safe.
template <typename Value>
class LruTable {
 public:
  // `most`: 1 to 2^32 - 2.
  explicit LruTable(std::size_t most) : most_(most) {}

  // The entry of `key`, a new one (Value{}) if there is none. It is now the one used last. Valid until the next call.
  Value& Use(const Key& key) {
    const auto [found, is_new] = index_.try_emplace(key, static_cast<std::uint32_t>(entries_.size()));
    std::uint32_t at = found->second;
    if (!is_new) {
      if (at == newest_) return entries_[at].value;
      Unlink(at);
    } else if (entries_.size() < most_) {
      entries_.emplace_back();
      entries_[at].key = key;
    } else {
      at = oldest_;
      Unlink(at);
      found->second = at;
      index_.erase(entries_[at].key);
      entries_[at].key = key;
      entries_[at].value = Value{};
    }
    Append(at);
    return entries_[at].value;
  }

  std::size_t size() const { return entries_.size(); }

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  struct Entry {
    Key key;
    Value value{};
    std::uint32_t older = kNone;
    std::uint32_t newer = kNone;
  };

  void Unlink(std::uint32_t at) {
    const Entry& entry = entries_[at];
    (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
    (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
  }
  void Append(std::uint32_t at) {
    entries_[at].older = newest_;
    entries_[at].newer = kNone;
    (newest_ == kNone ? oldest_ : entries_[newest_].newer) = at;
    newest_ = at;
  }

  const std::size_t most_;
  absl::flat_hash_map<Key, std::uint32_t> index_;
  std::deque<Entry> entries_;
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
};

}  // namespace hail::limits
