// `hailctl token`: a development key, and tokens that it signs.
#pragma once

#include <string>

#include "tests/tools/hailctl/context.h"

namespace hail::ctl {

struct TokenArguments {
  // Of the key (TokenKey::Make).
  std::string folder;
  TokenFor bearer;
  double seconds = 3600;
};

// Prints the token, and nothing else.
ExitCode Token(Context& context, const TokenArguments& arguments);

}  // namespace hail::ctl
