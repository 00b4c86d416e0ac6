// Rides that one replica dispatches and offers to drivers whose sessions another replica owns (docs/decisions/0024).
#include "absl/time/time.h"
#include "tests/unit/driver-service/replicas_fixture.h"

namespace hail::driver {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

// The recorded lines that begin with `kind`: 's' for streams, 'l' for links.
std::vector<std::string> Of(char kind, const std::vector<std::string>& lines) {
  std::vector<std::string> some;
  for (const std::string& line : lines) {
    if (line[0] == kind && line.find(" working") == std::string::npos) some.push_back(line);
  }
  return some;
}

class AskTest : public ReplicasTest {};

TEST_F(AskTest, ADriverOfAnotherReplicaIsOfferedARideAndConfirmedThere) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  EXPECT_THAT(Take("a"), ElementsAre("l1 started r1@1"));
  EXPECT_THAT(Take("b"), ElementsAre("s7 offer o1 r1@1"));
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kOffered);
  Respond("b", "d1", "o1", true);
  EXPECT_THAT(Take("b"), ElementsAre("s7 o1 CONFIRMING", "confirm o1 r1@1 d1"));
  EXPECT_EQ(Core("a").Counts(now_).rides, 1);
  Confirmed("b", Committed("b"));
  EXPECT_THAT(Take("b"), ElementsAre("s7 o1 ACCEPTED"));
  EXPECT_EQ(Core("a").Counts(now_).rides, 0) << "the dispatch has ended";
  Start("a", "r1");
  Pass(absl::Seconds(2));
  EXPECT_THAT(Of('l', Take("a")), ElementsAre("l1 started r1@1")) << "for good";
  EXPECT_EQ(Record("b").records.size(), 1u);
  EXPECT_THAT(Record("a").records, IsEmpty()) << "logged once, by the owner";
  EXPECT_TRUE(answers_.at(0).status.ok());
}

TEST_F(AskTest, WhoDeclinesIsExcludedAndTheAskersLinkIsTold) {
  Online("b", "d1", 7, 300);
  Online("b", "d2", 8, 900);
  Start("a", "r1");
  Take("a");
  Respond("b", "d1", "o1", false);
  EXPECT_THAT(Take("a"), ElementsAre("l1 settled r1@1 d1 DECLINED"));
  EXPECT_THAT(Take("b"), ElementsAre("s7 offer o1 r1@1", "s7 o1 DECLINED", "s8 offer o2 r1@1"));
  Respond("b", "d2", "o2", false);
  Pass(absl::Seconds(10));
  EXPECT_THAT(Take("b"), Contains("s8 o2 DECLINED"));
  EXPECT_EQ(Record("b").offers.size(), 2u) << "nobody is asked twice";
}

TEST_F(AskTest, AnExpiredOfferIsTheDriversOnlyIfItWasShown) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Received("b", "d1", "o1");
  Pass(absl::Seconds(16));
  EXPECT_THAT(Of('l', Take("a")), ElementsAre("l1 started r1@1", "l1 settled r1@1 d1 EXPIRED"));

  Start("a", "r2");
  Pass(absl::Seconds(4));
  EXPECT_THAT(Of('l', Take("a")), ElementsAre("l1 started r2@1")) << "no penalty";
  EXPECT_EQ(Record("b").offers.size(), 2u);
  for (int i = 0; i < 30; ++i) {
    Move("b", "d1", 300);
    Pass(absl::Seconds(1));
  }
  EXPECT_EQ(Record("b").offers.size(), 3u) << "asked again after a pause";
}

TEST_F(AskTest, WithoutAnAnswerTheNextDriverIsAskedAndALateOfferIsWithdrawn) {
  Online("b", "d1", 7, 300);
  Online("a", "d2", 2, 900);
  hold_ = [](const Sent& sent) { return Is<RemoteOfferRequest>(sent); };
  Start("a", "r1");
  Pass(absl::Milliseconds(400));
  EXPECT_THAT(Of('s', Take("a")), IsEmpty());
  Pass(absl::Milliseconds(200));
  EXPECT_THAT(Of('s', Take("a")), ElementsAre("s2 offer o1 r1@1"));
  // The request arrives after the withdrawal.
  Release();
  EXPECT_THAT(Take("b"), ElementsAre("s7 offer o1 r1@1", "s7 o1 REVOKED SUPERSEDED"));
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kAvailable);
  EXPECT_EQ(Status("a", "d2"), DriverStatus::kOffered);
}

