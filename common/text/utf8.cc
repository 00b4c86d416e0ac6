#include "common/text/utf8.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hail {
namespace {

using std::string_view_literals::operator""sv;

bool Begins(std::string_view bytes, std::string_view mark) { return bytes.substr(0, mark.size()) == mark; }

// "UTF-16", "UTF-32", or null if it is neither.
const char* WiderThanUtf8(std::string_view bytes) {
  if (Begins(bytes, "\xff\xfe\0\0"sv) || Begins(bytes, "\0\0\xfe\xff"sv)) return "UTF-32";
  if (Begins(bytes, "\xff\xfe"sv) || Begins(bytes, "\xfe\xff"sv)) return "UTF-16";
  // Without a mark: our files begin with an ASCII character, which is the first or last byte of two or four.
  if (bytes.size() < 2) return nullptr;
  if (bytes[0] == '\0' || bytes[1] == '\0') {
    const bool wider = Begins(bytes, "\0\0"sv) || (bytes.size() >= 4 && bytes.substr(1, 3) == "\0\0\0"sv);
    return wider ? "UTF-32" : "UTF-16";
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::size_t> Utf8Begin(std::string_view bytes) {
  if (const char* encoding = WiderThanUtf8(bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("is in ", encoding, ", which is not read: save it as UTF-8"));
  }
  constexpr std::string_view kMark = "\xef\xbb\xbf"sv;
  return Begins(bytes, kMark) ? kMark.size() : 0;
}

}  // namespace hail
