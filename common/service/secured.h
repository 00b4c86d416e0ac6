// What a service does, besides TLS and tokens, because strangers must not learn what it knows.
#pragma once

#include <string>
#include <vector>

#include "common/config/service_keys.h"

namespace hail {

// Whether the service protects itself: with TLS, or by who calls.
bool IsSecured(const config::ServiceSettings& settings);

// Leaves no copy of the process's memory, which holds keys, tokens and addresses: no core dumps, and no other process
// of this user may read it. Call it early in main, if IsSecured.
void KeepMemoryPrivate();

// What the operator may not have meant: a line each for the log. Empty: nothing.
std::vector<std::string> Doubts(const config::ServiceSettings& settings);

// Logs Doubts as warnings (`doubtful_setting`).
void LogDoubts(const config::ServiceSettings& settings);

}  // namespace hail
