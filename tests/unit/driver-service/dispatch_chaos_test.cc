// Runs the dispatch core against a model of rider-service: the network delays, loses and breaks, and apps come and go,
// drawn from a seed. The test checks invariants at each step, and that everything ends well once the faults stop.
#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "tests/unit/driver-service/dispatch_fixture.h"

namespace hail::driver {
namespace {

constexpr int kDrivers = 25;
constexpr absl::Duration kStep = absl::Milliseconds(50);

class ChaosTest : public testing::TestWithParam<int>, public Effects {
 protected:
  enum class RideState { kMatching, kAssigned, kOver };
  struct ModelRide {
    std::string id;
    RideState state = RideState::kMatching;
    bool canceled = false;
    std::int64_t epoch = 1;
    std::int64_t sequence = 1;
    std::string driver_id;
    std::string offer_id;
    std::set<std::string> excluded;
    absl::Time deadline;
    LatLng pickup;
  };
  // A driver's app, and the messages that it received.
  struct App {
    StreamId stream = 0;
    std::map<std::string, std::int64_t> seen;  // over all streams: ride → sequence
    std::optional<RideCursor> cursor;
    std::int64_t session_epoch = 0;
    LatLng position;
    bool online = true;
  };
  struct Accepted {
    std::string driver_id;
    bool answered = false;
    bool won = false;
  };
  using Action = std::function<void()>;

  ChaosTest()
      : random_(static_cast<std::uint64_t>(GetParam())),
        core_(
            {}, index_, travel_times_, matcher_, [this] { return random_(); }, *this) {}

  double Uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  bool Chance(double p) { return Uniform() < p * (calm_ ? 0 : 1); }
  absl::Duration Delay(double most_s) { return absl::Seconds(Uniform() * most_s); }

  // ---- The network. Later() delays an action. A channel keeps the order, and drops its messages when it breaks.
  void Later(absl::Duration delay, Action action) { agenda_.insert({now_.wall + delay, std::move(action)}); }
  struct Channel {
    int incarnation = 0;
    absl::Time last = absl::InfinitePast();
  };
  void SendOn(Channel& channel, absl::Duration delay, Action action) {
    channel.last = std::max(channel.last, now_.wall + delay);
    const int incarnation = channel.incarnation;
    agenda_.insert({channel.last, [&channel, incarnation, action = std::move(action)] {
                      if (channel.incarnation == incarnation) action();
                    }});
  }

