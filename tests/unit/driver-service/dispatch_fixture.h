// The dispatch core in a test that plays the apps, the dispatch link, rider-service and the clock.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/geo/lat_lng.h"
#include "driver-service/domain/batch_matcher.h"
#include "driver-service/domain/dispatch.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/splitmix64.h"

namespace hail::driver {

inline constexpr LatLng kPickup{37.7793, -122.4193};

// Records the core's effects, one line each. Offers are named o1, o2 … as they appear.
class RecordingOut final : public Effects {
 public:
  void ToDriver(StreamId stream, const DriverMessage& message) override {
    // Kept apart, because they come at the next tick, between the effects that a test checks.
    if (const auto* changed = std::get_if<StateChanged>(&message)) {
      states.push_back(changed->state);
      return;
    }
    if (const auto* snapshot = std::get_if<Snapshot>(&message)) snapshots.push_back(snapshot->state);
    Note("s", stream, " ", std::visit([this](const auto& m) { return Say(m); }, message));
  }
  void ToLink(LinkId link, const LinkMessage& message) override {
    Note("l", link, " ", std::visit([this](const auto& m) { return Say(m); }, message));
  }
  void Confirm(const ConfirmCall& call) override {
    confirms.push_back(call);
    Note("confirm ", Name(call.offer_id), " ", call.ride_id, "@", call.epoch, " ", call.driver.driver_id);
  }
  void FindAssignment(const FindCall& call) override {
    finds.push_back(call);
    Note("find ", call.driver_id, " ", call.offer_id);
  }
  void FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                     const std::optional<RideCursor>& cursor) override {
    subscriptions[driver_id] = subscription;
    Note("subscribe ", driver_id, cursor ? absl::StrCat(" ", cursor->ride_id, "#", cursor->sequence) : "");
  }
  void FeedUnsubscribe(const std::string& driver_id) override {
    subscriptions.erase(driver_id);
    Note("unsubscribe ", driver_id);
  }
  void OnTrip(const std::string& driver_id, std::int64_t session_epoch, const RideRef& ride) override {
    trips[driver_id] = {session_epoch, ride};
  }
  void LogOffer(const OfferRecord& record) override { records.push_back(record); }
  void ToReplica(const std::string& replica, const ReplicaMessage& message) override {
    to_replica.emplace_back(replica, message);
  }

  std::string Name(const std::string& offer_id) {
    auto [it, added] = names_.emplace(offer_id, "");
    if (added) {
      it->second = absl::StrCat("o", names_.size());
      ids_[it->second] = offer_id;
    }
    return it->second;
  }
  std::string Id(const std::string& name) const { return ids_.at(name); }

  std::vector<std::string> Take() { return std::exchange(lines_, {}); }

  std::vector<ConfirmCall> confirms;
  std::vector<FindCall> finds;
  std::map<std::string, std::int64_t> subscriptions;
  std::map<std::string, std::pair<std::int64_t, RideRef>> trips;
  std::vector<OfferRecord> records;
  std::vector<std::pair<std::string, ReplicaMessage>> to_replica;
  std::vector<OfferView> offers;
  std::vector<DriverState> snapshots;
  std::vector<DriverState> states;

  static std::string StatusName(DriverStatus status) {
    static constexpr const char* kNames[] = {"OFFLINE", "AVAILABLE", "OFFERED", "RESERVED", "ON_TRIP"};
    return kNames[static_cast<int>(status)];
  }

 private:
  template <typename... Parts>
  void Note(const Parts&... parts) {
    lines_.push_back(absl::StrCat(parts...));
  }
  std::string Say(const Snapshot& m) {
    std::string text = absl::StrCat("snapshot ", StatusName(m.state.status));
    if (m.state.offer) absl::StrAppend(&text, " ", Name(m.state.offer->offer_id));
    if (m.state.ride) absl::StrAppend(&text, " ", m.state.ride->ride_id, "#", m.state.ride->sequence);
    return text;
  }
  std::string Say(const RideEventView& m) { return absl::StrCat("event ", m.ride->ride_id, "#", m.ride->sequence); }
  std::string Say(const OfferView& m) {
    offers.push_back(m);
    return absl::StrCat("offer ", Name(m.offer_id), " ", m.start->ride_id, "@", m.start->epoch);
  }
  std::string Say(const OfferUpdate& m) {
    return absl::StrCat(Name(m.offer_id), " ", OfferStatusName(m.status),
                        m.reason == RevokeReason::kNone ? "" : " " + RevokeReasonName(m.reason));
  }
  std::string Say(const CaughtUp& m) { return absl::StrCat("caught_up ", m.sequence); }
  std::string Say(const Reset&) { return "reset"; }
  std::string Say(const Replaced&) { return "replaced"; }
  std::string Say(const Moved&) { return "moved"; }
  std::string Say(const StateChanged&) { return "state"; }
  std::string Say(const DispatchStarted& m) { return absl::StrCat("started ", m.ride_id, "@", m.epoch); }
  std::string Say(const DispatchExhausted& m) { return absl::StrCat("exhausted ", m.ride_id, "@", m.epoch); }
  std::string Say(const OfferSettled& m) {
    return absl::StrCat("settled ", m.ride_id, "@", m.epoch, " ", m.driver_id, " ", OfferStatusName(m.outcome));
  }
  std::string Say(const WorkingSet& m) {
    std::string text = "working";
    for (const RideEpoch& ride : m.rides) absl::StrAppend(&text, " ", ride.ride_id, "@", ride.epoch);
    return text;
  }

  std::vector<std::string> lines_;
  std::map<std::string, std::string> names_;
  std::map<std::string, std::string> ids_;
};

