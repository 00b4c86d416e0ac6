// The answer to every method that a server does not have, in place of gRPC's own, which gives no reason.
#pragma once

#include "absl/status/status.h"
#include "common/rpc/gate.h"
#include "grpcpp/generic/async_generic_service.h"

namespace hail::rpc {

class RefusingService final : public grpc::CallbackGenericService {
 public:
  // `observer` (may be null) is told of each call as of a unary one, under one name for all methods: names that
  // strangers make up are no labels. It must outlive the server.
  RefusingService(absl::Status refusal, CallObserver* observer);

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

 private:
  const absl::Status refusal_;
  CallObserver* const observer_;
};

// UNIMPLEMENTED, NOT_SERVED: a client that asks here for what is served elsewhere, or nowhere.
absl::Status NoSuchMethod();

}  // namespace hail::rpc
