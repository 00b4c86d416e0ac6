// Leases: which of the processes that share a schema are alive, by the database's clock. A table of the schema has one
// row per process.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/postgres/pool.h"
#include "common/postgres/statement.h"

namespace hail::postgres {

// Creates the table; for a migration.
inline constexpr char kMakeLeases[] = R"sql(
-- The processes that share the tables; one is alive while lease_end is to come, by the database's clock.
CREATE TABLE leases (
  holder    TEXT PRIMARY KEY,
  lease_end TIMESTAMPTZ NOT NULL,
  ended     BOOLEAN NOT NULL DEFAULT FALSE  -- given up, for good
);
)sql";

// The living holders, for an IN of a statement. A lease that ends later than possible was written before the database's
// clock was set back. It does not count, because a dead holder would otherwise stay alive for that long. A living
// holder renews its lease within a second.
inline constexpr char kHoldersAlive[] =
    "(SELECT holder FROM leases WHERE lease_end > clock_timestamp()"
    " AND lease_end <= clock_timestamp() + interval '1 minute')";

// The statements that a pool needs for the calls below.
std::vector<const Statement*> LeaseStatements();

// Both are thread-safe, wait behind no other write, and may be repeated after any outcome. `done` runs once, like the
// answer of a write; errors are those of Pool::Write. `holder` names one run of one process, for example by a UUID.

// Extends the lease of `holder` to `lease` from now. FAILED_PRECONDITION if the holder has ended its lease. Deletes
// holders that have been dead for an hour.
void RenewLease(Pool& pool, const std::string& holder, absl::Duration lease, std::function<void(absl::Status)> done);

// Ends the lease of `holder` for good: a renewal that reaches the server later, on another or a lost connection, has no
// effect.
void EndLease(Pool& pool, const std::string& holder, std::function<void(absl::Status)> done);

}  // namespace hail::postgres
