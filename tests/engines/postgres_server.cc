#include "tests/engines/postgres_server.h"

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/engines/engine.h"

namespace hail::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kUser[] = "postgres";
constexpr int kPatienceMs = 240'000;

// The newest installed version; empty: none.
std::string FindBin() {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    if (fs::exists(version.path() / "bin" / "postgres")) found.push_back((version.path() / "bin").string());
  }
  return found.empty() ? "" : *std::max_element(found.begin(), found.end());
}

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

PostgresServer::PostgresServer() : bin_(FindBin()) {
  if (bin_.empty()) {
    ADD_FAILURE() << "PostgreSQL is not installed; `make setup` does it";
    return;
  }
  // PostgreSQL's user must be able to enter the folder, and writes the log there.
  const std::string folder = folder_.path("");
  if (const passwd* const user = getuid() == 0 ? getpwnam(kUser) : nullptr; user != nullptr) {
    EXPECT_EQ(chown(folder.c_str(), user->pw_uid, user->pw_gid), 0);
  }
  int status = 0;
  waitpid(SpawnEngine({Program("initdb"), "-D", folder_.path("data"), "-A", "trust", "-U", "hail", "-E", "UTF8",
                       "--locale=C", "--no-sync", "--no-instructions"},
                      folder_.path("log"), kUser),
          &status, 0);
  if (status != 0) ADD_FAILURE() << "initdb failed:\n" << ReadFile(folder_.path("log"));
  Start();
}

PostgresServer::~PostgresServer() { Crash(); }

std::string PostgresServer::Program(const std::string& name) const { return bin_ + "/" + name; }

std::string PostgresServer::url() const { return "postgres://hail@/postgres?host=" + folder_.path(""); }

std::string PostgresServer::url_of_a_stranger() const {
  return "postgres://stranger:hunter2@/postgres?host=" + folder_.path("");
}

Table PostgresServer::Ask(const std::string& sql) const { return Session(*this).Run(sql); }

void PostgresServer::Start() {
  if (bin_.empty()) return;
  pid_ = SpawnEngine({Program("postgres"), "-D", folder_.path("data"), "-k", folder_.path(""), "-c",
                      "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "fsync=off"},
                     folder_.path("log"), kUser);
  for (int waited = 0; PQping(url().c_str()) != PQPING_OK; waited += 10) {
    if (waited > kPatienceMs || waitpid(pid_, nullptr, WNOHANG) == pid_) {
      ADD_FAILURE() << "PostgreSQL did not come up:\n" << ReadFile(folder_.path("log"));
      return;
    }
    // The server gives no signal when it is ready, so poll.
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void PostgresServer::End(int signal) {
  if (pid_ <= 0) return;
  kill(pid_, signal);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void PostgresServer::Crash() { End(SIGQUIT); }
void PostgresServer::Stop() { End(SIGINT); }

void PostgresServer::SignalAll(int signal) const {
  kill(pid_, signal);
  // The children are the processes whose parent is pid_.
  for (const auto& process : fs::directory_iterator("/proc")) {
    const std::string name = process.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string status = ReadFile(process.path() / "status");
    if (status.find("\nPPid:\t" + std::to_string(pid_) + "\n") != std::string::npos) kill(std::stoi(name), signal);
  }
}

void PostgresServer::Freeze() { SignalAll(SIGSTOP); }
void PostgresServer::Thaw() { SignalAll(SIGCONT); }

Session::Session(const PostgresServer& server) : conn_(PQconnectdb(server.url().c_str())) {}

Session::~Session() { PQfinish(conn_); }

Table Session::Run(const std::string& sql) {
  const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(conn_, sql.c_str()), PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) ADD_FAILURE() << PQerrorMessage(conn_);
  Table table;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    auto& values = table.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      values.emplace_back(PQgetvalue(result.get(), row, column));
    }
  }
  return table;
}

PostgresServer& SharedPostgres() {
  static PostgresServer server;
  return server;
}

std::string UniqueSchema() {
  static int number = 0;
  return "test_" + std::to_string(++number);
}

}  // namespace hail::testing