TEST_F(AskTest, ALostAnswerCostsTheDriverNothing) {
  Online("b", "d1", 7, 300);
  lose_ = [](const Sent& sent) { return Is<RemoteOfferStatus>(sent); };
  Start("a", "r1");
  Pass(absl::Seconds(1));
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kAvailable) << "withdrawn";
  lose_ = nullptr;
  Pass(absl::Seconds(6));
  EXPECT_THAT(Of('l', Take("a")), ElementsAre("l1 started r1@1"));
  EXPECT_EQ(Record("b").offers.size(), 2u) << "asked again";
}

TEST_F(AskTest, AReplicaThatDoesNotAnswerIsNotAskedBeforeItIsHeard) {
  for (int i = 0; i < 4; ++i) Online("b", absl::StrCat("d", i), 10 + i, 300 + i);
  Online("a", "near", 2, 900);
  lose_ = [](const Sent& sent) { return sent.to == "b"; };
  Start("a", "r1");
  Pass(absl::Milliseconds(700));
  EXPECT_THAT(Of('s', Take("a")), ElementsAre("s2 offer o1 r1@1")) << "not one after the other";
  Respond("a", "near", "o1", false);
  Pass(absl::Seconds(3));
  lose_ = nullptr;
  EXPECT_THAT(Record("b").offers, IsEmpty());
  Move("b", "d3", 300);
  Pass(absl::Seconds(2));
  EXPECT_EQ(Record("b").offers.size(), 1u);
}

TEST_F(AskTest, AnOfferLivesAsLongAsItsAskerAsks) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Received("b", "d1", "o1");
  Pass(absl::Seconds(12));
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kOffered);
  EXPECT_EQ(Record("b").offers.size(), 1u) << "asking again is no second offer";
  replicas_.erase("a");
  Pass(absl::Seconds(3));
  EXPECT_THAT(Of('s', Take("b")).back(), "s7 o1 EXPIRED") << "the offer's own time ended earlier";

  Add("a");
  Online("b", "d1", 7, 300);
  Start("a", "r2");
  Received("b", "d1", "o2");
  replicas_.erase("a");
  Pass(absl::Seconds(5));
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kOffered);
  Pass(absl::Seconds(1));
  EXPECT_THAT(Of('s', Take("b")).back(), "s7 o2 REVOKED SUPERSEDED");
}

TEST_F(AskTest, AConfirmationOutlivesItsAsker) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Respond("b", "d1", "o1", true);
  replicas_.erase("a");
  Pass(absl::Seconds(10));
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kReserved);
  Confirmed("b", Committed("b"));
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kOnTrip);
}

TEST_F(AskTest, AnOfferWhoseOwnerFallsSilentIsGivenUp) {
  Online("b", "d1", 7, 300);
  Online("a", "d2", 2, 900);
  Start("a", "r1");
  Take("a");
  lose_ = [](const Sent& sent) { return sent.from == "b"; };
  Received("b", "d1", "o1");
  Pass(absl::Seconds(8));
  EXPECT_THAT(Of('s', Take("a")), IsEmpty());
  Pass(absl::Seconds(1));
  EXPECT_THAT(Of('s', Take("a")), ElementsAre("s2 offer o1 r1@1"));
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kAvailable) << "withdrawn";
}

TEST_F(AskTest, OneLostAnswerOfThreeEndsNothing) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Received("b", "d1", "o1");
  int statuses = 0;
  lose_ = [&](const Sent& sent) { return Is<RemoteOfferStatus>(sent) && ++statuses % 3 != 0; };
  Pass(absl::Seconds(14));
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kOffered);
}

TEST_F(AskTest, AnOwnerThatForgotTheOfferMakesNone) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Received("b", "d1", "o1");
  Add("b");
  lose_ = [](const Sent& sent) { return !Is<RemoteOfferRequest>(sent) && !Is<RemoteOfferStatus>(sent); };
  Core("b").OpenStream(now_, MakeDriver("d1"), Availability::kOnline, ++claims_, 8, std::nullopt);
  Core("b").OnFeedSnapshot(now_, {"d1", Record("b").subscriptions.at("d1"), {}, false, nullptr});
  Move("b", "d1", 300);
  Online("a", "d2", 2, 900);
  Pass(absl::Seconds(3));
  EXPECT_THAT(Record("b").offers, IsEmpty());
  EXPECT_EQ(Status("a", "d2"), DriverStatus::kOffered) << "the ride was due again";
}