  // ---- The model of rider-service
  RideView ViewOf(const ModelRide& ride) const {
    RideView view;
    view.ride_id = ride.id;
    view.sequence = ride.sequence;
    view.epoch = ride.epoch;
    view.offer_id = ride.offer_id;
    view.live = ride.state == RideState::kAssigned;
    return view;
  }
  ModelRide* ActiveRideOf(const std::string& driver_id) {
    for (auto& [id, ride] : rides_) {
      if (ride.state == RideState::kAssigned && ride.driver_id == driver_id) return &ride;
    }
    return nullptr;
  }
  absl::StatusOr<RideView> Commit(const ConfirmCall& call) {
    ModelRide& ride = rides_.at(call.ride_id);
    if (ride.offer_id == call.offer_id) return ViewOf(ride);
    const std::string state = ride.state == RideState::kMatching   ? "MATCHING"
                              : ride.state == RideState::kAssigned ? "ENROUTE_TO_PICKUP"
                              : ride.canceled                      ? "CANCELED"
                                                                   : "NO_DRIVERS_AVAILABLE";
    if (ride.state != RideState::kMatching) return FailedPrecondition(Reason::kRideNotMatching, "", {{"state", state}});
    if (ride.epoch != call.epoch) return FailedPrecondition(Reason::kStaleEpoch, "", {{"state", state}});
    if (ride.excluded.contains(call.driver.driver_id)) return FailedPrecondition(Reason::kDriverExcluded, "");
    if (ActiveRideOf(call.driver.driver_id) != nullptr) return FailedPrecondition(Reason::kDriverBusy, "");
    ride.state = RideState::kAssigned;
    ride.driver_id = call.driver.driver_id;
    ride.offer_id = call.offer_id;
    ++ride.sequence;
    committed_.insert(call.offer_id);
    Publish(ride.driver_id, ride, false);
    SendStop(ride, StopReason::kTaken);
    return ViewOf(ride);
  }
  void End(ModelRide& ride, bool canceled) {
    const bool assigned = ride.state == RideState::kAssigned;
    if (ride.state == RideState::kMatching) SendStop(ride, StopReason::kRideCanceled);
    ride.state = RideState::kOver;
    ride.canceled = canceled;
    ++ride.sequence;
    if (assigned) Publish(ride.driver_id, ride, true);
  }
  void DriverCancels(ModelRide& ride) {
    ++ride.sequence;
    ride.excluded.insert(ride.driver_id);
    Publish(ride.driver_id, ride, true);
    ride.state = RideState::kMatching;
    ride.driver_id.clear();
    ride.offer_id.clear();
    ++ride.epoch;
    ride.deadline = now_.domain + absl::Seconds(120);
    SendStart(ride);
  }
  void SendStart(const ModelRide& ride) {
    if (!link_up_) return;
    auto start = std::make_shared<DispatchStart>();
    start->ride_id = ride.id;
    start->epoch = ride.epoch;
    start->region_id = "sf";
    start->product_id = "economy";
    start->pickup = ride.pickup;
    start->remaining = ride.deadline - now_.domain;
    start->excluded_driver_ids.assign(ride.excluded.begin(), ride.excluded.end());
    SendOn(link_, Delay(0.2), [this, start] { core_.Start(now_, link_id_, start); });
    // Sent again, as if the acknowledgement were missing.
    if (Chance(0.2)) SendOn(link_, Delay(2), [this, start] { core_.Start(now_, link_id_, start); });
  }
  void SendStop(const ModelRide& ride, StopReason reason) {
    if (!link_up_) return;
    SendOn(link_, Delay(0.5),
           [this, id = ride.id, epoch = ride.epoch, reason] { core_.Stop(now_, link_id_, id, epoch, reason); });
  }
  void BreakLink() {
    if (!link_up_) return;
    link_up_ = false;
    ++link_.incarnation;
    core_.LinkDown(now_, link_id_);
    Later(Delay(2), [this] { OpenLink(); });
  }
  void OpenLink() {
    link_up_ = true;
    core_.LinkUp(now_, ++link_id_);
    for (auto& [id, ride] : rides_) {
      if (ride.state != RideState::kMatching) continue;
      ++ride.epoch;
      SendStart(ride);
    }
  }

  // The feed: a subscription is registered and read at once; its messages come in order.
  void Publish(const std::string& driver_id, const ModelRide& ride, bool ended) {
    auto it = subscribed_.find(driver_id);
    if (it == subscribed_.end()) return;
    const std::int64_t subscription = it->second;
    if (Chance(0.05)) {
      // The message is lost. The next check against the store notices, and the feed starts over.
      SendOn(feed_, Delay(2), [] {});
      Later(Delay(2), [this, driver_id, subscription] {
        auto now = subscribed_.find(driver_id);
        if (now != subscribed_.end() && now->second == subscription)
          SendSnapshot(driver_id, subscription, std::nullopt);
      });
      return;
    }
    auto view = std::make_shared<const RideView>(ViewOf(ride));
    SendOn(feed_, Delay(0.3), [this, driver_id, subscription, view, ended] {
      core_.OnFeedEvent(now_, {driver_id, subscription, {view, nullptr}, ended});
    });
  }
  void SendSnapshot(const std::string& driver_id, std::int64_t subscription, std::optional<RideCursor> cursor) {
    FeedSnapshot snapshot{driver_id, subscription, {}, false, nullptr};
    if (ModelRide* ride = ActiveRideOf(driver_id)) snapshot.ride = std::make_shared<const RideView>(ViewOf(*ride));
    if (cursor.has_value()) snapshot.reset = !rides_.contains(cursor->ride_id);
    SendOn(feed_, Delay(0.3), [this, snapshot] { core_.OnFeedSnapshot(now_, snapshot); });
  }
  void BreakFeed() {
    if (!feed_up_) return;
    feed_up_ = false;
    ++feed_.incarnation;
    subscribed_.clear();
    core_.OnFeedDown(now_);
    Later(Delay(3), [this] {
      feed_up_ = true;
      core_.OnFeedUp(now_);
    });
  }

