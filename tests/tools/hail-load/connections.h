// Many connections to one address.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpcpp/channel.h"

namespace hail::load {

// Each channel has its own connection, and reconnects quickly.
std::vector<std::shared_ptr<grpc::Channel>> Connect(const std::string& address, int count);

}  // namespace hail::load
