// Configuration: files, values as text, time anchors, whole command lines.
#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include "common/config/file.h"
#include "common/config/load.h"
#include "common/config/parse.h"
#include "common/time/time_anchor.h"
#include "rider-service/main/options.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_file.h"

namespace hail::fuzz {
namespace {

const config::Schema& Keys() {
  static const auto* const schema = new config::Schema(rider::RiderSchema());
  return *schema;
}

void File(Input& input) {
  const MemoryFile file(input.Rest());
  std::vector<std::string> problems;
  for (const config::FileEntry& entry : config::ReadFile(file.path(), Keys(), &problems)) {
    Require(Keys().Find(entry.key) != nullptr, "each entry of a file has a known key", entry.key);
  }
}

void Value(Input& input) {
  const auto type = static_cast<config::Type>(input.Below(6));
  const auto value = config::ParseValue(type, input.Rest());
  if (!value.ok()) return;
  const std::string text = config::FormatValue(*value);
  const auto again = config::ParseValue(type, text);
  Require(again.ok(), "a printed value can be read again", text);
  Require(again->index() == value->index(), "a value keeps its kind");
  // Numbers are printed with six digits.
  if (!std::holds_alternative<double>(*value)) Require(*again == *value, "a value keeps its value", text);
}

void Anchor(Input& input) {
  const double scale = input.Coin() ? 1 + input.Below(200) : input.Double();
  const auto parsed = ParseTimeScale(scale, input.Rest());
  if (!parsed.ok()) return;
  Require(std::isfinite(parsed->scale) && parsed->scale > 0, "time runs forwards");
  const absl::Time wall = absl::FromUnixSeconds(1'700'000'000);
  Require(parsed->ToDomain(wall) <= parsed->ToDomain(wall + absl::Seconds(1)), "domain time follows wall time");
}

// One --set per line of the input.
void CommandLine(Input& input) {
  std::vector<std::string> args;
  std::string line;
  for (const char c : input.Rest() + "\n") {
    if (c != '\n') {
      line += c;
      continue;
    }
    args.push_back("--set");
    args.push_back(line);
    line.clear();
  }
  const config::Loaded loaded = config::Load({"rider-service", "0", "Rides."}, Keys(), args, {});
  if (loaded.exit) {
    Require(*loaded.exit == 0 || (*loaded.exit == 2 && !loaded.problems.empty()), "a refusal says why", loaded.err);
    return;
  }
  Require(loaded.problems.empty(), "a configuration with problems does not run");
  const rider::RiderOptions options = rider::ReadRiderOptions(loaded.values);
  Require(options.max_streams >= 1 && options.store_readers >= 1 && options.rules.offer_time >= absl::Seconds(1),
          "options are in their ranges");
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  switch (input.Below(4)) {
    case 0:
      hail::fuzz::File(input);
      break;
    case 1:
      hail::fuzz::Value(input);
      break;
    case 2:
      hail::fuzz::Anchor(input);
      break;
    default:
      hail::fuzz::CommandLine(input);
      break;
  }
  return 0;
}
