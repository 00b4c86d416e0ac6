#include "common/logging/log_line.h"

#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/text/unicode.h"

namespace hail {
namespace {

void PutString(std::string_view text, std::string* out) {
  out->push_back('"');
  while (!text.empty()) {
    char32_t code = 0;
    const std::size_t length = CodePointAt(text, &code);
    if (length == 0) {
      out->append("\\ufffd");
    } else if (code == '"' || code == '\\') {
      out->push_back('\\');
      out->push_back(static_cast<char>(code));
    } else if (code == '\n') {
      out->append("\\n");
    } else if (IsControl(code) || IsFormat(code)) {
      // JSON allows most of them unescaped, but the terminal that shows the log would obey them.
      AppendEscaped(code, out);
    } else {
      out->append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out->push_back('"');
}

void PutMember(std::string_view key, std::string_view value, std::string* out) {
  if (out->size() > 1) out->push_back(',');
  PutString(key, out);
  out->push_back(':');
  PutString(value, out);
}

}  // namespace

void LogLine::PutValue(const LogValue& value, std::string* out) {
  struct Put {
    std::string* out;
    void operator()(std::string_view text) const { PutString(text, out); }
    void operator()(const std::string& text) const { PutString(text, out); }
    void operator()(bool flag) const { out->append(flag ? "true" : "false"); }
    void operator()(double number) const {
      if (std::isfinite(number)) {
        absl::StrAppend(out, number);
      } else {
        out->append("null");
      }
    }
    void operator()(std::int64_t number) const { absl::StrAppend(out, number); }
    void operator()(std::uint64_t number) const { absl::StrAppend(out, number); }
  };
  std::visit(Put{out}, value.value_);
}

std::string LogLine::Json(absl::Time time, LogLevel level, std::string_view service, std::string_view event,
                          std::initializer_list<LogField> fields) {
  return JsonOf(time, level, service, event, absl::MakeConstSpan(fields.begin(), fields.size()));
}

std::string LogLine::JsonOf(absl::Time time, LogLevel level, std::string_view service, std::string_view event,
                            absl::Span<const LogField> fields) {
  std::string out = "{";
  PutMember("time", absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone()), &out);
  PutMember("level", LogLevelName(level), &out);
  PutMember("service", service, &out);
  PutMember("event", event, &out);
  for (const LogField& field : fields) {
    out.push_back(',');
    PutString(field.key, &out);
    out.push_back(':');
    PutValue(field.value, &out);
  }
  out.push_back('}');
  return out;
}

}  // namespace hail
