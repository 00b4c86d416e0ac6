// hail-check's input: ledgers with any lines, read and judged against a small store.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fuzz/fuzz_target.h"
#include "tests/tools/hail-check/evidence.h"
#include "tests/tools/hail-check/judge.h"

namespace hail::fuzz {
namespace {

// One folder per process, in memory where the system supports that.
class Folder {
 public:
  Folder() {
    std::string pattern = std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp";
    pattern += "/hail-fuzz-XXXXXX";
    Require(mkdtemp(pattern.data()) != nullptr, "mkdtemp");
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// One ride, from the request to the drop-off.
check::Stores Stores() {
  check::Stores stores;
  stores.rides.push_back({"ride-1", "rider-1", "request-1", "driver-1", 7, 6, 1});
  const struct {
    int type;
    int state;
  } steps[] = {{1, 2}, {2, 3}, {3, 3}, {4, 4}, {5, 5}, {6, 7}};
  std::int64_t sequence = 0;
  for (const auto& step : steps) {
    ++sequence;
    const bool assigned = step.type != 1;
    stores.events.push_back({"ride-1", sequence, step.type, 1, step.state, assigned ? "driver-1" : "",
                             assigned ? sequence - 1 : 0, step.type == 6, 1'000'000 * sequence});
  }
  stores.offers.push_back({"offer-1", "ride-1", 1, "driver-1", "ACCEPTED"});
  return stores;
}

void Judge(Input& input) {
  static const auto* const folder = new Folder;
  static const check::Stores stores = Stores();
  static const bool registered = std::atexit([] { delete folder; }) == 0;
  Require(registered, "atexit");
  // The three ledgers, one after the other, a NUL between them.
  const std::string all = input.Rest();
  std::size_t from = 0;
  for (const char* name : {"riders", "drivers", "plan"}) {
    const std::size_t to = std::min(all.find('\0', from), all.size());
    std::ofstream(folder->path() + "/" + name + ".ndjson", std::ios::binary) << all.substr(from, to - from);
    from = std::min(to + 1, all.size());
  }
  const auto ledgers = check::ReadLedgers(folder->path());
  if (!ledgers.ok()) {
    Require(!ledgers.status().message().empty(), "a refusal says why");
    return;
  }
  for (const check::Verdict& verdict : check::Judge(*ledgers, stores)) {
    Require(verdict.violations <= verdict.examined, "a verdict counts", verdict.name);
    Require(verdict.examples.size() <= 5, "examples are a few");
  }
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  hail::fuzz::Judge(input);
  return 0;
}
