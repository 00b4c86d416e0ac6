// How many connections a server takes on: as many as the process may have files open, less a reserve for everything
// else it opens.
#pragma once

namespace hail::rpc {

// Raises the process's limit of open files as far as it may itself, and has servers refuse connections (close them at
// once) that would eat into the last kReservedFiles. Before servers are started. Returns the limit.
//
// Without it, whoever opens enough connections and says nothing ends a service: gRPC before 1.56 stops listening for
// good when there is no descriptor for one more connection (https://github.com/grpc/grpc/issues/16058), and neither the
// store nor the other service could be reached again.
int UseAllOpenFiles();

inline constexpr int kReservedFiles = 64;

}  // namespace hail::rpc
