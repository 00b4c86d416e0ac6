// A service on a disk that fails on demand, or whose power fails with it (docs/testing/power-loss.md).
#pragma once

#include <map>
#include <string>

#include "absl/time/time.h"
#include "tests/integration/health.h"
#include "tests/integration/process.h"

namespace hail::testing {

// What must be in the environment of a service for libpowerloss.so to be under its store.
std::map<std::string, std::string> Preloaded(std::map<std::string, std::string> more);

// Faults of a service's disk, on and off while it runs.
class StoreFaults {
 public:
  // For `service`, from its next Start on.
  explicit StoreFaults(ServiceProcess& service);

  // The environment that does it.
  std::map<std::string, std::string> environment() const;
  // "disk-full", "read-only", "io-error" or "sync-error".
  void On(const std::string& fault);
  void Off(const std::string& fault);

 private:
  TempDir folder_;
};

// `service`'s binary started on the data of `service` (which does not run, or holds it), with `env`; it is expected to
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

  // Runs `sql`; a failure if that fails. The first column of its last row.
  std::string Run(const std::string& sql);

 private:
  void* db_ = nullptr;
};

}  // namespace hail::testing
