#include "common/text/text.h"

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/text/unicode.h"

namespace hail {
namespace {

bool Refused(char32_t code) { return IsControl(code) || (IsFormat(code) && !IsJoiner(code)); }

std::string Escaped(std::string_view text, bool lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    char32_t code = 0;
    const std::size_t length = CodePointAt(text, &code);
    if (length == 0) {
      out.append("\xEF\xBF\xBD");
    } else if (Refused(code) && !(lines && code == '\n')) {
      AppendEscaped(code, &out);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace

absl::Status CheckText(std::string_view text, std::size_t max_bytes, std::string_view field) {
  if (text.size() > max_bytes) {
    return InvalidField(field, absl::StrCat("must not be longer than ", max_bytes, " bytes"));
  }
  while (!text.empty()) {
    char32_t code = 0;
    const std::size_t length = CodePointAt(text, &code);
    if (length == 0) return InvalidField(field, "must be valid UTF-8");
    if (Refused(code)) return InvalidField(field, "must not contain control, zero-width or direction characters");
    text.remove_prefix(length);
  }
  return absl::OkStatus();
}

absl::Status CheckNote(std::string_view note, std::string_view field) {
  constexpr std::size_t kMaxBytes = 512;
  return CheckText(note, kMaxBytes, field);
}

std::string Shown(std::string_view text) { return Escaped(text, false); }

std::string ShownLines(std::string_view text) { return Escaped(text, true); }

}  // namespace hail
