// How many connections a process may have.
#pragma once

namespace hail {

// Raises the limit on open files to what the system allows: each connection is one, shells often set 1024, and gRPC's
// listener takes no connections any more once it met the limit.
void AllowManyFiles();

}  // namespace hail
