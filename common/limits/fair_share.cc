#include "common/limits/fair_share.h"

#include "common/errors/check.h"

namespace hail::limits {

bool FairShare::Enter(const Key& who, std::size_t most) {
  if (!who) return true;
  const auto [held, is_new] = held_.try_emplace(who, 0);
  if (held->second >= most) {
    if (is_new) held_.erase(held);
    return false;
  }
  ++held->second;
  return true;
}

void FairShare::Leave(const Key& who) {
  if (!who) return;
  const auto held = held_.find(who);
  HAIL_CHECK(held != held_.end());
  if (--held->second == 0) held_.erase(held);
}

void FairShare::Leave(const Party& party) {
  Leave(party.subject);
  Leave(party.network);
}

}  // namespace hail::limits
