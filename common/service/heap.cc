#include "common/service/heap.h"

#ifdef __GLIBC__
#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#endif

namespace hail {

#ifdef __GLIBC__
namespace {

constexpr std::size_t kWorthwhile = std::size_t{32} << 20;
constexpr double kCalmCores = 0.25;

// Resident memory that is this process's alone.
std::size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  std::size_t shared = 0;
  if (!(statm >> size >> resident >> shared) || shared > resident) return 0;
  return (resident - shared) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

absl::Duration ProcessorTime() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return absl::DurationFromTimespec(used);
}

}  // namespace

void HeapTrimmer::Tick(absl::Time now) {
  const absl::Duration used = ProcessorTime();
  const bool calm = used - used_ <= kCalmCores * (now - at_);
  at_ = now;
  used_ = used;
  // Asking what is in use takes as long as there are free pieces: not where there is nothing to gain.
  const std::size_t resident = ResidentBytes();
  if (!calm || resident <= kWorthwhile) return;
  const struct mallinfo2 heap = mallinfo2();
  if (resident > heap.uordblks + heap.hblkhd + kWorthwhile) malloc_trim(0);
}
#else
void HeapTrimmer::Tick(absl::Time) {}
#endif

}  // namespace hail
