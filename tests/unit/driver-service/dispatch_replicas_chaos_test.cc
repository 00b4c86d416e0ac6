// Runs the dispatch cores of several replicas against a model of rider-service and of the store that they share. The
// network between them loses, doubles and delays messages; drivers and links move between replicas, drawn from a seed.
// The test checks invariants at each message, and that everything ends well once the faults stop.
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/driver-service/dispatch_fixture.h"

namespace hail::driver {
namespace {

constexpr int kReplicas = 3;
constexpr int kDrivers = 12;
constexpr absl::Duration kStep = absl::Milliseconds(50);

class ReplicasChaosTest : public testing::TestWithParam<int> {
 protected:
  struct ModelRide {
    std::string id;
    enum { kMatching, kAssigned, kOver } state = kMatching;
    std::int64_t epoch = 1;
    std::int64_t sequence = 1;
    int dispatcher = 0;
    std::string driver_id;
    std::string offer_id;
    absl::Time deadline;
    LatLng pickup;
  };
  struct App {
    int at = 0;
    StreamId stream = 0;
    LatLng position;
  };
  struct Replica final : Effects {
    Replica(ReplicasChaosTest* test, int number) : test(test), number(number) {}
    void ToDriver(StreamId stream, const DriverMessage& message) override { test->ToDriver(number, stream, message); }
    void ToLink(LinkId, const LinkMessage& message) override { test->ToLink(message); }
    void Confirm(const ConfirmCall& call) override { test->Confirm(number, call); }
    void FindAssignment(const FindCall& call) override { test->Find(number, call); }
    void FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                       const std::optional<RideCursor>&) override {
      subscriptions[driver_id] = subscription;
      test->Later(test->Delay(0.2), [this, driver_id, subscription] {
        core->OnFeedSnapshot(test->now_, {driver_id, subscription, {}, false, test->RideOf(driver_id)});
      });
    }
    void FeedUnsubscribe(const std::string& driver_id) override { subscriptions.erase(driver_id); }
    void OnTrip(const std::string&, std::int64_t, const RideRef&) override {}
    void LogOffer(const OfferRecord& record) override {
      EXPECT_TRUE(test->logged_.insert(record.offer_id).second) << "settled twice";
    }
    void ToReplica(const std::string& replica, const ReplicaMessage& message) override {
      test->Send(number, std::stoi(replica), message);
    }
    void ToReplicas(const ReplicaMessage& message) override {
      for (int to = 0; to < kReplicas; ++to) {
        if (to != number) test->Send(number, to, message);
      }
    }
    void OnOfferable(const std::string& driver_id, std::int64_t epoch, bool offerable, bool on_map,
                     const std::shared_ptr<const CarProfile>& car) override {
      presences[driver_id] = {driver_id, epoch, 0, offerable, on_map, car, std::nullopt};
      Sight(driver_id);
    }
    void OnSessionGone(const std::string& driver_id) override { presences.erase(driver_id); }
    void Sight(const std::string& driver_id) {
      auto it = presences.find(driver_id);
      if (it == presences.end()) return;
      it->second.number = ++test->numbers_;
      it->second.fix = index.Find(driver_id);
      ToReplicas(Presences{{it->second}});
    }

    ReplicasChaosTest* const test;
    const int number;
    LocationIndex index;
    std::map<std::string, std::int64_t> subscriptions;
    std::map<std::string, DriverPresence> presences;
    std::unique_ptr<Dispatch> core;
  };

  ReplicasChaosTest() : random_(static_cast<std::uint64_t>(GetParam())) {
    for (int number = 0; number < kReplicas; ++number) {
      replicas_.push_back(std::make_unique<Replica>(this, number));
      Replica& replica = *replicas_.back();
      DispatchOptions options;
      options.replica = std::to_string(number);
      replica.core = std::make_unique<Dispatch>(
          options, replica.index, travel_times_, matcher_, [this] { return random_(); }, replica);
      replica.core->OnFeedUp(now_);
      replica.core->LinkUp(now_, 1);
    }
  }

