// The folder of the embedded store.
#pragma once

#include "absl/status/status.h"
#include "common/config/service_keys.h"

namespace hail {

// Before the embedded store is opened: its folder is there, belongs to this user (or root), and others do not get in.
// data_dir is for data alone, and they are shut out of it; any other folder that store.url names is left as it is, and
// the log says so.
absl::Status KeepDataPrivate(const config::ServiceSettings& settings);

}  // namespace hail
