#include "common/rpc/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/errors/error.h"
#include "common/rpc/status.h"

namespace hail::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A reactor that only notes what it is asked to do.
class FakeWire final : public Wire<std::string> {
 public:
  void WireWrite(const std::string* message) override { done.push_back("write " + *message); }
  void WireFinish(const grpc::Status& status) override {
    done.push_back("finish " + std::to_string(status.error_code()));
    final = FromGrpc(status);
  }
  void WireCancel() override { done.push_back("cancel"); }
  void WireRead() override { done.push_back("read"); }

  std::vector<std::string> done;
  absl::Status final;
};

class OutboxTest : public ::testing::Test {
 protected:
  FakeWire wire_;
  Outbox<std::string> outbox_{&wire_, 2};
  const absl::Time start_ = absl::FromUnixSeconds(1);
};

TEST_F(OutboxTest, ReadsOneAtATimeAndOnlyWhileTheSessionDoesNotHoldBack) {
  outbox_.ReadOn();
  EXPECT_THAT(wire_.done, ElementsAre("read"));
  outbox_.PauseReading();
  outbox_.PauseReading();
  outbox_.ReadOn();
  EXPECT_THAT(wire_.done, ElementsAre("read"));
  EXPECT_TRUE(outbox_.reading_paused());
  outbox_.ResumeReading();
  outbox_.ResumeReading();
  EXPECT_THAT(wire_.done, ElementsAre("read", "read"));
  EXPECT_FALSE(outbox_.reading_paused());
  // Resumed before the message that made it pause was handled.
  outbox_.PauseReading();
  outbox_.ResumeReading();
  EXPECT_THAT(wire_.done, ElementsAre("read", "read"));
  outbox_.ReadOn();
  EXPECT_THAT(wire_.done, ElementsAre("read", "read", "read"));
}

TEST_F(OutboxTest, AStreamThatEndsReadsNoMore) {
  outbox_.PauseReading();
  outbox_.ReadOn();
  outbox_.Finish();
  outbox_.ResumeReading();
  outbox_.ReadOn();
  EXPECT_THAT(wire_.done, ElementsAre("finish 0"));
  outbox_.OnDone();
  outbox_.ResumeReading();
  EXPECT_THAT(wire_.done, ElementsAre("finish 0"));
}

TEST_F(OutboxTest, OneWriteAtATimeInOrder) {
  EXPECT_TRUE(outbox_.Send("a"));
  EXPECT_TRUE(outbox_.Send("b"));
  EXPECT_THAT(wire_.done, ElementsAre("write a"));
  outbox_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "write b"));
  outbox_.OnWriteDone(true);
  EXPECT_TRUE(outbox_.Send("c"));
  EXPECT_THAT(wire_.done, ElementsAre("write a", "write b", "write c"));
}

TEST_F(OutboxTest, FinishComesOnceAndLast) {
  outbox_.Send("a");
  outbox_.Send("b");
  outbox_.SendLatest("k", "c");
  outbox_.Finish();
  outbox_.Finish(absl::UnknownError("too late"));
  EXPECT_FALSE(outbox_.Send("d"));
  EXPECT_FALSE(outbox_.SendLatest("k", "e"));
  EXPECT_THAT(wire_.done, ElementsAre("write a"));
  for (int i = 0; i < 3; ++i) outbox_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "write b", "write c", "finish 0"));
  outbox_.OnCancel();
  outbox_.Abort(absl::UnknownError("too late"));
  EXPECT_EQ(wire_.done.size(), 4u);
}

TEST_F(OutboxTest, AFullQueueEndsTheStreamAfterTheWriteInFlight) {
  EXPECT_TRUE(outbox_.Send("a"));
  EXPECT_TRUE(outbox_.Send("b"));
  EXPECT_TRUE(outbox_.Send("c"));
  EXPECT_FALSE(outbox_.Send("d"));
  EXPECT_FALSE(outbox_.open());
  EXPECT_THAT(wire_.done, ElementsAre("write a"));
  outbox_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "finish 8"));
  EXPECT_TRUE(HasReason(wire_.final, Reason::kStreamTooSlow));
}

TEST_F(OutboxTest, TheLatestOfAKeyWinsAndQueuedMessagesGoFirst) {
  outbox_.Send("a");
  outbox_.SendLatest("x", "x1");
  outbox_.SendLatest("y", "y1");
  outbox_.SendLatest("x", "x2");
  outbox_.Send("b");
  for (int i = 0; i < 4; ++i) outbox_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "write b", "write x2", "write y1"));
}

