// The tokens of hail-load's calls.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/client_context.h"
#include "tests/tools/tokens/token_source.h"

namespace hail::load {

// For the whole process, once, before the first call. Without: calls have no tokens.
void SetTokens(std::shared_ptr<TokenSource> tokens);

// Each call and each stream goes through one of these. Thread-safe.
void AuthorizeRider(grpc::ClientContext* context, const std::string& rider_id);
void AuthorizeDriver(grpc::ClientContext* context, const std::string& driver_id);
// For registrations, which are the operator's.
void AuthorizeServer(grpc::ClientContext* context);

}  // namespace hail::load
