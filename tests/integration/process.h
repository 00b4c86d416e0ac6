// Real binaries for integration tests: each in its own temporary directory, on its own ports, stopped by its object's
// destructor.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/security/credentials.h"

namespace hail::testing {

// A directory that the destructor removes with its contents.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// One service's binary. It starts on port 0 and restarts on the ports it got then, so that its peer finds it again. Not
// thread-safe. A failure to start, or to end in time, fails the running test (ADD_FAILURE) with the service's log.
class ServiceProcess {
 public:
  // `binary` is a name in <build>/bin; `settings` are passed as --set key=value. data_dir is inside the object's own
  // temporary directory and lives as long as the object: a restart finds the stored data.
  ServiceProcess(std::string binary, std::map<std::string, std::string> settings = {});
  // Kills the process if it still runs.
  ~ServiceProcess();
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;

  // Runs the binary and waits until it has written its ports. False (and a failure) if that takes more than 30 s.
  bool Start();
  // Changes a setting for the next Start.
  void Set(const std::string& key, const std::string& value) { settings_[key] = value; }

  // An environment variable for the next Start.
  void SetEnv(const std::string& name, const std::string& value) { env_[name] = value; }

  // SIGKILL, and waits for the end.
  void Kill();
  // SIGTERM, and waits for the end; the exit code, or -1 (and a failure) if it took longer than `limit`.
  int Terminate(absl::Duration limit = absl::Seconds(20));
  // Sends `signal` and returns.
  void Signal(int signal);
  // Waits until the process ends by itself: returns the exit code, or -1 (and a failure).
  int WaitForExit(absl::Duration limit);
  bool running() const { return pid_ > 0; }
  // Resident memory of the process now, in MiB.
  double RssMib() const;

  // "127.0.0.1:PORT"; known after the first Start.
  std::string public_address() const { return Address("listen"); }
  std::string internal_address() const { return Address("internal_listen"); }
  std::string metrics_address() const { return Address("metrics_listen"); }
  std::string health_address() const { return Address("health_listen"); }

  // With what the channels below show themselves, on the public and the internal address. Null: plaintext.
  void UseCredentials(std::shared_ptr<grpc::ChannelCredentials> on_public,
                      std::shared_ptr<grpc::ChannelCredentials> on_internal);
  // New channels, each with a connection of its own and quick reconnects.
  std::shared_ptr<grpc::Channel> PublicChannel() const;
  std::shared_ptr<grpc::Channel> InternalChannel() const;

  // The process's standard error so far, over all its runs.
  std::string Log() const;
  // <data_dir>: where the databases are.
  std::string data_dir() const { return dir_.path() + "/data"; }

 private:
  std::string Address(const std::string& key) const;

  const std::string binary_;
  std::map<std::string, std::string> settings_;
  std::map<std::string, std::string> env_;
  std::shared_ptr<grpc::ChannelCredentials> public_credentials_;
  std::shared_ptr<grpc::ChannelCredentials> internal_credentials_;
  TempDir dir_;
  std::map<std::string, int> ports_;
  pid_t pid_ = 0;
};

// The outcome of a program that ran to its end.
struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// Runs `binary` of <build>/bin with `args` and with `env` added to the environment; waits at most `limit`.
Ran RunProgram(const std::string& binary, const std::vector<std::string>& args,
               const std::map<std::string, std::string>& env = {}, absl::Duration limit = absl::Seconds(60));

// The contents of the file; empty if it cannot be read.
std::string ReadFile(const std::string& path);

// A channel to `address` with a connection of its own and quick reconnects.
// `credentials` null: plaintext.
std::shared_ptr<grpc::Channel> MakeTestChannel(const std::string& address,
                                               std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr);

// The body of GET http://`address``path`; empty (and a failure) if there is none.
std::string HttpGet(const std::string& address, const std::string& path);

// Both services, each configured with the other's address: driver-service starts once to get its ports, and again once
// rider-service has its own.
class BothServices {
 public:
  // Settings of each service; settings that both need (time_scale …) go into each.
  BothServices(std::map<std::string, std::string> rider_settings = {},
               std::map<std::string, std::string> driver_settings = {});

  ServiceProcess rider;
  ServiceProcess driver;
};

}  // namespace hail::testing
