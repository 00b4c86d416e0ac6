// The driver's own state: how streams get its changes, and how the core takes it from the store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/driver-service/dispatch_fixture.h"

namespace hail::driver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StateTest : public DispatchTest {
 protected:
  // The states sent to stream 1 of d1 since the last call, including the next tick.
  std::vector<std::string> StatesSent() {
    core_->Tick(now_);
    std::vector<std::string> sent;
    for (const DriverState& state : out_.states) {
      sent.push_back(Words(state));
      EXPECT_EQ(state.session_epoch, core_->State(now_, "d1").session_epoch);
      EXPECT_GT(state.revision, last_revision_) << sent.back();
      last_revision_ = state.revision;
    }
    out_.states.clear();
    return sent;
  }
  static std::string Words(const DriverState& state) {
    static constexpr const char* kBlocked[] = {"", " NOT_CONNECTED", " NOT_SYNCED", " STALE_POSITION"};
    return absl::StrCat(RecordingOut::StatusName(state.status),
                        state.availability == Availability::kOnline ? " online" : " offline",
                        kBlocked[static_cast<int>(state.blocked_by)]);
  }
  // Brings d1 online on stream 1, AVAILABLE, with its state sent.
  void Begin() {
    Online("d1", 1, 300);
    StatesSent();
  }

  std::int64_t last_revision_ = 0;
};

TEST_F(StateTest, AStreamGetsNoStateBeforeItsSnapshotAndNoneTwice) {
  core_->OpenStream(now_, MakeDriver("d1"), Availability::kOnline, Claim(), 1, std::nullopt);
  EXPECT_THAT(StatesSent(), IsEmpty());
  AnswerFeed("d1");
  EXPECT_THAT(StatesSent(), IsEmpty()) << "the snapshot holds the state";
  ASSERT_EQ(out_.snapshots.size(), 1u);
  EXPECT_EQ(Words(out_.snapshots[0]), "OFFLINE online STALE_POSITION");
  EXPECT_GT(out_.snapshots[0].revision, 0);
  Move("d1", 300);
  core_->Positioned("d1");
  EXPECT_THAT(StatesSent(), ElementsAre("AVAILABLE online"));
  EXPECT_THAT(StatesSent(), IsEmpty());
  Pass(absl::Seconds(5));
  EXPECT_THAT(StatesSent(), IsEmpty());
}

TEST_F(StateTest, AChangeOfTheWishByAnotherCallIsSent) {
  Begin();
  Wish("d1", Availability::kOffline);
  EXPECT_THAT(StatesSent(), ElementsAre("OFFLINE offline"));
  Wish("d1", Availability::kOnline);
  EXPECT_THAT(StatesSent(), ElementsAre("AVAILABLE online"));
  // Of several changes between two ticks, only the last one counts.
  Wish("d1", Availability::kOffline);
  Wish("d1", Availability::kOnline);
  EXPECT_THAT(StatesSent(), IsEmpty());
}

TEST_F(StateTest, AStateThatAnAnswerShowedIsNotSentAgain) {
  Begin();
  Wish("d1", Availability::kOffline);
  const DriverState answered = core_->State(now_, "d1");
  core_->StateSent("d1", 1, answered);
  EXPECT_THAT(StatesSent(), IsEmpty());
  // An answer older than a later change does not count, nor does an answer on another stream.
  Wish("d1", Availability::kOnline);
  const DriverState shown = core_->State(now_, "d1");
  EXPECT_GT(shown.revision, answered.revision);
  core_->StateSent("d1", 1, answered);
  core_->StateSent("d1", 2, shown);
  EXPECT_THAT(StatesSent(), ElementsAre("AVAILABLE online"));
}

TEST_F(StateTest, APositionThatGoesStaleByTimeAloneIsSentAndThatItIsBack) {
  Begin();
  Pass(absl::Seconds(20));
  Move("d1", 310);
  Pass(absl::Seconds(29));
  EXPECT_THAT(StatesSent(), IsEmpty());
  Pass(absl::Seconds(2));
  EXPECT_THAT(StatesSent(), ElementsAre("OFFLINE online STALE_POSITION"));
  Move("d1", 320);
  core_->Positioned("d1");
  EXPECT_THAT(StatesSent(), ElementsAre("AVAILABLE online"));
  Pass(absl::Seconds(31));
  EXPECT_THAT(StatesSent(), ElementsAre("OFFLINE online STALE_POSITION"));
  // Without a call of Positioned(), the core finds the new position by itself.
  Move("d1", 330);
  Pass(absl::Seconds(2));
  EXPECT_THAT(StatesSent(), ElementsAre("AVAILABLE online"));
}

TEST_F(StateTest, TheFeedsEndAndReturnAreSent) {
  Begin();
  core_->OnFeedDown(now_);
  EXPECT_THAT(StatesSent(), ElementsAre("OFFLINE online NOT_SYNCED"));
  core_->OnFeedUp(now_);
  EXPECT_THAT(StatesSent(), IsEmpty());
  out_.snapshots.clear();
  AnswerFeed("d1");
  EXPECT_THAT(StatesSent(), IsEmpty());
  ASSERT_EQ(out_.snapshots.size(), 1u);
  EXPECT_EQ(Words(out_.snapshots[0]), "AVAILABLE online");
}

