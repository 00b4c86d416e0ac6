#include "common/rpc/refusing_service.h"

#include <utility>

#include "absl/time/time.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/rpc/status.h"

namespace hail::rpc {
namespace {

// The metric label of all such calls.
constexpr char kMethod[] = "NotServed";

class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const absl::Status& status) { Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

RefusingService::RefusingService(absl::Status refusal, CallObserver* observer)
    : refusal_(std::move(refusal)), observer_(observer) {}

grpc::ServerGenericBidiReactor* RefusingService::CreateReactor(grpc::GenericCallbackServerContext*) {
  if (observer_ != nullptr) observer_->OnUnaryDone(kMethod, refusal_.code(), absl::ZeroDuration());
  return new Refusal(refusal_);
}

absl::Status NoSuchMethod() {
  return MakeError(absl::StatusCode::kUnimplemented, "this address serves no such method",
                   {.reason = Reason::kNotServed});
}

}  // namespace hail::rpc
