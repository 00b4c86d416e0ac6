#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/schema.h"
#include "common/rpc/target.h"

namespace hail::config {

Check NotEmpty() {
  return
      [](const Value& value) -> std::string { return std::get<std::string>(value).empty() ? "must not be empty" : ""; };
}

Check IntFrom(std::int64_t least, std::int64_t most) {
  return [least, most](const Value& value) -> std::string {
    const std::int64_t number = std::get<std::int64_t>(value);
    return number >= least && number <= most ? "" : absl::StrCat("must be from ", least, " to ", most);
  };
}

Check DoubleFrom(double least, double most) {
  return [least, most](const Value& value) -> std::string {
    const double number = std::get<double>(value);
    return number >= least && number <= most ? "" : absl::StrCat("must be from ", least, " to ", most);
  };
}

Check DurationFrom(absl::Duration least, absl::Duration most) {
  return [least, most](const Value& value) -> std::string {
    const absl::Duration length = std::get<absl::Duration>(value);
    if (length >= least && length <= most) return "";
    return absl::StrCat("must be from ", absl::FormatDuration(least), " to ", absl::FormatDuration(most));
  };
}

Check OneOf(std::vector<std::string> choices) {
  return [choices = std::move(choices)](const Value& value) -> std::string {
    for (const std::string& choice : choices) {
      if (std::get<std::string>(value) == choice) return "";
    }
    return absl::StrCat("must be one of ", absl::StrJoin(choices, ", "));
  };
}

Check Address(bool allow_zero_port) {
  return [allow_zero_port](const Value& value) -> std::string {
    const std::string& address = std::get<std::string>(value);
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos || colon == 0) return "must be HOST:PORT";
    const std::string host = address.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (!bracketed && host.find_first_of(":[] \t") != std::string::npos) {
      return "must be HOST:PORT, an IPv6 host in brackets";
    }
    const std::string text = address.substr(colon + 1);
    int port = 0;
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos || !absl::SimpleAtoi(text, &port) ||
        port > 65535 || (port == 0 && !allow_zero_port)) {
      return absl::StrCat("must have a port from ", allow_zero_port ? 0 : 1, " to 65535");
    }
    return "";
  };
}

Check Peer() {
  return [](const Value& value) -> std::string {
    for (const std::string& address : rpc::ParseTarget(std::get<std::string>(value)).addresses) {
      if (std::string wrong = Address(/*allow_zero_port=*/false)(address); !wrong.empty()) return wrong;
    }
    return "";
  };
}

}  // namespace hail::config
