// Drivers' sessions: streams that break and resume, and the feed about their rides.
#include "absl/time/time.h"
#include "tests/matchers.h"
#include "tests/unit/driver-service/dispatch_fixture.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SessionTest : public DispatchTest {
 protected:
  std::int64_t Open(StreamId stream, std::optional<RideCursor> cursor = std::nullopt, const Opening& opening = {}) {
    return core_->OpenStream(now_, MakeDriver("d1"), Availability::kOnline, Claim(), stream, std::move(cursor),
                             opening);
  }
  RideEventView Missed(RideView ride) { return {Ref(std::move(ride)), nullptr}; }
};

TEST_F(SessionTest, AStreamHearsNothingBeforeTheFeedHasAnswered) {
  Open(1);
  Pass(absl::Seconds(5));
  EXPECT_THAT(Take(), ElementsAre("subscribe d1"));
  EXPECT_EQ(core_->State(now_, "d1").blocked_by, BlockedBy::kNotSynced);
  AnswerFeed("d1");
  EXPECT_THAT(Take(), ElementsAre("s1 snapshot OFFLINE", "s1 caught_up 0"));
  Move("d1", 300);
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
}

TEST_F(SessionTest, ASubscriptionIsRepeatedUntilItIsAnswered) {
  Open(1);
  Take();
  Pass(absl::Seconds(21));
  EXPECT_THAT(Take(), testing::Contains("subscribe d1").Times(2));
  AnswerFeed("d1");
  Take();
  Pass(absl::Seconds(21));
  EXPECT_THAT(Take(), testing::Each(testing::StartsWith("l1 working")));
}

TEST_F(SessionTest, ResumingBringsWhatWasMissedThenTheSnapshot) {
  Open(1, RideCursor{"r1", 3});
  EXPECT_THAT(Take(), ElementsAre("subscribe d1 r1#3"));
  const RideView present = MakeRide("r1", 5, 1, "x");
  AnswerFeed("d1", Ref(present), {Missed(MakeRide("r1", 4, 1, "x")), Missed(present)});
  EXPECT_THAT(Take(), ElementsAre("s1 event r1#4", "s1 event r1#5", "s1 snapshot ON_TRIP r1#5", "s1 caught_up 5"));
  EXPECT_EQ(core_->CursorOf("d1"), (RideCursor{"r1", 5}));
  // Events that the snapshot includes are not sent again; later ones are.
  Event("d1", MakeRide("r1", 5, 1, "x"));
  Event("d1", MakeRide("r1", 6, 1, "x"));
  EXPECT_THAT(Take(), ElementsAre("s1 event r1#6"));
}

TEST_F(SessionTest, ResumingAfterTheRideWentOnWithAnother) {
  Open(1, RideCursor{"r1", 5});
  Take();
  AnswerFeed("d1", Ref(MakeRide("r2", 2, 1, "y")), {Missed(MakeRide("r1", 6, 1, "x", false))});
  EXPECT_THAT(Take(), ElementsAre("s1 event r1#6", "s1 snapshot ON_TRIP r2#2", "s1 caught_up 2"));
}

TEST_F(SessionTest, ACursorThatMakesNoSenseIsReset) {
  Open(1, RideCursor{"r1", 99});
  Take();
  AnswerFeed("d1", Ref(MakeRide("r1", 2, 1, "x")), {}, true);
  EXPECT_THAT(Take(), ElementsAre("s1 reset", "s1 snapshot ON_TRIP r1#2", "s1 caught_up 2"));
  // A cursor that is ahead must not hold back new events.
  Event("d1", MakeRide("r1", 3, 1, "x"));
  EXPECT_THAT(Take(), ElementsAre("s1 event r1#3"));
}