  double Uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  bool Chance(double p) { return Uniform() < p * (calm_ ? 0 : 1); }
  int Below(int n) { return static_cast<int>(Uniform() * n); }
  absl::Duration Delay(double most_s) { return absl::Seconds(Uniform() * most_s); }
  void Later(absl::Duration delay, std::function<void()> action) {
    agenda_.insert({now_.wall + delay, std::move(action)});
  }
  Dispatch& Core(int number) { return *replicas_[static_cast<std::size_t>(number)]->core; }

  // ---- The bus
  void Send(int from, int to, const ReplicaMessage& message) {
    if (Chance(0.1)) return;
    for (int times = Chance(0.1) ? 2 : 1; times > 0; --times) {
      Later(Delay(Chance(0.05) ? 3 : 0.1),
            [this, from, to, message] { Core(to).OnReplicaMessage(now_, std::to_string(from), message); });
    }
  }

  // ---- rider-service
  RideRef View(const ModelRide& ride) const {
    RideView view;
    view.ride_id = ride.id;
    view.sequence = ride.sequence;
    view.epoch = ride.epoch;
    view.offer_id = ride.offer_id;
    view.live = ride.state == ModelRide::kAssigned;
    return std::make_shared<const RideView>(view);
  }
  RideRef RideOf(const std::string& driver_id) const {
    for (const auto& [id, ride] : rides_) {
      if (ride.state == ModelRide::kAssigned && ride.driver_id == driver_id) return View(ride);
    }
    return nullptr;
  }
  void Publish(const ModelRide& ride, bool ended) {
    for (auto& replica : replicas_) {
      auto subscription = replica->subscriptions.find(ride.driver_id);
      if (subscription == replica->subscriptions.end()) continue;
      // In order: nothing here publishes twice within the delay.
      Later(absl::Milliseconds(100), [this, core = replica->core.get(), number = subscription->second,
                                      driver_id = ride.driver_id, view = View(ride), ended] {
        core->OnFeedEvent(now_, {driver_id, number, {view, nullptr}, ended});
      });
    }
  }
  absl::StatusOr<RideView> Commit(const ConfirmCall& call) {
    ModelRide& ride = rides_.at(call.ride_id);
    if (denied_.contains(call.offer_id)) return FailedPrecondition(Reason::kStaleEpoch, "", {{"state", "MATCHING"}});
    if (ride.offer_id == call.offer_id) return *View(ride);
    const std::string state = ride.state == ModelRide::kMatching ? "MATCHING" : "ENROUTE_TO_PICKUP";
    if (ride.state != ModelRide::kMatching) {
      return FailedPrecondition(Reason::kRideNotMatching, "", {{"state", state}});
    }
    if (ride.epoch != call.epoch) return FailedPrecondition(Reason::kStaleEpoch, "", {{"state", state}});
    if (RideOf(call.driver.driver_id) != nullptr) return FailedPrecondition(Reason::kDriverBusy, "");
    ride.state = ModelRide::kAssigned;
    ride.driver_id = call.driver.driver_id;
    ride.offer_id = call.offer_id;
    ++ride.sequence;
    committed_.insert(call.offer_id);
    Publish(ride, false);
    return *View(ride);
  }
  void Confirm(int at, const ConfirmCall& call) {
    const bool lost = Chance(0.2), reply_lost = Chance(0.2);
    Later(Delay(0.5), [this, at, call, lost, reply_lost] {
      absl::StatusOr<RideView> reply = absl::UnavailableError("lost");
      if (!lost) reply = Commit(call);
      if (reply_lost) reply = absl::DeadlineExceededError("late");
      Later(Delay(1), [this, at, call, reply] { Core(at).OnConfirmed(now_, call.offer_id, call.attempt, reply); });
    });
  }
  void Find(int at, const FindCall& call) {
    Later(Delay(0.2), [this, at, call] {
      for (const auto& [id, ride] : rides_) {
        if (ride.offer_id == call.offer_id) return Core(at).OnFound(now_, call.find, *View(ride));
      }
      // A denied offer stays denied (docs/decisions/0016).
      denied_.insert(call.offer_id);
      Core(at).OnFound(now_, call.find, NotFound(Reason::kRideNotFound, ""));
    });
  }
  void StartRide(const ModelRide& ride) {
    auto start = std::make_shared<DispatchStart>();
    start->ride_id = ride.id;
    start->epoch = ride.epoch;
    start->region_id = "sf";
    start->product_id = "economy";
    start->pickup = ride.pickup;
    start->remaining = ride.deadline - now_.domain;
    Core(ride.dispatcher).Start(now_, 1, std::move(start));
  }
  void ToLink(const LinkMessage& message) {
    if (const auto* settled = std::get_if<OfferSettled>(&message)) {
      if (settled->outcome == OfferStatus::kDeclined) {
        EXPECT_TRUE(declined_.contains({settled->ride_id, settled->driver_id}))
            << "a decline that the driver did not send";
      }
    } else if (const auto* exhausted = std::get_if<DispatchExhausted>(&message)) {
      ModelRide& ride = rides_.at(exhausted->ride_id);
      if (ride.state == ModelRide::kMatching && ride.epoch == exhausted->epoch) ride.state = ModelRide::kOver;
    }
  }

