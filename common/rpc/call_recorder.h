// What tables of methods (methods.h) and transports report of calls for the audit log.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace hail::rpc {

struct CallContext;

// A call that is to be recorded. Valid during OnCall only.
struct RecordedCall {
  const CallContext& context;
  // "hail.rider.v1.RiderService", "GetRide".
  std::string_view service;
  std::string_view method;
  // The opening of a stream, or a message on it that names a person; otherwise a unary call.
  bool stream = false;
  // The ids that the request names. Empty: none, or it was not read.
  std::string_view person;
  std::string_view ride;
};

// Thread-safe. Called on a transport's threads: must not block.
class CallRecorder {
 public:
  virtual ~CallRecorder() = default;
  // `call` ended with `status`: it was denied (audit/rule.h), or its row wants it recorded.
  virtual void OnCall(const RecordedCall& call, const absl::Status& status) = 0;
};

}  // namespace hail::rpc
