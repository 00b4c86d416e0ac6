// Where a database is, as people write it: postgres://user:password@host:port/database?sslmode=require
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

// Whether `url` says postgres: or postgresql:.
bool IsUrl(std::string_view url);

// What libpq makes of `url`; with several hosts it takes the one that can be written to. INVALID_ARGUMENT, without the
// password in it, if it is none.
absl::StatusOr<ConnectParams> ParseUrl(const std::string& url);

// `url` as it may be printed, also where it is none: passwords become ***.
std::string WithoutPassword(const std::string& url);

// `params` with `keyword` = `value` where they do not have it.
void SetDefault(ConnectParams* params, const std::string& keyword, const std::string& value);

}  // namespace hail::postgres