TEST_F(AskTest, StopWithdrawsTheOfferWithItsReason) {
  Online("b", "d1", 7, 300);
  const std::vector<std::pair<StopReason, std::string>> cases = {{StopReason::kTaken, "TAKEN"},
                                                                 {StopReason::kRideCanceled, "RIDE_CANCELED"},
                                                                 {StopReason::kSuperseded, "SUPERSEDED"}};
  int n = 0;
  for (const auto& [reason, revoke_reason] : cases) {
    const std::string ride = absl::StrCat("r", ++n);
    Start("a", ride);
    Take("b");
    Stop("a", ride, reason);
    EXPECT_THAT(Take("b"), ElementsAre(absl::StrCat("s7 o", n, " REVOKED ", revoke_reason)));
    EXPECT_EQ(Status("b", "d1"), DriverStatus::kAvailable);
  }
}

TEST_F(AskTest, TheLinksEndAndAnotherEpochWithdrawIt) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Take("b");
  Start("a", "r1", 2);
  // The driver is free again once the owner reports it.
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take("b"), ElementsAre("s7 o1 REVOKED SUPERSEDED", "s7 offer o2 r1@2"));
  Core("a").LinkDown(now_, 1);
  Deliver();
  EXPECT_THAT(Take("b"), ElementsAre("s7 o2 REVOKED SUPERSEDED"));
  EXPECT_EQ(Core("a").Counts(now_).rides, 0);
}

TEST_F(AskTest, AWithdrawalThatIsLostIsSaidAgain) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Take("b");
  lose_ = [](const Sent& sent) { return Is<OfferWithdraw>(sent); };
  Stop("a", "r1", StopReason::kRideCanceled);
  lose_ = nullptr;
  Received("b", "d1", "o1");
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kOffered);
  Pass(absl::Seconds(6));
  EXPECT_THAT(Of('s', Take("b")), ElementsAre("s7 o1 REVOKED SUPERSEDED"))
      << "the requesting replica no longer names it";
}

TEST_F(AskTest, WhatIsBeingConfirmedGoesOn) {
  Online("b", "d1", 7, 300);
  Online("a", "d2", 2, 900);
  Start("a", "r1");
  Respond("b", "d1", "o1", true);
  Start("a", "r1", 2);
  Pass(absl::Seconds(3));
  EXPECT_THAT(Of('s', Take("a")), IsEmpty()) << "the new epoch waits for the outcome";
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kReserved);
  Confirmed("b", FailedPrecondition(Reason::kStaleEpoch, "", {{"state", "MATCHING"}}));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Of('s', Take("b")), Contains("s7 o1 REVOKED SUPERSEDED"));
  EXPECT_EQ(Core("a").Counts(now_).offers_pending + Core("b").Counts(now_).offers_pending, 1)
      << "the new epoch makes its offer";
}

TEST_F(AskTest, StopAndTheLinksEndDoNotTouchAConfirmation) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Respond("b", "d1", "o1", true);
  Stop("a", "r1", StopReason::kTaken);
  Core("a").LinkDown(now_, 1);
  Deliver();
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kReserved);
  Confirmed("b", Committed("b"));
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kOnTrip);
}

TEST_F(AskTest, ADefiniteRefusalEndsTheDispatchOrExcludesTheDriver) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Respond("b", "d1", "o1", true);
  Confirmed("b", FailedPrecondition(Reason::kRideNotMatching, "", {{"state", "CANCELED"}}));
  EXPECT_THAT(Of('s', Take("b")).back(), "s7 o1 REVOKED RIDE_CANCELED");
  EXPECT_EQ(Core("a").Counts(now_).rides, 0);

  Start("a", "r2");
  Respond("b", "d1", "o2", true);
  Confirmed("b", FailedPrecondition(Reason::kDriverBusy, ""));
  Core("b").OnFeedSnapshot(now_, {"d1", Record("b").subscriptions.at("d1"), {}, false, nullptr});
  Move("b", "d1", 300);
  Pass(absl::Seconds(8));
  EXPECT_EQ(Core("a").Counts(now_).rides, 1);
  EXPECT_EQ(Record("b").offers.size(), 2u) << "not the same driver again";
}

