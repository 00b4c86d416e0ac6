#include "common/rpc/stream_writer.h"

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

// A transport that only records the calls it gets.
class FakeTransport final : public StreamTransport<std::string> {
 public:
  void TransportWrite(const std::string* message) override { done.push_back("write " + *message); }
  void TransportFinish(const grpc::Status& status) override {
    done.push_back("finish " + std::to_string(status.error_code()));
    final = FromGrpc(status);
  }
  void TransportCancel() override { done.push_back("cancel"); }
  void TransportRead() override { done.push_back("read"); }

  std::vector<std::string> done;
  absl::Status final;
};

class StreamWriterTest : public ::testing::Test {
 protected:
  FakeTransport wire_;
  StreamWriter<std::string> writer_{&wire_, 2};
  const absl::Time start_ = absl::FromUnixSeconds(1);
};

TEST_F(StreamWriterTest, ReadsOneAtATimeAndOnlyWhileTheSessionDoesNotHoldBack) {
  writer_.ReadOn();
  EXPECT_THAT(wire_.done, ElementsAre("read"));
  writer_.PauseReading();
  writer_.PauseReading();
  writer_.ReadOn();
  EXPECT_THAT(wire_.done, ElementsAre("read"));
  EXPECT_TRUE(writer_.reading_paused());
  writer_.ResumeReading();
  writer_.ResumeReading();
  EXPECT_THAT(wire_.done, ElementsAre("read", "read"));
  EXPECT_FALSE(writer_.reading_paused());
  // Resumed before the message that made it pause was handled.
  writer_.PauseReading();
  writer_.ResumeReading();
  EXPECT_THAT(wire_.done, ElementsAre("read", "read"));
  writer_.ReadOn();
  EXPECT_THAT(wire_.done, ElementsAre("read", "read", "read"));
}

TEST_F(StreamWriterTest, AStreamThatEndsReadsNoMore) {
  writer_.PauseReading();
  writer_.ReadOn();
  writer_.Finish();
  writer_.ResumeReading();
  writer_.ReadOn();
  EXPECT_THAT(wire_.done, ElementsAre("finish 0"));
  writer_.OnDone();
  writer_.ResumeReading();
  EXPECT_THAT(wire_.done, ElementsAre("finish 0"));
}

TEST_F(StreamWriterTest, OneWriteAtATimeInOrder) {
  EXPECT_TRUE(writer_.Send("a"));
  EXPECT_TRUE(writer_.Send("b"));
  EXPECT_THAT(wire_.done, ElementsAre("write a"));
  writer_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "write b"));
  writer_.OnWriteDone(true);
  EXPECT_TRUE(writer_.Send("c"));
  EXPECT_THAT(wire_.done, ElementsAre("write a", "write b", "write c"));
}

TEST_F(StreamWriterTest, FinishComesOnceAndLast) {
  writer_.Send("a");
  writer_.Send("b");
  writer_.SendLatest("k", "c");
  writer_.Finish();
  writer_.Finish(absl::UnknownError("too late"));
  EXPECT_FALSE(writer_.Send("d"));
  EXPECT_FALSE(writer_.SendLatest("k", "e"));
  EXPECT_THAT(wire_.done, ElementsAre("write a"));
  for (int i = 0; i < 3; ++i) writer_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "write b", "write c", "finish 0"));
  writer_.OnCancel();
  writer_.Abort(absl::UnknownError("too late"));
  EXPECT_EQ(wire_.done.size(), 4u);
}

TEST_F(StreamWriterTest, AFullQueueEndsTheStreamAfterTheWriteInFlight) {
  EXPECT_TRUE(writer_.Send("a"));
  EXPECT_TRUE(writer_.Send("b"));
  EXPECT_TRUE(writer_.Send("c"));
  EXPECT_FALSE(writer_.Send("d"));
  EXPECT_FALSE(writer_.open());
  EXPECT_THAT(wire_.done, ElementsAre("write a"));
  writer_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "finish 8"));
  EXPECT_TRUE(HasReason(wire_.final, Reason::kStreamTooSlow));
}

TEST_F(StreamWriterTest, TheLatestOfAKeyWinsAndQueuedMessagesGoFirst) {
  writer_.Send("a");
  writer_.SendLatest("x", "x1");
  writer_.SendLatest("y", "y1");
  writer_.SendLatest("x", "x2");
  writer_.Send("b");
  for (int i = 0; i < 4; ++i) writer_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "write b", "write x2", "write y1"));
}

