// libpq helpers that the files of common/postgres share. Internal.
#pragma once

#include <libpq-fe.h>

#include <memory>

#include "absl/status/status.h"
#include "common/postgres/url.h"

namespace hail::postgres {

using ConnPtr = std::unique_ptr<pg_conn, void (*)(pg_conn*)>;

// Begins to connect; PQconnectPoll continues.
ConnPtr StartConnect(const ConnectParams& params);

// Why the connection failed: FAILED_PRECONDITION if somebody must repair something first (user, password, database,
// rights), STORE_UNAVAILABLE if waiting may help.
absl::Status ConnectFailure(const pg_conn* conn);

// Why a command failed; see connection.h.
absl::Status CommandFailure(const pg_result* result);

}  // namespace hail::postgres
