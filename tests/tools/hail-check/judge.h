// The verdict: DESIGN §10, rule by rule, as far as clients and stores show it. Shares nothing with hail-sim's own
// counters: what one overlooks the other finds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/tools/hail-check/evidence.h"

namespace hail::check {

struct Verdict {
  // The rule's number in DESIGN §10, and what was looked at.
  int rule = 0;
  std::string name;
  std::int64_t examined = 0;
  std::int64_t violations = 0;
  // The first few, for people.
  std::vector<std::string> examples;
};

std::vector<Verdict> Judge(const Ledgers& ledgers, const Stores& stores);

}  // namespace hail::check
