#include "common/service/data_dir.h"

#include <filesystem>
#include <system_error>

#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/logging/log.h"
#include "common/sqlite/private_files.h"

namespace hail {

absl::Status KeepDataPrivate(const config::ServiceSettings& settings) {
  std::filesystem::path folder = std::filesystem::path(settings.store_path).parent_path();
  if (folder.empty()) folder = ".";
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return absl::OkStatus();  // The store makes it.
  // Both with a trailing slash, however they were written.
  const bool ours =
      (folder / "").lexically_normal() == (std::filesystem::path(settings.data_dir) / "").lexically_normal();
  const auto found = sqlite::MakePrivate(folder.string(), /*tighten=*/ours);
  if (!found.ok()) return found.status();
  if (*found == sqlite::Privacy::kTightened)
    Log(LogLevel::kInfo, "data_dir_closed_to_others", {{"folder", folder.string()}});
  if (*found == sqlite::Privacy::kOpen) Log(LogLevel::kWarn, "data_dir_open_to_others", {{"folder", folder.string()}});
  return absl::OkStatus();
}

}  // namespace hail
