#include "tests/tools/powerloss/unsynced.h"

#include <algorithm>
#include <utility>

namespace hail::powerloss {
namespace {

constexpr std::int64_t kChunk = 4096;
constexpr std::int64_t kSector = 512;

std::size_t Below(std::mt19937_64& random, std::size_t bound) { return static_cast<std::size_t>(random() % bound); }
bool Coin(std::mt19937_64& random) { return (random() & 1) != 0; }

}  // namespace

void Unsynced::Begin(std::int64_t base_size) {
  if (!changes_.empty()) return;
  size_ = synced_size_ = base_limit_ = base_size;
}

void Unsynced::Write(std::int64_t offset, std::string_view bytes, std::int64_t base_size, const ReadBase& base) {
  Begin(base_size);
  const std::int64_t end = offset + static_cast<std::int64_t>(bytes.size());
  for (std::int64_t at = offset; at < end;) {
    const std::int64_t number = at / kChunk;
    auto chunk = chunks_.find(number);
    if (chunk == chunks_.end()) {
      std::string content(kChunk, '\0');
      const std::int64_t there = std::min(kChunk, base_limit_ - number * kChunk);
      if (there > 0) base(number * kChunk, content.data(), static_cast<std::size_t>(there));
      chunk = chunks_.emplace(number, std::move(content)).first;
    }
    const std::int64_t in_chunk = at % kChunk;
    const std::int64_t count = std::min(end - at, kChunk - in_chunk);
    chunk->second.replace(static_cast<std::size_t>(in_chunk), static_cast<std::size_t>(count),
                          bytes.substr(static_cast<std::size_t>(at - offset), static_cast<std::size_t>(count)));
    at += count;
  }
  size_ = std::max(size_, end);
  changes_.push_back({offset, std::string(bytes), false});
}

void Unsynced::Truncate(std::int64_t size, std::int64_t base_size) {
  Begin(base_size);
  base_limit_ = std::min(base_limit_, size);
  if (size < size_) {
    const std::int64_t last = size / kChunk;
    chunks_.erase(chunks_.upper_bound(last), chunks_.end());
    if (const auto chunk = chunks_.find(last); chunk != chunks_.end()) {
      const auto kept = static_cast<std::size_t>(size % kChunk);
      chunk->second.replace(kept, std::string::npos, kChunk - kept, '\0');
    }
  }
  size_ = size;
  changes_.push_back({size, "", true});
}

void Unsynced::Clear() {
  changes_.clear();
  chunks_.clear();
}

std::size_t Unsynced::Read(std::int64_t offset, char* to, std::size_t size, const ReadBase& base) const {
  const std::int64_t end = std::min(offset + static_cast<std::int64_t>(size), size_);
  if (offset >= end) return 0;
  std::fill(to, to + (end - offset), '\0');
  for (std::int64_t at = offset; at < end;) {
    const std::int64_t in_chunk = at % kChunk;
    const std::int64_t count = std::min(end - at, kChunk - in_chunk);
    if (const auto chunk = chunks_.find(at / kChunk); chunk != chunks_.end()) {
      chunk->second.copy(to + (at - offset), static_cast<std::size_t>(count), static_cast<std::size_t>(in_chunk));
    } else if (const std::int64_t there = std::min(count, base_limit_ - at); there > 0) {
      base(at, to + (at - offset), static_cast<std::size_t>(there));
    }
    at += count;
  }
  return static_cast<std::size_t>(end - offset);
}

std::vector<Change> Unsynced::Survivors(std::mt19937_64& random) const {
  // 0: none; 1: all; 2: the first ones; else: any of them, with odds that differ between cuts.
  const std::size_t way = Below(random, 8);
  if (changes_.empty() || way == 0) return {};
  if (way == 1) return changes_;
  std::vector<const Change*> chosen;
  if (way == 2) {
    const std::size_t count = 1 + Below(random, changes_.size());
    for (std::size_t i = 0; i < count; ++i) chosen.push_back(&changes_[i]);
  } else {
    const std::size_t percent = way == 3 ? 10 : way == 4 ? 90 : 50;
    for (const Change& change : changes_) {
      if (Below(random, 100) < percent) chosen.push_back(&change);
    }
  }
  if (chosen.empty()) return {};
  // The disk writes in any order, so any of the chosen may have been its last.
  const std::size_t torn = way == 2 ? chosen.size() - 1 : Below(random, chosen.size());
  std::vector<Change> out;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (i == torn && !chosen[i]->truncate) {
      Tear(*chosen[i], random, out);
    } else {
      out.push_back(*chosen[i]);
    }
  }
  return out;
}

void Unsynced::Tear(const Change& change, std::mt19937_64& random, std::vector<Change>& out) const {
  const std::size_t size = change.bytes.size();
  switch (Below(random, 4)) {
    case 0:  // the first bytes
      out.push_back({change.offset, change.bytes.substr(0, Below(random, size + 1)), false});
      return;
    case 1: {  // the last bytes
      const std::size_t from = Below(random, size + 1);
      out.push_back({change.offset + static_cast<std::int64_t>(from), change.bytes.substr(from), false});
      return;
    }
    case 2: {  // some of the sectors
      const std::int64_t end = change.offset + static_cast<std::int64_t>(size);
      for (std::int64_t at = change.offset; at < end;) {
        const std::int64_t next = std::min(end, (at / kSector + 1) * kSector);
        if (Coin(random)) {
          out.push_back(
              {at,
               change.bytes.substr(static_cast<std::size_t>(at - change.offset), static_cast<std::size_t>(next - at)),
               false});
        }
        at = next;
      }
      return;
    }
    default: {  // the file has grown already, but its new end does not hold the data yet
      const std::int64_t end = change.offset + static_cast<std::int64_t>(size);
      const std::int64_t from = std::max(change.offset, synced_size_);
      if (from >= end) {
        out.push_back({change.offset, change.bytes.substr(0, Below(random, size + 1)), false});
        return;
      }
      std::string content = change.bytes;
      const bool garbage = Coin(random);
      for (std::int64_t at = from; at < end; ++at) {
        content[static_cast<std::size_t>(at - change.offset)] = garbage ? static_cast<char>(random()) : '\0';
      }
      out.push_back({change.offset, std::move(content), false});
    }
  }
}

}  // namespace hail::powerloss
