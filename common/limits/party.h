// On whose account a call goes.
#pragma once

#include "common/limits/key.h"

namespace hail::limits {

// The default is on nobody's: only the limits that all calls share hold for it.
struct Party {
  // The caller, if known.
  Key subject;
  // The caller's own network, if known.
  Key network;

  friend bool operator==(const Party&, const Party&) = default;
};

}  // namespace hail::limits
