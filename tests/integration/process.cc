#include "tests/integration/process.h"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

extern char** environ;

namespace hail::testing {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(30);
constexpr absl::Duration kLook = absl::Milliseconds(5);

std::string BinaryPath(const std::string& binary) { return std::string(HAIL_BIN_DIR) + "/" + binary; }

// Runs `argv` with both outputs appended to files. The child dies with this process, so that a crashed test leaves no
// process behind.
pid_t Spawn(std::vector<std::string> argv, std::vector<std::string> env, const std::string& out,
            const std::string& err) {
  // Allocate all data for the child before the fork: between fork and exec only plain system calls are safe.
  std::vector<char*> argv_pointers, env_pointers;
  for (std::string& arg : argv) argv_pointers.push_back(arg.data());
  argv_pointers.push_back(nullptr);
  for (std::string& entry : env) env_pointers.push_back(entry.data());
  env_pointers.push_back(nullptr);

  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out_fd = open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int err_fd = open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(out_fd, STDOUT_FILENO);
  dup2(err_fd, STDERR_FILENO);
  execve(argv_pointers[0], argv_pointers.data(), env_pointers.data());
  _exit(127);
}

std::vector<std::string> Environment(const std::map<std::string, std::string>& more) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    // Settings in the caller's shell for another service must not reach the services under test.
    if (std::string(*entry).rfind("HAIL_", 0) != 0) result.emplace_back(*entry);
  }
  for (const auto& [key, value] : more) result.push_back(key + "=" + value);
  return result;
}

int ExitCode(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

// Whether `pid` ended within `limit`; its exit code goes to `code`.
bool WaitFor(pid_t pid, absl::Duration limit, int& code) {
  const absl::Time deadline = absl::Now() + limit;
  while (true) {
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) == pid) {
      code = ExitCode(status);
      return true;
    }
    if (absl::Now() >= deadline) return false;
    absl::SleepFor(kLook);
  }
}

}  // namespace

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "hail-test-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ServiceProcess::ServiceProcess(std::string binary, std::map<std::string, std::string> settings)
    : binary_(std::move(binary)), settings_(std::move(settings)) {}

ServiceProcess::~ServiceProcess() { Kill(); }

bool ServiceProcess::Start() {
  const std::string port_file = dir_.path() + "/ports.json";
  unlink(port_file.c_str());
  std::vector<std::string> argv = {BinaryPath(binary_), "--port-file", port_file};
  std::map<std::string, std::string> settings = settings_;
  for (const std::string key : {"listen", "internal_listen", "metrics_listen", "health_listen"}) {
    settings.emplace(key, "127.0.0.1:" + std::to_string(ports_[key]));
  }
  settings.emplace("data_dir", data_dir());
  for (const auto& [key, value] : settings) {
    argv.push_back("--set");
    argv.push_back(key + "=" + value);
  }
  pid_ = Spawn(std::move(argv), Environment(env_), dir_.path() + "/out.log", dir_.path() + "/err.log");

  const absl::Time deadline = absl::Now() + kStartLimit;
  while (!std::filesystem::exists(port_file)) {
    int code = 0;
    if (WaitFor(pid_, kLook, code)) {
      pid_ = 0;
      ADD_FAILURE() << binary_ << " ended with " << code << " instead of serving:\n" << Log();
      return false;
    }
    if (absl::Now() > deadline) {
      ADD_FAILURE() << binary_ << " did not start in " << absl::FormatDuration(kStartLimit) << ":\n" << Log();
      Kill();
      return false;
    }
  }
  const nlohmann::json ports = nlohmann::json::parse(ReadFile(port_file));
  for (auto& [key, port] : ports_) port = ports.at(key).get<int>();
  return true;
}

void ServiceProcess::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
}

int ServiceProcess::Terminate(absl::Duration limit) {
  Signal(SIGTERM);
  return WaitForExit(limit);
}

void ServiceProcess::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

