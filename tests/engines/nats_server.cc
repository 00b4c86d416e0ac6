#include "tests/engines/nats_server.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/engines/engine.h"

namespace hail::testing {
namespace {

namespace fs = std::filesystem;

constexpr char kProgram[] = "/usr/sbin/nats-server";
constexpr int kPatienceMs = 120'000;

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

NatsServer::NatsServer(const std::string& config) {
  std::ofstream(folder_.path("config")) << config;
  Run(-1);
  Kill();
}

NatsServer::~NatsServer() { Kill(); }

std::string NatsServer::log() const { return ReadFile(folder_.path("log")); }

void NatsServer::Start() { Run(port_); }

void NatsServer::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void NatsServer::Run(int port) {
  // The server writes its ports to nats-server_PID.ports in this folder once it serves.
  const std::string ports_folder = folder_.path("ports");
  fs::remove_all(ports_folder);
  fs::create_directory(ports_folder);
  pid_ = SpawnEngine({kProgram, "-c", folder_.path("config"), "-a", "127.0.0.1", "-p", std::to_string(port),
                      "--ports_file_dir", ports_folder},
                     folder_.path("log"));
  const std::string ports = ports_folder + "/nats-server_" + std::to_string(pid_) + ".ports";
  // Wait until the file is there and complete.
  for (int waited = 0; !nlohmann::json::accept(ReadFile(ports)); waited += 5) {
    if (waited > kPatienceMs || waitpid(pid_, nullptr, WNOHANG) == pid_) {
      ADD_FAILURE() << "nats-server did not come up; `make setup` installs it:\n" << ReadFile(folder_.path("log"));
      pid_ = 0;
      return;
    }
    // The server gives no signal when it is ready, so poll.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  // {"nats":["nats://127.0.0.1:4222"]}
  const std::string url = nlohmann::json::parse(ReadFile(ports)).at("nats").at(0);
  port_ = std::stoi(url.substr(url.rfind(':') + 1));
}

}  // namespace hail::testing
