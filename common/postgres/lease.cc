#include "common/postgres/lease.h"

#include <utility>

#include "absl/status/statusor.h"

namespace hail::postgres {
namespace {

const Statement kRenew{
    "INSERT INTO leases (holder, lease_end) VALUES ($1, clock_timestamp() + $2 * interval '1 microsecond')"
    " ON CONFLICT (holder) DO UPDATE SET lease_end = EXCLUDED.lease_end WHERE NOT leases.ended RETURNING 1"};
// The row stays, so that a late renewal finds it ended.
const Statement kEnd{
    "INSERT INTO leases (holder, lease_end, ended) VALUES ($1, clock_timestamp(), TRUE)"
    " ON CONFLICT (holder) DO UPDATE SET lease_end = EXCLUDED.lease_end, ended = TRUE"};
const Statement kForget{"DELETE FROM leases WHERE lease_end < clock_timestamp() - interval '1 hour'"};

// Sorts after all other keys of a transaction, because every pruning locks the rows of dead holders.
constexpr char kKey[] = "~";

}  // namespace

std::vector<const Statement*> LeaseStatements() { return {&kRenew, &kEnd, &kForget}; }

void RenewLease(Pool& pool, const std::string& holder, absl::Duration lease, std::function<void(absl::Status)> done) {
  std::vector<Command> commands;
  commands.push_back({&kRenew, Params::Of(holder, absl::ToInt64Microseconds(lease))});
  commands.push_back({&kForget, Params()});
  pool.Write(
      std::move(commands), kKey, absl::InfiniteFuture(),
      [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) {
        if (!rows.ok()) return done(rows.status());
        done(rows->front().size() == 1 ? absl::OkStatus() : absl::FailedPreconditionError("the lease was ended"));
      },
      Pool::Work::kFirst);
}

void EndLease(Pool& pool, const std::string& holder, std::function<void(absl::Status)> done) {
  std::vector<Command> commands;
  commands.push_back({&kEnd, Params::Of(holder)});
  pool.Write(
      std::move(commands), kKey, absl::InfiniteFuture(),
      [done = std::move(done)](const absl::StatusOr<std::vector<Rows>>& rows) { done(rows.status()); },
      Pool::Work::kFirst);
}

}  // namespace hail::postgres
