// Answers every method that a server does not have, instead of gRPC, which gives no reason.
#pragma once

#include "absl/status/status.h"
#include "common/rpc/gate.h"
#include "grpcpp/generic/async_generic_service.h"

namespace hail::rpc {

class RefusingService final : public grpc::CallbackGenericService {
 public:
  // `observer` (may be null) gets each call as a unary call, with one name for all methods: names invented by clients
  // must not become labels. It must outlive the server.
  RefusingService(absl::Status refusal, CallObserver* observer);

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

 private:
  const absl::Status refusal_;
  CallObserver* const observer_;
};

// UNIMPLEMENTED, NOT_SERVED: the method is served elsewhere, or nowhere.
absl::Status NoSuchMethod();

}  // namespace hail::rpc
