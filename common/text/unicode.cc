#include "common/text/unicode.h"

#include <algorithm>
#include <iterator>

namespace hail {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode 16. Excludes U+0600..0605, U+06DD, U+070F, U+0890, U+0891, U+08E2, U+110BD, U+110CD and U+13430..1343F, which
// are visible.
constexpr Range kFormat[] = {{0xAD, 0xAD},       {0x61C, 0x61C},     {0x180E, 0x180E},   {0x200B, 0x200F},
                             {0x2028, 0x202E},   {0x2060, 0x206F},   {0xFEFF, 0xFEFF},   {0xFFF9, 0xFFFB},
                             {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0001, 0xE0001}, {0xE0020, 0xE007F}};
constexpr Range kIgnorable[] = {{0x34F, 0x34F},   {0x115F, 0x1160}, {0x17B4, 0x17B5},
                                {0x180B, 0x180F}, {0x3164, 0x3164}, {0xFE00, 0xFE0F},
                                {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFF8}, {0xE0000, 0xE0FFF}};

template <std::size_t size>
bool In(const Range (&ranges)[size], char32_t code) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [code](const Range& range) { return code >= range.first && code <= range.last; });
}

void AppendUnit(std::uint32_t unit, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out->append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out->push_back(kHex[(unit >> shift) & 0xF]);
}

}  // namespace

std::size_t CodePointAt(std::string_view text, char32_t* code) {
  if (text.empty()) return 0;
  const auto lead = static_cast<unsigned char>(text.front());
  std::size_t length = 1;
  char32_t least = 0;
  char32_t value = lead;
  if (lead >= 0x80) {
    if (lead >= 0xC0 && lead < 0xE0) {
      length = 2, least = 0x80, value = lead & 0x1F;
    } else if (lead >= 0xE0 && lead < 0xF0) {
      length = 3, least = 0x800, value = lead & 0x0F;
    } else if (lead >= 0xF0 && lead < 0xF8) {
      length = 4, least = 0x10000, value = lead & 0x07;
    } else {
      return 0;
    }
  }
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) return 0;
    value = (value << 6) | (next & 0x3F);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < least || value > 0x10FFFF || surrogate) return 0;
  *code = value;
  return length;
}

bool IsControl(char32_t code) { return code < 0x20 || (code >= 0x7F && code <= 0x9F); }

bool IsFormat(char32_t code) { return code >= kFormat[0].first && In(kFormat, code); }

bool IsJoiner(char32_t code) { return code == 0x200C || code == 0x200D; }

bool IsIgnorable(char32_t code) { return code >= kIgnorable[0].first && In(kIgnorable, code); }

bool IsSpace(char32_t code) {
  return code == 0x20 || (code >= 0x9 && code <= 0xD) || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

void AppendEscaped(char32_t code, std::string* out) {
  if (code >= 0x10000) {
    AppendUnit(0xD800 + ((code - 0x10000) >> 10), out);
    code = 0xDC00 + ((code - 0x10000) & 0x3FF);
  }
  AppendUnit(code, out);
}

}  // namespace hail
