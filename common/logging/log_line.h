// One log line as JSON text. Internal to common/logging.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/logging/log.h"

namespace hail {

class LogLine {
 public:
  // Without a final newline. Strings are escaped per RFC 8259, and also C1, zero-width and direction characters and
  // U+2028/2029; bytes that are not UTF-8 become U+FFFD; a number that is not finite becomes null.
  static std::string Json(absl::Time time, LogLevel level, std::string_view service, std::string_view event,
                          std::initializer_list<LogField> fields);
  // The same with fields that are put together as the program runs.
  static std::string JsonOf(absl::Time time, LogLevel level, std::string_view service, std::string_view event,
                            absl::Span<const LogField> fields);

 private:
  static void PutValue(const LogValue& value, std::string* out);
};

}  // namespace hail
