#include "common/limits/connections.h"

namespace hail::limits {

bool Connections::Add(int descriptor, const Network& network, std::size_t most) {
  // The kernel gave the number again, so the connection before it is closed, however that went by unseen.
  Remove(descriptor);
  std::size_t& count = counts_[network.bytes];
  if (count >= most) {
    if (count == 0) counts_.erase(network.bytes);
    return false;
  }
  ++count;
  networks_.emplace(descriptor, network.bytes);
  return true;
}

void Connections::Remove(int descriptor) {
  const auto known = networks_.find(descriptor);
  if (known == networks_.end()) return;
  const auto count = counts_.find(known->second);
  if (--count->second == 0) counts_.erase(count);
  networks_.erase(known);
}

}  // namespace hail::limits