TEST_F(StateTest, AnOfferFromItsMakingToTheRideAndTheRidesEnd) {
  Begin();
  Start("r1");
  EXPECT_THAT(StatesSent(), ElementsAre("OFFERED online"));
  Respond("d1", "o1", true);
  EXPECT_THAT(StatesSent(), ElementsAre("RESERVED online"));
  Confirmed(Committed());
  EXPECT_EQ(answers_.at("").state.status, DriverStatus::kOnTrip);
  EXPECT_THAT(StatesSent(), ElementsAre("ON_TRIP online"));
  Event("d1", MakeRide("r1", 3, 1, out_.Id("o1"), /*live=*/false), /*ended=*/true);
  EXPECT_THAT(StatesSent(), ElementsAre("AVAILABLE online"));
  Start("r2");
  Received("d1", "o2");
  EXPECT_THAT(StatesSent(), ElementsAre("OFFERED online"));
  Pass(absl::Seconds(16));
  EXPECT_THAT(StatesSent(), ElementsAre("AVAILABLE online"));
}

TEST_F(StateTest, ARevisionRisesWithTheRideAsWell) {
  Begin();
  Start("r1");
  Respond("d1", "o1", true);
  Confirmed(Committed());
  const std::int64_t before = core_->State(now_, "d1").revision;
  EXPECT_EQ(core_->State(now_, "d1").revision, before) << "a look changes nothing";
  Event("d1", MakeRide("r1", 3, 1, out_.Id("o1")));
  EXPECT_GT(core_->State(now_, "d1").revision, before);
}

TEST_F(StateTest, ANewerStreamOfTheSessionIsToldFromItsSnapshotOn) {
  Begin();
  const std::int64_t before = core_->State(now_, "d1").revision;
  core_->OpenStream(now_, MakeDriver("d1"), Availability::kOnline, Claim(), 2, std::nullopt);
  out_.snapshots.clear();
  EXPECT_THAT(StatesSent(), IsEmpty());
  AnswerFeed("d1");
  ASSERT_EQ(out_.snapshots.size(), 1u);
  EXPECT_GE(out_.snapshots[0].revision, before);
  Wish("d1", Availability::kOffline);
  EXPECT_THAT(StatesSent(), ElementsAre("OFFLINE offline"));
}

// ---- Answers to steps of a trip

TEST_F(StateTest, TheAnswerToAStepShowsItsEffectBeforeTheFeedDoes) {
  Begin();
  Start("r1");
  Respond("d1", "o1", true);
  Confirmed(Committed());
  const std::string offer = out_.Id("o1");
  core_->Advanced(now_, "d1", MakeRide("r1", 4, 1, offer));
  EXPECT_EQ(core_->State(now_, "d1").ride->sequence, 4);
  // The stream still gets the events that the feed delivers late; they change no state.
  Take();
  Event("d1", MakeRide("r1", 3, 1, offer));
  EXPECT_THAT(Take(), ElementsAre("s1 event r1#3"));
  EXPECT_EQ(core_->State(now_, "d1").ride->sequence, 4);
  core_->Advanced(now_, "d1", MakeRide("r1", 3, 1, offer));
  EXPECT_EQ(core_->State(now_, "d1").ride->sequence, 4) << "a late answer";

  core_->Advanced(now_, "d1", MakeRide("r1", 6, 1, offer, /*live=*/false));
  EXPECT_EQ(core_->State(now_, "d1").ride, nullptr);
  EXPECT_EQ(Status("d1"), DriverStatus::kAvailable);
  for (const std::int64_t sequence : {4, 5}) {
    Event("d1", MakeRide("r1", sequence, 1, offer));
    EXPECT_EQ(core_->State(now_, "d1").ride, nullptr) << "it is over";
  }
  core_->Advanced(now_, "d1", MakeRide("r1", 5, 1, offer));
  EXPECT_EQ(core_->State(now_, "d1").ride, nullptr);
  Event("d1", MakeRide("r1", 6, 1, offer, /*live=*/false), /*ended=*/true);
  EXPECT_THAT(Take(), ElementsAre("s1 event r1#4", "s1 event r1#5", "s1 event r1#6"));
  // A snapshot from before the end.
  core_->OnFeedDown(now_);
  core_->OnFeedUp(now_);
  AnswerFeed("d1", Ref(MakeRide("r1", 5, 1, offer)));
  EXPECT_EQ(core_->State(now_, "d1").ride, nullptr);
}

TEST_F(StateTest, TheAnswerToAStepOfAnotherRideChangesNothing) {
  Begin();
  core_->Advanced(now_, "d1", MakeRide("r7", 9, 1, "o"));
  EXPECT_EQ(core_->State(now_, "d1").ride, nullptr) << "the feed reported no ride";
  core_->OnFeedDown(now_);
  core_->Advanced(now_, "d1", MakeRide("r7", 9, 1, "o"));
  EXPECT_EQ(core_->State(now_, "d1").ride->ride_id, "r7") << "while the feed is down, the answer is the best knowledge";
  core_->Advanced(now_, "nobody", MakeRide("r7", 9, 1, "o"));
}

