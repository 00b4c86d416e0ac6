#include "tests/tools/hail-sim/rider_scripts.h"

#include <set>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace hail::sim {
namespace {

namespace tpb = hail::type::v1;

TEST(RiderScripts, TakeTurnsUnlessOneIsChosen) {
  const int scripts = static_cast<int>(RiderScripts().size());
  for (int request = 0; request < 2 * scripts; ++request) {
    EXPECT_EQ(&ScriptOfRequest(nullptr, request), &RiderScripts()[request % scripts]);
    EXPECT_EQ(&ScriptOfRequest(FindRiderScript("note"), request), FindRiderScript("note"));
  }
}

TEST(RiderScripts, CancelInTheirOwnStateOnly) {
  const std::pair<const char*, tpb::RideState> cancels[] = {{"cancel-while-matching", tpb::RIDE_STATE_MATCHING},
                                                            {"cancel-before-pickup", tpb::RIDE_STATE_ENROUTE_TO_PICKUP},
                                                            {"cancel-at-pickup", tpb::RIDE_STATE_ARRIVED_AT_PICKUP}};
  for (const auto& [name, when] : cancels) {
    for (int state = tpb::RideState_MIN; state <= tpb::RideState_MAX; ++state) {
      if (!tpb::RideState_IsValid(state)) continue;
      EXPECT_EQ(CancelsAfter(*FindRiderScript(name), static_cast<tpb::RideState>(state)).has_value(), state == when)
          << name << " " << state;
    }
  }
  for (const char* name : {"ride", "note", "each-product"}) {
    EXPECT_FALSE(CancelsAfter(*FindRiderScript(name), tpb::RIDE_STATE_UNSPECIFIED)) << name;
    EXPECT_FALSE(CancelsAfter(*FindRiderScript(name), tpb::RIDE_STATE_MATCHING)) << name;
  }
}

TEST(RiderScripts, EachScriptHasItsNameAndItsRowOfTheTable) {
  std::set<std::string> names;
  const std::string table = RiderScriptsTable();
  for (const RiderScript& script : RiderScripts()) {
    EXPECT_TRUE(names.insert(script.name).second) << script.name;
    EXPECT_EQ(FindRiderScript(script.name), &script);
    EXPECT_NE(table.find(std::string("| `") + script.name + "`"), std::string::npos) << script.name;
  }
  EXPECT_EQ(FindRiderScript("none"), nullptr);
}

}  // namespace
}  // namespace hail::sim
