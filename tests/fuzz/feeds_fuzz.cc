// The feeds of rides and of drivers against a bus that loses, repeats and reorders, and a store that is slow or away.
// Each event is sent once, in order, from the cursor on; a reset comes only where it is due; and all events arrive
// after the faults end.
#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "common/errors/error.h"
#include "rider-service/codec/ride_codec.h"
#include "rider-service/domain/driver_feed.h"
#include "rider-service/domain/ride_feed.h"
#include "tests/fuzz/ride_model.h"

namespace hail::fuzz {
namespace {

using rider::Ride;
using rider::RideEvent;

constexpr char kRider[] = "rider-of-ride-1";
// As in the store's ReadDriverEvents, but smaller, so that one read is not enough.
constexpr std::size_t kMaxRead = 3;

// A ride's log, produced by commands.
class Log {
 public:
  Log() { Keep(AskedFor("ride-1", rules_, now_)); }

  void Grow(Input& input) {
    now_ += absl::Seconds(input.Byte());
    const auto change = AnyCommand(input, ride_, rules_, now_);
    if (change.ok() && change->changed) Keep(*change);
  }
  const Ride& ride() const { return ride_; }
  const std::vector<RideEvent>& events() const { return events_; }

 private:
  void Keep(const rider::RideChange& change) {
    ride_ = change.ride;
    if (change.event) events_.push_back(*change.event);
  }

  const rider::RideRules rules_;
  absl::Time now_ = kStart;
  Ride ride_;
  std::vector<RideEvent> events_;
};

class RiderWorld final : public rider::RideFeed::Out {
 public:
  RiderWorld(Input& input, std::optional<std::int64_t> cursor, const std::string& rider_id)
      : rider_id_(rider_id), cursor_(cursor), feed_(rider_id, "ride-1", cursor, this) {
    for (int i = input.Below(6); i > 0; --i) log_.Grow(input);
    feed_.Begin();
  }

  void Step(Input& input) {
    switch (input.Below(6)) {
      case 0:
        log_.Grow(input);
        break;
      case 1:
      case 2: {
        // Any past event, again or for the first time; or one of another ride.
        RideEvent event = log_.events()[static_cast<std::size_t>(input.Below(256)) % log_.events().size()];
        if (input.Below(16) == 0) event.message.set_ride_id("ride-2");
        feed_.OnEvent(event);
        break;
      }
      case 3:
        Answer(input.Below(4) == 0);
        break;
      case 4:
        // The present sequence, or one of a while ago.
        feed_.OnStoreSequence(std::max<std::int64_t>(0, log_.ride().sequence() - input.Below(3)));
        break;
      default:
        // The answer shows the store at some instant between the call and the answer.
        if (asked_) Take();
        break;
    }
  }

  void CalmDown() {
    for (int i = 0; i < 100 && !finished_; ++i) {
      Answer(false);
      feed_.OnStoreSequence(log_.ride().sequence());
    }
    if (rider_id_ != kRider) {
      Require(sent_.empty() && (!finished_ || !status_.ok()), "nobody sees another's ride");
      return;
    }
    if (finished_ && !status_.ok()) return;
    Require(feed_.sent_sequence() == log_.ride().sequence(), "all was sent in the end");
    Require(finished_ == IsFinal(log_.ride().state()), "the feed ends with the ride");
  }

 private:
  // Takes the store's present state, kept until the answer is given.
  void Take() {
    rider::RideLog log{log_.ride(), {}};
    if (*asked_) {
      for (const RideEvent& event : log_.events()) {
        if (event.sequence() > **asked_) log.events.push_back(event);
      }
    }
    answer_ = std::move(log);
  }

  void Answer(bool fails) {
    if (!asked_) return;
    if (!answer_) Take();
    rider::RideLog log = *std::exchange(answer_, std::nullopt);
    asked_.reset();
    if (fails) {
      feed_.OnRead(Unavailable(Reason::kStoreUnavailable, "the store is away"));
    } else {
      feed_.OnRead(log);
    }
  }

  // ---- RideFeed::Out

