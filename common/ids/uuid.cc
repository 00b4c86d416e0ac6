#include "common/ids/uuid.h"

#include <algorithm>
#include <random>

#include "common/errors/error.h"

namespace hail {
namespace {

constexpr std::size_t kMaxIdBytes = 128;

// Takes one code point off the front of `text`; false where UTF-8 (RFC 3629) does not allow what stands there.
bool TakeCodePoint(std::string_view* text, std::uint32_t* code) {
  const auto lead = static_cast<unsigned char>(text->front());
  std::size_t length = 1;
  std::uint32_t least = 0;
  if (lead < 0x80) {
    *code = lead;
  } else if (lead >= 0xC0 && lead < 0xE0) {
    length = 2, least = 0x80, *code = lead & 0x1F;
  } else if (lead >= 0xE0 && lead < 0xF0) {
    length = 3, least = 0x800, *code = lead & 0x0F;
  } else if (lead >= 0xF0 && lead < 0xF8) {
    length = 4, least = 0x10000, *code = lead & 0x07;
  } else {
    return false;
  }
  if (text->size() < length) return false;
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>((*text)[i]);
    if ((next & 0xC0) != 0x80) return false;
    *code = (*code << 6) | (next & 0x3F);
  }
  text->remove_prefix(length);
  const bool surrogate = *code >= 0xD800 && *code <= 0xDFFF;
  return *code >= least && *code <= 0x10FFFF && !surrogate;
}

// Unicode's White_Space property and the control characters (Cc), which take in TAB … CR and NEL.
bool IsSpaceOrControl(std::uint32_t code) {
  return code <= 0x20 || (code >= 0x7F && code <= 0xA0) || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

}  // namespace

RandomBits SystemRandom() {
  return [] {
    // One generator a thread: std::random_device is not safe to share, and reads the kernel's generator each time.
    thread_local std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
  };
}

std::string UuidV7(absl::Time wall, const RandomBits& random) {
  constexpr std::int64_t kMaxMillis = (std::int64_t{1} << 48) - 1;
  const auto millis = static_cast<std::uint64_t>(std::clamp<std::int64_t>(absl::ToUnixMillis(wall), 0, kMaxMillis));
  const std::uint64_t a = random();
  const std::uint64_t b = random();
  const std::uint64_t high = (millis << 16) | 0x7000u | (a & 0x0FFFu);
  const std::uint64_t low = (std::uint64_t{0b10} << 62) | (b >> 2);

  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) text.push_back('-');
    const std::uint64_t half = nibble < 16 ? high : low;
    text.push_back(kHex[(half >> (60 - 4 * (nibble % 16))) & 0xF]);
  }
  return text;
}

absl::Status CheckId(std::string_view id, std::string_view field) {
  if (id.empty()) return InvalidField(field, "must not be empty");
  if (id.size() > kMaxIdBytes) return InvalidField(field, "must not be longer than 128 bytes");
  while (!id.empty()) {
    std::uint32_t code = 0;
    if (!TakeCodePoint(&id, &code)) return InvalidField(field, "must be valid UTF-8");
    if (IsSpaceOrControl(code)) return InvalidField(field, "must not contain white space or control characters");
  }
  return absl::OkStatus();
}

}  // namespace hail
