#include "common/rpc/metadata.h"

#include <algorithm>
#include <cctype>

namespace hail::rpc {
namespace {

constexpr std::size_t kMaxRequestId = 128;

bool Printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

// https://www.w3.org/TR/trace-context/#traceparent-header: version 00 is "00-<32 hex>-<16 hex>-<2 hex>".
bool IsTraceparent(const std::string& text) {
  if (text.size() != 55) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    const bool dash = i == 2 || i == 35 || i == 52;
    if (dash ? c != '-' : !(std::isdigit(c) != 0 || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

}  // namespace

std::string CheckedTraceparent(std::string text) {
  if (!IsTraceparent(text)) text.clear();
  return text;
}

std::string CheckedRequestId(std::string text) {
  if (text.size() > kMaxRequestId || !Printable(text)) text.clear();
  return text;
}

}  // namespace hail::rpc
