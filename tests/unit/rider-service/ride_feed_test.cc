#include "rider-service/domain/ride_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/errors/error.h"
#include "tests/unit/rider-service/shown.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A ride's whole life, event by event.
std::vector<RideEvent> History() {
  const RideRules rules;
  RideChange change = NewRide(Requested(), rules, kT0);
  std::vector<RideEvent> events = {*change.event};
  const auto apply = [&](const absl::StatusOr<RideChange>& next) {
    change = *next;
    events.push_back(*change.event);
  };
  apply(Assign(change.ride, Offer(change.ride), RideRules(), kT0));
  const DriverCommand cancel = Command(change.ride, trip::Cancel{CancelReason::kSafety, "flat tyre"});
  apply(TakeStep(change.ride, cancel, rules, kT0));
  apply(Assign(change.ride, Offer(change.ride, "driver-2", "offer-2"), RideRules(), kT0));
  apply(TakeStep(change.ride, Command(change.ride, trip::Seen{}, "driver-2"), rules, kT0));
  apply(TakeStep(change.ride, Command(change.ride, trip::Arrive{}, "driver-2"), rules, kT0));
  apply(TakeStep(change.ride, Command(change.ride, trip::Start{}, "driver-2"), rules, kT0));
  apply(TakeStep(change.ride, Command(change.ride, trip::Complete{}, "driver-2"), rules, kT0));
  return events;
}

// Plays the session: records sent messages as text, and answers a read from the first `stored` events on demand.
class FakeSession : public RideFeed::Out {
 public:
  explicit FakeSession(std::optional<std::int64_t> cursor = std::nullopt, const std::string& rider_id = "rider-1")
      : feed(rider_id, "ride-1", cursor, this) {}

  void Read(std::optional<std::int64_t> after) override {
    EXPECT_FALSE(reading) << "one read at a time";
    reading = true;
    read_after = after;
    ++reads;
  }
  void SendSnapshot(const Ride& ride) override {
    EXPECT_EQ(Shown(ride).ride_id(), "ride-1");
    EXPECT_EQ(Shown(ride).offer_id(), "") << "cut to the rider's view";
    sent.push_back("snapshot " + std::to_string(ride.sequence()));
  }
  void SendEvent(const RideEvent& event) override {
    EXPECT_EQ(Shown(event).ride_id(), "ride-1");
    EXPECT_EQ(Shown(event).ride().offer_id(), "");
    EXPECT_EQ(event.reason(), CancelReason::kUnspecified) << "the rider must not see why the driver gave up";
    sent.push_back("event " + std::to_string(event.sequence()));
  }
  void SendCaughtUp(std::int64_t sequence) override { sent.push_back("caught up " + std::to_string(sequence)); }
  void SendReset(const std::string&) override { sent.push_back("reset"); }
  void Finish(const absl::Status& status) override {
    EXPECT_FALSE(finished) << "one end";
    finished = status;
    sent.push_back(status.ok() ? "end" : "error");
  }

  // Answers the read that is under way from the first `stored` events.
  void AnswerRead(int stored) {
    ASSERT_TRUE(reading);
    reading = false;
    RideLog log{.ride = history[stored - 1].ride, .events = {}};
    for (int i = 0; read_after && i < stored; ++i) {
      if (history[i].sequence() > *read_after) log.events.push_back(history[i]);
    }
    feed.OnRead(log);
  }
  void FailRead() {
    reading = false;
    feed.OnRead(Unavailable(Reason::kStoreUnavailable, "down"));
  }
  // The event numbered `sequence` comes by the bus.
  void Hear(int sequence) { feed.OnEvent(history[sequence - 1]); }
  std::vector<std::string> Take() { return std::exchange(sent, {}); }

  const std::vector<RideEvent> history = History();
  RideFeed feed;
  std::vector<std::string> sent;
  bool reading = false;
  std::optional<std::int64_t> read_after;
  int reads = 0;
  std::optional<absl::Status> finished;
};

TEST(RideFeed, WithoutACursorASnapshotThenEvents) {
  FakeSession session;
  session.feed.Begin();
  EXPECT_FALSE(session.read_after);
  session.AnswerRead(2);
  EXPECT_THAT(session.Take(), ElementsAre("snapshot 2"));
  session.Hear(3);
  session.Hear(4);
  EXPECT_THAT(session.Take(), ElementsAre("event 3", "event 4"));
  EXPECT_EQ(session.feed.sent_sequence(), 4);
  EXPECT_EQ(session.feed.ride()->sequence(), 4);
  EXPECT_EQ(session.reads, 1);
}

