#include "common/rpc/target.h"

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace hail::rpc {

Target ParseTarget(std::string_view text) {
  constexpr std::string_view kName = "dns:///";
  constexpr std::string_view kList = "ipv4:";
  if (text.starts_with(kName)) return {.addresses = {std::string(text.substr(kName.size()))}, .replicas = true};
  if (!text.starts_with(kList)) return {.addresses = {std::string(text)}, .replicas = false};
  text.remove_prefix(kList.size());
  return {.addresses = absl::StrSplit(absl::string_view(text.data(), text.size()), ','), .replicas = true};
}

}  // namespace hail::rpc