// ---- Reads of the state

TEST_F(StateTest, ALookIsNoSignOfLifeAndNoReceipt) {
  const std::int64_t epoch = core_->OpenUnary(now_, MakeDriver("d1"), Availability::kOnline, Claim());
  AnswerFeed("d1");
  Move("d1", 300);
  Start("r1");
  EXPECT_EQ(core_->ReadState(now_, "d1", 0).status, DriverStatus::kOffered);
  EXPECT_EQ(core_->ReadState(now_, "d1", epoch + 1).status, DriverStatus::kOffered);
  Pass(absl::Seconds(4));
  EXPECT_THAT(out_.records, testing::SizeIs(1)) << "not received";
  for (int i = 0; i < 10; ++i) {
    Pass(absl::Seconds(4));
    core_->ReadState(now_, "d1", 0);
  }
  EXPECT_EQ(core_->State(now_, "d1").blocked_by, BlockedBy::kNotConnected);
  core_->ReadState(now_, "d1", epoch);
  EXPECT_NE(core_->State(now_, "d1").blocked_by, BlockedBy::kNotConnected) << "the app itself";
  EXPECT_EQ(core_->ReadState(now_, "nobody", 0).session_epoch, 0);
}

// ---- Rows of the store

TEST_F(StateTest, OfTwoCopiesOfTheRowTheNewerCounts) {
  Begin();
  Driver driver = MakeDriver("d1");
  driver.version = 5;
  core_->Learn(now_, driver, Availability::kOffline);
  Driver older = MakeDriver("d1");
  older.version = 4;
  older.display_name = "older";
  core_->Learn(now_, older, Availability::kOnline);
  EXPECT_EQ(core_->State(now_, "d1").availability, Availability::kOffline);
  // Claims may bring a row from before the change, or one from after it.
  core_->OpenStream(now_, older, Availability::kOnline, Claim(), 2, std::nullopt);
  core_->OpenUnary(now_, older, Availability::kOnline, Claim());
  EXPECT_EQ(core_->State(now_, "d1").availability, Availability::kOffline);
  driver.version = 6;
  core_->OpenStream(now_, driver, Availability::kOnline, Claim(), 3, std::nullopt);
  EXPECT_EQ(core_->State(now_, "d1").availability, Availability::kOnline);
  driver.version = 7;
  core_->OpenUnary(now_, driver, Availability::kOffline, Claim());
  EXPECT_EQ(core_->State(now_, "d1").availability, Availability::kOffline);
}

TEST_F(StateTest, AnotherCarCountsFromTheNextOfferOn) {
  Begin();
  Driver driver = MakeDriver("d1");
  driver.version = 1;
  driver.display_name = "Dora the second";
  driver.product_ids = {"xl"};
  core_->Learn(now_, driver, Availability::kOnline);
  Start("r1");
  EXPECT_THAT(Take(), ElementsAre("l1 started r1@1")) << "the driver has no such car any more";
  driver.version = 2;
  driver.product_ids = {"xl", "economy"};
  core_->Learn(now_, driver, Availability::kOnline);
  Pass(absl::Seconds(2));
  Respond("d1", "o1", true);
  EXPECT_EQ(out_.confirms.back().driver.display_name, "Dora the second");
}

// ---- The claim under which the core writes

TEST_F(StateTest, WritesAreMadeUnderTheLatestClaim) {
  EXPECT_EQ(core_->ClaimOf("d1"), (SessionClaim{"d1"}));
  const std::int64_t epoch = core_->OpenStream(now_, MakeDriver("d1"), Availability::kOnline, 5, 1, std::nullopt);
  EXPECT_EQ(core_->ClaimOf("d1").epoch, 5);
  EXPECT_EQ(core_->OpenUnary(now_, MakeDriver("d1"), Availability::kOnline, 6), epoch);
  EXPECT_EQ(core_->ClaimOf("d1").epoch, 6);
  EXPECT_EQ(core_->State(now_, "d1").session_epoch, epoch) << "the app's positions carry the epoch of its stream";
  // A claim of this replica whose answer was lost.
  core_->OnClaims(now_, {{"d1", 8, options_.replica, true}});
  EXPECT_EQ(core_->ClaimOf("d1").epoch, 8);
  core_->OnClaims(now_, {{"d1", 7, options_.replica, true}});
  EXPECT_EQ(core_->ClaimOf("d1").epoch, 8);
  Take();
  // An older claim of another replica arrives late and changes nothing; a later claim ends the session.
  core_->OnClaims(now_, {{"d1", 7, "b", true}});
  EXPECT_TRUE(core_->HasSession("d1"));
  core_->OnClaims(now_, {{"d1", 9, "b", false}});
  EXPECT_FALSE(core_->HasSession("d1"));
  EXPECT_THAT(Take(), ElementsAre("s1 moved", "unsubscribe d1"));
}

}  // namespace
}  // namespace hail::driver
