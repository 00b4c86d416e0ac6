#include "common/service/open_files.h"

#include <sys/resource.h>

#include "common/logging/log.h"

namespace hail {

void AllowManyFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  Log(LogLevel::kInfo, "open_files_limit", {{"files", limit.rlim_cur}});
}

}  // namespace hail
