#include "tests/tools/hail-sim/ride_scripts.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace hail::sim {
namespace {

DriverAct Act(const char* label, DriverPhase phase, const RideSoFar& so_far = {}) {
  const RideScript* script = FindRideScript(label);
  EXPECT_NE(script, nullptr) << label;
  return NextAct(*script, phase, so_far);
}

TEST(RideScripts, ARideWithoutTheLabelIsAccepted) {
  EXPECT_STREQ(FindRideScript(std::nullopt)->name, "accept");
  for (const DriverPhase phase : {DriverPhase::kOffered, DriverPhase::kToPickup, DriverPhase::kAtPickup}) {
    EXPECT_EQ(Act("accept", phase), DriverAct::kGoOn);
  }
}

TEST(RideScripts, AnUnknownLabelIsNoScript) {
  EXPECT_EQ(FindRideScript("acept"), nullptr);
  EXPECT_EQ(FindRideScript(""), nullptr);
}

TEST(RideScripts, ThreeDriversDeclineAndTheFourthGoesOn) {
  for (const int declines : {0, 1, 2}) {
    EXPECT_EQ(Act("decline-3", DriverPhase::kOffered, {.declines = declines}), DriverAct::kDecline);
  }
  for (const int declines : {3, 4}) {
    EXPECT_EQ(Act("decline-3", DriverPhase::kOffered, {.declines = declines}), DriverAct::kGoOn);
  }
  EXPECT_EQ(Act("decline-3", DriverPhase::kToPickup), DriverAct::kGoOn);
  EXPECT_EQ(Act("decline-3", DriverPhase::kAtPickup), DriverAct::kGoOn);
}

TEST(RideScripts, NoDriverTakesTheRideHoweverManyDeclined) {
  for (const int declines : {0, 3, 1'000'000}) {
    EXPECT_EQ(Act("no-driver", DriverPhase::kOffered, {.declines = declines}), DriverAct::kDecline);
  }
}

TEST(RideScripts, TheFirstDriverGivesUpOnTheWayAndTheNextGoesOn) {
  EXPECT_EQ(Act("cancel-before-arrival", DriverPhase::kOffered), DriverAct::kGoOn);
  EXPECT_EQ(Act("cancel-before-arrival", DriverPhase::kToPickup), DriverAct::kGiveUp);
  EXPECT_EQ(Act("cancel-before-arrival", DriverPhase::kToPickup, {.given_up = 1}), DriverAct::kGoOn);
  EXPECT_EQ(Act("cancel-before-arrival", DriverPhase::kAtPickup, {.given_up = 1}), DriverAct::kGoOn);
}

TEST(RideScripts, TheDriverCancelsWaitsOrStandsStill) {
  EXPECT_EQ(Act("cancel-at-pickup", DriverPhase::kToPickup), DriverAct::kGoOn);
  EXPECT_EQ(Act("cancel-at-pickup", DriverPhase::kAtPickup), DriverAct::kGiveUp);
  EXPECT_EQ(Act("wait-at-pickup", DriverPhase::kToPickup), DriverAct::kGoOn);
  EXPECT_EQ(Act("wait-at-pickup", DriverPhase::kAtPickup), DriverAct::kWait);
  EXPECT_EQ(Act("never-move", DriverPhase::kOffered), DriverAct::kGoOn);
  EXPECT_EQ(Act("never-move", DriverPhase::kToPickup, {.given_up = 1}), DriverAct::kStandStill);
}

TEST(RideScripts, EachScriptHasItsNameAndItsRowOfTheTable) {
  std::set<std::string> names;
  const std::string table = RideScriptsTable();
  for (const RideScript& script : RideScripts()) {
    EXPECT_TRUE(names.insert(script.name).second) << script.name;
    EXPECT_LE(std::string(script.name).size(), 64u) << "the contract's limit of a label";
    EXPECT_EQ(FindRideScript(script.name), &script);
    EXPECT_NE(table.find(std::string("| `") + script.name + "`"), std::string::npos) << script.name;
    EXPECT_NE(RideScriptNames().find(script.name), std::string::npos);
  }
}

}  // namespace
}  // namespace hail::sim
