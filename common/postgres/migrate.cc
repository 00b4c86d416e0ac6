#include "common/postgres/migrate.h"

#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/errors/status_macros.h"
#include "common/postgres/libpq.h"
#include "common/time/clock.h"

namespace hail::postgres {
namespace {

// Two processes may create the same object at the same time; one of them then fails despite IF NOT EXISTS.
constexpr int kMaxAttempts = 5;

absl::StatusOr<ConnPtr> Connect(const ConnectParams& params, absl::Time by) {
  ConnPtr conn = StartConnect(params);
  if (conn == nullptr || PQstatus(conn.get()) == CONNECTION_BAD) return ConnectFailure(conn.get());
  for (PostgresPollingStatusType poll_for = PGRES_POLLING_WRITING; poll_for != PGRES_POLLING_OK;
       poll_for = PQconnectPoll(conn.get())) {
    if (poll_for == PGRES_POLLING_FAILED) return ConnectFailure(conn.get());
    pollfd polled{.fd = PQsocket(conn.get()),
                  .events = static_cast<short>(poll_for == PGRES_POLLING_READING ? POLLIN : POLLOUT),
                  .revents = 0};
    const auto left = std::max<std::int64_t>(0, absl::ToInt64Milliseconds(by - WallNow()));
    if (poll(&polled, 1, static_cast<int>(left)) == 0) {
      return Unavailable(Reason::kStoreUnavailable, "the database does not answer");
    }
  }
  PQsetErrorVerbosity(conn.get(), PQERRORS_DEFAULT);
  return conn;
}

class Migrator {
 public:
  Migrator(ConnPtr conn, const std::string& schema, const std::vector<Migration>& migrations)
      : conn_(std::move(conn)), schema_(schema), migrations_(migrations) {}

  absl::Status Run() {
    HAIL_ASSIGN_OR_RETURN(bool made, HasSchema());
    if (!made) {
      HAIL_RETURN_IF_ERROR(Do(absl::StrCat("CREATE SCHEMA IF NOT EXISTS ", schema_)));
    }
    for (const std::string& sql : {absl::StrCat("SET search_path TO ", schema_),
                                   std::string("CREATE TABLE IF NOT EXISTS schema_version ("
                                               "one INTEGER PRIMARY KEY, version INTEGER NOT NULL)"),
                                   std::string("INSERT INTO schema_version (one, version) VALUES (1, 0)"
                                               " ON CONFLICT (one) DO NOTHING")}) {
      HAIL_RETURN_IF_ERROR(Do(sql));
    }
    while (true) {
      HAIL_ASSIGN_OR_RETURN(const bool more, Step());
      if (!more) return absl::OkStatus();
    }
  }

 private:
  // The rows of one statement, as text.
  absl::StatusOr<std::vector<std::string>> Ask(const std::string& sql) {
    const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(conn_.get(), sql.c_str()), PQclear);
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      return result == nullptr ? ConnectFailure(conn_.get()) : CommandFailure(result.get());
    }
    std::vector<std::string> rows;
    for (int i = 0; i < PQntuples(result.get()); ++i) rows.emplace_back(PQgetvalue(result.get(), i, 0));
    return rows;
  }
  absl::Status Do(const std::string& sql) { return Ask(sql).status(); }

  // A user may have the right to use a schema, but not to create one.
  absl::StatusOr<bool> HasSchema() {
    HAIL_ASSIGN_OR_RETURN(const std::vector<std::string> found,
                          Ask(absl::StrCat("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = '", schema_, "'")));
    return !found.empty();
  }

  // Applies one migration; false if none is missing.
  absl::StatusOr<bool> Step() {
    HAIL_RETURN_IF_ERROR(Do("BEGIN"));
    absl::StatusOr<bool> stepped = StepInTransaction();
    const absl::Status ended = Do(stepped.ok() ? "COMMIT" : "ROLLBACK");
    if (stepped.ok() && !ended.ok()) return ended;
    return stepped;
  }

  absl::StatusOr<bool> StepInTransaction() {
    // Other processes wait here until this one has committed.
    const auto rows = Ask("SELECT version FROM schema_version WHERE one = 1 FOR UPDATE");
    if (!rows.ok()) return rows.status();
    if (rows->size() != 1) return absl::FailedPreconditionError("schema_version has no row");
    const int version = std::atoi((*rows)[0].c_str());
    const int known = static_cast<int>(migrations_.size());
    if (version > known) {
      return absl::FailedPreconditionError(absl::StrCat("the schema ", schema_, " is of version ", version,
                                                        ", this program knows ", known,
                                                        " at most: run the program that made it, or a newer one"));
    }
    if (version == known) return false;
    HAIL_RETURN_IF_ERROR(Do(migrations_[static_cast<std::size_t>(version)].sql));
    const absl::Status noted = Do(absl::StrCat("UPDATE schema_version SET version = ", version + 1, " WHERE one = 1"));
    if (!noted.ok()) return noted;
    return true;
  }

  const ConnPtr conn_;
  const std::string& schema_;
  const std::vector<Migration>& migrations_;
};

}  // namespace

absl::Status Migrate(const ConnectParams& params, const std::string& schema, const std::vector<Migration>& migrations,
                     absl::Duration patience) {
  const absl::Time by = WallNow() + patience;
  absl::Status status;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    HAIL_ASSIGN_OR_RETURN(ConnPtr conn, Connect(params, by));
    status = Migrator(std::move(conn), schema, migrations).Run();
    // 42P07, duplicate_table, is a FAILED_PRECONDITION too; the second attempt succeeds.
    if (status.ok()) return status;
  }
  return absl::IsAlreadyExists(status) || absl::IsAborted(status)
             ? Unavailable(Reason::kStoreUnavailable, std::string(status.message()))
             : status;
}

}  // namespace hail::postgres
