// The four parts of the dispatch core, put together as Dispatch does, for tests of one of them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "driver-service/domain/match_queue.h"
#include "driver-service/domain/offer_book.h"
#include "driver-service/domain/replica_protocol.h"
#include "driver-service/domain/session_registry.h"
#include "tests/unit/driver-service/dispatch_fixture.h"

namespace hail::driver {

inline Driver DriverOf(const std::string& id) {
  return {.driver_id = id, .region_id = "sf", .vehicle = {.plate = "X", .seats = 4}, .product_ids = {"economy"}};
}

inline RideView ViewOfRide(const std::string& ride_id, std::int64_t sequence, const std::string& offer_id,
                           bool live = true) {
  RideView ride;
  ride.ride_id = ride_id;
  ride.sequence = sequence;
  ride.epoch = 1;
  ride.offer_id = offer_id;
  ride.live = live;
  return ride;
}

inline RideRef RefOf(RideView ride) { return std::make_shared<const RideView>(std::move(ride)); }

class DispatchPartsTest : public testing::Test {
 protected:
  DispatchPartsTest() {
    options_.replica = "here";
    sessions_.OnFeedUp(now_);
    queue_.LinkUp(now_, 1);
  }

  // A driver with stream `stream`, caught up, online, at the pickup.
  void Online(const std::string& id, StreamId stream) {
    sessions_.OpenStream(now_, DriverOf(id), Availability::kOnline, ++claims_, stream, std::nullopt, {});
    sessions_.OnFeedSnapshot(now_, {id, out_.subscriptions.at(id), {}, false, nullptr});
    index_.Update(id, {.point = kPickup, .session_epoch = claims_, .position_seq = 1, .observed = now_.domain});
    out_.Take();
  }
  // Makes an offer of a ride that this replica dispatches, or that the replica `asker` dispatches.
  void MakeOffer(const std::string& offer_id, const std::string& driver_id, const std::string& ride_id,
                 const std::string& asker = "") {
    offers_.Make(now_, offer_id, driver_id, *index_.Find(driver_id), StartOf(ride_id), absl::ZeroDuration(), asker);
  }
  void Respond(const std::string& driver_id, const std::string& offer_id, bool accept) {
    offers_.Respond(now_, driver_id, offer_id, accept,
                    [this](RespondResult result) { answers_.push_back(std::move(result)); });
  }
  void Dispatch(const std::string& ride_id, std::int64_t epoch = 1) { queue_.Add(now_, 1, StartOf(ride_id, epoch)); }
  std::vector<std::string> TakeMatches() {
    std::vector<std::string> matches;
    for (const MatchQueue::Match& match : queue_.TakeMatches(now_, [](const std::string&) { return true; })) {
      matches.push_back(absl::StrCat(match.start->ride_id, " ", match.driver.driver_id));
    }
    return matches;
  }
  void Pass(absl::Duration length) {
    now_.wall += length;
    now_.domain += length;
  }

  DispatchOptions options_;
  Now now_{absl::FromUnixSeconds(1'700'000'000), absl::FromUnixSeconds(1'700'000'000)};
  std::uint64_t seed_ = 1;
  std::int64_t claims_ = 0;
  LocationIndex index_;
  StraightLineTravelTimes travel_times_;
  BatchMatcher matcher_;
  const RandomBits random_ = [this] { return SplitMix64(seed_); };
  RecordingOut out_;
  std::vector<RespondResult> answers_;
  MatchQueue queue_{options_, index_, travel_times_, matcher_, out_};
  OfferBook offers_{options_, travel_times_, random_, out_, sessions_, queue_};
  SessionRegistry sessions_{options_, index_, out_, offers_};
  ReplicaProtocol replicas_{options_, index_, random_, out_, sessions_, offers_, queue_};
};

}  // namespace hail::driver
