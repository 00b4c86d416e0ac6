// Runs a fuzz target without libFuzzer: the inputs of the files and folders named, then seeded mutations of them.
//
//   fuzz_x [--mutations N] [--seed N] CORPUS…
//
// No coverage guides it: it is the regression test of what fuzzing has found, with a margin. An input that fails is
// kept as crash-<target> in the working directory; named as CORPUS it is run again.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"

// Set by the sanitizers' run-time, if any: they end the process without a signal.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

using Bytes = std::vector<std::uint8_t>;

// Mutations grow inputs up to the longest of the corpus, or to this.
constexpr std::size_t kLongest = 4096;

std::string crash_file;
Bytes present;

void KeepInput() {
  std::FILE* file = std::fopen(crash_file.c_str(), "wb");
  if (file == nullptr) return;
  std::fwrite(present.data(), 1, present.size(), file);
  std::fclose(file);
  std::fprintf(stderr, "the input, %zu bytes, is kept in %s\n", present.size(), crash_file.c_str());
}

void OnSignal(int number) {
  // Not async-signal-safe. The process is lost anyway, and keeping the input is worth the attempt.
  std::signal(number, SIG_DFL);
  KeepInput();
  std::raise(number);
}

void Run(const Bytes& input) {
  present = input;
  // A copy of exactly this size, so that the address sanitizer sees a read beyond it.
  const Bytes copy(input);
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

Bytes Read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

class Mutator {
 public:
  Mutator(const std::vector<Bytes>& corpus, std::uint64_t seed) : corpus_(corpus), random_(seed) {
    for (const Bytes& input : corpus) longest_ = std::max(longest_, input.size());
  }

  Bytes Next() {
    Bytes input = corpus_[Below(corpus_.size())];
    for (std::size_t changes = 1 + Below(6); changes > 0; --changes) Change(input);
    if (input.size() > longest_) input.resize(longest_);
    return input;
  }

 private:
  std::size_t Below(std::size_t n) { return n == 0 ? 0 : random_() % n; }

  void Change(Bytes& input) {
    const auto at = [&](std::size_t offset) { return input.begin() + static_cast<std::ptrdiff_t>(offset); };
    const std::size_t here = Below(input.size() + 1);
    const std::size_t span = std::min(input.size() - here, std::size_t{1} << Below(7));
    switch (Below(8)) {
      case 0:
        if (here < input.size()) input[here] ^= static_cast<std::uint8_t>(1u << Below(8));
        return;
      case 1:
        if (here < input.size()) input[here] = static_cast<std::uint8_t>(random_());
        return;
      case 2:
        input.insert(at(here), 1 + Below(4), static_cast<std::uint8_t>(random_()));
        return;
      case 3:
        input.erase(at(here), at(here + span));
        return;
      case 4: {
        const Bytes twice(at(here), at(here + span));
        input.insert(at(Below(input.size() + 1)), twice.begin(), twice.end());
        return;
      }
      case 5: {
        // Another input's end after this one's beginning.
        const Bytes& other = corpus_[Below(corpus_.size())];
        const std::size_t from = Below(other.size() + 1);
        input.resize(here);
        input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
        return;
      }
      case 6: {
        static constexpr std::array<std::int64_t, 8> kEdges = {0,         1,         -1,        INT32_MAX,
                                                               INT32_MIN, INT64_MAX, INT64_MIN, 0x7ff8000000000000};
        const std::int64_t edge = kEdges[Below(kEdges.size())];
        const std::size_t size = std::min(sizeof edge, input.size() - here);
        std::copy_n(reinterpret_cast<const std::uint8_t*>(&edge), size, at(here));
        return;
      }
      default:
        // For text: replaces the next digit or sign by another digit.
        for (std::size_t i = here; i < input.size(); ++i) {
          if (input[i] < '0' || input[i] > '9') continue;
          input[i] = static_cast<std::uint8_t>("0123456789-+.e"[Below(14)]);
          return;
        }
    }
  }

  const std::vector<Bytes>& corpus_;
  std::mt19937_64 random_;
  std::size_t longest_ = kLongest;
};

}  // namespace

int main(int argc, char** argv) {
  unsigned long mutations = 0;
  std::uint64_t seed = 1;
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--mutations" && i + 1 < argc) {
      mutations = std::strtoul(argv[++i], nullptr, 10);
    } else if (argument == "--seed" && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::filesystem::is_directory(argument)) {
      for (const auto& entry : std::filesystem::directory_iterator(argument)) files.push_back(entry.path());
    } else if (std::filesystem::exists(argument)) {
      files.emplace_back(argument);
    } else {
      std::fprintf(stderr, "no such file: %s\n", argument.c_str());
      return 2;
    }
  }
  crash_file = "crash-" + std::filesystem::path(argv[0]).filename().string();
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(&KeepInput);
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(number, &OnSignal);

  // Names are hashes or words: sorted, so that every run has the same order.
  std::sort(files.begin(), files.end());
  std::vector<Bytes> corpus;
  for (const std::filesystem::path& file : files) corpus.push_back(Read(file));
  if (corpus.empty()) {
    std::fprintf(stderr, "no inputs\n");
    return 2;
  }
  for (const Bytes& input : corpus) Run(input);
  Mutator mutator(corpus, seed);
  for (unsigned long i = 0; i < mutations; ++i) Run(mutator.Next());
  std::printf("%zu inputs and %lu mutations, all well\n", corpus.size(), mutations);
  return 0;
}