  // ---- Effects
  void ToDriver(StreamId stream, const DriverMessage& message) override {
    const std::string driver_id = streams_.at(stream);
    App& app = apps_.at(driver_id);
    if (std::holds_alternative<Replaced>(message)) return;
    ASSERT_EQ(app.stream, stream) << "a message on a stream that is gone";
    if (const auto* event = std::get_if<RideEventView>(&message)) {
      std::int64_t& seen = app.seen[event->ride->ride_id];
      EXPECT_GT(event->ride->sequence, seen) << "an event came twice or late";
      seen = event->ride->sequence;
      app.cursor = RideCursor{event->ride->ride_id, event->ride->sequence};
    } else if (const auto* offer = std::get_if<OfferView>(&message)) {
      const ModelRide& ride = rides_.at(offer->start->ride_id);
      // The exclusions are those that rider-service knew when it sent the start.
      EXPECT_TRUE(std::find(offer->start->excluded_driver_ids.begin(), offer->start->excluded_driver_ids.end(),
                            driver_id) == offer->start->excluded_driver_ids.end());
      // A start takes up to two seconds, or waits that long behind an earlier one.
      EXPECT_LT(now_.domain, ride.deadline + absl::Milliseconds(2300)) << "offered after the deadline";
      ++offers_;
      const std::string offer_id = offer->offer_id;
      if (Chance(0.1)) return;  // lost on the way, or the app hangs
      Later(Delay(1), [this, driver_id, offer_id] { core_.OfferReceived(now_, driver_id, offer_id); });
      if (Chance(0.1)) return;  // ignored
      const bool accept = !Chance(0.2);
      const absl::Duration after = Delay(calm_ ? 5 : 17);
      Later(after, [this, driver_id, offer_id, accept] { Answer(driver_id, offer_id, accept); });
      if (Chance(0.2)) Later(after + Delay(2), [this, driver_id, offer_id] { Answer(driver_id, offer_id, true); });
    } else if (const auto* snapshot = std::get_if<Snapshot>(&message)) {
      if (snapshot->state.ride != nullptr) {
        std::int64_t& seen = app.seen[snapshot->state.ride->ride_id];
        seen = std::max(seen, snapshot->state.ride->sequence);
        app.cursor = RideCursor{snapshot->state.ride->ride_id, seen};
      }
    }
  }
  void Answer(const std::string& driver_id, const std::string& offer_id, bool accept) {
    const std::size_t n = accepts_.size();
    accepts_.push_back({driver_id, false, false});
    accept_of_.push_back(offer_id);
    core_.Respond(now_, driver_id, offer_id, accept, [this, n](RespondResult result) {
      EXPECT_FALSE(accepts_[n].answered) << "answered twice";
      accepts_[n].answered = true;
      accepts_[n].won = result.status.ok() && result.offer.status == OfferStatus::kAccepted;
      if (accepts_[n].won) {
        EXPECT_TRUE(committed_.contains(accept_of_[n])) << "accepted without a commit";
      }
    });
  }
  void ToLink(LinkId link, const LinkMessage& message) override {
    if (link != link_id_ || !link_up_) return;
    const auto* exhausted = std::get_if<DispatchExhausted>(&message);
    if (exhausted == nullptr) return;
    SendOn(link_, Delay(0.2), [this, at = *exhausted] {
      ModelRide& ride = rides_.at(at.ride_id);
      if (ride.state == RideState::kMatching && ride.epoch == at.epoch) End(ride, false);
    });
  }
  void Confirm(const ConfirmCall& call) override {
    // Lost before or after the commit, or just slow; the caller cannot tell which.
    const bool request_lost = Chance(0.2);
    const bool reply_lost = Chance(0.2);
    Later(Delay(calm_ ? 0.1 : 1), [this, call, request_lost, reply_lost] {
      absl::StatusOr<RideView> reply = absl::UnavailableError("lost");
      if (!request_lost) reply = Commit(call);
      if (reply_lost) reply = absl::DeadlineExceededError("late");
      Later(Delay(calm_ ? 0.1 : 2),
            [this, call, reply] { core_.OnConfirmed(now_, call.offer_id, call.attempt, reply); });
    });
  }
  void FindAssignment(const FindCall& call) override {
    Later(Delay(0.2), [this, call] {
      for (const auto& [id, ride] : rides_) {
        if (ride.offer_id == call.offer_id) return core_.OnFound(now_, call.find, ViewOf(ride));
      }
      core_.OnFound(now_, call.find, NotFound(Reason::kRideNotFound, ""));
    });
  }
  void FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                     const std::optional<RideCursor>& cursor) override {
    ASSERT_TRUE(feed_up_);
    if (Chance(0.02)) return;  // rider-service could not read its store; asked again in 10 s
    SendOn(feed_, Delay(0.1), [this, driver_id, subscription, cursor] {
      subscribed_[driver_id] = subscription;
      SendSnapshot(driver_id, subscription, cursor);
    });
  }
  void FeedUnsubscribe(const std::string& driver_id) override { subscribed_.erase(driver_id); }
  void OnTrip(const std::string&, std::int64_t, const RideRef&) override {}
  void LogOffer(const OfferRecord& record) override {
    EXPECT_TRUE(logged_.insert(record.offer_id).second) << "settled twice";
    EXPECT_FALSE(IsLive(record.outcome));
  }

