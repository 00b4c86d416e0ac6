// Channels as docs/clients.md requires.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/channel.h"
#include "grpcpp/security/credentials.h"

namespace hail::sim {

// With a connection of its own. Of several replicas (ipv4:IP:PORT,IP:PORT) each call goes to the next one.
// `credentials` null: plaintext.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           std::shared_ptr<grpc::ChannelCredentials> credentials);

}  // namespace hail::sim
