// A PostgreSQL of Debian's package for tests: temporary data, a socket of its own, gone with its object.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/conformance/temp_folder.h"

struct pg_conn;

namespace hail::testing {

// Rows of columns, as text.
using Table = std::vector<std::vector<std::string>>;

// Not thread-safe. What fails, fails the test that runs (ADD_FAILURE) with the server's log; a machine without
// PostgreSQL fails it too: `make setup` installs it.
class PostgresServer {
 public:
  // Makes the data and starts the server.
  PostgresServer();
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // postgres://… of its database, for a user who may do everything.
  std::string url() const;
  // Another user of it, who does not exist.
  std::string url_of_a_stranger() const;

  // Runs `sql` on a connection of its own.
  Table Ask(const std::string& sql) const;

  // Returns once it takes connections.
  void Start();
  // As a crash would: connections end without a word, the next start recovers.
  void Crash();
  // The orderly end: sessions are told, then ended.
  void Stop();
  // Stops and goes on with all its processes, as if the machine froze.
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

// A connection of the test's own, which keeps its transaction.
class Session {
 public:
  explicit Session(const PostgresServer& server);
  ~Session();

  Table Run(const std::string& sql);

 private:
  pg_conn* const conn_;
};

// One for all tests of a program, started at its first use. Tests keep apart by schemas: UniqueSchema.
PostgresServer& SharedPostgres();
// The name of a schema that nobody has used.
std::string UniqueSchema();

}  // namespace hail::testing
