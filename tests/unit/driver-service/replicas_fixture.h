// Dispatch cores and a network between them, on which the test loses, doubles and holds messages. The test plays the
// apps and the link of each core.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/unit/driver-service/dispatch_fixture.h"

namespace hail::driver {

struct Sent {
  std::string from;
  std::string to;
  ReplicaMessage message;
};

class ReplicasTest : public testing::Test {
 protected:
  class Out final : public Effects {
   public:
    Out(ReplicasTest* test, std::string name) : test_(test), name_(std::move(name)) {}
    void ToDriver(StreamId stream, const DriverMessage& message) override { recording.ToDriver(stream, message); }
    void ToLink(LinkId link, const LinkMessage& message) override { recording.ToLink(link, message); }
    void Confirm(const ConfirmCall& call) override { recording.Confirm(call); }
    void FindAssignment(const FindCall& call) override { recording.FindAssignment(call); }
    void FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                       const std::optional<RideCursor>& cursor) override {
      recording.FeedSubscribe(driver_id, subscription, cursor);
    }
    void FeedUnsubscribe(const std::string& driver_id) override { recording.FeedUnsubscribe(driver_id); }
    void OnTrip(const std::string& driver_id, std::int64_t epoch, const RideRef& ride) override {
      recording.OnTrip(driver_id, epoch, ride);
    }
    void LogOffer(const OfferRecord& record) override { recording.LogOffer(record); }
    void ToReplica(const std::string& replica, const ReplicaMessage& message) override {
      test_->Send({name_, replica, message});
    }
    void ToReplicas(const ReplicaMessage& message) override { test_->Broadcast(name_, message); }
    void OnOfferable(const std::string& driver_id, std::int64_t epoch, bool offerable, bool on_map,
                     const std::shared_ptr<const CarProfile>& car) override {
      presences_[driver_id] = {driver_id, epoch, 0, offerable, on_map, car, std::nullopt};
      Sight(driver_id);
    }
    void OnSessionGone(const std::string& driver_id) override { presences_.erase(driver_id); }

    void Sight(const std::string& driver_id) {
      auto it = presences_.find(driver_id);
      if (it == presences_.end()) return;
      it->second.number = ++test_->presences_;
      it->second.fix = test_->replicas_.at(name_)->index.Find(driver_id);
      test_->Broadcast(name_, Presences{{it->second}});
    }

    RecordingOut recording;

   private:
    ReplicasTest* const test_;
    const std::string name_;
    std::map<std::string, DriverPresence> presences_;
  };

  struct Replica {
    explicit Replica(ReplicasTest* test, const std::string& name) : out(test, name) {}
    LocationIndex index;
    Out out;
    std::unique_ptr<Dispatch> core;
  };

  ReplicasTest() {
    for (const char* name : {"a", "b"}) Add(name);
  }

  // Starts a process, without the memory of an earlier one of the same name.
  void Add(const std::string& name) {
    auto& replica = replicas_[name] = std::make_unique<Replica>(this, name);
    DispatchOptions options;
    options.replica = name;
    replica->core = std::make_unique<Dispatch>(
        options, replica->index, travel_times_, matcher_, [this] { return ++random_ * 0x9e3779b97f4a7c15u; },
        replica->out);
    replica->core->OnFeedUp(now_);
    replica->core->LinkUp(now_, 1);
  }
  Dispatch& Core(const std::string& name) { return *replicas_.at(name)->core; }
  RecordingOut& Record(const std::string& name) { return replicas_.at(name)->out.recording; }
  std::vector<std::string> Take(const std::string& name) { return Record(name).Take(); }

  static Driver MakeDriver(const std::string& id) {
    return {.driver_id = id,
            .display_name = "Dora",
            .region_id = "sf",
            .vehicle = {.plate = "7ABC123", .seats = 4},
            .product_ids = {"economy"}};
  }

