// What the files of common/postgres share of libpq. Internal.
#pragma once

#include <libpq-fe.h>

#include <memory>

#include "absl/status/status.h"
#include "common/postgres/url.h"

namespace hail::postgres {

using ConnPtr = std::unique_ptr<pg_conn, void (*)(pg_conn*)>;

// Begins to connect; PQconnectPoll goes on.
ConnPtr StartConnect(const ConnectParams& params);

// Why the connection could not be made: FAILED_PRECONDITION where somebody must mend something first (user, password,
// database, rights), STORE_UNAVAILABLE where waiting may help.
absl::Status ConnectFailure(const pg_conn* conn);

// Why a command failed; see connection.h.
absl::Status CommandFailure(const pg_result* result);

}  // namespace hail::postgres