TEST_F(AskTest, TheOwnerDecidesWhichRideItsDriverIsOffered) {
  Online("b", "d1", 7, 300);
  hold_ = [](const Sent& sent) { return Is<Presences>(sent); };
  Start("b", "r1");
  Start("a", "r2");
  EXPECT_THAT(Of('s', Take("b")), ElementsAre("s7 offer o1 r1@1")) << "one live offer";
  Respond("b", "d1", "o1", false);
  Release();
  Pass(absl::Seconds(6));
  EXPECT_THAT(Of('s', Take("b")), ElementsAre("s7 o1 DECLINED", "s7 offer o2 r2@1")) << "its turn came";
}

TEST_F(AskTest, TwoRidesOfOneReplicaDoNotAskForTheSameDriver) {
  Online("b", "d1", 7, 300);
  hold_ = [](const Sent& sent) { return Is<Presences>(sent) || Is<RemoteOfferStatus>(sent); };
  int asks = 0;
  lose_ = [&](const Sent& sent) {
    asks += Is<RemoteOfferRequest>(sent) ? 1 : 0;
    return false;
  };
  Start("a", "r1");
  Start("a", "r2");
  EXPECT_EQ(asks, 1);
}

TEST_F(AskTest, WhatComesTwiceCountsOnce) {
  times_ = 2;
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  EXPECT_EQ(Record("b").offers.size(), 1u);
  Take("a");
  Respond("b", "d1", "o1", false);
  EXPECT_THAT(Take("a"), ElementsAre("l1 settled r1@1 d1 DECLINED"));
  Start("a", "r2");
  Respond("b", "d1", "o2", true);
  Confirmed("b", Committed("b"));
  EXPECT_EQ(Core("a").Counts(now_).rides, 1) << "r1";
  EXPECT_EQ(Record("b").confirms.size(), 1u);
}

TEST_F(AskTest, AnAnswerOfAnotherThanTheOwnerIsLeftOut) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Take("a");
  Core("a").OnReplicaMessage(now_, "c", RemoteOfferStatus{Record("b").Id("o1"), OfferStatus::kDeclined});
  EXPECT_THAT(Take("a"), IsEmpty());
}

TEST_F(AskTest, AnAskAfterTheDeadlineOrOfADriverWhoIsNotFreeMakesNoOffer) {
  Online("b", "d1", 7, 300);
  auto start = std::make_shared<DispatchStart>();
  start->ride_id = "r1";
  start->epoch = 1;
  start->pickup = kPickup;
  Core("b").OnReplicaMessage(now_, "a", RemoteOfferRequest{"x1", "d1", start});
  Core("b").OnReplicaMessage(now_, "a", RemoteOfferRequest{"x2", "nobody", start, absl::Seconds(60)});
  Pass(absl::Seconds(31));
  Core("b").OnReplicaMessage(now_, "a", RemoteOfferRequest{"x3", "d1", start, absl::Seconds(60)});
  EXPECT_THAT(Record("b").offers, IsEmpty()) << "over, unknown, of a stale position";
  Move("b", "d1", 300);
  Core("b").OnReplicaMessage(now_, "a", RemoteOfferRequest{"x4", "d1", start, absl::Seconds(60)});
  EXPECT_EQ(Record("b").offers.size(), 1u);
}

// ---- One live offer per ride

TEST_F(AskTest, AStartSupersedesOffersOfLowerEpochsEverywhere) {
  Add("c");
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Take("b");
  // The link moved to another replica, and the first replica does not know yet.
  Start("c", "r1", 2);
  EXPECT_THAT(Of('s', Take("b")), ElementsAre("s7 o1 REVOKED SUPERSEDED"));
  EXPECT_EQ(Core("a").Counts(now_).rides, 0);
  Pass(absl::Seconds(1));
  EXPECT_THAT(Of('s', Take("b")), ElementsAre("s7 offer o2 r1@2"));
  Start("a", "r1", 1);
  Pass(absl::Seconds(2));
  EXPECT_EQ(Core("a").Counts(now_).rides, 0) << "late";
  EXPECT_EQ(Record("b").offers.size(), 2u);
}

TEST_F(AskTest, AnAskAtAHigherEpochSupersedesTooWhereTheStartWasLost) {
  Add("c");
  Online("b", "d1", 7, 300);
  Online("b", "d2", 8, 400);
  Start("a", "r1");
  Take("b");
  lose_ = [](const Sent& sent) { return Is<RideStarted>(sent); };
  Start("c", "r1", 2);
  EXPECT_THAT(Of('s', Take("b")), ElementsAre("s7 o1 REVOKED SUPERSEDED", "s8 offer o2 r1@2"));
  // A request at a lower epoch is refused, so the first replica learns that its dispatch is superseded.
  Pass(absl::Seconds(1));
  EXPECT_EQ(Record("b").offers.size(), 2u);
}

