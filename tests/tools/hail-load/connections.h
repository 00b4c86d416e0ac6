// Many connections to one address.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpcpp/channel.h"
#include "grpcpp/security/credentials.h"

namespace hail::load {

// For all channels made from now on; null: plaintext. Call it before there are threads.
void UseCredentials(std::shared_ptr<grpc::ChannelCredentials> credentials);

// Each channel has its own connection, and reconnects quickly.
std::vector<std::shared_ptr<grpc::Channel>> Connect(const std::string& address, int count);

}  // namespace hail::load
