#include "common/rpc/refusal.h"

#include <utility>

#include "common/audit/rule.h"
#include "common/rpc/grpc_call_context.h"

namespace hail::rpc::detail {

void RecordRefusal(Gate* gate, const grpc::CallbackServerContext& context, auth::Caller caller,
                   const std::optional<limits::Network>& network, const MethodName& method, bool stream,
                   const absl::Status& status) {
  CallRecorder* const recorder = gate->options().recorder;
  if (recorder == nullptr || !audit::IsDenied(status)) return;
  const GrpcCallContext call(context, std::move(caller), network, recorder);
  recorder->OnCall({.context = call, .service = method.service, .method = method.method, .stream = stream}, status);
}

}  // namespace hail::rpc::detail