TEST_F(StreamWriterTest, LatestWinsNeverOverflows) {
  writer_.Send("a");
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(writer_.SendLatest("x", std::to_string(i)));
  writer_.OnWriteDone(true);
  writer_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "write 999"));
}

TEST_F(StreamWriterTest, ACancelWaitsForTheWriteInFlight) {
  writer_.Send("a");
  writer_.Send("b");
  writer_.OnCancel();
  EXPECT_THAT(wire_.done, ElementsAre("write a"));
  writer_.OnWriteDone(false);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "finish 1"));
}

TEST_F(StreamWriterTest, ACancelOfAnIdleStreamFinishesIt) {
  writer_.OnCancel();
  EXPECT_THAT(wire_.done, ElementsAre("finish 1"));
}

TEST_F(StreamWriterTest, AFailedWriteEndsTheStreamEvenWithoutACancel) {
  writer_.Send("a");
  writer_.Send("b");
  writer_.OnWriteDone(false);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "finish 1"));
}

TEST_F(StreamWriterTest, AnAbortOverridesAFinishUnderWay) {
  writer_.Send("a");
  writer_.Send("b");
  writer_.Finish();
  writer_.Abort(Internal("bug"));
  writer_.OnWriteDone(true);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "finish 13"));
}

TEST_F(StreamWriterTest, NothingTouchesTheReactorOnceItIsGone) {
  writer_.Finish();
  EXPECT_EQ(writer_.OnDone(), absl::StatusCode::kOk);
  wire_.done.clear();
  EXPECT_FALSE(writer_.Send("a"));
  EXPECT_FALSE(writer_.SendLatest("k", "a"));
  writer_.Finish();
  writer_.Abort(absl::UnknownError("?"));
  writer_.Cancel(absl::UnknownError("?"));
  writer_.OnCancel();
  writer_.Tick(start_ + absl::Hours(1), absl::Seconds(30), absl::Seconds(12));
  EXPECT_THAT(wire_.done, IsEmpty());
}

TEST_F(StreamWriterTest, ACancelSaysWhyWhereItCan) {
  writer_.Cancel(Unavailable(Reason::kDraining, "x"));
  EXPECT_THAT(wire_.done, ElementsAre("finish 14"));
  EXPECT_TRUE(HasReason(wire_.final, Reason::kDraining));
  // The final status is stuck, so the next Cancel cuts the call off.
  writer_.Cancel(absl::UnknownError("?"));
  EXPECT_THAT(wire_.done, ElementsAre("finish 14", "cancel"));
}

TEST_F(StreamWriterTest, ACancelCutsOffAWriteInFlight) {
  writer_.Send("a");
  writer_.Send("b");
  writer_.Cancel(Unavailable(Reason::kDraining, "x"));
  EXPECT_THAT(wire_.done, ElementsAre("write a", "cancel"));
  writer_.OnWriteDone(false);
  EXPECT_THAT(wire_.done, ElementsAre("write a", "cancel", "finish 14"));
}

TEST_F(StreamWriterTest, AWriteThatGoesNowhereIsCutOff) {
  writer_.Send("a");
  writer_.Tick(start_, absl::Seconds(30), absl::Seconds(12));
  writer_.Tick(start_ + absl::Seconds(29), absl::Seconds(30), absl::Seconds(12));
  EXPECT_THAT(wire_.done, ElementsAre("write a"));
  writer_.Tick(start_ + absl::Seconds(30), absl::Seconds(30), absl::Seconds(12));
  EXPECT_THAT(wire_.done, ElementsAre("write a", "cancel"));
  // gRPC then reports a cancel. That is the consequence of the cut and does not replace its reason.
  writer_.OnCancel();
  writer_.OnWriteDone(false);
  EXPECT_EQ(writer_.OnDone(), absl::StatusCode::kResourceExhausted);
}

TEST_F(StreamWriterTest, WritesThatGoOnAreNotCutOff) {
  for (int i = 0; i < 10; ++i) {
    writer_.Send("a");
    writer_.Tick(start_ + i * absl::Seconds(20), absl::Seconds(30), absl::Seconds(12));
    writer_.OnWriteDone(true);
  }
  EXPECT_TRUE(writer_.open());
}

TEST_F(StreamWriterTest, AnEndThatGoesNowhereIsCutOffSooner) {
  writer_.Send("a");
  writer_.Finish();
  writer_.Tick(start_, absl::Seconds(30), absl::Seconds(12));
  writer_.Tick(start_ + absl::Seconds(12), absl::Seconds(30), absl::Seconds(12));
  EXPECT_THAT(wire_.done, ElementsAre("write a", "cancel"));
}

}  // namespace
}  // namespace hail::rpc
