// Migrates a service's tables in PostgreSQL to the program's version.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/postgres/url.h"

namespace hail::postgres {

// The statements that take a schema from one version to the next, in one transaction. They never change after a
// release. During an upgrade, programs of the previous version run beside the new one: a migration keeps everything
// that they use.
struct Migration {
  std::string sql;
};

// Creates `schema` if it does not exist, and applies the missing `migrations` (migrations[i] leads from version i to i
// + 1). Any number of processes may do so at the same time: a row lock makes them take turns. Blocks for at most
// `patience` if the database does not answer.
//
// FAILED_PRECONDITION if somebody must repair something: the schema is newer than the program; or user, password,
// database or rights are wrong. STORE_UNAVAILABLE if a retry may help.
absl::Status Migrate(const ConnectParams& params, const std::string& schema, const std::vector<Migration>& migrations,
                     absl::Duration patience);

}  // namespace hail::postgres
