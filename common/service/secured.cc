#include "common/service/secured.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/logging/log.h"
#include "common/postgres/url.h"

namespace hail {
namespace {

// HOST:PORT of a URL.
std::string HostOf(const std::string& url) {
  const std::string rest = url.substr(url.find("://") + 3);
  return rest.substr(rest.rfind('@') + 1);
}

}  // namespace

bool IsSecured(const config::ServiceSettings& settings) {
  return settings.tls.has_value() || settings.auth.mode == config::AuthMode::kTokens;
}

void KeepMemoryPrivate() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  // Also without a core's size limit, where a program takes cores through a pipe.
  if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
    Log(LogLevel::kWarn, "memory_not_private", {{"why", std::strerror(errno)}});
  }
}

std::vector<std::string> Doubts(const config::ServiceSettings& settings) {
  std::vector<std::string> doubts;
  if (settings.store_database && !postgres::IsVerified(*settings.store_database)) {
    doubts.emplace_back(
        "store.url: the connection to PostgreSQL can be read or redirected on the network; use sslmode=verify-full and "
        "sslrootcert");
  }
  if (!settings.nats_url.empty() && !settings.nats_files.tls()) {
    for (const std::string& url : std::vector<std::string>(absl::StrSplit(settings.nats_url, ','))) {
      if (url.rfind("nats://", 0) != 0 || config::IsLoopback(HostOf(url))) continue;
      doubts.emplace_back("bus.url: the connection to NATS can be read on the network; use tls:// and bus.ca");
      break;
    }
  }
  if (!IsSecured(settings)) return doubts;
  if (settings.time_scale.scale != 1) {
    doubts.push_back(absl::StrCat("time_scale is ", settings.time_scale.scale, ": for tests and demonstrations only"));
  }
  struct stat key {};
  if (settings.tls && stat(settings.tls->files.key.c_str(), &key) == 0 && (key.st_mode & S_IROTH) != 0) {
    doubts.push_back(absl::StrCat("tls.key: ", settings.tls->files.key, " is readable by every user"));
  }
  return doubts;
}

void LogDoubts(const config::ServiceSettings& settings) {
  for (const std::string& doubt : Doubts(settings)) Log(LogLevel::kWarn, "doubtful_setting", {{"what", doubt}});
}

}  // namespace hail
