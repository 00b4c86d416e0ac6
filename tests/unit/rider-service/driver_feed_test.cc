#include "rider-service/domain/driver_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/errors/error.h"
#include "tests/unit/rider-service/shown.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Three rides of driver-1, one after the other, as the store numbers their events: 9 in all.
std::vector<RideEvent> History() {
  const RideRules rules;
  std::vector<RideEvent> events;
  const auto keep = [&](const RideChange& change) {
    events.push_back(*change.event);
    events.back().driver_sequence = static_cast<std::int64_t>(events.size());
    return change.ride;
  };
  Ride ride = NewRide(Requested("ride-1"), rules, kT0).ride;
  ride = keep(*Assign(ride, Offer(ride), RideRules(), kT0));
  ride = keep(*TakeStep(ride, Command(ride, trip::Seen{}), rules, kT0));
  ride = keep(*TakeStep(ride, Command(ride, trip::Cancel{}), rules, kT0));
  ride = NewRide(Requested("ride-2"), rules, kT0).ride;
  ride = keep(*Assign(ride, Offer(ride, "driver-1", "offer-2"), RideRules(), kT0));
  ride = keep(*CancelByRider(ride, CancelReason::kSafety, "he frightened me", kT0));
  ride = NewRide(Requested("ride-3"), rules, kT0).ride;
  ride = keep(*Assign(ride, Offer(ride, "driver-1", "offer-3"), RideRules(), kT0));
  ride = keep(*TakeStep(ride, Command(ride, trip::Arrive{}), rules, kT0));
  ride = keep(*TakeStep(ride, Command(ride, trip::Start{}), rules, kT0));
  keep(*TakeStep(ride, Command(ride, trip::Complete{}), rules, kT0));
  return events;
}

void ExpectDriversView(const RideEvent& event) {
  EXPECT_EQ(Shown(event).ride().offer_id(), event.ride.offer_id());
  EXPECT_EQ(Shown(event).ride().rider_id(), "");
  if (event.type() != RideEventType::kCanceled) return;
  EXPECT_EQ(event.reason(), CancelReason::kUnspecified) << "the driver must not see why the rider canceled";
  EXPECT_EQ(event.ride.cancellation(), (Cancellation{CancelActor::kRider, CancelReason::kUnspecified, ""}));
}

class FakeStream : public DriverFeed::Out {
 public:
  explicit FakeStream(std::optional<Cursor> cursor = std::nullopt) : feed("driver-1", 7, std::move(cursor), this) {}

  void ReadCatchUp(const std::string& driver_id, const std::optional<Cursor>& read_cursor) override {
    EXPECT_EQ(driver_id, "driver-1");
    EXPECT_EQ(want, Want::kNothing) << "one read at a time";
    want = Want::kCatchUp;
    cursor = read_cursor;
  }
  void ReadEvents(const std::string&, std::int64_t after) override {
    EXPECT_EQ(want, Want::kNothing) << "one read at a time";
    want = Want::kEvents;
    read_after = after;
  }
  void SendSnapshot(const std::string&, std::int64_t subscription, const DriverCatchUp& snapshot) override {
    EXPECT_EQ(subscription, 7);
    std::string text = "snapshot";
    for (const RideEvent& event : snapshot.missed) {
      ExpectDriversView(event);
      text += " missed " + event.ride_id() + "/" + std::to_string(event.sequence());
    }
    if (snapshot.ride) {
      EXPECT_EQ(Shown(*snapshot.ride).rider_id(), "") << "cut to the driver's view";
      text += " " + snapshot.ride->ride_id();
    }
    sent.push_back(text);
  }
  void SendEvent(const std::string&, std::int64_t subscription, const RideEvent& event) override {
    EXPECT_EQ(subscription, 7);
    ExpectDriversView(event);
    sent.push_back(std::to_string(event.driver_sequence));
    if (event.ended()) sent.back() += " ended";
  }

