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

// The holders who are alive, for an IN of a statement. A lease that ends later than any can is from before the
// database's clock was set back: the dead would live on for as long. Who is alive renews it within a second.
inline constexpr char kHoldersAlive[] =
    "(SELECT holder FROM leases WHERE lease_end > clock_timestamp()"
    " AND lease_end <= clock_timestamp() + interval '1 minute')";

// What a pool that is used for the calls below has to be told of.
std::vector<const Statement*> LeaseStatements();

// Both are thread-safe, wait behind no other write, and may be called again whatever came of it. `done` runs once, as
// the answer of a write; errors are those of Pool::Write. `holder` names one run of one process, as UUIDs do.

// `holder` is alive until `lease` from now. FAILED_PRECONDITION if it has ended its lease. Forgets who has been dead
// for an hour.
void RenewLease(Pool& pool, const std::string& holder, absl::Duration lease, std::function<void(absl::Status)> done);

// `holder` is not alive any more, and never again: a renewal that is still under way, on another connection or behind
// one that was lost, comes to nothing whenever it lands.
void EndLease(Pool& pool, const std::string& holder, std::function<void(absl::Status)> done);

}  // namespace hail::postgres
