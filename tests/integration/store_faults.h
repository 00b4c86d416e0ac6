// A service on a disk that fails on demand, or loses power (docs/testing/power-loss.md).
#pragma once

#include <map>
#include <string>

#include "absl/time/time.h"
#include "tests/integration/health.h"
#include "tests/integration/process.h"

namespace hail::testing {

// The environment of a service that puts libpowerloss.so under its store.
std::map<std::string, std::string> Preloaded(std::map<std::string, std::string> more);

// Faults of a service's disk. They can be switched while it runs.
class StoreFaults {
 public:
  // Applies to `service` from its next Start on.
  explicit StoreFaults(ServiceProcess& service);

  // The environment that enables the faults.
  std::map<std::string, std::string> environment() const;
  // "disk-full", "read-only", "io-error" or "sync-error".
  void On(const std::string& fault);
  void Off(const std::string& fault);

 private:
  TempDir folder_;
};

// Starts `service`'s binary on the data of `service` (which is stopped, or has locked the data), with `env`; it must
// end by itself.
Ran StartAnother(const std::string& binary, const ServiceProcess& service,
                 const std::map<std::string, std::string>& env = {});

// Another program's connection to the file of a service's store.
class OtherProgram {
 public:
  explicit OtherProgram(const std::string& path);
  ~OtherProgram();
  OtherProgram(const OtherProgram&) = delete;
  OtherProgram& operator=(const OtherProgram&) = delete;

  // Runs `sql` and returns the first column of its last row; a failure if `sql` fails.
  std::string Run(const std::string& sql);

 private:
  void* db_ = nullptr;
};

}  // namespace hail::testing
