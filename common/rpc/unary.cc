#include "common/rpc/unary.h"

namespace hail::rpc::detail {

void UnaryReactor::OnDone() {
  Gate* const gate = gate_;
  const bool entered = entered_;
  gate->observer().OnUnaryDone(method_, code_, gate->Wall() - began_);
  delete this;
  if (entered) gate->LeaveUnary();
}

}  // namespace hail::rpc::detail