  // ---- Apps
  void Connect(const std::string& driver_id) {
    App& app = apps_.at(driver_id);
    const StreamId stream = ++last_stream_;
    streams_[stream] = driver_id;
    const StreamId old = std::exchange(app.stream, stream);
    app.session_epoch =
        core_.OpenStream(now_, DriverOf(driver_id), Availability::kOnline, ++claims_, stream, app.cursor);
    static_cast<void>(old);
  }
  static Driver DriverOf(const std::string& id) {
    return {.driver_id = id, .region_id = "sf", .vehicle = {.plate = "X", .seats = 4}, .product_ids = {"economy"}};
  }

  void Step() {
    now_.wall += kStep;
    now_.domain += kStep;
    while (!agenda_.empty() && agenda_.begin()->first <= now_.wall) {
      Action action = std::move(agenda_.extract(agenda_.begin()).mapped());
      action();
    }
    core_.Tick(now_);
    CheckAlways();
  }

  void Disturb() {
    if (Chance(0.002)) BreakLink();
    if (Chance(0.002)) BreakFeed();
    for (auto& [id, app] : apps_) {
      if (app.stream != 0 && Chance(0.001)) {
        core_.CloseStream(now_, id, std::exchange(app.stream, 0));
        Later(Delay(20), [this, driver_id = id] {
          if (apps_.at(driver_id).stream == 0) Connect(driver_id);
        });
      } else if (app.stream != 0 && Chance(0.0005)) {
        Connect(id);  // replaces
      }
      if (Chance(0.0005)) {
        app.online = !app.online;
        core_.Learn(now_, DriverOf(id), app.online ? Availability::kOnline : Availability::kOffline);
      }
    }
    if (Chance(0.05)) {
      const std::string id = absl::StrCat("r", rides_.size());
      ModelRide& ride = rides_[id];
      ride.id = id;
      ride.deadline = now_.domain + absl::Seconds(120);
      ride.pickup = Toward(kPickup, Uniform() * 360, Uniform() * 4000);
      SendStart(ride);
    }
    for (auto& [id, ride] : rides_) {
      if (ride.state == RideState::kMatching && Chance(0.001)) End(ride, true);
      if (ride.state != RideState::kAssigned) continue;
      if (Chance(0.003)) {
        End(ride, Chance(0.3));
      } else if (Chance(0.002)) {
        // A driver can give a ride up only after learning of it.
        const DriverState state = core_.State(now_, ride.driver_id);
        if (state.ride != nullptr && state.ride->ride_id == id) DriverCancels(ride);
      }
    }
  }

  void MoveAll() {
    for (auto& [id, app] : apps_) {
      if (app.stream == 0) continue;
      index_.Update(id, {.point = app.position,
                         .session_epoch = app.session_epoch,
                         .position_seq = ++position_seq_,
                         .observed = now_.domain});
    }
  }

