// The processes under load, observed through /proc/PID.
#pragma once

#include <sys/types.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hail::load {

struct WatchedProcess {
  std::string name;
  pid_t pid = 0;
};

struct Sample {
  absl::Time at;
  // Resident memory, in MiB.
  double rss_mib = 0;
};

// Resident memory now, in MiB; 0 if the process is gone.
double RssMib(pid_t pid);
// Processor time used so far, user and system; zero if the process is gone.
absl::Duration CpuTime(pid_t pid);

// Samples memory twice a second, on a separate thread, until destroyed. Thread-safe.
class MemoryWatch {
 public:
  explicit MemoryWatch(std::vector<WatchedProcess> processes);
  ~MemoryWatch();

  const std::vector<WatchedProcess>& processes() const { return processes_; }
  // The samples of processes()[index] so far.
  std::vector<Sample> Samples(std::size_t index) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The largest sample, in MiB.
  double Peak(std::size_t index) const;

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::vector<WatchedProcess> processes_;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::vector<Sample>> samples_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace hail::load
