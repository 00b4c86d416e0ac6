#include "common/errors/check.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace hail::detail {

void CheckFailed(const char* condition, const char* file, int line) {
  // Written as a log line, but not through the log's queue: the state of the process is not reliable any more.
  const std::string text =
      absl::StrCat(R"({"level":"error","event":"check_failed","condition":")", absl::CEscape(condition),
                   R"(","file":")", absl::CEscape(file), R"(","line":)", line, "}\n");
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text.data(), text.size());
  std::abort();
}

}  // namespace hail::detail