TEST_F(AskTest, AStartOfTheSameOrALowerEpochSupersedesNothing) {
  Online("b", "d1", 7, 300);
  Start("a", "r1", 3);
  Core("b").OnReplicaMessage(now_, "c", RideStarted{{"r1", 3}});
  Core("b").OnReplicaMessage(now_, "c", RideStarted{{"r1", 2}});
  Core("a").OnReplicaMessage(now_, "c", RideStarted{{"r1", 3}});
  EXPECT_EQ(Status("b", "d1"), DriverStatus::kOffered);
  EXPECT_EQ(Core("a").Counts(now_).rides, 1);
}

TEST_F(AskTest, AnAskShowsThatLowerEpochsAreOverToo) {
  Online("b", "d1", 7, 300);
  lose_ = [](const Sent& sent) { return Is<RideStarted>(sent); };
  Start("a", "r1", 2);
  Start("b", "r1", 1);
  EXPECT_EQ(Core("b").Counts(now_).rides, 0);
}

TEST_F(AskTest, AnOwnersLinkIsNotToldOfOthersOffers) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Start("b", "r1");
  Respond("b", "d1", "o1", false);
  EXPECT_THAT(Of('l', Take("b")), ElementsAre("l1 started r1@1"));
  EXPECT_THAT(Of('l', Take("a")), ElementsAre("l1 started r1@1", "l1 settled r1@1 d1 DECLINED"));
}

// ---- Sessions that move

TEST_F(AskTest, ADriverWhoMovesIsAskedForWhereTheSessionIs) {
  Add("c");
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Take("b");
  Online("c", "d1", 9, 300);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Record("b").records.at(0).reason, RevokeReason::kSuperseded);
  EXPECT_FALSE(Core("b").HasSession("d1"));
  EXPECT_EQ(Status("c", "d1"), DriverStatus::kOffered);
}

TEST_F(AskTest, AnOfferOfAnOwnerThatLostTheDriverIsNotWaitedFor) {
  Add("c");
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Received("b", "d1", "o1");
  lose_ = [](const Sent& sent) { return sent.from == "b"; };
  Online("c", "d1", 9, 300);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Status("c", "d1"), DriverStatus::kOffered);
}

TEST_F(AskTest, ADriverWhoComesToTheAskerIsOfferedTheRideThere) {
  Online("b", "d1", 7, 300);
  Start("a", "r1");
  Online("a", "d1", 2, 300);
  Pass(absl::Seconds(1));
  EXPECT_EQ(Status("a", "d1"), DriverStatus::kOffered);
  EXPECT_FALSE(Core("b").HasSession("d1"));
}

TEST_F(AskTest, AMoveThatWasNotHeardIsFoundByTheCheck) {
  Online("b", "d1", 7, 300);
  lose_ = [](const Sent&) { return true; };
  Core("a").OpenStream(now_, MakeDriver("d1"), Availability::kOnline, ++claims_, 2, std::nullopt);
  EXPECT_TRUE(Core("b").HasSession("d1"));
  Core("b").OnClaims(now_, {{"d1", claims_, "a", true}});
  EXPECT_FALSE(Core("b").HasSession("d1"));
  EXPECT_EQ(Take("b").front(), "s7 replaced");
}

TEST_F(AskTest, AStreamWhoseClaimIsKnownToBeOldReplacesNobody) {
  const std::int64_t old = ++claims_;
  Online("b", "d1", 7, 300);
  Core("a").OpenStream(now_, MakeDriver("d1"), Availability::kOnline, old, 2, std::nullopt);
  EXPECT_THAT(Take("a"), ElementsAre("s2 replaced"));
  EXPECT_FALSE(Core("a").HasSession("d1"));
  EXPECT_TRUE(Core("b").HasSession("d1"));
}

// ---- Presences

