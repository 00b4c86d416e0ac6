#include "tests/tools/hail-load/watched_process.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace hail::load {
namespace {

constexpr absl::Duration kEvery = absl::Milliseconds(500);

}  // namespace

double RssMib(pid_t pid) {
  // proc(5), statm: size resident …, in pages.
  std::ifstream in(absl::StrCat("/proc/", pid, "/statm"));
  double size = 0;
  double resident = 0;
  in >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

absl::Duration CpuTime(pid_t pid) {
  std::ifstream in(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(in, line);
  // proc(5), stat: the name (2nd field, in parentheses) may hold anything; utime and stime are the 14th and 15th.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return absl::ZeroDuration();
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return absl::Seconds((user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

MemoryWatch::MemoryWatch(std::vector<WatchedProcess> processes)
    : processes_(std::move(processes)), samples_(processes_.size()), thread_([this] { Run(); }) {}

MemoryWatch::~MemoryWatch() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

std::vector<Sample> MemoryWatch::Samples(std::size_t index) const {
  absl::MutexLock lock(&mutex_);
  return samples_[index];
}

double MemoryWatch::Peak(std::size_t index) const {
  double peak = 0;
  for (const Sample& sample : Samples(index)) peak = std::max(peak, sample.rss_mib);
  return peak;
}

void MemoryWatch::Run() {
  absl::MutexLock lock(&mutex_);
  do {
    for (std::size_t i = 0; i < processes_.size(); ++i) {
      samples_[i].push_back({absl::Now(), RssMib(processes_[i].pid)});
    }
  } while (!mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kEvery));
}

}  // namespace hail::load