  void Read(std::optional<std::int64_t> after) override {
    Require(!finished_ && !asked_, "one read at a time");
    asked_ = after;
  }
  void SendSnapshot(const Ride& ride) override {
    Require(!finished_ && sent_.empty() && !last_, "a snapshot comes first");
    Require(!cursor_ || reset_, "a snapshot is sent only without a valid cursor");
    last_ = ride.sequence();
    See(ride);
  }
  void SendEvent(const RideEvent& event) override {
    Require(!finished_, "nothing follows the end");
    if (!last_) last_ = std::max<std::int64_t>(0, *cursor_);
    Require(event.sequence() == *last_ + 1, "each event once, in order");
    last_ = event.sequence();
    sent_.push_back(event.sequence());
    Require(event.driver_id.empty() && !event.former, "a rider's event has no driver's part");
    See(event.ride);
  }
  void SendCaughtUp(std::int64_t sequence) override {
    Require(!finished_ && cursor_ && !reset_ && !caught_up_, "caught_up comes once, after a resume");
    caught_up_ = true;
    Require(sequence == last_.value_or(std::max<std::int64_t>(0, *cursor_)), "caught_up has the last sent sequence");
  }
  void SendReset(const std::string&) override {
    Require(!finished_ && !reset_ && cursor_ && *cursor_ > 1, "a reset is for a cursor ahead of the ride");
    reset_ = true;
  }
  void Finish(const absl::Status& status) override {
    Require(!finished_, "the feed ends once");
    finished_ = true;
    status_ = status;
  }

  void See(const Ride& ride) const {
    Require(ride.rider_id() == rider_id_, "nobody sees another's ride");
    Require(ride.excluded_driver_ids().empty() && ride.request_fingerprint().empty(), "a rider sees no internals");
    hail::type::v1::Ride shown;
    rider::Encode(ride, &shown);
    Require(shown.ride_id() == ride.ride_id() && shown.offer_id().empty(), "a rider is shown the ride, not the offer");
  }

  const std::string rider_id_;
  const std::optional<std::int64_t> cursor_;
  Log log_;
  std::optional<std::optional<std::int64_t>> asked_;
  std::optional<rider::RideLog> answer_;
  bool finished_ = false;
  bool reset_ = false;
  bool caught_up_ = false;
  absl::Status status_;
  std::optional<std::int64_t> last_;
  std::vector<std::int64_t> sent_;
  rider::RideFeed feed_;
};

// One driver's events over several rides, numbered as the store numbers them.
class DriverWorld final : public rider::DriverFeed::Out {
 public:
  DriverWorld(Input& input, std::optional<rider::Cursor> cursor)
      : cursor_(cursor), feed_("driver-1", 7, std::move(cursor), this) {
    for (int i = input.Below(6); i > 0; --i) Grow();
    feed_.Begin();
  }

  void Step(Input& input) {
    switch (input.Below(6)) {
      case 0:
        Grow();
        break;
      case 1:
      case 2: {
        if (events_.empty()) break;
        RideEvent event = events_[static_cast<std::size_t>(input.Below(256)) % events_.size()];
        if (input.Below(16) == 0) event.driver_id = "driver-2";
        feed_.OnEvent(event);
        break;
      }
      case 3:
        Answer(input.Below(4) == 0);
        break;
      default:
        feed_.OnStoreSequence(std::max<std::int64_t>(0, Last() - input.Below(3)));
        break;
    }
  }

  void CalmDown() {
    for (int i = 0; i < 200; ++i) {
      Answer(false);
      feed_.OnStoreSequence(Last());
    }
    Require(feed_.caught_up() && feed_.sent_sequence() == Last(), "all was sent in the end");
  }

 private:
  std::int64_t Last() const { return static_cast<std::int64_t>(events_.size()); }

