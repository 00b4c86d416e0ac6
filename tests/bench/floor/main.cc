// hail-floor: the lowest possible cost of Hail's calls, as a reference for measurements.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/synchronization/mutex.h"
#include "common/rpc/service_host.h"
#include "common/rpc/termination.h"
#include "common/rpc/tls.h"
#include "common/sqlite/database.h"
#include "common/time/clock.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "rider-service/storage/schema.h"
#include "tests/bench/floor/floor_service.h"

int main(int argc, char** argv) {
  CLI::App app{
      "Serves RequestRide and StreamDriver with bare gRPC, to measure Hail against.\n"
      "RequestRide echoes a ride; with --data, once its rows are committed to SQLite there, in Hail's tables and by "
      "Hail's group commit. StreamDriver reads and forgets. With --tls, clients come with TLS and a certificate of the "
      "edge.",
      "hail-floor"};
  app.set_version_flag("--version", "hail-floor " HAIL_VERSION);
  std::string data;
  std::string port_file;
  app.add_option("--data", data, "file of the database; without it nothing is stored");
  std::string tls;
  app.add_option("--tls", tls, "folder with tls.crt, tls.key and ca.crt; without it plaintext");
  app.add_option("--port-file", port_file, "where the port is written once it serves")->required();
  CLI11_PARSE(app, argc, argv);

  // The services switch the detection off, too: Debian's abseil is built for debugging.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  hail::rpc::BlockTermination();
  const hail::SystemClock clock;
  std::unique_ptr<hail::sqlite::Database> database;
  if (!data.empty()) {
    auto opened = hail::sqlite::Database::Open({.path = data}, hail::rider::Migrations(), &clock, nullptr);
    if (!opened.ok()) {
      std::cerr << "hail-floor: " << opened.status() << "\n";
      return 1;
    }
    database = *std::move(opened);
  }
  hail::floor::FloorRiderService rider(database.get());
  hail::floor::FloorDriverService driver;
  int port = 0;
  std::optional<hail::rpc::TlsIdentity> identity;
  if (!tls.empty()) {
    identity.emplace(
        hail::tls::IdentityFiles{.certificate = tls + "/tls.crt", .key = tls + "/tls.key", .ca = tls + "/ca.crt"});
  }
  grpc::ServerBuilder builder;
  builder.AddListeningPort(
      "127.0.0.1:0",
      identity ? identity->Server(hail::tls::NameList({"spiffe://hail/edge"})) : grpc::InsecureServerCredentials(),
      &port);
  builder.RegisterService(&rider);
  builder.RegisterService(&driver);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || !hail::rpc::WritePortFile(port_file, {{"listen", port}}).ok()) {
    std::cerr << "hail-floor: cannot serve\n";
    return 1;
  }
  hail::rpc::WaitForTermination();
  server->Shutdown(std::chrono::system_clock::now());
  server->Wait();
  if (database != nullptr) database->Stop();
  return 0;
}
