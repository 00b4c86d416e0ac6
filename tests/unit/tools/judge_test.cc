// A sound case, and variants of it with one planted violation each: the judge must report the broken rule.
#include "tests/tools/hail-check/judge.h"

#include <functional>
#include <set>

#include "gtest/gtest.h"
#include "tests/tools/hail-check/history.h"

namespace hail::check {
namespace {

using nlohmann::json;

struct Case {
  Ledgers ledgers;
  Stores stores;

  json& Rider(std::size_t line) { return ledgers.riders[line]; }
  json& Driver(std::size_t line) { return ledgers.drivers[line]; }
};

json Line(const char* kind, const char* agent, json fields) {
  fields["kind"] = kind;
  fields["agent"] = agent;
  return fields;
}

json View(const char* ride, int sequence, int state, int epoch, const char* driver) {
  return {
      {"ride_id", ride}, {"sequence", sequence}, {"state", StateName(state)}, {"epoch", epoch}, {"driver_id", driver}};
}

json EventView(const char* ride, int sequence, int type, int state, int epoch, const char* driver) {
  json view = View(ride, sequence, state, epoch, driver);
  view["type"] = TypeName(type);
  return view;
}

// Rider r1 requests ride a. Driver d1 takes it and gives it up. Driver d3 declines it, then d2 takes and completes it.
// The connections of the rider and of d2 drop once each.
Case SoundCase() {
  Case c;
  c.stores.rides = {{"a", "r1", "q1", "d2", kCompleted, 8, 2}};
  c.stores.events = {
      {"a", 1, kRequested, 1, kMatching, "", 0, false, 100},
      {"a", 2, kAssigned, 1, kEnroutePickup, "d1", 1, false, 110},
      {"a", 3, kRedispatched, 2, kMatching, "d1", 2, true, 120},
      {"a", 4, kAssigned, 2, kEnroutePickup, "d2", 1, false, 130},
      {"a", 5, kSeen, 2, kEnroutePickup, "d2", 2, false, 131},
      {"a", 6, kArrivedEvent, 2, kArrived, "d2", 3, false, 140},
      {"a", 7, kStarted, 2, kEnrouteDropoff, "d2", 4, false, 150},
      {"a", 8, kCompletedEvent, 2, kCompleted, "d2", 5, true, 160},
  };
  c.stores.offers = {
      {"o1", "a", 1, "d1", "ACCEPTED"}, {"o2", "a", 2, "d3", "DECLINED"}, {"o3", "a", 2, "d2", "ACCEPTED"}};
  const auto rider = [&](const char* kind, json fields) {
    fields["request_id"] = "q1";
    if (!fields.contains("ride_id")) fields["ride_id"] = "a";
    c.ledgers.riders.push_back(Line(kind, "r1", fields));
  };
  rider("request", {{"attempt", 1}});                                       // 0
  rider("acknowledged", View("a", 1, kMatching, 1, ""));                    // 1
  rider("connect", {{"stream", "WatchRide"}});                              // 2
  rider("snapshot", View("a", 1, kMatching, 1, ""));                        // 3
  rider("event", EventView("a", 2, kAssigned, kEnroutePickup, 1, "d1"));    // 4
  rider("event", EventView("a", 3, kRedispatched, kMatching, 2, ""));       // 5
  rider("disconnect", {{"by", "client"}});                                  // 6
  rider("connect", {{"stream", "WatchRide"}, {"after_sequence", 3}});       // 7
  rider("event", EventView("a", 4, kAssigned, kEnroutePickup, 2, "d2"));    // 8
  rider("event", EventView("a", 5, kSeen, kEnroutePickup, 2, "d2"));        // 9
  rider("caught_up", {{"sequence", 5}});                                    // 10
  rider("event", EventView("a", 6, kArrivedEvent, kArrived, 2, "d2"));      // 11
  rider("event", EventView("a", 7, kStarted, kEnrouteDropoff, 2, "d2"));    // 12
  rider("event", EventView("a", 8, kCompletedEvent, kCompleted, 2, "d2"));  // 13
  const auto driver = [&](const char* who, const char* kind, json fields) {
    c.ledgers.drivers.push_back(Line(kind, who, std::move(fields)));
  };
  const auto offer = [](const char* id, int epoch) {
    return json{{"offer_id", id}, {"ride_id", "a"}, {"epoch", epoch}};
  };
  driver("d1", "snapshot", {{"status", "AVAILABLE"}});                                           // 0
  driver("d1", "offer", offer("o1", 1));                                                         // 1
  driver("d1", "command", {{"command_id", "c1"}, {"action", "accept"}, {"offer_id", "o1"}});     // 2
  driver("d1", "event", EventView("a", 2, kAssigned, kEnroutePickup, 1, "d1"));                  // 3
  driver("d1", "result", {{"command_id", "c1"}, {"code", "OK"}});                                // 4
  driver("d1", "event", EventView("a", 3, kRedispatched, kEnroutePickup, 1, "d1"));              // 5
  driver("d3", "snapshot", {{"status", "AVAILABLE"}});                                           // 6
  driver("d3", "offer", offer("o2", 2));                                                         // 7
  driver("d3", "command", {{"command_id", "c1"}, {"action", "decline"}, {"offer_id", "o2"}});    // 8
  driver("d3", "result", {{"command_id", "c1"}, {"code", "OK"}});                                // 9
  driver("d2", "snapshot", {{"status", "AVAILABLE"}});                                           // 10
  driver("d2", "offer", offer("o3", 2));                                                         // 11
  driver("d2", "command", {{"command_id", "c1"}, {"action", "accept"}, {"offer_id", "o3"}});     // 12
  driver("d2", "result", {{"command_id", "c1"}, {"code", "UNAVAILABLE"}});                       // 13
  driver("d2", "result", {{"command_id", "c1"}, {"code", "OK"}});                                // 14
  driver("d2", "event", EventView("a", 4, kAssigned, kEnroutePickup, 2, "d2"));                  // 15
  driver("d2", "connect", {{"cursor", {{"ride_id", "a"}, {"sequence", 4}}}});                    // 16
  driver("d2", "event", EventView("a", 5, kSeen, kEnroutePickup, 2, "d2"));                      // 17
  driver("d2", "snapshot", {{"status", "ON_TRIP"}, {"ride", View("a", 6, kArrived, 2, "d2")}});  // 18
  driver("d2", "event", EventView("a", 7, kStarted, kEnrouteDropoff, 2, "d2"));                  // 19
  driver("d2", "event", EventView("a", 8, kCompletedEvent, kCompleted, 2, "d2"));                // 20
  c.ledgers.plan.push_back(Line("report", "", {{"interrupted", false}}));
  return c;
}

// The rules that the case violates.
std::set<int> Broken(const Case& c) {
  std::set<int> rules;
  for (const Verdict& verdict : Judge(c.ledgers, c.stores)) {
    if (verdict.violations > 0) rules.insert(verdict.rule);
  }
  return rules;
}

TEST(Judge, IsContentWithASoundCaseAndLooksAtEachRule) {
  const Case c = SoundCase();
  for (const Verdict& verdict : Judge(c.ledgers, c.stores)) {
    EXPECT_EQ(verdict.violations, 0) << verdict.name << ": " << (verdict.examples.empty() ? "" : verdict.examples[0]);
    EXPECT_GT(verdict.examined, 0) << verdict.name;
  }
}

TEST(Judge, LinesThatLackTheirFieldsOrHaveOthersAreJudgedAllTheSame) {
  for (const char* kind : {"acknowledged", "request", "connect", "event", "snapshot", "reset", "active", "offer",
                           "offer_update", "command", "result", "report"}) {
    for (const json& fields :
         {json::object(), json{{"ride_id", 5}, {"request_id", {1}}, {"sequence", 1e300}, {"interrupted", "yes"}},
          json{{"ride", 5}, {"offer", nullptr}}, json{{"ride", json::object()}, {"offer", json::array()}}}) {
      Case c = SoundCase();
      c.ledgers.riders.push_back(Line(kind, "r1", fields));
      c.ledgers.drivers.push_back(Line(kind, "d1", fields));
      c.ledgers.plan.push_back(Line(kind, "", fields));
      EXPECT_FALSE(Judge(c.ledgers, c.stores).empty());
    }
  }
}

struct Planted {
  const char* name;
  int rule;
  std::function<void(Case&)> plant;
};

class JudgePlanted : public ::testing::TestWithParam<Planted> {};

TEST_P(JudgePlanted, IsSeen) {
  Case c = SoundCase();
  GetParam().plant(c);
  EXPECT_TRUE(Broken(c).contains(GetParam().rule));
}

const Planted kPlanted[] = {
    {"TwoLiveRidesOfADriver", 1,
     [](Case& c) {
       c.stores.events.push_back({"b", 2, kAssigned, 1, kEnroutePickup, "d2", 3, false, 145});
     }},
    {"TwoLiveRidesOfARider", 1,
     [](Case& c) {
       c.stores.rides.push_back({"b", "r1", "q2", "", kMatching, 1, 1});
       c.stores.events.push_back({"b", 1, kRequested, 1, kMatching, "", 0, false, 155});
     }},
    {"OneEpochToldToTwoDrivers", 1,
     [](Case& c) {
       c.ledgers.drivers.push_back(Line("event", "d9", EventView("a", 4, kAssigned, kEnroutePickup, 2, "d9")));
     }},
    {"ADriverToldOfTwoRides", 1,
     [](Case& c) {
       c.ledgers.drivers.insert(c.ledgers.drivers.begin() + 19,
                                Line("event", "d2", EventView("b", 2, kAssigned, kEnroutePickup, 1, "d2")));
     }},
    {"AnAcknowledgedRideIsGone", 2, [](Case& c) { c.stores.rides.clear(); }},
    {"AnAcknowledgedRideNeverEnds", 2, [](Case& c) { c.stores.rides[0].state = kEnrouteDropoff; }},
    {"ARequestAcknowledgedAsTwoRides", 3,
     [](Case& c) {
       c.ledgers.riders.push_back(Line("acknowledged", "r1", {{"request_id", "q1"}, {"ride_id", "b"}}));
     }},
    {"ARequestStoredAsTwoRides", 3,
     [](Case& c) {
       c.stores.rides.push_back({"b", "r1", "q1", "", kCanceled, 1, 1});
     }},
    {"ARideNobodyAskedFor", 3,
     [](Case& c) {
       c.stores.rides.push_back({"b", "r1", "q9", "", kCanceled, 1, 1});
     }},
    {"AGapInTheLog", 4, [](Case& c) { c.stores.events.erase(c.stores.events.begin() + 4); }},
    {"AnIllegalTransition", 4, [](Case& c) { c.stores.events[6].state = kCompleted; }},
    {"AnEventAfterTheEnd", 4,
     [](Case& c) {
       c.stores.events.push_back({"a", 9, kCanceledEvent, 2, kCanceled, "", 0, false, 170});
     }},
    {"ARedispatchAtTheSameEpoch", 4, [](Case& c) { c.stores.events[2].epoch = 1; }},
    {"ARowAheadOfItsLog", 4, [](Case& c) { c.stores.rides[0].sequence = 9; }},
    {"ARiderMissesAnEvent", 5, [](Case& c) { c.ledgers.riders.erase(c.ledgers.riders.begin() + 11); }},
    {"ARiderSeesAnEventTwice", 5, [](Case& c) { c.ledgers.riders.insert(c.ledgers.riders.begin() + 9, c.Rider(8)); }},
    {"ARiderIsNotToldTheEnd", 5, [](Case& c) { c.ledgers.riders.pop_back(); }},
    {"ARiderCaughtUpTooSoon", 5, [](Case& c) { c.Rider(10)["sequence"] = 6; }},
    {"ASnapshotOutOfTurn", 5,
     [](Case& c) {
       c.ledgers.riders.insert(c.ledgers.riders.begin() + 8, Line("snapshot", "r1", View("a", 3, kMatching, 2, "")));
     }},
    {"ADriverSeesAnEventTwice", 5,
     [](Case& c) { c.ledgers.drivers.insert(c.ledgers.drivers.begin() + 18, c.Driver(17)); }},
    {"ADriverMissesAnEvent", 5,
     [](Case& c) { c.ledgers.drivers.erase(c.ledgers.drivers.begin() + 17, c.ledgers.drivers.begin() + 19); }},
    {"AnEventThatIsNotStored", 5,
     [](Case& c) {
       c.ledgers.riders.push_back(Line("event", "r1", EventView("a", 9, kCanceledEvent, kCanceled, 2, "")));
     }},
    {"AnEventSeenDifferently", 5, [](Case& c) { c.Rider(11)["state"] = StateName(kEnroutePickup); }},
    {"AnEventOfAnotherDriver", 5, [](Case& c) { c.Rider(8)["driver_id"] = "d7"; }},
    {"AnAcceptWithoutAnswer", 6, [](Case& c) { c.ledgers.drivers.erase(c.ledgers.drivers.begin() + 14); }},
    {"AnAcceptWonThatIsNotStored", 6, [](Case& c) { c.Driver(11)["epoch"] = 3; }},
    {"AnAcceptLostThatIsStored", 6,
     [](Case& c) {
       c.Driver(14)["code"] = "FAILED_PRECONDITION";
       c.Driver(14)["reason"] = "OFFER_EXPIRED";
     }},
    {"ADriverBookedUnaware", 6,
     [](Case& c) {
       std::erase_if(c.ledgers.drivers, [](const json& line) { return line["agent"] == "d2"; });
       c.ledgers.drivers.push_back(Line("connect", "d2", json::object()));
     }},
    {"ARideFromADeclinedOffer", 7, [](Case& c) { c.Driver(12)["action"] = "decline"; }},
    {"ARideFromARevokedOffer", 7,
     [](Case& c) {
       c.ledgers.drivers.insert(c.ledgers.drivers.begin() + 12,
                                Line("offer_update", "d2", {{"offer_id", "o3"}, {"status", "OFFER_STATUS_REVOKED"}}));
     }},
    {"TwoLiveOffers", 7,
     [](Case& c) {
       c.ledgers.drivers.insert(c.ledgers.drivers.begin() + 12,
                                Line("offer", "d2", {{"offer_id", "o9"}, {"ride_id", "b"}, {"epoch", 1}}));
     }},
    {"AnAcceptedOfferWithoutAssignment", 7, [](Case& c) { c.stores.offers[1].outcome = "ACCEPTED"; }},
    {"ARiderSeesAnothersRide", 8, [](Case& c) { c.stores.rides[0].rider_id = "r2"; }},
    {"ADriverSeesAnothersEvent", 8,
     [](Case& c) {
       c.ledgers.drivers.push_back(Line("event", "d1", EventView("a", 7, kStarted, kEnrouteDropoff, 2, "d2")));
     }},
};

INSTANTIATE_TEST_SUITE_P(All, JudgePlanted, ::testing::ValuesIn(kPlanted),
                         [](const auto& info) { return info.param.name; });

TEST(Judge, TakesTheOffersEndForTheAnswerWhereTheResultWasLost) {
  Case c = SoundCase();
  c.ledgers.drivers[14] = Line("offer_update", "d2", {{"offer_id", "o3"}, {"status", "OFFER_STATUS_ACCEPTED"}});
  EXPECT_EQ(Broken(c), std::set<int>{});
}

TEST(Judge, LetsAnAcceptBeLostOnceTheAssignmentWasTakenBack) {
  Case c = SoundCase();
  c.Driver(4)["code"] = "FAILED_PRECONDITION";
  c.Driver(4)["reason"] = "OFFER_EXPIRED";
  EXPECT_EQ(Broken(c), std::set<int>{});
}

TEST(Judge, LetsRidesBeUnderWayWhenTheRunWasCutOff) {
  Case c = SoundCase();
  c.stores.rides[0].state = kEnrouteDropoff;
  c.stores.rides[0].sequence = 7;
  c.stores.events.pop_back();
  c.ledgers.riders.pop_back();
  c.ledgers.drivers.pop_back();
  EXPECT_TRUE(Broken(c).contains(2));
  c.ledgers.plan[0]["interrupted"] = true;
  EXPECT_EQ(Broken(c), std::set<int>{});
}

}  // namespace
}  // namespace hail::check
