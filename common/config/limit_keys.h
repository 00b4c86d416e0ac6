// The configuration keys of limits and of the audit log, which both services have.
#pragma once

#include <cstddef>
#include <string>

#include "common/config/schema.h"
#include "common/limits/call_rates.h"

namespace hail::config {

// Declares limits.read and the other classes of common/limits/call_rates.h, limits.address, limits.buckets,
// limits.subject_share, limits.address_share, limits.streams_per_subject, limits.connections_per_address and
// audit.file.
void AddLimitKeys(Schema* schema);

// The values of those keys, ready for use.
struct LimitSettings {
  limits::CallLimits rates;
  // See rpc::GateOptions.
  double subject_share = 0;
  double network_share = 0;
  std::size_t streams_of_subject = 0;
  // 0: no limit.
  int connections_of_network = 0;
  // Empty: among the ordinary log.
  std::string audit_file;
};

// `values` must come from a schema that AddLimitKeys filled.
LimitSettings ReadLimitSettings(const Values& values);

}  // namespace hail::config