TEST_F(SessionTest, ANewerStreamReplacesTheOlder) {
  const std::int64_t first = Open(1);
  AnswerFeed("d1");
  Take();
  const std::int64_t second = Open(2);
  EXPECT_GT(second, first);
  AnswerFeed("d1");
  EXPECT_THAT(Take(), ElementsAre("s1 replaced", "subscribe d1", "s2 snapshot OFFLINE", "s2 caught_up 0"));
  // The late end of the older stream does not touch the newer one.
  core_->CloseStream(now_, "d1", 1);
  Event("d1", MakeRide("r1", 2, 1, "x"));
  EXPECT_THAT(Take(), ElementsAre("s2 event r1#2"));
}

// Found by the simulation: a phone gave a connection up and opened another, but the first opening arrived last. The
// phone's present stream then got Replaced, after which a phone does not reconnect.
TEST_F(SessionTest, AnOlderStreamOfTheSameAppThatComesLateReplacesNobody) {
  const std::int64_t epoch = Open(2, std::nullopt, {"run", 2});
  AnswerFeed("d1");
  Take();
  EXPECT_EQ(Open(1, std::nullopt, {"run", 1}), epoch);
  EXPECT_THAT(Take(), ElementsAre("s1 replaced"));
  core_->CloseStream(now_, "d1", 1);
  Open(3, std::nullopt, {"run", 3});
  EXPECT_THAT(Take(), testing::Contains("s2 replaced"));
  // Another phone, or a restarted app, counts from 1.
  Open(4, std::nullopt, {"another run", 1});
  EXPECT_THAT(Take(), testing::Contains("s3 replaced"));
  // Without numbers, the stream that comes later is the newer one.
  Open(5);
  EXPECT_THAT(Take(), testing::Contains("s4 replaced"));
}

TEST_F(SessionTest, ALateAnswerToTheReplacedStreamsSubscriptionIsLeftOut) {
  Open(1);
  const std::int64_t old = out_.subscriptions.at("d1");
  Open(2);
  Take();
  core_->OnFeedSnapshot(now_, {"d1", old, {}, false, nullptr});
  core_->OnFeedEvent(now_, {"d1", old, Missed(MakeRide("r1", 2, 1, "x")), false});
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(core_->State(now_, "d1").ride, nullptr);
}

TEST_F(SessionTest, AStreamWhoseClaimIsOlderThanTheOpenOnesReplacesNobody) {
  const std::int64_t first = Claim(), second = Claim();
  const auto open = [&](std::int64_t epoch, StreamId stream) {
    return core_->OpenStream(now_, MakeDriver("d1"), Availability::kOnline, epoch, stream, std::nullopt);
  };
  EXPECT_EQ(open(second, 2), second);
  Take();
  EXPECT_EQ(open(first, 1), second);
  EXPECT_THAT(Take(), ElementsAre("s1 replaced"));
  core_->CloseStream(now_, "d1", 1);
  AnswerFeed("d1");
  EXPECT_THAT(Take(), ElementsAre("s2 snapshot OFFLINE", "s2 caught_up 0"));
}

TEST_F(SessionTest, AUnaryClaimThatIsNewerThanTheStreamsIsNoReasonToSendTheStreamAway) {
  const std::int64_t streams = Claim(), unarys = Claim();
  core_->OpenUnary(now_, MakeDriver("d1"), Availability::kOnline, unarys);
  Take();
  EXPECT_EQ(core_->OpenStream(now_, MakeDriver("d1"), Availability::kOnline, streams, 1, std::nullopt), unarys);
  EXPECT_THAT(Take(), ElementsAre("subscribe d1"));
}

// ---- Sessions that another replica claimed

