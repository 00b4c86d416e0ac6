// The verdict: the promises of README.md, one by one, as far as clients and stores show it. Independent of hail-sim's
// own counters, so that each finds faults that the other misses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/tools/hail-check/evidence.h"

namespace hail::check {

struct Verdict {
  // The number of the promise in README.md, and its subject.
  int rule = 0;
  std::string name;
  std::int64_t examined = 0;
  std::int64_t violations = 0;
  // The first few, for people.
  std::vector<std::string> examples;
};

std::vector<Verdict> Judge(const Ledgers& ledgers, const Stores& stores);

}  // namespace hail::check