  void Answer(int stored) {
    const Want asked = std::exchange(want, Want::kNothing);
    if (asked == Want::kEvents) {
      std::vector<RideEvent> events;
      for (const RideEvent& event : history) {
        if (event.driver_sequence > read_after && event.driver_sequence <= stored) events.push_back(event);
      }
      feed.OnEvents(events);
      return;
    }
    ASSERT_EQ(asked, Want::kCatchUp);
    DriverCatchUp catch_up{.driver_sequence = stored};
    if (stored > 0 && !history[stored - 1].ended()) catch_up.ride = history[stored - 1].ride;
    for (int i = 0; cursor && i < stored; ++i) {
      if (history[i].ride_id() == cursor->ride_id && history[i].sequence() > cursor->sequence) {
        catch_up.missed.push_back(history[i]);
      }
    }
    feed.OnCatchUp(catch_up);
  }
  void Fail() {
    const absl::Status down = Unavailable(Reason::kStoreUnavailable, "down");
    if (std::exchange(want, Want::kNothing) == Want::kEvents) {
      feed.OnEvents(down);
    } else {
      feed.OnCatchUp(down);
    }
  }
  void Hear(int number) { feed.OnEvent(history[number - 1]); }
  std::vector<std::string> Take() { return std::exchange(sent, {}); }

  enum class Want { kNothing, kCatchUp, kEvents };
  const std::vector<RideEvent> history = History();
  DriverFeed feed;
  Want want = Want::kNothing;
  std::optional<Cursor> cursor;
  std::int64_t read_after = -1;
  std::vector<std::string> sent;
};

TEST(DriverFeed, ASnapshotFirstThenEveryEventThatConcernsTheDriver) {
  FakeStream stream;
  stream.feed.Begin();
  EXPECT_FALSE(stream.feed.caught_up());
  stream.Answer(0);
  EXPECT_TRUE(stream.feed.caught_up());
  for (int i = 1; i <= 5; ++i) stream.Hear(i);
  EXPECT_THAT(stream.Take(), ElementsAre("snapshot", "1", "2", "3 ended", "4", "5 ended"));
}

TEST(DriverFeed, TheSnapshotHasTheRideInHandAndWhatWasMissedOfTheCursors) {
  FakeStream stream(Cursor{"ride-1", 2});
  stream.feed.Begin();
  stream.Answer(6);
  EXPECT_THAT(stream.Take(), ElementsAre("snapshot missed ride-1/3 missed ride-1/4 ride-3"));
}

TEST(DriverFeed, EventsDuringTheReadWaitAndAreNotRepeated) {
  FakeStream stream;
  stream.feed.Begin();
  stream.Hear(4);
  stream.Hear(6);
  stream.Hear(5);
  stream.Answer(4);
  EXPECT_THAT(stream.Take(), ElementsAre("snapshot ride-2", "5 ended", "6"));
}

TEST(DriverFeed, AGapOverTheEndOfARideIsReadFromTheStore) {
  FakeStream stream;
  stream.feed.Begin();
  stream.Answer(4);
  stream.Take();
  stream.Hear(6);  // the end of ride-2 was lost
  EXPECT_THAT(stream.Take(), IsEmpty());
  ASSERT_EQ(stream.want, FakeStream::Want::kEvents);
  EXPECT_EQ(stream.read_after, 4);
  stream.Answer(6);
  EXPECT_THAT(stream.Take(), ElementsAre("5 ended", "6"));
  stream.Hear(5);
  stream.Hear(6);
  EXPECT_THAT(stream.Take(), IsEmpty());
}

TEST(DriverFeed, ALostLastMessageIsNoticedByTheCheck) {
  FakeStream stream;
  stream.feed.Begin();
  stream.Answer(1);
  stream.feed.OnStoreSequence(1);
  EXPECT_EQ(stream.want, FakeStream::Want::kNothing);
  stream.feed.OnStoreSequence(3);
  stream.Answer(3);
  EXPECT_THAT(stream.Take(), ElementsAre("snapshot ride-1", "2", "3 ended"));
}

