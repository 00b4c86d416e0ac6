// The queue of rides to match, by itself.
#include "driver-service/domain/match_queue.h"

#include "tests/unit/driver-service/dispatch_parts_fixture.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class MatchQueueTest : public DispatchPartsTest {
 protected:
  // A driver in the index without a session, which the queue does not check.
  void Near(const std::string& driver_id, double north_m) {
    index_.SetCar(driver_id, std::make_shared<const CarProfile>(CarProfile{"sf", {"economy"}, 4}));
    index_.SetOnMap(driver_id, true);
    index_.Update(driver_id,
                  {.point = Toward(kPickup, 0, north_m), .position_seq = ++positions_, .observed = now_.domain});
  }

  std::uint64_t positions_ = 0;
};

TEST_F(MatchQueueTest, ARideIsMatchedWhenItIsFreeAndThenNotUntilItIsFreeAgain) {
  Near("d1", 300);
  Dispatch("r1");
  EXPECT_THAT(out_.Take(), ElementsAre("l1 started r1@1"));
  EXPECT_THAT(TakeMatches(), IsEmpty());
  queue_.Free(now_, "r1");
  EXPECT_THAT(TakeMatches(), ElementsAre("r1 d1"));
  Pass(absl::Seconds(30));
  Near("d1", 300);
  EXPECT_THAT(TakeMatches(), IsEmpty());
  queue_.Free(now_, "r1");
  EXPECT_THAT(TakeMatches(), ElementsAre("r1 d1"));
}

TEST_F(MatchQueueTest, AKnownDispatchIsAcknowledgedAndAnOlderOneIsNot) {
  EXPECT_TRUE(queue_.IsNew(1, *StartOf("r1", 2)));
  Dispatch("r1", 2);
  out_.Take();
  EXPECT_FALSE(queue_.IsNew(1, *StartOf("r1", 2)));
  EXPECT_THAT(out_.Take(), ElementsAre("l1 started r1@2"));
  EXPECT_FALSE(queue_.IsNew(1, *StartOf("r1", 1)));
  EXPECT_FALSE(queue_.IsNew(2, *StartOf("r1", 3))) << "a link that is not up";
  EXPECT_THAT(out_.Take(), IsEmpty());
  EXPECT_TRUE(queue_.IsNew(1, *StartOf("r1", 3)));
}

TEST_F(MatchQueueTest, ADispatchThatIsOverIsNotTakenOnUntilItIsForgotten) {
  Dispatch("r1", 2);
  queue_.EndDispatch(now_, "r1", 2);
  EXPECT_EQ(queue_.size(), 0u);
  out_.Take();
  EXPECT_FALSE(queue_.IsNew(1, *StartOf("r1", 2)));
  EXPECT_THAT(out_.Take(), ElementsAre("l1 started r1@2")) << "the acknowledgement stops the resending";
  EXPECT_FALSE(queue_.IsNew(1, *StartOf("r1", 1)));
  EXPECT_TRUE(queue_.IsOver("r1", 2));
  EXPECT_FALSE(queue_.IsOver("r1", 3));
  EXPECT_TRUE(queue_.IsNew(1, *StartOf("r1", 3)));
  Pass(options_.memory);
  queue_.Tick(now_);
  EXPECT_FALSE(queue_.IsOver("r1", 2));
}

TEST_F(MatchQueueTest, AnEndAtALowerEpochLeavesTheRide) {
  Dispatch("r1", 3);
  queue_.EndDispatch(now_, "r1", 2);
  EXPECT_EQ(queue_.EpochOf("r1"), 3);
  EXPECT_FALSE(queue_.Stop(now_, 1, "r1", 2, StopReason::kTaken));
  EXPECT_TRUE(queue_.Stop(now_, 1, "r1", 3, StopReason::kTaken));
  EXPECT_EQ(queue_.EpochOf("r1"), std::nullopt);
}

TEST_F(MatchQueueTest, AnExcludedDriverStaysSoAtTheNextEpoch) {
  Near("d1", 300);
  Near("d2", 900);
  Dispatch("r1");
  queue_.Exclude("r1", "d1");
  Dispatch("r1", 2);
  queue_.Free(now_, "r1");
  EXPECT_THAT(TakeMatches(), ElementsAre("r1 d2"));
}

TEST_F(MatchQueueTest, APausedDriverIsProposedAgainLater) {
  Near("d1", 300);
  Dispatch("r1");
  queue_.Pause("r1", "d1", now_.domain + absl::Seconds(5));
  queue_.Free(now_, "r1");
  EXPECT_THAT(TakeMatches(), IsEmpty());
  Pass(absl::Seconds(4));
  EXPECT_THAT(TakeMatches(), IsEmpty());
  Pass(absl::Seconds(1));
  EXPECT_THAT(TakeMatches(), ElementsAre("r1 d1"));
}

TEST_F(MatchQueueTest, ARideWithoutADriverLooksAtWholeSecondsUntilItsDeadline) {
  Pass(absl::Milliseconds(300));
  Dispatch("r1");
  queue_.Free(now_, "r1");
  EXPECT_THAT(TakeMatches(), IsEmpty());
  Near("d1", 300);
  Pass(absl::Milliseconds(600));
  EXPECT_THAT(TakeMatches(), IsEmpty()) << "not yet";
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(TakeMatches(), ElementsAre("r1 d1"));
  out_.Take();
  Pass(absl::Seconds(120));
  queue_.Free(now_, "r1");
  EXPECT_THAT(TakeMatches(), IsEmpty());
  EXPECT_THAT(out_.Take(), ElementsAre("l1 exhausted r1@1"));
  EXPECT_EQ(queue_.size(), 0u);
}

TEST_F(MatchQueueTest, AsManyAsOneGoTakesAreMatchedTheRestAtTheNext) {
  options_.most_matched_at_once = 2;
  for (const char* id : {"d1", "d2", "d3"}) Near(id, 300);
  for (const char* id : {"r1", "r2", "r3"}) {
    Dispatch(id);
    queue_.Free(now_, id);
  }
  EXPECT_EQ(TakeMatches().size(), 2u);
  EXPECT_EQ(TakeMatches().size(), 1u);
}

TEST_F(MatchQueueTest, ALinksRidesGoWithIt) {
  queue_.LinkUp(now_, 2);
  Dispatch("r1");
  queue_.Add(now_, 2, StartOf("r2", 5));
  const std::vector<RideEpoch> dropped = queue_.LinkDown(2);
  EXPECT_THAT(dropped, ElementsAre(RideEpoch{"r2", 5}));
  EXPECT_EQ(queue_.EpochOf("r1"), 1);
  EXPECT_EQ(queue_.EpochOf("r2"), std::nullopt);
  EXPECT_THAT(queue_.LinkDown(2), IsEmpty());
  out_.Take();
  Pass(options_.working_set_interval);
  queue_.Tick(now_);
  EXPECT_THAT(out_.Take(), ElementsAre("l1 working r1@1"));
}

TEST_F(MatchQueueTest, ReportsGoToTheLinkThatHasTheRideNow) {
  queue_.LinkUp(now_, 2);
  Dispatch("r1");
  EXPECT_FALSE(queue_.IsNew(2, *StartOf("r1")));
  out_.Take();
  queue_.ReportSettled(*StartOf("r1"), "d1", OfferStatus::kDeclined);
  queue_.ReportSettled(*StartOf("r9"), "d1", OfferStatus::kDeclined);
  EXPECT_THAT(out_.Take(), ElementsAre("l2 settled r1@1 d1 DECLINED"));
}

}  // namespace
}  // namespace hail::driver
