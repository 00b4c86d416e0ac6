#include "tests/tools/hailctl/token_command.h"

#include <filesystem>
#include <iostream>
#include <system_error>

#include "absl/time/clock.h"
#include "nlohmann/json.hpp"

namespace hail::ctl {
namespace {

ExitCode Fail(const Context& context, const absl::Status& status) {
  return Report({.code = grpc::StatusCode::INVALID_ARGUMENT, .message = std::string(status.message())}, context.json());
}

}  // namespace

ExitCode Token(Context& context, const TokenArguments& arguments) {
  // An error shows when the key is made.
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(arguments.folder).parent_path(), ignored);
  if (absl::Status status = TokenKey::Make(arguments.folder); !status.ok()) return Fail(context, status);
  const absl::StatusOr<TokenKey> key = TokenKey::Read(arguments.folder);
  if (!key.ok()) return Fail(context, key.status());
  const std::string token = key->Token(arguments.bearer, absl::Now(), absl::Seconds(arguments.seconds));
  std::cout << (context.json() ? nlohmann::json{{"token", token}}.dump() : token) << '\n' << std::flush;
  return kOk;
}

}  // namespace hail::ctl
