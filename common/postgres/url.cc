#include "common/postgres/url.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_split.h"

namespace hail::postgres {

bool IsUrl(std::string_view url) { return url.rfind("postgres://", 0) == 0 || url.rfind("postgresql://", 0) == 0; }

absl::StatusOr<ConnectParams> ParseUrl(const std::string& url) {
  char* problem = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(PQconninfoParse(url.c_str(), &problem),
                                                                               PQconninfoFree);
  // libpq's own message quotes the URL, password included.
  PQfreemem(problem);
  if (!IsUrl(url) || options == nullptr) {
    return absl::InvalidArgumentError("must be postgres://USER:PASSWORD@HOST:PORT/DATABASE with libpq's parameters");
  }
  ConnectParams params;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) params.emplace_back(option->keyword, option->val);
  }
  SetDefault(&params, "target_session_attrs", "read-write");
  SetDefault(&params, "client_encoding", "UTF8");
  // Detects within seconds that the peer of an idle connection has vanished.
  SetDefault(&params, "keepalives_idle", "5");
  SetDefault(&params, "keepalives_interval", "2");
  SetDefault(&params, "keepalives_count", "3");
  SetDefault(&params, "tcp_user_timeout", "7000");
  return params;
}

std::string WithoutPassword(const std::string& url) {
  std::string shown = url;
  // USER:PASSWORD@, where a password may hold anything but @.
  if (const std::size_t at = shown.rfind('@'); at != std::string::npos) {
    const std::size_t scheme = shown.find("://");
    const std::size_t user = scheme == std::string::npos || scheme > at ? 0 : scheme + 3;
    const std::size_t colon = shown.find(':', user);
    if (colon < at) shown.replace(colon + 1, at - colon - 1, "***");
  }
  for (std::size_t at = 0; (at = shown.find("password=", at)) != std::string::npos;) {
    at += sizeof("password=") - 1;
    shown.replace(at, std::min(shown.find_first_of("& ", at), shown.size()) - at, "***");
  }
  return shown;
}

bool IsVerified(const ConnectParams& params) {
  std::string hosts;
  for (const auto& [keyword, value] : params) {
    if (keyword == "sslmode" && value == "verify-full") return true;
    if (keyword == "host" || keyword == "hostaddr") hosts += value + ",";
  }
  const std::vector<std::string> each = absl::StrSplit(hosts, ',', absl::SkipEmpty());
  return std::all_of(each.begin(), each.end(), [](const std::string& host) {
    in_addr v4{};
    // A name with a slash is the folder of a socket; 127.example.com is a name like any other.
    return host[0] == '/' || host[0] == '@' || host == "localhost" || host == "::1" ||
           (inet_pton(AF_INET, host.c_str(), &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET);
  });
}

void SetDefault(ConnectParams* params, const std::string& keyword, const std::string& value) {
  const bool present =
      std::any_of(params->begin(), params->end(), [&](const auto& param) { return param.first == keyword; });
  if (!present) params->emplace_back(keyword, value);
}

}  // namespace hail::postgres
