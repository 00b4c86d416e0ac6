#include "common/rpc/unary.h"

#include "common/failpoint/failpoint.h"
#include "common/rpc/status.h"

namespace hail::rpc::detail {

void UnaryReactor::End(const absl::Status& status) {
  code_ = status.code();
  HAIL_FAILPOINT(kReplyUnary);
  Finish(ToGrpc(status));
}

void UnaryReactor::OnDone() {
  Gate* const gate = gate_;
  const bool entered = entered_;
  gate->observer().OnUnaryDone(method_, code_, gate->Wall() - began_);
  delete this;
  if (entered) gate->LeaveUnary();
}

}  // namespace hail::rpc::detail
