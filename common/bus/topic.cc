#include "common/bus/bus.h"

namespace hail {

std::string TopicWord(std::string_view id) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string word;
  word.reserve(id.size());
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (plain) {
      word.push_back(c);
    } else {
      word.push_back('%');
      word.push_back(kHex[byte >> 4]);
      word.push_back(kHex[byte & 0xF]);
    }
  }
  return word;
}

}  // namespace hail
