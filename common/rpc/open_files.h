// Limits the connections of a server: all of them to the number of files that the process may have open, less a reserve
// for all other files, and those of one network to a number of their own.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hail::rpc {

// Raises the process's limit of open files to its hard limit. Servers close new connections at once that would use one
// of the last kReservedFiles. Must be called before servers are started. Returns the limit.
//
// Without it, a client with enough silent connections stops a service. gRPC before 1.56 stops listening for good when
// it finds no descriptor for a connection (https://github.com/grpc/grpc/issues/16058), and the process cannot connect
// to the store or the other service again.
int UseAllOpenFiles();

inline constexpr int kReservedFiles = 64;

// From now on servers close new connections at once of a network (limits/network.h) that has `most` open already. 0: no
// limit, as before the first call. Connections of this machine are the edge's in the same pod, or an operator's: they
// are not limited unless `loopback_too` (tests). Only connections that may be limited are counted.
void LimitConnectionsOfNetwork(std::size_t most, bool loopback_too = false);

// New connections that were closed at once for either reason, since the start.
std::uint64_t ConnectionsRefused();

// Connections that are counted now, for tests.
std::size_t ConnectionsCounted();

}  // namespace hail::rpc