TEST(RideFeed, WithACursorTheEventsAfterItThenCaughtUp) {
  FakeSession session(1);
  session.feed.Begin();
  EXPECT_EQ(session.read_after, 1);
  session.AnswerRead(4);
  EXPECT_THAT(session.Take(), ElementsAre("event 2", "event 3", "event 4", "caught up 4"));
}

TEST(RideFeed, ACursorAtThePresentIsCaughtUpAtOnce) {
  FakeSession session(4);
  session.feed.Begin();
  session.AnswerRead(4);
  EXPECT_THAT(session.Take(), ElementsAre("caught up 4"));
  EXPECT_EQ(session.feed.ride()->sequence(), 4);
}

TEST(RideFeed, ACursorOfZeroOrLessIsTheWholeLog) {
  for (const std::int64_t cursor : {0, -7}) {
    FakeSession session(cursor);
    session.feed.Begin();
    session.AnswerRead(2);
    EXPECT_THAT(session.Take(), ElementsAre("event 1", "event 2", "caught up 2"));
  }
}

TEST(RideFeed, ACursorAheadOfTheRideIsReset) {
  FakeSession session(9);
  session.feed.Begin();
  session.AnswerRead(3);
  EXPECT_THAT(session.Take(), ElementsAre("reset", "snapshot 3"));
  session.Hear(4);
  EXPECT_THAT(session.Take(), ElementsAre("event 4"));
}

TEST(RideFeed, EventsThatComeDuringTheReadWaitAndAreNotRepeated) {
  FakeSession session;
  session.feed.Begin();
  session.Hear(2);
  session.Hear(3);
  session.Hear(4);
  EXPECT_THAT(session.Take(), IsEmpty());
  session.AnswerRead(3);
  EXPECT_THAT(session.Take(), ElementsAre("snapshot 3", "event 4"));
}

TEST(RideFeed, DuplicatesAndOldOnesAreDropped) {
  FakeSession session;
  session.feed.Begin();
  session.AnswerRead(2);
  session.Hear(3);
  session.Hear(3);
  session.Hear(1);
  session.Hear(2);
  EXPECT_THAT(session.Take(), ElementsAre("snapshot 2", "event 3"));
}

TEST(RideFeed, AGapIsReadFromTheStore) {
  FakeSession session;
  session.feed.Begin();
  session.AnswerRead(1);
  session.Take();
  session.Hear(4);
  EXPECT_THAT(session.Take(), IsEmpty());
  EXPECT_EQ(session.read_after, 1);
  session.Hear(5);  // meanwhile
  session.AnswerRead(4);
  EXPECT_THAT(session.Take(), ElementsAre("event 2", "event 3", "event 4", "event 5"));
}

TEST(RideFeed, ALostLastMessageIsNoticedByTheCheck) {
  FakeSession session;
  session.feed.Begin();
  session.AnswerRead(1);
  session.Take();
  session.feed.OnStoreSequence(1);
  EXPECT_FALSE(session.reading);
  session.feed.OnStoreSequence(3);
  ASSERT_TRUE(session.reading);
  EXPECT_EQ(session.feed.known_sequence(), 3);
  session.AnswerRead(3);
  EXPECT_THAT(session.Take(), ElementsAre("event 2", "event 3"));
}

// The store check may see an event before the bus brings it. In the simulation, the event then waited for a slow read.
TEST(RideFeed, WhatIsNextGoesOutWhileTheStoreIsAsked) {
  FakeSession session;
  session.feed.Begin();
  session.AnswerRead(1);
  session.Take();
  session.feed.OnStoreSequence(2);
  ASSERT_TRUE(session.reading);
  session.Hear(2);
  session.Hear(3);
  EXPECT_THAT(session.Take(), ElementsAre("event 2", "event 3"));
  session.AnswerRead(3);
  EXPECT_THAT(session.Take(), IsEmpty());
  EXPECT_FALSE(session.reading);
}

TEST(RideFeed, EndsAfterTheFinalEvent) {
  FakeSession session;
  session.feed.Begin();
  session.AnswerRead(7);
  session.Hear(8);
  EXPECT_THAT(session.Take(), ElementsAre("snapshot 7", "event 8", "end"));
  session.Hear(8);
  session.feed.OnStoreSequence(9);
  EXPECT_THAT(session.Take(), IsEmpty());
  EXPECT_FALSE(session.reading);
}

