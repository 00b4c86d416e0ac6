// Received ids: CheckId against protobuf's own check of UTF-8, and the strings that are made from ids.
#include <algorithm>
#include <string>

#include "common/bus/bus.h"
#include "common/ids/shown_id.h"
#include "common/ids/uuid.h"
#include "hail/type/v1/stream.pb.h"
#include "tests/fuzz/fuzz_target.h"

namespace hail::fuzz {
namespace {

// Whether `text` can be sent as a field of the contract.
bool OnTheWire(const std::string& text) {
  // Field 1, length-delimited; the length as a varint.
  std::string bytes = "\x0a";
  std::size_t size = text.size();
  for (; size >= 0x80; size >>= 7) bytes += static_cast<char>((size & 0x7f) | 0x80);
  bytes += static_cast<char>(size);
  type::v1::Cursor cursor;
  return cursor.ParseFromString(bytes + text) && cursor.ride_id() == text;
}

void Check(const std::string& text) {
  const bool good = CheckId(text, "id").ok();
  const bool on_the_wire = OnTheWire(text);
  Require(!good || on_the_wire, "an accepted id is valid UTF-8");
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (ascii) Require(good == (!text.empty() && text.size() <= 128), "plain ASCII is an id by its length alone");
  if (good) Require(ShownId(text) == text, "an id is shown as it is");
  if (on_the_wire) {
    const std::string shown = ShownId(text);
    Require(shown.size() <= 128 && OnTheWire(shown) && text.compare(0, shown.size(), shown) == 0,
            "a shown id is valid UTF-8");
  }
  if (good) Require(text.size() <= 128 && text.find('\n') == std::string::npos, "an id is short and one line");

  const std::string word = TopicWord(text);
  Require(
      word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-%") == std::string::npos,
      "a topic's word has no special character of a bus");
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Check(hail::fuzz::Input(data, size).Rest());
  return 0;
}