int ServiceProcess::WaitForExit(absl::Duration limit) {
  if (pid_ <= 0) return -1;
  int code = -1;
  if (!WaitFor(pid_, limit, code)) {
    ADD_FAILURE() << binary_ << " still runs after " << absl::FormatDuration(limit) << ":\n" << Log();
    Kill();
    return -1;
  }
  pid_ = 0;
  return code;
}

double ServiceProcess::RssMib() const {
  // proc(5), statm: size resident …, in pages.
  std::ifstream in("/proc/" + std::to_string(pid_) + "/statm");
  double size = 0;
  double resident = 0;
  in >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

std::string ServiceProcess::Address(const std::string& key) const {
  return "127.0.0.1:" + std::to_string(ports_.at(key));
}

void ServiceProcess::UseCredentials(std::shared_ptr<grpc::ChannelCredentials> on_public,
                                    std::shared_ptr<grpc::ChannelCredentials> on_internal) {
  public_credentials_ = std::move(on_public);
  internal_credentials_ = std::move(on_internal);
}

std::shared_ptr<grpc::Channel> ServiceProcess::PublicChannel() const {
  return MakeTestChannel(public_address(), public_credentials_);
}

std::shared_ptr<grpc::Channel> ServiceProcess::InternalChannel() const {
  return MakeTestChannel(internal_address(), internal_credentials_);
}

std::string ServiceProcess::Log() const { return ReadFile(dir_.path() + "/err.log"); }

Ran RunProgram(const std::string& binary, const std::vector<std::string>& args,
               const std::map<std::string, std::string>& env, absl::Duration limit) {
  TempDir dir;
  std::vector<std::string> argv = {BinaryPath(binary)};
  argv.insert(argv.end(), args.begin(), args.end());
  Ran ran;
  const pid_t pid = Spawn(std::move(argv), Environment(env), dir.path() + "/out", dir.path() + "/err");
  if (!WaitFor(pid, limit, ran.exit_code)) {
    ADD_FAILURE() << binary << " did not end";
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  ran.out = ReadFile(dir.path() + "/out");
  ran.err = ReadFile(dir.path() + "/err");
  return ran;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::shared_ptr<grpc::Channel> MakeTestChannel(const std::string& address,
                                               std::shared_ptr<grpc::ChannelCredentials> credentials) {
  grpc::ChannelArguments arguments;
  // Otherwise two channels of one test share a connection, and the back-off of one delays the other.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  // This is also the time limit of one attempt: on a busy machine a handshake takes long.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  if (credentials == nullptr) credentials = grpc::InsecureChannelCredentials();
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

std::string HttpGet(const std::string& address, const std::string& path) {
  const std::size_t colon = address.rfind(':');
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) {
    ADD_FAILURE() << "no such address: " << address;
    return "";
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = connect(fd, found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  std::string answer;
  if (connected) {
    const timeval patience{10, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const std::string request = "GET " + path + " HTTP/1.0\r\nHost: " + address + "\r\n\r\n";
    send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char buffer[4096];
    for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) answer.append(buffer, static_cast<std::size_t>(n));
  }
  close(fd);
  const std::size_t body = answer.find("\r\n\r\n");
  if (body == std::string::npos) {
    ADD_FAILURE() << "no answer from " << address << path;
    return "";
  }
  return answer.substr(body + 4);
}

BothServices::BothServices(std::map<std::string, std::string> rider_settings,
                           std::map<std::string, std::string> driver_settings)
    : rider("rider-service", std::move(rider_settings)), driver("driver-service", std::move(driver_settings)) {
  // No process listens on the discard port: until it is reconfigured, driver-service cannot reach its peer.
  driver.Set("rider_service", "127.0.0.1:9");
  if (!driver.Start()) return;
  rider.Set("driver_service", driver.internal_address());
  if (!rider.Start()) return;
  driver.Kill();
  driver.Set("rider_service", rider.internal_address());
  driver.Start();
}

}  // namespace hail::testing