  // A driver's stream opens at `at`, is caught up, online, `north_m` from the pickup.
  void Online(const std::string& at, const std::string& id, StreamId stream, double north_m) {
    Dispatch& core = Core(at);
    core.OpenStream(now_, MakeDriver(id), Availability::kOnline, ++claims_, stream, std::nullopt);
    core.OnFeedSnapshot(now_, {id, Record(at).subscriptions.at(id), {}, false, nullptr});
    Move(at, id, north_m);
    Deliver();
    for (auto& [name, replica] : replicas_) Take(name);
  }
  void Move(const std::string& at, const std::string& id, double north_m) {
    replicas_.at(at)->index.Update(id, {.point = Toward(kPickup, 0, north_m),
                                        .session_epoch = Core(at).State(now_, id).session_epoch,
                                        .position_seq = ++position_seq_,
                                        .observed = now_.domain});
    replicas_.at(at)->out.Sight(id);
  }

  void Start(const std::string& at, const std::string& ride_id, std::int64_t epoch = 1) {
    Core(at).Start(now_, 1, StartOf(ride_id, epoch));
    Deliver();
  }
  void Stop(const std::string& at, const std::string& ride_id, StopReason reason, std::int64_t epoch = 1) {
    Core(at).Stop(now_, 1, ride_id, epoch, reason);
    Deliver();
  }
  void Respond(const std::string& at, const std::string& driver_id, const std::string& offer, bool accept) {
    Core(at).Respond(now_, driver_id, Record(at).Id(offer), accept,
                     [this](RespondResult result) { answers_.push_back(std::move(result)); });
    Deliver();
  }
  void Received(const std::string& at, const std::string& driver_id, const std::string& offer) {
    Core(at).OfferReceived(now_, driver_id, Record(at).Id(offer));
  }
  // rider-service's answer to the latest confirmation.
  void Confirmed(const std::string& at, absl::StatusOr<RideView> result) {
    const ConfirmCall call = Record(at).confirms.back();
    Core(at).OnConfirmed(now_, call.offer_id, call.attempt, std::move(result));
    Deliver();
  }
  RideView Committed(const std::string& at) {
    const ConfirmCall& call = Record(at).confirms.back();
    RideView ride;
    ride.ride_id = call.ride_id;
    ride.sequence = 2;
    ride.epoch = call.epoch;
    ride.offer_id = call.offer_id;
    ride.live = true;
    return ride;
  }
  DriverStatus Status(const std::string& at, const std::string& id) { return Core(at).State(now_, id).status; }

  void Send(Sent sent) {
    if (lose_ && lose_(sent)) return;
    network_.push_back(std::move(sent));
  }
  void Broadcast(const std::string& from, const ReplicaMessage& message) {
    for (const auto& [name, replica] : replicas_) {
      if (name != from) Send({from, name, message});
    }
  }
  // Delivers all messages on their way, and those they cause.
  void Deliver() {
    while (!network_.empty()) {
      const Sent sent = std::move(network_.front());
      network_.pop_front();
      if (hold_ && hold_(sent)) {
        held_.push_back(sent);
        continue;
      }
      for (int i = 0; i < times_; ++i) {
        if (replicas_.contains(sent.to)) Core(sent.to).OnReplicaMessage(now_, sent.from, sent.message);
      }
    }
  }
  // Delivers the messages held so far.
  void Release() {
    hold_ = nullptr;
    for (Sent& sent : std::exchange(held_, {})) network_.push_back(std::move(sent));
    Deliver();
  }
  template <typename Message>
  static bool Is(const Sent& sent) {
    return std::holds_alternative<Message>(sent.message);
  }

  // Time passes, in steps of 100 ms; drivers who can be offered rides stay where they are.
  void Pass(absl::Duration wall) {
    const absl::Time end = now_.wall + wall;
    while (now_.wall < end) {
      now_.wall += absl::Milliseconds(100);
      now_.domain += absl::Milliseconds(100);
      for (auto& [name, replica] : replicas_) replica->core->Tick(now_);
      Deliver();
    }
  }

  Now now_{absl::FromUnixSeconds(1'700'000'000), absl::FromUnixSeconds(1'700'000'000)};
  std::uint64_t random_ = 0;
  std::uint64_t position_seq_ = 0;
  std::uint64_t presences_ = 0;
  std::int64_t claims_ = 0;
  StraightLineTravelTimes travel_times_;
  BatchMatcher matcher_;
  std::deque<Sent> network_;
  std::vector<Sent> held_;
  std::function<bool(const Sent&)> lose_;
  std::function<bool(const Sent&)> hold_;
  int times_ = 1;
  std::vector<RespondResult> answers_;
  std::map<std::string, std::unique_ptr<Replica>> replicas_;
};

}  // namespace hail::driver
