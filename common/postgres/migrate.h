// Takes a service's tables in PostgreSQL to the version the program knows.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/postgres/url.h"

namespace hail::postgres {

// The statements that take a schema from one version to the next, in one transaction. Once released, they stay as they
// are. Programs of the version before run beside it while an upgrade is under way: what they use stays.
struct Migration {
  std::string sql;
};

// Makes `schema` if it is not there and applies what of `migrations` (migrations[i] leads from version i to i + 1) was
// not. Any number of processes may do so at the same time: a row that each locks lets one after the other. Blocks for
// `patience` at most, where the database does not answer.
//
// FAILED_PRECONDITION where somebody must mend something: the schema is newer than the program, user, password,
// database or rights are wrong. STORE_UNAVAILABLE where it may be tried again.
absl::Status Migrate(const ConnectParams& params, const std::string& schema, const std::vector<Migration>& migrations,
                     absl::Duration patience);

}  // namespace hail::postgres
