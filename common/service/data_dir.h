// The folder of the embedded store.
#pragma once

#include "absl/status/status.h"
#include "common/config/service_keys.h"

namespace hail {

// Called before the embedded store is opened. Ensures that its folder exists, belongs to this user (or root), and is
// closed to other users. data_dir is for data alone, so its permissions are tightened. Any other folder that store.url
// names is left unchanged, and a log line warns about it.
absl::Status KeepDataPrivate(const config::ServiceSettings& settings);

}  // namespace hail
