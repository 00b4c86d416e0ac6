#include <algorithm>

#include "common/bus/bus.h"

namespace hail {

namespace {

bool IsPlain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

std::string TopicWord(std::string_view id) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string word;
  word.reserve(id.size());
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsPlain(c)) {
      word.push_back(c);
    } else {
      word.push_back('%');
      word.push_back(kHex[byte >> 4]);
      word.push_back(kHex[byte & 0xF]);
    }
  }
  return word;
}

bool IsTopicWord(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return IsPlain(c) || c == '%'; });
}

}  // namespace hail