TEST(RideFeed, OfAnEndedRideTheRestAndTheEnd) {
  FakeSession fresh;
  fresh.feed.Begin();
  fresh.AnswerRead(8);
  EXPECT_THAT(fresh.Take(), ElementsAre("snapshot 8", "end"));

  FakeSession resumed(6);
  resumed.feed.Begin();
  resumed.AnswerRead(8);
  EXPECT_THAT(resumed.Take(), ElementsAre("event 7", "event 8", "caught up 8", "end"));
}

TEST(RideFeed, AnotherRidersRideIsNotFound) {
  FakeSession session(std::nullopt, "rider-2");
  session.feed.Begin();
  session.AnswerRead(3);
  EXPECT_THAT(session.Take(), ElementsAre("error"));
  EXPECT_TRUE(HasReason(*session.finished, Reason::kRideNotFound));
}

TEST(RideFeed, AFailedFirstReadEndsItAFailedLaterOneIsRepeated) {
  FakeSession first;
  first.feed.Begin();
  first.FailRead();
  EXPECT_TRUE(HasReason(*first.finished, Reason::kStoreUnavailable));

  FakeSession later;
  later.feed.Begin();
  later.AnswerRead(1);
  later.Hear(3);
  later.FailRead();
  EXPECT_FALSE(later.finished);
  EXPECT_FALSE(later.reading) << "no hot loop";
  later.feed.OnStoreSequence(3);
  later.AnswerRead(3);
  EXPECT_THAT(later.Take(), ElementsAre("snapshot 1", "event 2", "event 3"));
}

TEST(RideFeed, ARideThatALaterVersionTookOnIsForAnotherReplicaToShow) {
  FakeSession session;
  session.feed.Begin();
  session.AnswerRead(2);
  session.feed.OnStoreSequence(3);
  const absl::Status too_old = Unavailable(Reason::kReplicaTooOld, "too old");
  session.feed.OnRead(too_old);
  EXPECT_EQ(session.finished, too_old);
}

TEST(RideFeed, AStoreThatLagsBehindTheBusIsNotAskedInALoop) {
  FakeSession session;
  session.feed.Begin();
  session.AnswerRead(1);
  session.Hear(3);
  session.AnswerRead(1);  // has not got 2 and 3 yet
  EXPECT_FALSE(session.reading);
  session.feed.OnStoreSequence(3);
  session.AnswerRead(3);
  EXPECT_THAT(session.Take(), ElementsAre("snapshot 1", "event 2", "event 3"));
}

TEST(RideFeed, OtherRidesAreNoneOfItsBusiness) {
  FakeSession session;
  session.feed.Begin();
  session.AnswerRead(1);
  RideEvent other = session.history[1];
  other.message.set_ride_id("ride-2");
  session.feed.OnEvent(other);
  EXPECT_THAT(session.Take(), ElementsAre("snapshot 1"));
}

// The bus loses, repeats and reorders events. The watcher still gets each event once and in order.
TEST(RideFeed, AnyBusAnyOrderEachEventOnce) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const bool with_cursor = random() % 2 == 0;
    FakeSession session(with_cursor ? std::optional<std::int64_t>(0) : std::nullopt);
    session.feed.Begin();
    int stored = 1;
    std::vector<int> in_flight = {1};
    while (stored < 8 || !in_flight.empty() || session.reading) {
      switch (random() % 4) {
        case 0:
          if (stored < 8) {
            ++stored;
            for (unsigned copies = random() % 3; copies > 0; --copies) in_flight.push_back(stored);
          }
          break;
        case 1:
          if (!in_flight.empty()) {
            const std::size_t pick = random() % in_flight.size();
            const int sequence = in_flight[pick];
            in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(pick));
            session.Hear(sequence);
          }
          break;
        case 2:
          if (session.reading) session.AnswerRead(stored);
          break;
        case 3:
          if (session.feed.sent_sequence() > 0) session.feed.OnStoreSequence(stored);
          break;
      }
    }
    session.feed.OnStoreSequence(8);
    if (session.reading) session.AnswerRead(8);
    ASSERT_TRUE(session.finished && session.finished->ok());
    std::vector<int> seen;
    int first = 0;
    for (const std::string& message : session.sent) {
      if (message.rfind("snapshot ", 0) == 0) first = std::stoi(message.substr(9));
      if (message.rfind("event ", 0) == 0) seen.push_back(std::stoi(message.substr(6)));
    }
    for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], first + static_cast<int>(i) + 1);
    EXPECT_EQ(first + static_cast<int>(seen.size()), 8);
  }
}

}  // namespace
}  // namespace hail::rider