class DriverPresenceTest : public ReplicasTest {
 protected:
  static DriverPresence Seen(std::int64_t epoch, std::uint64_t number, bool offerable, double north_m,
                             absl::Time observed) {
    DriverPresence presence;
    presence.driver_id = "d1";
    presence.session_epoch = epoch;
    presence.number = number;
    presence.offerable = presence.on_map = offerable;
    presence.car = std::make_shared<const CarProfile>(CarProfile{"sf", {"economy"}, 4});
    presence.fix =
        Fix{.point = Toward(kPickup, 0, north_m), .session_epoch = epoch, .position_seq = number, .observed = observed};
    return presence;
  }
  void Tell(const DriverPresence& presence, const std::string& from = "b") {
    Core("a").OnReplicaMessage(now_, from, Presences{{presence}});
  }
  // How far from the pickup d1 is found; −1: not at all.
  double Found() {
    const auto found = replicas_.at("a")->index.Nearest(kPickup, 1, 5000, {.region_id = "sf", .seats = 4});
    return found.empty() ? -1 : std::round(found[0].distance_m);
  }
};

TEST_F(DriverPresenceTest, WhatIsNewerBySessionAndNumberCounts) {
  Tell(Seen(5, 2, true, 500, now_.domain));
  EXPECT_EQ(Found(), 500);
  Tell(Seen(5, 1, false, 400, now_.domain));
  EXPECT_EQ(Found(), 500) << "late";
  Tell(Seen(5, 2, false, 400, now_.domain));
  EXPECT_EQ(Found(), 500) << "twice";
  Tell(Seen(5, 3, false, 300, now_.domain));
  EXPECT_EQ(Found(), -1);
  Tell(Seen(4, 9, true, 300, now_.domain), "c");
  EXPECT_EQ(Found(), -1) << "of an earlier session";
  Tell(Seen(6, 1, true, 200, now_.domain), "c");
  EXPECT_EQ(Found(), 200) << "of a later session, whatever its number";
}

TEST_F(DriverPresenceTest, AnOlderSightingDoesNotTakeADriverWhoIsHere) {
  claims_ = 5;
  Online("a", "d1", 2, 300);
  Tell(Seen(5, 1, true, 900, now_.domain));
  Tell(Seen(6, 1, true, 900, now_.domain));
  EXPECT_EQ(Found(), 300);
  EXPECT_TRUE(Core("a").HasSession("d1"));
  Tell(Seen(7, 1, true, 900, now_.domain));
  EXPECT_TRUE(Core("a").HasSession("d1")) << "only the claim decides which message the app gets";
  Core("a").CloseStream(now_, "d1", 2);
  Tell(Seen(7, 2, true, 900, now_.domain));
  EXPECT_FALSE(Core("a").HasSession("d1")) << "without a stream, a presence of a later session suffices";
  EXPECT_EQ(Found(), 900);
}

TEST_F(DriverPresenceTest, OneWithoutNewsIsForgotten) {
  Tell(Seen(5, 2, true, 500, now_.domain));
  Pass(absl::Minutes(9));
  EXPECT_TRUE(replicas_.at("a")->index.Find("d1").has_value());
  Tell(Seen(5, 3, true, 500, now_.domain));
  Pass(absl::Minutes(9));
  EXPECT_TRUE(replicas_.at("a")->index.Find("d1").has_value());
  Pass(absl::Minutes(12));
  EXPECT_FALSE(replicas_.at("a")->index.Find("d1").has_value());
}

TEST_F(DriverPresenceTest, AnOwnerWhoDoubtsThePositionMakesNoOffer) {
  Online("b", "d1", 7, 300);
  LocationIndex& index = replicas_.at("b")->index;
  // The other replicas do not know of the doubt yet.
  const auto judge = [&](double north_m) {
    now_.domain += absl::Seconds(3);
    Fix fix{.point = Toward(kPickup, 0, north_m),
            .session_epoch = claims_,
            .position_seq = ++position_seq_,
            .observed = now_.domain};
    return index.Judge("d1", fix);
  };
  EXPECT_EQ(judge(14'000), FixVerdict::kTooFar);
  Start("a", "r1");
  EXPECT_THAT(Record("b").offers, IsEmpty());
  EXPECT_EQ(judge(330), FixVerdict::kTaken);
  Pass(absl::Seconds(10));
  EXPECT_EQ(Record("b").offers.size(), 1u);
}

TEST_F(DriverPresenceTest, AStalePositionIsNotAskedFor) {
  Online("b", "d1", 7, 300);
  Pass(absl::Seconds(31));
  int asks = 0;
  lose_ = [&](const Sent& sent) {
    asks += Is<RemoteOfferRequest>(sent) ? 1 : 0;
    return false;
  };
  Start("a", "r1");
  EXPECT_EQ(asks, 0);
  Move("b", "d1", 300);
  Pass(absl::Seconds(2));
  EXPECT_EQ(asks, 1);
}

}  // namespace
}  // namespace hail::driver