TEST(DriverFeed, WhatIsNextGoesOutWhileTheStoreIsAsked) {
  FakeStream stream;
  stream.feed.Begin();
  stream.Answer(0);
  stream.Take();
  stream.feed.OnStoreSequence(1);
  ASSERT_EQ(stream.want, FakeStream::Want::kEvents);
  stream.Hear(1);
  stream.Hear(2);
  EXPECT_THAT(stream.Take(), ElementsAre("1", "2"));
  stream.Answer(2);
  EXPECT_THAT(stream.Take(), IsEmpty());
}

TEST(DriverFeed, AFailedReadIsRepeatedByTheNextCheckOrEvent) {
  FakeStream stream;
  stream.feed.Begin();
  stream.Fail();
  EXPECT_EQ(stream.want, FakeStream::Want::kNothing) << "no hot loop";
  EXPECT_FALSE(stream.feed.caught_up());
  stream.feed.OnStoreSequence(2);
  stream.Fail();
  stream.Hear(3);
  stream.Answer(3);
  EXPECT_THAT(stream.Take(), ElementsAre("snapshot"));

  stream.Hear(5);
  stream.Fail();
  EXPECT_EQ(stream.want, FakeStream::Want::kNothing);
  stream.feed.OnStoreSequence(5);
  stream.Answer(5);
  EXPECT_THAT(stream.Take(), ElementsAre("4", "5 ended"));
}

TEST(DriverFeed, AFormerDriverIsShownTheRideAsItWas) {
  FakeStream stream;
  stream.feed.Begin();
  stream.Answer(2);
  class Check : public DriverFeed::Out {
   public:
    void ReadCatchUp(const std::string&, const std::optional<Cursor>&) override {}
    void ReadEvents(const std::string&, std::int64_t) override {}
    void SendSnapshot(const std::string&, std::int64_t, const DriverCatchUp&) override {}
    void SendEvent(const std::string&, std::int64_t, const RideEvent& event) override { ride = event.ride; }
    Ride ride;
  } check;
  DriverFeed feed("driver-1", 1, std::nullopt, &check);
  feed.Begin();
  feed.OnCatchUp(DriverCatchUp{.driver_sequence = 2});
  feed.OnEvent(stream.history[2]);
  EXPECT_EQ(check.ride.epoch(), 1);
  EXPECT_EQ(check.ride.driver()->driver_id(), "driver-1");
}

TEST(DriverFeed, OtherDriversAreNoneOfItsBusiness) {
  FakeStream stream;
  stream.feed.Begin();
  stream.Answer(0);
  RideEvent other = stream.history[0];
  other.driver_id = "driver-2";
  stream.feed.OnEvent(other);
  EXPECT_THAT(stream.Take(), ElementsAre("snapshot"));
}

TEST(DriverFeed, AnyBusAnyOrderEachEventOnce) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    FakeStream stream;
    stream.feed.Begin();
    int stored = 0;
    std::vector<int> in_flight;
    while (stored < 9 || !in_flight.empty() || stream.want != FakeStream::Want::kNothing) {
      switch (random() % 5) {
        case 0:
          if (stored < 9) {
            ++stored;
            for (unsigned copies = random() % 3; copies > 0; --copies) in_flight.push_back(stored);
          }
          break;
        case 1:
          if (!in_flight.empty()) {
            const std::size_t pick = random() % in_flight.size();
            const int number = in_flight[pick];
            in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(pick));
            stream.Hear(number);
          }
          break;
        case 2:
          if (stream.want != FakeStream::Want::kNothing) stream.Answer(stored);
          break;
        case 3:
          if (stream.want != FakeStream::Want::kNothing) stream.Fail();
          break;
        case 4:
          stream.feed.OnStoreSequence(stored);
          break;
      }
    }
    stream.feed.OnStoreSequence(9);
    if (stream.want != FakeStream::Want::kNothing) stream.Answer(9);
    ASSERT_EQ(stream.feed.sent_sequence(), 9);
    int last = 0;
    for (std::size_t i = 1; i < stream.sent.size(); ++i) {
      const int number = std::stoi(stream.sent[i]);
      if (last != 0) {
        EXPECT_EQ(number, last + 1);
      }
      last = number;
    }
  }
}

}  // namespace
}  // namespace hail::rider
