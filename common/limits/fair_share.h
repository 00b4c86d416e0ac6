// Who holds how much of something that all callers share: the calls in flight, the open streams.
#pragma once

#include <cstddef>

#include "absl/container/flat_hash_map.h"
#include "common/limits/party.h"

namespace hail::limits {

// Pure, not thread-safe. Its size follows what is held: who holds nothing is forgotten.
class FairShare {
 public:
  // Takes one for `who`, for which Leave must follow; or returns false, if `who` holds `most` already. Nobody's is
  // always taken.
  bool Enter(const Key& who, std::size_t most);
  void Leave(const Key& who);
  // For the subject and the network.
  void Leave(const Party& party);

  // How many subjects and networks hold something.
  std::size_t parties() const { return held_.size(); }

 private:
  absl::flat_hash_map<Key, std::size_t> held_;
};

}  // namespace hail::limits