  // Each ride is assigned, seen and given up; then the next ride follows.
  void Grow() {
    const std::size_t number = events_.size();
    RideEvent event;
    event.message.set_ride_id("ride-" + std::to_string(number / 3));
    event.message.set_sequence(static_cast<std::int64_t>(number % 3) + 2);
    event.driver_id = "driver-1";
    event.driver_sequence = static_cast<std::int64_t>(number) + 1;
    event.message.set_ended(number % 3 == 2);
    event.ride.Edit()->set_ride_id(event.ride_id());
    event.ride.Edit()->set_rider_id("somebody");
    event.ride.Edit()->set_sequence(event.sequence());
    event.ride.EditInternals()->add_excluded_driver_ids("driver-3");
    if (event.ended()) event.former = event.ride;
    events_.push_back(event);
  }

  void Answer(bool fails) {
    if (!asked_) return;
    const bool catch_up = *asked_ < 0;
    const std::int64_t after = *asked_;
    asked_.reset();
    const absl::Status away = Unavailable(Reason::kStoreUnavailable, "the store is away");
    if (catch_up) {
      rider::DriverCatchUp result;
      result.driver_sequence = Last();
      if (!events_.empty() && !events_.back().ended()) result.ride = events_.back().ride;
      if (cursor_) result.missed = events_;
      if (fails) return feed_.OnCatchUp(away);
      return feed_.OnCatchUp(result);
    }
    std::vector<RideEvent> events;
    for (const RideEvent& event : events_) {
      if (event.driver_sequence > after && events.size() < kMaxRead) events.push_back(event);
    }
    if (fails) return feed_.OnEvents(away);
    feed_.OnEvents(events);
  }

  // ---- DriverFeed::Out

  void ReadCatchUp(const std::string&, const std::optional<rider::Cursor>&) override {
    Require(!asked_ && !last_, "one read at a time, and one snapshot");
    asked_ = -1;
  }
  void ReadEvents(const std::string&, std::int64_t after) override {
    Require(!asked_ && last_ && after == *last_, "one read at a time, after the last sent event");
    asked_ = after;
  }
  void SendSnapshot(const std::string& driver_id, std::int64_t subscription,
                    const rider::DriverCatchUp& snapshot) override {
    Require(driver_id == "driver-1" && subscription == 7, "a message names its subscription");
    Require(!last_, "one snapshot");
    last_ = snapshot.driver_sequence;
    if (snapshot.ride) See(*snapshot.ride);
    for (const RideEvent& event : snapshot.missed) See(event.ride);
  }
  void SendEvent(const std::string&, std::int64_t subscription, const RideEvent& event) override {
    Require(last_ && subscription == 7, "events come after the snapshot");
    Require(event.driver_sequence == *last_ + 1, "each event once, in order");
    Require(event.driver_id == "driver-1" && !event.former,
            "a driver sees their own events and their last version of the ride");
    last_ = event.driver_sequence;
    See(event.ride);
  }

  static void See(const Ride& ride) {
    Require(ride.excluded_driver_ids().empty(), "a driver sees no internals");
    hail::type::v1::Ride shown;
    rider::Encode(ride, &shown);
    Require(shown.ride_id() == ride.ride_id() && shown.rider_id().empty(), "a driver is shown the ride, not the rider");
  }

  const std::optional<rider::Cursor> cursor_;
  std::vector<RideEvent> events_;
  // The sequence that the pending read starts after; -1: it is the catch-up.
  std::optional<std::int64_t> asked_;
  std::optional<std::int64_t> last_;
  rider::DriverFeed feed_;
};

template <typename World>
void Run(World& world, Input& input) {
  for (int i = 0; i < 300 && !input.empty(); ++i) world.Step(input);
  world.CalmDown();
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  const int kind = input.Below(8);
  const int cursor = input.Below(12) - 2;
  if (kind < 5) {
    const bool has_cursor = kind != 0;
    hail::fuzz::RiderWorld world(input, has_cursor ? std::optional<std::int64_t>(cursor) : std::nullopt,
                                 kind == 4 ? "somebody-else" : hail::fuzz::kRider);
    hail::fuzz::Run(world, input);
  } else {
    const bool has_cursor = kind != 5;
    hail::fuzz::DriverWorld world(input,
                                  has_cursor ? std::optional<hail::rider::Cursor>({"ride-0", cursor}) : std::nullopt);
    hail::fuzz::Run(world, input);
  }
  return 0;
}