TEST_F(SessionTest, ASessionClaimedByAnotherReplicaEndsHere) {
  Online("d1", 1, 300);
  core_->OnClaims(now_, {{"d1", core_->State(now_, "d1").session_epoch + 1, "other", /*by_stream=*/true}});
  EXPECT_THAT(Take(), ElementsAre("s1 replaced", "unsubscribe d1"));
  EXPECT_FALSE(core_->HasSession("d1"));
  EXPECT_FALSE(core_->Contact(now_, "d1"));
  Start("r1");
  Pass(absl::Seconds(2));
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1")) << "this replica does not own the driver";
  // The stream ends after the message.
  core_->CloseStream(now_, "d1", 1);
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(SessionTest, AUnaryCallAtAnotherReplicaDoesNotSendTheAppAwayForGood) {
  Online("d1", 1, 300);
  core_->OnClaims(now_, {{"d1", Claim(), "other", /*by_stream=*/false}});
  EXPECT_THAT(Take(), ElementsAre("s1 moved", "unsubscribe d1")) << "the app has no other stream";
}

// Found by the simulation: the store confirmed the stream's claim late, after the replica's lease had ended.
TEST_F(SessionTest, NorDoesOneWhileTheStreamIsStillBeingOpened) {
  const auto open_late = [&](const std::string& driver_id, StreamId stream, bool by_stream) {
    const std::int64_t streams = Claim(), later = Claim();
    core_->OnClaims(now_, {{driver_id, later, "other", by_stream}});
    core_->OpenStream(now_, MakeDriver(driver_id), Availability::kOnline, streams, stream, std::nullopt);
    EXPECT_FALSE(core_->HasSession(driver_id));
    return Take();
  };
  EXPECT_THAT(open_late("d1", 1, /*by_stream=*/false), ElementsAre("s1 moved"));
  EXPECT_THAT(open_late("d2", 2, /*by_stream=*/true), ElementsAre("s2 replaced"));
}

TEST_F(SessionTest, AnOlderOrOwnClaimEndsNothing) {
  Online("d1", 1, 300);
  const std::int64_t epoch = core_->State(now_, "d1").session_epoch;
  core_->OnClaims(now_,
                  {{"d1", epoch, "other"}, {"d1", epoch - 1, "other"}, {"d1", epoch + 1, ""}, {"d2", 9, "other"}});
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
}

TEST_F(SessionTest, APendingOfferEndsWithItsSession) {
  Online("d1", 1, 300);
  Start("r1");
  Take();
  core_->OnClaims(now_, {{"d1", Claim(), "other"}});
  ASSERT_EQ(out_.records.size(), 1u);
  EXPECT_EQ(out_.records[0].reason, RevokeReason::kSuperseded);
  Respond("d1", "o1", true);
  EXPECT_THAT(answers_.at("").status, HasReason(Reason::kOfferRevoked));
  EXPECT_THAT(out_.confirms, IsEmpty());
  Online("d2", 2, 900);
  Pass(absl::Seconds(2));
  EXPECT_EQ(Status("d2"), DriverStatus::kOffered) << "the ride goes on";
}

TEST_F(SessionTest, AConfirmationOutlivesItsSession) {
  Online("d1", 1, 300);
  Start("r1");
  Respond("d1", "o1", true);
  core_->OnClaims(now_, {{"d1", Claim(), "other"}});
  EXPECT_TRUE(answers_.empty()) << "its outcome is not known";
  Confirmed(Unknown());
  Pass(absl::Seconds(1));
  ASSERT_EQ(out_.confirms.size(), 2u);
  EXPECT_EQ(out_.confirms[1].driver.display_name, "Dora");
  Confirmed(Committed());
  EXPECT_TRUE(answers_.at("").status.ok());
  EXPECT_FALSE(core_->HasSession("d1"));
  EXPECT_EQ(core_->Counts(now_).rides, 0);
}

TEST_F(SessionTest, ADriverWhoComesBackWhileTheOfferIsConfirmedIsStillReserved) {
  Online("d1", 1, 300);
  Start("r1");
  Respond("d1", "o1", true);
  core_->OnClaims(now_, {{"d1", Claim(), "other"}});
  Online("d1", 2, 300);
  Start("r2");
  EXPECT_EQ(Status("d1"), DriverStatus::kReserved);
  Take();
  Confirmed(FailedPrecondition(Reason::kDriverBusy, ""));
  EXPECT_EQ(Take()[1], "s2 o1 REVOKED SUPERSEDED");
  EXPECT_THAT(answers_.at("").status, HasReason(Reason::kOfferRevoked));
}

TEST_F(SessionTest, ARideOutlivesStreamPositionAndFeed) {
  Open(1);
  AnswerFeed("d1", Ref(MakeRide("r1", 2, 1, "x")));
  core_->CloseStream(now_, "d1", 1);
  core_->OnFeedDown(now_);
  Pass(absl::Hours(1));
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  core_->OnFeedUp(now_);
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  AnswerFeed("d1", Ref(MakeRide("r1", 3, 1, "x")));
  EXPECT_EQ(core_->State(now_, "d1").ride->sequence, 3);
}

TEST_F(SessionTest, AnAssignmentLearnedFromTheFeedSupersedesALiveOffer) {
  Online("d1", 1, 300);
  Online("d2", 2, 400);
  Start("r1");
  Take();
  Event("d1", MakeRide("r7", 2, 1, "elsewhere"));
  EXPECT_THAT(Take(), ElementsAre("s1 o1 REVOKED SUPERSEDED", "s1 event r7#2", "s2 offer o2 r1@1"));
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  Respond("d1", "o1", true);
  EXPECT_THAT(answers_.at("").status, HasReason(Reason::kOfferRevoked));
  EXPECT_THAT(out_.confirms, IsEmpty());
}

TEST_F(SessionTest, SoDoesOneInASnapshot) {
  Online("d1", 1, 300);
  Start("r1");
  core_->OnFeedDown(now_);
  core_->OnFeedUp(now_);
  Take();
  AnswerFeed("d1", Ref(MakeRide("r7", 2, 1, "elsewhere")));
  EXPECT_THAT(Take(), ElementsAre("s1 o1 REVOKED SUPERSEDED", "s1 snapshot ON_TRIP r7#2", "s1 caught_up 2"));
}

TEST_F(SessionTest, NobodyIsOfferedARideWhileTheFeedIsDown) {
  Online("d1", 1, 300);
  core_->OnFeedDown(now_);
  Start("r1");
  Pass(absl::Seconds(2));
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1"));
  EXPECT_EQ(core_->State(now_, "d1").blocked_by, BlockedBy::kNotSynced);
  core_->OnFeedUp(now_);
  Pass(absl::Seconds(2));
  EXPECT_THAT(Take(), ElementsAre("subscribe d1")) << "no snapshot before the session is caught up";
  AnswerFeed("d1");
  Take();
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("s1 offer o1 r1@1"));
}

