#include "common/rpc/unary.h"

#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/failpoint/failpoint.h"
#include "common/rpc/status.h"

namespace hail::rpc::detail {

absl::Status TooLate() {
  return MakeError(absl::StatusCode::kDeadlineExceeded, "the deadline passed before the call began",
                   {.reason = Reason::kOutcomeUnknown});
}

void UnaryReactor::End(const absl::Status& status, std::size_t bytes) {
  code_ = status.code();
  HAIL_FAILPOINT(kReplyUnary);
  gate_->Answer(&answer_, context_->c_call(), bytes, entered_ ? &*entered_ : nullptr);
  // `this` may be deleted when it returns.
  Finish(ToGrpc(status));
}

void UnaryReactor::OnDone() {
  // The same code as for a stream whose client does not read.
  const absl::StatusCode code = answer_.cut() ? absl::StatusCode::kResourceExhausted : code_;
  gate_->observer().OnUnaryDone(method_, code, gate_->Wall() - began_);
  gate_->AnswerTaken(&answer_);
  delete this;
}

}  // namespace hail::rpc::detail
