// How many connections each network has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "common/limits/network.h"

namespace hail::limits {

// By the descriptors of the process. Pure, not thread-safe.
class Connections {
 public:
  // Counts a new connection; or returns false, if `network` has `most` already.
  bool Add(int descriptor, const Network& network, std::size_t most);
  // Whatever was open at `descriptor` is closed; nothing, if it is unknown.
  void Remove(int descriptor);

  std::size_t size() const { return networks_.size(); }

 private:
  using Bytes = std::array<std::uint8_t, 16>;

  absl::flat_hash_map<int, Bytes> networks_;
  absl::flat_hash_map<Bytes, std::size_t> counts_;
};

}  // namespace hail::limits