  void CheckAlways() {
    std::set<std::string> offered;
    for (const auto& [id, app] : apps_) {
      const DriverState state = core_.State(now_, id);
      if (!state.offer.has_value()) continue;
      ASSERT_TRUE(offered.insert(state.offer->start->ride_id).second) << "two live offers of a ride";
      ASSERT_FALSE(logged_.contains(state.offer->offer_id)) << "a settled offer is shown as live";
    }
    const DispatchCounts counts = core_.Counts(now_);
    ASSERT_EQ(static_cast<std::size_t>(counts.offers_pending + counts.offers_confirming), offered.size());
  }

  std::mt19937_64 random_;
  bool calm_ = false;
  Now now_{absl::FromUnixSeconds(1'700'000'000), absl::FromUnixSeconds(1'700'000'000)};
  std::multimap<absl::Time, Action> agenda_;

  std::map<std::string, ModelRide> rides_;
  std::set<std::string> committed_;
  Channel link_;
  bool link_up_ = false;
  LinkId link_id_ = 0;
  Channel feed_;
  bool feed_up_ = false;
  std::map<std::string, std::int64_t> subscribed_;

  std::map<std::string, App> apps_;
  std::map<StreamId, std::string> streams_;
  StreamId last_stream_ = 0;
  std::uint64_t position_seq_ = 0;
  std::int64_t claims_ = 0;
  std::vector<Accepted> accepts_;
  std::vector<std::string> accept_of_;
  std::set<std::string> logged_;
  int offers_ = 0;

  LocationIndex index_;
  StraightLineTravelTimes travel_times_;
  BatchMatcher matcher_;
  Dispatch core_;
};

TEST_P(ChaosTest, NobodyIsBookedTwiceOrUnawareAndEverybodyIsAnswered) {
  for (int i = 0; i < kDrivers; ++i) {
    const std::string id = absl::StrCat("d", i);
    apps_[id].position = Toward(kPickup, Uniform() * 360, Uniform() * 4000);
    Connect(id);
  }
  feed_up_ = true;
  core_.OnFeedUp(now_);
  OpenLink();
  for (int step = 0; step < 4000 && !HasFatalFailure(); ++step) {
    if (step % 20 == 0) MoveAll();
    Disturb();
    Step();
  }
  // The faults stop: nothing is lost any more, everybody is connected, no new rides come.
  calm_ = true;
  for (int step = 0; step < 3600 && !HasFatalFailure(); ++step) {
    if (step % 20 == 0) MoveAll();
    for (auto& [id, app] : apps_) {
      if (app.stream == 0) Connect(id);
    }
    Step();
  }

  int won = 0;
  for (std::size_t i = 0; i < accepts_.size(); ++i) {
    EXPECT_TRUE(accepts_[i].answered) << accepts_[i].driver_id << " waits for ever";
    won += accepts_[i].won ? 1 : 0;
  }
  int assigned = 0;
  for (const auto& [id, app] : apps_) {
    const DriverState state = core_.State(now_, id);
    const ModelRide* ride = ActiveRideOf(id);
    if (ride != nullptr) {
      ++assigned;
      ASSERT_NE(state.ride, nullptr) << id << " does not know of the assigned ride";
      EXPECT_EQ(state.ride->ride_id, ride->id);
      EXPECT_EQ(state.ride->sequence, ride->sequence);
    } else {
      EXPECT_EQ(state.ride, nullptr) << id << " still has a ride that is over";
    }
    EXPECT_EQ(state.status, ride != nullptr ? DriverStatus::kOnTrip
                            : app.online    ? DriverStatus::kAvailable
                                            : DriverStatus::kOffline);
    EXPECT_TRUE(core_.HasSession(id));
  }
  for (const auto& [id, ride] : rides_) {
    EXPECT_NE(ride.state, RideState::kMatching) << id << " is stuck";
  }
  // The test is meaningless unless much has happened.
  EXPECT_GT(offers_, 100);
  EXPECT_GT(won, 30);
  EXPECT_GT(committed_.size(), 40u);
  EXPECT_EQ(core_.Counts(now_).rides, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ChaosTest, testing::Range(1, 9));

}  // namespace
}  // namespace hail::driver