  // ---- Apps
  void ToDriver(int at, StreamId stream, const DriverMessage& message) {
    const auto* offer = std::get_if<OfferView>(&message);
    if (offer == nullptr) return;
    ++offers_;
    const std::string driver_id = streams_.at(stream);
    // A phone shows only messages of its present stream.
    if (apps_.at(driver_id).stream != stream || Chance(0.1)) return;
    const std::string offer_id = offer->offer_id;
    Later(Delay(0.5), [this, at, driver_id, offer_id] { Core(at).OfferReceived(now_, driver_id, offer_id); });
    if (Chance(0.1)) return;
    const bool accept = !Chance(0.3);
    if (!accept) declined_.insert({offer->start->ride_id, driver_id});
    // By then the driver may be at another replica: the answer goes there.
    Later(Delay(calm_ ? 3 : 8), [this, driver_id, offer_id, accept] {
      const std::size_t n = answers_.size();
      answers_.push_back(0);
      Core(apps_.at(driver_id).at)
          .Respond(now_, driver_id, offer_id, accept, [this, n, offer_id](RespondResult result) {
            EXPECT_EQ(++answers_[n], 1) << "answered twice";
            if (result.status.ok() && result.offer.status == OfferStatus::kAccepted) {
              ++won_;
              EXPECT_TRUE(committed_.contains(offer_id)) << "accepted without a commit";
            }
          });
    });
  }
  void Connect(const std::string& driver_id, int at) {
    App& app = apps_.at(driver_id);
    app.at = at;
    app.stream = ++last_stream_;
    streams_[app.stream] = driver_id;
    const std::int64_t epoch = ++epochs_[driver_id];
    claims_.push_back({now_.wall, {driver_id, epoch, std::to_string(at)}});
    // The claim's answer takes up to 0.1 s.
    Later(Delay(0.1), [this, driver_id, at, epoch, stream = app.stream] {
      const Driver driver{
          .driver_id = driver_id, .region_id = "sf", .vehicle = {.plate = "X", .seats = 4}, .product_ids = {"economy"}};
      Core(at).OpenStream(now_, driver, Availability::kOnline, epoch, stream, std::nullopt);
    });
  }
  void MoveAll() {
    for (const auto& [id, app] : apps_) {
      Replica& replica = *replicas_[static_cast<std::size_t>(app.at)];
      if (!replica.core->HasSession(id)) continue;
      replica.index.Update(id, {.point = app.position,
                                .session_epoch = replica.core->State(now_, id).session_epoch,
                                .position_seq = ++positions_,
                                .observed = now_.domain});
      replica.Sight(id);
    }
  }

