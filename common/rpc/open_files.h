// Limits the connections of a server to the number of files that the process may have open, less a reserve for all
// other files.
#pragma once

namespace hail::rpc {

// Raises the process's limit of open files to its hard limit. Servers close new connections at once that would use one
// of the last kReservedFiles. Must be called before servers are started. Returns the limit.
//
// Without it, a client with enough silent connections stops a service. gRPC before 1.56 stops listening for good when
// it finds no descriptor for a connection (https://github.com/grpc/grpc/issues/16058), and the process cannot connect
// to the store or the other service again.
int UseAllOpenFiles();

inline constexpr int kReservedFiles = 64;

}  // namespace hail::rpc