TEST_F(SessionTest, AnOfferMadeBeforeTheFeedBrokeCanStillBeAccepted) {
  Online("d1", 1, 300);
  Start("r1");
  core_->OnFeedDown(now_);
  Respond("d1", "o1", true);
  EXPECT_EQ(out_.confirms.size(), 1u);
}

TEST_F(SessionTest, TheFeedIsResumedFromWhatTheStreamWasTold) {
  Open(1);
  AnswerFeed("d1", Ref(MakeRide("r1", 2, 1, "x")));
  Event("d1", MakeRide("r1", 3, 1, "x"));
  core_->OnFeedDown(now_);
  Take();
  core_->OnFeedUp(now_);
  EXPECT_THAT(Take(), ElementsAre("subscribe d1 r1#3"));
}

TEST_F(SessionTest, EventsEndTheRideAndFreeTheDriver) {
  Online("d1", 1, 300);
  Event("d1", MakeRide("r1", 2, 1, "x"));
  Start("r2");
  Pass(absl::Seconds(1));
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
  EXPECT_EQ(out_.trips.at("d1").second->ride_id, "r1");
  Take();
  Event("d1", MakeRide("r1", 6, 1, "x", false), true);
  EXPECT_EQ(out_.trips.at("d1").second, nullptr);
  EXPECT_THAT(Take(), ElementsAre("s1 event r1#6"));
  Pass(absl::Seconds(1));
  EXPECT_THAT(Take(), ElementsAre("s1 offer o1 r2@1"));
}

