// A PostgreSQL of Debian's package for tests: temporary data, its own socket, stopped by its destructor.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/conformance/temp_folder.h"

struct pg_conn;

namespace hail::testing {

// Rows of columns, as text.
using Table = std::vector<std::vector<std::string>>;

// Not thread-safe. A failure fails the running test (ADD_FAILURE) with the server's log. So does a machine without
// PostgreSQL: `make setup` installs it.
class PostgresServer {
 public:
  // Creates the data and starts the server.
  PostgresServer();
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // postgres://… of its database, for a superuser.
  std::string url() const;
  // The same with a user that does not exist.
  std::string url_of_a_stranger() const;

  // Runs `sql` on a separate connection.
  Table Ask(const std::string& sql) const;

  // Returns once the server accepts connections.
  void Start();
  // Ends the server like a crash: connections end without notice, the next start recovers.
  void Crash();
  // A fast shutdown: sessions get an error, then end.
  void Stop();
  // Stops and continues all its processes, as if the machine froze.
  void Freeze();
  void Thaw();

 private:
  void End(int signal);
  void SignalAll(int signal) const;
  std::string Program(const std::string& name) const;

  const TempFolder folder_;
  std::string bin_;
  pid_t pid_ = 0;
};

// A connection of the test, which keeps its transaction open.
class Session {
 public:
  explicit Session(const PostgresServer& server);
  ~Session();

  Table Run(const std::string& sql);

 private:
  pg_conn* const conn_;
};

// One server for all tests of a program, started at its first use. Each test uses its own schema: UniqueSchema.
PostgresServer& SharedPostgres();
// The name of an unused schema.
std::string UniqueSchema();

}  // namespace hail::testing