inline std::shared_ptr<const DispatchStart> StartOf(const std::string& ride_id, std::int64_t epoch = 1,
                                                    std::vector<std::string> excluded = {},
                                                    absl::Duration remaining = absl::Seconds(120)) {
  auto start = std::make_shared<DispatchStart>();
  start->ride_id = ride_id;
  start->epoch = epoch;
  start->region_id = "sf";
  start->product_id = "economy";
  start->pickup = kPickup;
  start->remaining = remaining;
  start->excluded_driver_ids = std::move(excluded);
  return start;
}

class DispatchTest : public testing::Test {
 protected:
  explicit DispatchTest(DispatchOptions options = {}) : options_(options) {
    core_ = std::make_unique<Dispatch>(
        options_, index_, travel_times_, matcher_, [this] { return Random(); }, out_);
    core_->OnFeedUp(now_);
    core_->LinkUp(now_, 1);
  }

  // Each run the same.
  std::uint64_t Random() { return SplitMix64(seed_); }

  static Driver MakeDriver(const std::string& id) {
    return {.driver_id = id,
            .display_name = "Dora",
            .region_id = "sf",
            .vehicle = {.plate = "7ABC123", .seats = 4},
            .product_ids = {"economy"}};
  }

  // The epoch of the next claim of any session.
  std::int64_t Claim() { return ++claims_; }

  // A driver with a stream, caught up, online, `north_m` from the pickup.
  void Online(const std::string& id, StreamId stream, double north_m) {
    core_->OpenStream(now_, MakeDriver(id), Availability::kOnline, Claim(), stream, std::nullopt);
    AnswerFeed(id);
    Move(id, north_m);
    out_.Take();
  }

  // Gives the core a stored desired availability.
  void Wish(const std::string& id, Availability availability) { core_->Learn(now_, MakeDriver(id), availability); }

  void Move(const std::string& id, double north_m) {
    index_.Update(id, {.point = Toward(kPickup, 0, north_m),
                       .session_epoch = core_->State(now_, id).session_epoch,
                       .position_seq = ++position_seq_,
                       .observed = now_.domain});
  }

  void AnswerFeed(const std::string& id, RideRef ride = nullptr, std::vector<RideEventView> missed = {},
                  bool reset = false) {
    core_->OnFeedSnapshot(now_, {id, out_.subscriptions.at(id), std::move(missed), reset, std::move(ride)});
  }

  static RideView MakeRide(const std::string& ride_id, std::int64_t sequence, std::int64_t epoch,
                           const std::string& offer_id, bool live = true) {
    RideView ride;
    ride.ride_id = ride_id;
    ride.sequence = sequence;
    ride.epoch = epoch;
    ride.offer_id = offer_id;
    ride.live = live;
    return ride;
  }
  static RideRef Ref(RideView ride) { return std::make_shared<const RideView>(std::move(ride)); }

  void Event(const std::string& driver_id, RideView ride, bool ended = false) {
    core_->OnFeedEvent(now_, {driver_id, out_.subscriptions.at(driver_id), {Ref(std::move(ride)), nullptr}, ended});
  }

  void Start(const std::string& ride_id, std::int64_t epoch = 1, std::vector<std::string> excluded = {},
             LinkId link = 1, absl::Duration remaining = absl::Seconds(120)) {
    core_->Start(now_, link, StartOf(ride_id, epoch, std::move(excluded), remaining));
  }

  // Time passes, in steps of 100 ms.
  void Pass(absl::Duration wall) {
    const absl::Time end = now_.wall + wall;
    while (now_.wall < end) {
      const absl::Duration step = std::min(absl::Milliseconds(100), end - now_.wall);
      now_.wall += step;
      now_.domain += step * time_scale_;
      core_->Tick(now_);
    }
  }

  // The answer goes to answers_[key].
  void Respond(const std::string& driver_id, const std::string& offer, bool accept, const std::string& key = "") {
    const std::string offer_id = offer[0] == 'o' ? out_.Id(offer) : offer;
    core_->Respond(now_, driver_id, offer_id, accept, [this, key](RespondResult result) {
      EXPECT_FALSE(answers_.contains(key)) << "answered twice";
      answers_.emplace(key, std::move(result));
    });
  }
  void Received(const std::string& driver_id, const std::string& offer) {
    core_->OfferReceived(now_, driver_id, out_.Id(offer));
  }
  // rider-service's answer to the latest confirmation.
  void Confirmed(absl::StatusOr<RideView> result) { Confirmed(out_.confirms.back(), std::move(result)); }
  void Confirmed(const ConfirmCall& call, absl::StatusOr<RideView> result) {
    core_->OnConfirmed(now_, call.offer_id, call.attempt, std::move(result));
  }
  // The ride of the latest confirmation, as committed at `sequence`.
  RideView Committed(std::int64_t sequence = 2) const {
    const ConfirmCall& call = out_.confirms.back();
    return MakeRide(call.ride_id, sequence, call.epoch, call.offer_id);
  }

  DriverStatus Status(const std::string& id) const { return core_->State(now_, id).status; }
  std::vector<std::string> Take() { return out_.Take(); }

  static absl::Status Unknown() { return absl::UnavailableError("connection reset"); }

  const DispatchOptions options_;
  Now now_{absl::FromUnixSeconds(1'700'000'000), absl::FromUnixSeconds(1'700'000'000)};
  double time_scale_ = 1;
  std::uint64_t seed_ = 1;
  std::uint64_t position_seq_ = 0;
  std::int64_t claims_ = 0;
  LocationIndex index_;
  StraightLineTravelTimes travel_times_;
  BatchMatcher matcher_;
  RecordingOut out_;
  std::unique_ptr<Dispatch> core_;
  std::map<std::string, RespondResult> answers_;
};

}  // namespace hail::driver
