#include "tests/simulation/driver_node.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "driver-service/codec/internal_codec.h"
#include "driver-service/codec/ride_codec.h"
#include "tests/simulation/rider_node.h"
#include "tests/simulation/universe.h"

namespace hail::simulation {
namespace {

namespace ipb = internal::v1;

constexpr absl::Duration kCallTime = absl::Seconds(3);
constexpr absl::Duration kCallersTime = absl::Seconds(10);

// Maximum delay until a replica's next check for claims by others, after a check that failed or was slow.
constexpr absl::Duration kNextCheck = absl::Seconds(2);

bool HasReplicas(const Universe& universe) { return universe.plan().driver_replicas > 1; }

}  // namespace

DriverNode::DriverNode(Universe* universe, Life* life, const absl::Duration* clock_wrong)
    : universe_(universe),
      life_(life),
      replica_(absl::StrCat("driver-run-", universe->driver_runs())),
      clock_(&universe->scheduler(), universe->clock().scale(), clock_wrong),
      loop_(&universe->scheduler(), life,
            [universe] { return absl::Microseconds(universe->random().Between(0, 2000)); }),
      store_threads_(&universe->scheduler(), life, [] { return absl::ZeroDuration(); }),
      housekeeping_(&universe->scheduler(), life, [] { return absl::ZeroDuration(); }),
      store_(&universe->driver_disk(), store_threads_, &universe->clock(), universe->Bits(),
             universe->present().driver_store, &clock_),
      bus_(universe, life,
           HasReplicas(*universe) ? std::function([universe] { return BusesOf(universe->drivers()); }) : nullptr),
      server_({.store = &store_,
               .bus = HasReplicas(*universe) ? &bus_ : nullptr,
               .clock = &clock_,
               .random = universe->Bits(),
               .dispatch_loop = &loop_,
               .travel_times = &travel_times_,
               .rider = this,
               .on_offer_settled = [this](const driver::OfferRecord& record) { OnSettled(record); }},
              {.dispatch = {}, .incarnation_id = replica_}),
      gate_(&clock_, {.tick = absl::ZeroDuration()}, nullptr) {
  store_.set_on_claim([universe](const driver::SessionClaim& before, const driver::SessionClaim& after) {
    universe->Claimed(before, after);
  });
  store_.set_on_moved([universe] { universe->Hit(Situation::kWishRacedAMove); });
  store_.set_on_late_read(
      [this](absl::Duration late) { universe_->judge().DriverStoreSlow(replica_, late + kNextCheck); });
  server_.Start([this] { serving_ = true; });
  housekeeping_.Every(absl::Milliseconds(500), [this, given_up = std::size_t{0}]() mutable {
    const std::size_t now = server_.stats().fixes_given_up;
    if (given_up < now) universe_->Hit(Situation::kPositionGivenUp);
    given_up = now;
    gate_.Tick();
  });
}

DriverNode::~DriverNode() { ends_.Die(); }

std::optional<driver::Availability> DriverNode::Wish(const std::string& driver_id) {
  std::optional<driver::Availability> desired;
  server_.dispatch()->Here([&](driver::Dispatch& core, Now now) {
    if (core.HasSession(driver_id)) desired = core.State(now, driver_id).availability;
  });
  return desired;
}

void DriverNode::LinkOpens() {
  if (links_++ == 0) return;
  if (Counts().offers_pending > 0) universe_->Hit(Situation::kLinkBrokeWithOfferPending);
  if (!confirming_.empty()) universe_->Hit(Situation::kLinkBrokeWithConfirmUnderWay);
  if (!universe_->ride_disk().live_of_driver.empty()) universe_->Hit(Situation::kFeedBrokeWithDriverOnTrip);
}

void DriverNode::OnSettled(const driver::OfferRecord& record) {
  Universe& u = *universe_;
  u.Note("offer ", record.offer_id, " of ", record.ride_id, "@", record.epoch, " to ", record.driver_id, " is ",
         driver::OfferStatusName(record.outcome), " ", driver::RevokeReasonName(record.reason));
  u.Digest(record.offer_id);
  u.judge().OfferSettled(record);
  confirming_.erase(record.offer_id);
  if (record.reason == driver::RevokeReason::kWentOffline) u.Hit(Situation::kOfferWithdrawnByOffline);
  if (record.reason == driver::RevokeReason::kSuperseded) {
    if (u.ride_disk().live_of_driver.contains(record.driver_id)) {
      u.Hit(Situation::kAssignmentSupersededAnOffer);
    } else if (!record.received && record.settled_time - record.made_time >= absl::Seconds(3) * u.plan().scale) {
      u.Hit(Situation::kOfferNeverReceived);
    } else {
      u.Hit(Situation::kOfferWithdrawnByLink);
    }
  }
}

void DriverNode::Confirm(const driver::ConfirmCall& call, std::function<void(absl::StatusOr<driver::RideView>)> done) {
  Universe& u = *universe_;
  u.Note("confirm ", call.offer_id, " attempt ", call.attempt, " of ", call.ride_id, "@", call.epoch);
  u.judge().ConfirmAsked(replica_, call.offer_id, call.driver.driver_id, call.ride_id, call.epoch, call.attempt);
  confirming_.insert(call.offer_id);
  u.Confirming(call.offer_id, call.driver.driver_id);
  const std::uint64_t link = links_;
  // Sometimes a message is still in flight when its sender is dead and the next process is up.
  const bool doomed = u.stormy() && u.random().Chance(0.03 * u.plan().deaths_aimed);
  CallMethod<rider::AssignmentService, RiderNode>(
      &u.network(), doomed && u.random().Chance(0.5) ? &u.slow_services() : &u.services(), life_,
      [&u] { return u.rider(); }, kCallTime, driver::ToProto(call),
      [this, call, link, done = std::move(done)](absl::StatusOr<ipb::ConfirmAssignmentResponse> response) {
        Universe& u = *universe_;
        if (links_ != link) u.Hit(Situation::kConfirmOutlivedItsLink);
        if (!response.ok()) {
          const rider::Ride* row = u.ride_disk().Find(call.ride_id);
          if (row != nullptr && row->offer_id() == call.offer_id &&
              !HasReason(response.status(), Reason::kStaleEpoch)) {
            u.Hit(Situation::kConfirmCommittedReplyLost);
            u.ReplyLost(call.driver.driver_id);
          }
          return done(response.status());
        }
        if (!confirming_.contains(call.offer_id)) u.Hit(Situation::kAssignmentLearnedFromFeedFirst);
        done(driver::FromProto(response->ride()));
      });
  if (u.stormy() && call.attempt == 1 && u.random().Chance(u.plan().cancel_races)) u.CancelSoon(call.ride_id);
  if (doomed) {
    u.KillDriverSoon(/*briefly=*/true);
    u.StallRiderStore(absl::Seconds(u.random().Between(2, 6)));
  }
  // A death matters most at this moment.
  if (u.stormy() && u.random().Chance(0.03 * u.plan().deaths_aimed)) {
    u.scheduler().After(absl::Milliseconds(u.random().Between(0, 30)), nullptr, [&u, rider = u.random().Chance(0.5)] {
      if (rider) {
        u.KillRiderSoon();
      } else {
        u.KillDriverSoon();
      }
    });
  }
}

void DriverNode::FindAssignment(const driver::FindCall& call,
                                std::function<void(absl::StatusOr<driver::RideView>)> done) {
  Universe& u = *universe_;
  CallMethod<rider::AssignmentService, RiderNode>(
      &u.network(), &u.services(), life_, [&u] { return u.rider(); }, kCallTime, driver::ToProto(call),
      [done = std::move(done)](absl::StatusOr<ipb::FindAssignmentResponse> response) {
        if (!response.ok()) return done(response.status());
        done(driver::FromProto(response->ride()));
      });
}

void DriverNode::RecordTripEvent(ipb::RecordTripEventRequest request, const driver::ForCaller& caller,
                                 std::function<void(absl::StatusOr<type::v1::Ride>)> done) {
  Universe& u = *universe_;
  const absl::Duration timeout = std::min(caller.deadline - clock_.Read().wall, kCallersTime);
  CallMethod<rider::AssignmentService, RiderNode>(
      &u.network(), &u.services(), life_, [&u] { return u.rider(); }, timeout, request,
      [done = std::move(done)](absl::StatusOr<ipb::RecordTripEventResponse> response) {
        if (!response.ok()) return done(driver::ErrorForCaller(response.status()));
        done(std::move(*response->mutable_ride()));
      });
}

void DriverNode::ListDriverRides(ipb::ListDriverRidesRequest request, const driver::ForCaller& caller,
                                 std::function<void(absl::StatusOr<ipb::ListDriverRidesResponse>)> done) {
  Universe& u = *universe_;
  const absl::Duration timeout = std::min(caller.deadline - clock_.Read().wall, kCallersTime);
  CallMethod<rider::AssignmentService, RiderNode>(
      &u.network(), &u.services(), life_, [&u] { return u.rider(); }, timeout, request,
      [done = std::move(done)](absl::StatusOr<ipb::ListDriverRidesResponse> response) {
        if (!response.ok()) return done(driver::ErrorForCaller(response.status()));
        done(*std::move(response));
      });
}

std::unique_ptr<driver::RiderCalls::Feed> DriverNode::WatchDrivers(FeedHandlers handlers) {
  using Stream = SimOutgoingStream<ipb::WatchDriversRequest, ipb::WatchDriversResponse>;
  const auto open = [this](std::shared_ptr<ClientEnd<ipb::WatchDriversResponse>> end) {
    return OpenMethod<rider::AssignmentService, RiderNode, ipb::WatchDriversRequest>(
        &universe_->network(), &universe_->services(), std::move(end), [u = universe_] { return u->rider(); });
  };
  return std::make_unique<Stream>(&universe_->network(), life_, &loop_, open, true, std::move(handlers));
}

std::unique_ptr<driver::RiderCalls::Locations> DriverNode::ReportLocations(LocationHandlers handlers) {
  using Stream = SimOutgoingStream<ipb::ReportLocationsRequest, ipb::ReportLocationsResponse>;
  const auto open = [this](std::shared_ptr<ClientEnd<ipb::ReportLocationsResponse>> end) {
    return OpenMethod<rider::AssignmentService, RiderNode, ipb::ReportLocationsRequest>(
        &universe_->network(), &universe_->services(), std::move(end), [u = universe_] { return u->rider(); });
  };
  return std::make_unique<Stream>(&universe_->network(), life_, &loop_, open, false, std::move(handlers));
}

}  // namespace hail::simulation
