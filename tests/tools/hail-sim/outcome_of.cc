#include "tests/tools/hail-sim/outcome_of.h"

#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/rpc/status.h"

namespace hail::sim {
namespace {

Outcome OutcomeOf(const absl::Status& status) {
  Outcome outcome;
  outcome.code = static_cast<int>(status.code());
  outcome.message = std::string(status.message());
  if (const std::optional<ErrorDetails> details = DetailsOf(status)) {
    outcome.reason = std::string(ReasonName(details->reason));
    outcome.retry_after = details->retry_after;
  }
  return outcome;
}

}  // namespace

Outcome OutcomeOf(const grpc::Status& status) { return OutcomeOf(rpc::FromGrpc(status)); }
Outcome OutcomeOf(const google::rpc::Status& status) { return OutcomeOf(rpc::FromProto(status)); }

}  // namespace hail::sim