TEST_F(SessionTest, ARideGivenBackEndsTheAssignmentThoughItLivesOn) {
  Online("d1", 1, 300);
  Event("d1", MakeRide("r1", 2, 1, "x"));
  // The event holds the ride as the driver last had it, so the ride is still live.
  Event("d1", MakeRide("r1", 3, 1, "x"), true);
  EXPECT_EQ(core_->State(now_, "d1").ride, nullptr);
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
}

TEST_F(SessionTest, EventsComeOnceAndNeverGoBack) {
  Online("d1", 1, 300);
  Event("d1", MakeRide("r1", 2, 1, "x"));
  Event("d1", MakeRide("r1", 3, 1, "x"));
  Event("d1", MakeRide("r1", 2, 1, "x"));
  Event("d1", MakeRide("r1", 3, 1, "x"));
  EXPECT_THAT(Take(), ElementsAre("s1 event r1#2", "s1 event r1#3"));
  EXPECT_EQ(core_->State(now_, "d1").ride->sequence, 3);
  // An old end does not take a newer ride away, nor the same ride's later state.
  Event("d1", MakeRide("r1", 2, 1, "x", false), true);
  EXPECT_EQ(core_->State(now_, "d1").ride->sequence, 3);
  Event("d1", MakeRide("r1", 6, 1, "x", false), true);
  Event("d1", MakeRide("r2", 2, 1, "y"));
  Event("d1", MakeRide("r1", 6, 1, "x", false), true);
  EXPECT_EQ(core_->State(now_, "d1").ride->ride_id, "r2");
  EXPECT_THAT(Take(), ElementsAre("s1 event r1#6", "s1 event r2#2"));
}

TEST_F(SessionTest, EventsWithoutAStreamAreMissedAndAskedForOnResuming) {
  Online("d1", 1, 300);
  Event("d1", MakeRide("r1", 2, 1, "x"));
  core_->CloseStream(now_, "d1", 1);
  Take();
  Event("d1", MakeRide("r1", 3, 1, "x"));
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(core_->State(now_, "d1").ride->sequence, 3);
  Open(2, RideCursor{"r1", 2});
  EXPECT_THAT(Take(), ElementsAre("subscribe d1 r1#2"));
  EXPECT_EQ(out_.trips.at("d1").first, core_->State(now_, "d1").session_epoch);
}

TEST_F(SessionTest, AStoredWishCountsForANewSessionOnly) {
  Open(1);
  AnswerFeed("d1");
  Wish("d1", Availability::kOffline);
  Open(2);  // with a value read from the store before that change
  EXPECT_EQ(core_->State(now_, "d1").availability, Availability::kOffline);
}

// ---- Without a stream

TEST_F(SessionTest, UnaryCallsAloneMakeADriverAvailable) {
  EXPECT_FALSE(core_->Contact(now_, "d1"));
  const std::int64_t epoch = core_->OpenUnary(now_, MakeDriver("d1"), Availability::kOnline, Claim());
  EXPECT_EQ(core_->OpenUnary(now_, MakeDriver("d1"), Availability::kOnline, Claim()), epoch);
  AnswerFeed("d1");
  Move("d1", 300);
  Take();
  Start("r1");
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1"));
  const DriverState state = core_->ReadState(now_, "d1", core_->State(now_, "d1").session_epoch);
  EXPECT_EQ(state.status, DriverStatus::kOffered);
  core_->Respond(now_, "d1", state.offer->offer_id, true, [this](RespondResult r) { answers_.emplace("", r); });
  Confirmed(Committed());
  EXPECT_EQ(answers_.at("").state.status, DriverStatus::kOnTrip);
}

TEST_F(SessionTest, WithoutFurtherCallsADriverIsNotConnected) {
  core_->OpenUnary(now_, MakeDriver("d1"), Availability::kOnline, Claim());
  AnswerFeed("d1");
  Pass(absl::Seconds(30));
  EXPECT_TRUE(core_->Contact(now_, "d1"));
  Pass(absl::Seconds(34));
  Move("d1", 300);
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
  EXPECT_EQ(index_.on_map_count(), 1u);
  Pass(absl::Seconds(1));
  EXPECT_EQ(core_->State(now_, "d1").blocked_by, BlockedBy::kNotConnected);
  EXPECT_EQ(index_.on_map_count(), 0u);
}

