#include "common/failpoint/failpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace hail {
namespace {

[[noreturn]] void Fatal(const char* what, const char* file) {
  std::fprintf(stderr, "failpoints: %s %s: %s\n", what, file, std::strerror(errno));
  std::abort();
}

FailpointRecord* MapTable() {
  const char* file = std::getenv("HAILTEST_FAILPOINTS");
  if (file == nullptr) return nullptr;
  constexpr std::size_t kSize = std::size(kFailpoints) * sizeof(FailpointRecord);
  const int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) Fatal("cannot open", file);
  if (ftruncate(fd, kSize) != 0) Fatal("cannot size", file);
  void* const memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) Fatal("cannot map", file);
  close(fd);
  // The counts of earlier processes stay.
  auto* const table = static_cast<FailpointRecord*>(memory);
  for (std::size_t i = 0; i < std::size(kFailpoints); ++i) {
    std::snprintf(table[i].name, sizeof(table[i].name), "%s", kFailpoints[i].name);
    table[i].services = (kFailpoints[i].in_rider_service ? 1 : 0) + (kFailpoints[i].in_driver_service ? 2 : 0);
  }
  return table;
}

// Mapped before main, so that the test finds the table as soon as the process serves.
FailpointRecord* const table = MapTable();

}  // namespace

void PassFailpoint(Failpoint point) {
  if (table == nullptr) return;
  FailpointRecord& record = table[static_cast<std::size_t>(point)];
  if (const auto delay = std::atomic_ref(record.delay_us).load(); delay > 0) usleep(static_cast<useconds_t>(delay));
  const std::uint64_t passing = std::atomic_ref(record.passed).fetch_add(1) + 1;
  const std::atomic_ref kill_at(record.kill_at);
  const std::uint64_t at = kill_at.load();
  if (at == 0 || passing < at || kill_at.exchange(0) == 0) return;
  std::atomic_ref(record.killed).fetch_add(1);
  kill(getpid(), SIGKILL);
  // Another thread may take the signal first; this thread must not continue meanwhile.
  while (true) pause();
}

}  // namespace hail
