// The address of a database: postgres://user:password@host:port/database?sslmode=require
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hail::postgres {

// libpq's keywords and values, for PQconnectStartParams.
using ConnectParams = std::vector<std::pair<std::string, std::string>>;

// Whether the scheme of `url` is postgres: or postgresql:.
bool IsUrl(std::string_view url);

// `url` as parsed by libpq; of several hosts, the writable one is used. INVALID_ARGUMENT, without the password, for a
// malformed URL.
absl::StatusOr<ConnectParams> ParseUrl(const std::string& url);

// `url` for printing: passwords become ***. Accepts malformed URLs.
std::string WithoutPassword(const std::string& url);

// Adds `keyword` = `value` unless `params` has the keyword.
void SetDefault(ConnectParams* params, const std::string& keyword, const std::string& value);

}  // namespace hail::postgres
