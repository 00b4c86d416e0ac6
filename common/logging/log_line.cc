#include "common/logging/log_line.h"

#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace hail {
namespace {

// Bytes of the UTF-8 sequence (RFC 3629) at the front of `text`; 0 if there is none.
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead < 0xF0) {
    if (!tail(1) || !tail(2)) return 0;
    const bool overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = lead == 0xED && byte(1) >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead >= 0xF0 && lead < 0xF5) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    const bool overlong = lead == 0xF0 && byte(1) < 0x90;
    const bool beyond = lead == 0xF4 && byte(1) >= 0x90;
    return overlong || beyond ? 0 : 4;
  }
  return 0;
}

void PutString(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t length = SequenceLength(text);
    if (length == 0) {
      out->append("\\ufffd");
    } else if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      out->append("\\n");
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out->append("\\u00");
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 0xF]);
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
