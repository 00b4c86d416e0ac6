#include "common/ids/uuid.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "common/errors/check.h"
#include "common/errors/error.h"
#include "common/text/unicode.h"

namespace hail {
namespace {

constexpr std::size_t kMaxIdBytes = 128;

}  // namespace

RandomBits SystemRandom() {
  return [] {
    // One read of the kernel's generator serves 16 ids. getentropy refuses no call for at most 256 bytes.
    thread_local std::array<std::uint64_t, 32> bits;
    thread_local std::size_t used = bits.size();
    if (used == bits.size()) {
      HAIL_CHECK(getentropy(bits.data(), sizeof(bits)) == 0);
      used = 0;
    }
    return bits[used++];
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
    char32_t code = 0;
    const std::size_t length = CodePointAt(id, &code);
    if (length == 0) return InvalidField(field, "must be valid UTF-8");
    if (IsSpace(code) || IsControl(code)) {
      return InvalidField(field, "must not contain white space or control characters");
    }
    if (IsFormat(code) || IsIgnorable(code)) {
      return InvalidField(field, "must not contain invisible characters");
    }
    id.remove_prefix(length);
  }
  return absl::OkStatus();
}

}  // namespace hail
