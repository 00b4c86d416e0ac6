// Indexes over the evidence. Used only by the judge.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/tools/hail-check/evidence.h"
#include "tests/tools/hail-check/judge.h"
#include "tests/tools/hail-check/ride_life.h"

namespace hail::check {

// A field of a ledger's line, or of an object in it; empty or 0 if it is missing or has a different type.
std::string Text(const nlohmann::json& line, const char* field);
std::int64_t Number(const nlohmann::json& line, const char* field);

// Names as in the ledgers.
std::string StateName(int state);
std::string TypeName(int type);

struct History {
  History(const Ledgers& ledgers, const Stores& stores);

  const Ledgers& ledgers;
  const Stores& stores;
  // By ride_id.
  std::map<std::string, const StoredRide*> rides;
  std::map<std::string, std::vector<const StoredEvent*>> events;
  // A driver's events in the order in which they were committed.
  std::map<std::string, std::vector<const StoredEvent*>> driver_events;
  // (rider, request) → the rides its acknowledgements named.
  std::map<std::pair<std::string, std::string>, std::set<std::string>> acknowledged;
  // Whether the run was cut off: then rides may still be under way.
  bool interrupted = false;

  // Nullptr: there is no such event.
  const StoredEvent* Event(const std::string& ride_id, std::int64_t sequence) const;
  // Whether the store has an assignment of this ride to this driver at this epoch.
  bool Assigned(const std::string& ride_id, std::int64_t epoch, const std::string& driver_id) const;
  // Whether that assignment ended before the driver arrived: taken back from an unreachable driver, or cancelled. A
  // later accept by this driver is rightly answered with a refusal.
  bool TakenBack(const std::string& ride_id, std::int64_t epoch, const std::string& driver_id) const;
};

// The examination of one rule.
class Question {
 public:
  Question(int rule, std::string name) : verdict_{rule, std::move(name)} {}

  void Examine() { ++verdict_.examined; }
  void Violation(const std::string& what) {
    ++verdict_.violations;
    if (verdict_.examples.size() < 5) verdict_.examples.push_back(what);
  }
  // Examines one case.
  void Require(bool holds, const std::string& what) {
    Examine();
    if (!holds) Violation(what);
  }
  Verdict Take() { return std::move(verdict_); }

 private:
  Verdict verdict_;
};

}  // namespace hail::check
