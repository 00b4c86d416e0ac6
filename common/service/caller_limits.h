// The limits of callers, as they are configured.
#pragma once

#include "common/config/limit_keys.h"
#include "common/rpc/call_recorder.h"
#include "common/rpc/gate.h"

namespace hail {

// `options` with the limits of `settings`, and with `recorder` for the calls (may be null).
rpc::GateOptions LimitedBy(const config::LimitSettings& settings, rpc::CallRecorder* recorder,
                           rpc::GateOptions options);

}  // namespace hail
