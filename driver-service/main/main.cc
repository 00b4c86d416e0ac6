// driver-service: drivers' sessions, and which driver is offered which ride.
#include <sys/stat.h>

#include <iostream>

#include "common/config/load.h"
#include "common/logging/log.h"
#include "common/rpc/termination.h"
#include "common/service/grpc_log.h"
#include "common/service/secured.h"
#include "driver-service/main/options.h"
#include "driver-service/main/process.h"

int main(int argc, char** argv) {
  // Files created here are readable by this user only.
  umask(S_IRWXG | S_IRWXO);
  // Before any thread exists.
  hail::rpc::BlockTermination();
  const hail::config::Program program{"driver-service", HAIL_VERSION,
                                      "Hail's dispatcher: drivers' apps and rider-service call it."};
  const hail::config::Loaded loaded = hail::config::Load(program, hail::driver::DriverSchema(), argc, argv);
  std::cout << loaded.out << std::flush;
  std::cerr << loaded.err << std::flush;
  if (loaded.exit) return *loaded.exit;

  const hail::driver::DriverOptions options = hail::driver::ReadDriverOptions(loaded.values);
  hail::InitLogging({.service = program.name, .level = options.service.log_level});
  hail::LogWhatGrpcSays();
  if (hail::IsSecured(options.service)) hail::KeepMemoryPrivate();
  hail::LogDoubts(options.service);
  const int exit_code = hail::driver::RunDriverService(options, loaded.port_file);
  hail::ShutdownLogging();
  return exit_code;
}
