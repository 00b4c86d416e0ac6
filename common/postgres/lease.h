// Leases: which of the processes that share a schema are alive, by the database's clock. A table of the schema that has
// a row for each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/postgres/pool.h"
#include "common/postgres/statement.h"

namespace hail::postgres {

// The table, for a migration.
inline constexpr char kMakeLeases[] = R"sql(
-- The processes that share the tables; one is alive while lease_end is to come, by the database's clock.
CREATE TABLE leases (
  holder    TEXT PRIMARY KEY,
  lease_end TIMESTAMPTZ NOT NULL,
  ended     BOOLEAN NOT NULL DEFAULT FALSE  -- given up, for good
);
)sql";

// The living holders, for an IN of a statement. A lease that ends later than possible dates from before the database's
// clock was set back; it does not count, because a dead holder would live on for as long. A living one renews its lease
// within a second.
inline constexpr char kHoldersAlive[] =
    "(SELECT holder FROM leases WHERE lease_end > clock_timestamp()"
    " AND lease_end <= clock_timestamp() + interval '1 minute')";

// The statements that a pool needs for the calls below.
std::vector<const Statement*> LeaseStatements();

// Both are thread-safe, wait behind no other write, and may be repeated after any outcome. `done` runs once, as
// the answer of a write; errors are those of Pool::Write. `holder` names one run of one process, as UUIDs do.

// `holder` is alive until `lease` from now. FAILED_PRECONDITION if it has ended its lease. Deletes holders that have
// been dead for an hour.
void RenewLease(Pool& pool, const std::string& holder, absl::Duration lease, std::function<void(absl::Status)> done);

// `holder` is not alive any more, and never again: a renewal still under way, on another connection or after a lost
// one, has no effect whenever the server gets it.
void EndLease(Pool& pool, const std::string& holder, std::function<void(absl::Status)> done);

}  // namespace hail::postgres
