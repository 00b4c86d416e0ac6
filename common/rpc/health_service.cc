#include "common/rpc/health_service.h"

#include <optional>
#include <utility>

#include "common/rpc/status.h"
#include "grpc/health/v1/health.pb.h"

namespace hail::rpc {
namespace {

namespace health = grpc::health::v1;
using Bytes = grpc::ByteBuffer;
using ServingStatus = health::HealthCheckResponse::ServingStatus;

ServingStatus StatusOf(bool serving) {
  return serving ? health::HealthCheckResponse::SERVING : health::HealthCheckResponse::NOT_SERVING;
}

absl::Status Ending() {
  return MakeError(absl::StatusCode::kUnavailable, "this service is shutting down",
                   {.reason = Reason::kDraining, .retry_after = absl::Seconds(1)});
}

}  // namespace

// One call of Watch. Keeps only the latest status that is not written yet, so that a slow reader costs no memory.
class HealthService::Watch final : public grpc::ServerWriteReactor<Bytes> {
 public:
  // When done, it unregisters from `owner` (null: it was refused).
  explicit Watch(HealthService* owner) : owner_(owner) {}

  void Tell(ServingStatus status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    next_ = status;
    Pump();
  }
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!end_) end_ = status;
    Pump();
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok && !end_) end_ = absl::CancelledError();
    Pump();
  }
  void OnCancel() override { End(absl::CancelledError()); }
  void OnDone() override {
    if (owner_ != nullptr) owner_->Forget(this);
    delete this;
  }

  // Whether the watched name is served.
  bool known = true;

 private:
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_) return;
    if (end_) {
      finished_ = true;
      Finish(ToGrpc(*end_));
      return;
    }
    if (!next_ || next_ == told_) return;
    told_ = next_;
    health::HealthCheckResponse response;
    response.set_status(*told_);
    message_ = RawService::Write(response);
    writing_ = true;
    StartWrite(&message_);
  }

  HealthService* const owner_;
  absl::Mutex mutex_;
  std::optional<ServingStatus> next_ ABSL_GUARDED_BY(mutex_);
  std::optional<ServingStatus> told_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // Owned by gRPC while writing_.
  Bytes message_;
};

HealthService::HealthService(std::size_t max_watches) : max_watches_(max_watches) {
  using grpc::internal::RpcMethod;
  AddRaw("/grpc.health.v1.Health/Check", RpcMethod::NORMAL_RPC,
         new grpc::internal::CallbackUnaryHandler<Bytes, Bytes>(
             [this](grpc::CallbackServerContext* context, const Bytes* request, Bytes* response) {
               return Check(context, *request, response);
             }));
  AddRaw("/grpc.health.v1.Health/Watch", RpcMethod::SERVER_STREAMING,
         new grpc::internal::CallbackServerStreamingHandler<Bytes, Bytes>(
             [this](grpc::CallbackServerContext*, const Bytes* request) { return StartWatch(*request); }));
}

HealthService::~HealthService() = default;

void HealthService::SetNames(std::vector<std::string> names) { names_.emplace(names.begin(), names.end()); }

grpc::ServerUnaryReactor* HealthService::Check(grpc::CallbackServerContext* context, const Bytes& request,
                                               Bytes* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  health::HealthCheckRequest asked;
  absl::Status status = Read(request, &asked);
  if (status.ok() && !Knows(asked.service())) {
    status = NotFound(Reason::kNotServed, "this address serves no such service");
  }
  if (status.ok()) {
    health::HealthCheckResponse answer;
    absl::MutexLock lock(&mutex_);
    answer.set_status(StatusOf(serving_));
    *response = Write(answer);
  }
  reactor->Finish(ToGrpc(status));
  return reactor;
}

grpc::ServerWriteReactor<Bytes>* HealthService::StartWatch(const Bytes& request) {
  health::HealthCheckRequest asked;
  absl::Status refusal = Read(request, &asked);
  absl::MutexLock lock(&mutex_);
  if (refusal.ok() && ended_) refusal = Ending();
  if (refusal.ok() && watches_.size() >= max_watches_) {
    refusal = Overloaded("too many watches of health are open", absl::Seconds(5));
  }
  if (!refusal.ok()) {
    auto* const refused = new Watch(nullptr);
    refused->End(refusal);
    return refused;
  }
  auto* const watch = new Watch(this);
  watches_.insert(watch);
  watch->known = Knows(asked.service());
  watch->Tell(watch->known ? StatusOf(serving_) : health::HealthCheckResponse::SERVICE_UNKNOWN);
  return watch;
}

void HealthService::SetServing(bool serving) {
  absl::MutexLock lock(&mutex_);
  if (serving_ == serving) return;
  serving_ = serving;
  for (Watch* const watch : watches_) {
    if (watch->known) watch->Tell(StatusOf(serving));
  }
}

void HealthService::End() {
  absl::MutexLock lock(&mutex_);
  ended_ = true;
  for (Watch* const watch : watches_) watch->End(Ending());
}

void HealthService::Forget(Watch* watch) {
  absl::MutexLock lock(&mutex_);
  watches_.erase(watch);
}

std::size_t HealthService::watches() const {
  absl::MutexLock lock(&mutex_);
  return watches_.size();
}

}  // namespace hail::rpc