  void Step(int step) {
    now_.wall += kStep;
    now_.domain += kStep;
    while (!agenda_.empty() && agenda_.begin()->first <= now_.wall) {
      const std::function<void()> action = std::move(agenda_.extract(agenda_.begin()).mapped());
      action();
    }
    for (auto& replica : replicas_) replica->core->Tick(now_);
    if (step % 20 == 0) MoveAll();
    if (step % 40 != 0) return;
    // Each replica reads the recent claims from the store, and sometimes misses one read.
    std::vector<SessionClaim> recent;
    for (const auto& [when, claim] : claims_) {
      if (when >= now_.wall - absl::Seconds(10))
        recent.push_back({claim.driver_id, epochs_[claim.driver_id], "", true});
    }
    for (SessionClaim& claim : recent) claim.replica = std::to_string(apps_.at(claim.driver_id).at);
    for (auto& replica : replicas_) {
      if (!Chance(0.1)) replica->core->OnClaims(now_, recent);
    }
  }
  void Disturb() {
    if (Chance(0.04)) {
      const std::string id = absl::StrCat("r", rides_.size());
      ModelRide& ride = rides_[id];
      ride.id = id;
      ride.dispatcher = Below(kReplicas);
      ride.deadline = now_.domain + absl::Seconds(120);
      ride.pickup = Toward(kPickup, Uniform() * 360, Uniform() * 3000);
      StartRide(ride);
    }
    for (auto& [id, ride] : rides_) {
      if (ride.state == ModelRide::kMatching && Chance(0.002)) {
        // The ride's link moved. The former dispatcher may get no stop.
        if (Chance(0.5)) Core(ride.dispatcher).Stop(now_, 1, id, ride.epoch, StopReason::kSuperseded);
        ride.dispatcher = Below(kReplicas);
        ++ride.epoch;
        StartRide(ride);
      } else if (ride.state == ModelRide::kAssigned && Chance(0.005)) {
        ride.state = ModelRide::kOver;
        ++ride.sequence;
        Publish(ride, true);
      }
    }
    for (const auto& [id, app] : apps_) {
      if (Chance(0.001)) Connect(id, Below(kReplicas));
    }
  }

  std::mt19937_64 random_;
  bool calm_ = false;
  Now now_{absl::FromUnixSeconds(1'700'000'000), absl::FromUnixSeconds(1'700'000'000)};
  std::multimap<absl::Time, std::function<void()>> agenda_;
  std::map<std::string, ModelRide> rides_;
  std::set<std::string> committed_;
  std::set<std::string> denied_;
  std::set<std::string> logged_;
  std::set<std::pair<std::string, std::string>> declined_;
  std::map<std::string, App> apps_;
  std::map<StreamId, std::string> streams_;
  std::map<std::string, std::int64_t> epochs_;
  std::vector<std::pair<absl::Time, SessionClaim>> claims_;
  StreamId last_stream_ = 0;
  std::uint64_t positions_ = 0;
  std::uint64_t numbers_ = 0;
  std::vector<int> answers_;
  int offers_ = 0;
  int won_ = 0;
  StraightLineTravelTimes travel_times_;
  BatchMatcher matcher_;
  std::vector<std::unique_ptr<Replica>> replicas_;
};

TEST_P(ReplicasChaosTest, NobodyIsBookedUnawareAndEverythingEnds) {
  for (int i = 0; i < kDrivers; ++i) {
    const std::string id = absl::StrCat("d", i);
    apps_[id].position = Toward(kPickup, Uniform() * 360, Uniform() * 3000);
    Connect(id, i % kReplicas);
  }
  int step = 0;
  for (; step < 3000 && !HasFatalFailure(); ++step) {
    Disturb();
    Step(step);
  }
  calm_ = true;
  for (; step < 7000 && !HasFatalFailure(); ++step) Step(step);

  for (const int answers : answers_) EXPECT_EQ(answers, 1) << "an accept without an answer";
  for (const auto& [id, ride] : rides_) EXPECT_NE(ride.state, ModelRide::kMatching) << id << " is stuck";
  for (const auto& [id, app] : apps_) {
    for (int number = 0; number < kReplicas; ++number) {
      ASSERT_EQ(Core(number).HasSession(id), number == app.at) << id << " at " << number;
    }
    const RideRef ride = RideOf(id);
    const DriverState state = Core(app.at).State(now_, id);
    EXPECT_EQ(state.status, ride != nullptr ? DriverStatus::kOnTrip : DriverStatus::kAvailable) << id;
    EXPECT_EQ(state.ride != nullptr ? state.ride->ride_id : "", ride != nullptr ? ride->ride_id : "") << id;
  }
  for (int number = 0; number < kReplicas; ++number) {
    const DispatchCounts counts = Core(number).Counts(now_);
    EXPECT_EQ(counts.rides, 0);
    EXPECT_EQ(counts.offers_pending + counts.offers_confirming, 0);
  }
  // The test is meaningless unless much has happened.
  EXPECT_GT(offers_, 60);
  EXPECT_GT(won_, 15);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReplicasChaosTest, testing::Range(1, 9));

}  // namespace
}  // namespace hail::driver
