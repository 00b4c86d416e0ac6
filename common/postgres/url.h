// The address of a database: postgres://user:password@host:port/database?sslmode=require
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hail::postgres {

// libpq's keywords and values, for PQconnectStartParams, and kPasswordFile.
using ConnectParams = std::vector<std::pair<std::string, std::string>>;

// Whether the scheme of `url` is postgres: or postgresql:.
bool IsUrl(std::string_view url);

// `url` as parsed by libpq; of several hosts, the writable one is used. INVALID_ARGUMENT, without the password, for a
// malformed URL.
absl::StatusOr<ConnectParams> ParseUrl(const std::string& url);

// `url` for printing: passwords become ***. Accepts malformed URLs.
std::string WithoutPassword(const std::string& url);

// A keyword of Hail's own: the file with the password, read for each new connection, so that a new password needs no
// restart. (libpq's own passfile must be readable by its owner alone, which a secret of Kubernetes is not.)
inline constexpr char kPasswordFile[] = "hail_password_file";

// Whether nobody on the network can read or redirect the connections: every host is this machine, or the server's
// certificate and name are checked (sslmode=verify-full).
bool IsVerified(const ConnectParams& params);

// Adds `keyword` = `value` unless `params` has the keyword.
void SetDefault(ConnectParams* params, const std::string& keyword, const std::string& value);

}  // namespace hail::postgres