TEST_F(SessionTest, AStreamOnWhichNothingCanBeSentIsKeptAliveByCalls) {
  Open(1, std::nullopt, {.sends = false});
  AnswerFeed("d1");
  Pass(absl::Seconds(34));
  Move("d1", 300);
  EXPECT_EQ(index_.on_map_count(), 1u) << "the opening is a call, too";
  Pass(absl::Seconds(1));
  EXPECT_EQ(core_->State(now_, "d1").blocked_by, BlockedBy::kNotConnected);
  EXPECT_EQ(index_.on_map_count(), 0u);
  EXPECT_TRUE(core_->Contact(now_, "d1"));
  EXPECT_EQ(index_.on_map_count(), 1u);
  // It may be silent for as long as it likes: the stream remains the driver's session.
  Pass(absl::Minutes(30));
  ASSERT_TRUE(core_->HasSession("d1"));
  EXPECT_EQ(index_.on_map_count(), 0u);
  // A stream that sends takes its place, and needs no calls.
  Take();
  Open(2);
  EXPECT_THAT(Take(), testing::Contains("s1 replaced"));
  AnswerFeed("d1");
  Pass(absl::Minutes(1));
  Move("d1", 300);
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
  EXPECT_EQ(index_.on_map_count(), 1u);
}

TEST_F(SessionTest, AnIdleSessionIsForgotten) {
  Open(1);
  AnswerFeed("d1");
  Move("d1", 300);
  Pass(absl::Minutes(30));
  EXPECT_TRUE(core_->HasSession("d1")) << "a stream is a session, however silent";
  core_->CloseStream(now_, "d1", 1);
  Pass(absl::Minutes(10) - absl::Seconds(1));
  EXPECT_TRUE(core_->HasSession("d1"));
  Take();
  Pass(absl::Seconds(1));
  EXPECT_FALSE(core_->HasSession("d1"));
  EXPECT_THAT(Take(), testing::Contains("unsubscribe d1"));
  EXPECT_FALSE(index_.Find("d1").has_value());
  EXPECT_EQ(core_->State(now_, "d1").session_epoch, 0);
}

TEST_F(SessionTest, ASessionWithARideIsNot) {
  Open(1);
  AnswerFeed("d1", Ref(MakeRide("r1", 2, 1, "x")));
  core_->CloseStream(now_, "d1", 1);
  Pass(absl::Hours(2));
  ASSERT_TRUE(core_->HasSession("d1"));
  Event("d1", MakeRide("r1", 3, 1, "x", false), true);
  Pass(absl::Minutes(11));
  EXPECT_FALSE(core_->HasSession("d1"));
}

TEST_F(SessionTest, NorOneWhoseConfirmationIsNotSettled) {
  Online("d1", 1, 300);
  Start("r1");
  Respond("d1", "o1", true);
  core_->CloseStream(now_, "d1", 1);
  Pass(absl::Hours(1));
  EXPECT_EQ(Status("d1"), DriverStatus::kReserved);
  Confirmed(Committed());
  EXPECT_EQ(Status("d1"), DriverStatus::kOnTrip);
}

TEST_F(SessionTest, StrangersAreNobody) {
  core_->CloseStream(now_, "nobody", 1);
  Wish("nobody", Availability::kOnline);
  core_->OnFeedSnapshot(now_, {"nobody", 1, {}, false, nullptr});
  core_->OnFeedEvent(now_, {"nobody", 1, Missed(MakeRide("r1", 2, 1, "x")), false});
  core_->OnConfirmed(now_, "nothing", 1, Unknown());
  core_->LinkDown(now_, 77);
  EXPECT_THAT(Take(), IsEmpty());
  EXPECT_EQ(core_->State(now_, "nobody").status, DriverStatus::kOffline);
  EXPECT_EQ(core_->CursorOf("nobody"), std::nullopt);
}

}  // namespace
}  // namespace hail::driver