TEST_F(OutboxTest, LatestWinsNeverOverflows) {
  outbox_.Send("a");
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(outbox_.SendLatest("x", std::to_string(i)));
  outbox_.OnWriteDone(true);
  outbox_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "write 999"));
}

TEST_F(OutboxTest, ACancelWaitsForTheWriteInFlight) {
  outbox_.Send("a");
  outbox_.Send("b");
  outbox_.OnCancel();
  EXPECT_THAT(wire_.done, ElementsAre("write a"));
  outbox_.OnWriteDone(false);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "finish 1"));
}

TEST_F(OutboxTest, ACancelOfAnIdleStreamFinishesIt) {
  outbox_.OnCancel();
  EXPECT_THAT(wire_.done, ElementsAre("finish 1"));
}

TEST_F(OutboxTest, AFailedWriteEndsTheStreamEvenWithoutACancel) {
  outbox_.Send("a");
  outbox_.Send("b");
  outbox_.OnWriteDone(false);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "finish 1"));
}

TEST_F(OutboxTest, AnAbortOverridesAFinishUnderWay) {
  outbox_.Send("a");
  outbox_.Send("b");
  outbox_.Finish();
  outbox_.Abort(Internal("bug"));
  outbox_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "finish 13"));
}

TEST_F(OutboxTest, NothingTouchesTheReactorOnceItIsGone) {
  outbox_.Finish();
  EXPECT_EQ(outbox_.OnDone(), absl::StatusCode::kOk);
  wire_.done.clear();
  EXPECT_FALSE(outbox_.Send("a"));
  EXPECT_FALSE(outbox_.SendLatest("k", "a"));
  outbox_.Finish();
  outbox_.Abort(absl::UnknownError("?"));
  outbox_.Cancel(absl::UnknownError("?"));
  outbox_.OnCancel();
  outbox_.Tick(start_ + absl::Hours(1), absl::Seconds(30), absl::Seconds(12));
  EXPECT_THAT(wire_.done, IsEmpty());
}

TEST_F(OutboxTest, ACancelSaysWhyWhereItCan) {
  outbox_.Cancel(Unavailable(Reason::kDraining, "x"));
  EXPECT_THAT(wire_.done, ElementsAre("finish 14"));
  EXPECT_TRUE(HasReason(wire_.final, Reason::kDraining));
  // The end itself goes nowhere.
  outbox_.Cancel(absl::UnknownError("?"));
  EXPECT_THAT(wire_.done, ElementsAre("finish 14", "cancel"));
}

TEST_F(OutboxTest, ACancelCutsOffAWriteInFlight) {
  outbox_.Send("a");
  outbox_.Send("b");
  outbox_.Cancel(Unavailable(Reason::kDraining, "x"));
  EXPECT_THAT(wire_.done, ElementsAre("write a", "cancel"));
  outbox_.OnWriteDone(false);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "cancel", "finish 14"));
}

TEST_F(OutboxTest, AWriteThatGoesNowhereIsCutOff) {
  outbox_.Send("a");
  outbox_.Tick(start_, absl::Seconds(30), absl::Seconds(12));
  outbox_.Tick(start_ + absl::Seconds(29), absl::Seconds(30), absl::Seconds(12));
  EXPECT_THAT(wire_.done, ElementsAre("write a"));
  outbox_.Tick(start_ + absl::Seconds(30), absl::Seconds(30), absl::Seconds(12));
  EXPECT_THAT(wire_.done, ElementsAre("write a", "cancel"));
  // What gRPC reports of the cut is its consequence, not the reason.
  outbox_.OnCancel();
  outbox_.OnWriteDone(false);
  EXPECT_EQ(outbox_.OnDone(), absl::StatusCode::kResourceExhausted);
}

TEST_F(OutboxTest, WritesThatGoOnAreNotCutOff) {
  for (int i = 0; i < 10; ++i) {
    outbox_.Send("a");
    outbox_.Tick(start_ + i * absl::Seconds(20), absl::Seconds(30), absl::Seconds(12));
    outbox_.OnWriteDone(true);
  }
  EXPECT_TRUE(outbox_.open());
}

TEST_F(OutboxTest, AnEndThatGoesNowhereIsCutOffSooner) {
  outbox_.Send("a");
  outbox_.Finish();
  outbox_.Tick(start_, absl::Seconds(30), absl::Seconds(12));
  outbox_.Tick(start_ + absl::Seconds(12), absl::Seconds(30), absl::Seconds(12));
  EXPECT_THAT(wire_.done, ElementsAre("write a", "cancel"));
}

}  // namespace
}  // namespace hail::rpc
