#include "common/ids/shown_id.h"

namespace hail {

std::string ShownId(const std::string& id) {
  constexpr std::size_t kMostBytes = 128;
  if (id.size() <= kMostBytes) return id;
  std::size_t size = kMostBytes;
  // Do not cut inside a character: its continuation bytes are 10xxxxxx.
  while (size > 0 && (static_cast<unsigned char>(id[size]) & 0xC0) == 0x80) --size;
  return id.substr(0, size);
}

}  // namespace hail
