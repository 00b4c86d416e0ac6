// rider-service: the owner of rides.
#include <sys/stat.h>

#include <iostream>
#include <utility>

#include "common/config/load.h"
#include "common/logging/log.h"
#include "common/rpc/termination.h"
#include "common/service/grpc_log.h"
#include "common/service/secured.h"
#include "rider-service/main/options.h"
#include "rider-service/main/process.h"

int main(int argc, char** argv) {
  // Files created here are readable by this user only.
  umask(S_IRWXG | S_IRWXO);
  // Before any thread exists.
  hail::rpc::BlockTermination();
  const hail::config::Program program{"rider-service", HAIL_VERSION,
                                      "Hail's owner of rides: riders' apps and driver-service call it."};
  const hail::config::Loaded loaded = hail::config::Load(program, hail::rider::RiderSchema(), argc, argv);
  std::cout << loaded.out << std::flush;
  std::cerr << loaded.err << std::flush;
  if (loaded.exit) return *loaded.exit;

  const hail::rider::RiderOptions options = hail::rider::ReadRiderOptions(loaded.values);
  auto regions = hail::rider::LoadRegions(options);
  if (!regions.ok()) {
    std::cerr << "rider-service: " << regions.status().message() << "\n";
    return 2;
  }

  hail::InitLogging({.service = program.name, .level = options.service.log_level});
  hail::LogWhatGrpcSays();
  if (hail::IsSecured(options.service)) hail::KeepMemoryPrivate();
  hail::LogDoubts(options.service);
  const int exit_code = hail::rider::RunRiderService(options, *std::move(regions), loaded.port_file);
  hail::ShutdownLogging();
  return exit_code;
}
