#include "tests/simulation/rider_node.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "rider-service/codec/ride_codec.h"
#include "tests/simulation/driver_node.h"
#include "tests/simulation/universe.h"

namespace hail::simulation {
namespace {

using internal::v1::DispatchRequest;
using internal::v1::DispatchResponse;
using rider::Ride;

// As rider-service's search.timeout.
constexpr absl::Duration kSearchTime = absl::Milliseconds(500);

std::function<absl::Duration()> Lag(Universe* universe) {
  return [universe] { return absl::Microseconds(universe->random().Between(0, 2000)); };
}

}  // namespace

RiderNode::RiderNode(Universe* universe, Life* life, const absl::Duration* clock_wrong)
    : universe_(universe),
      life_(life),
      incarnation_id_(absl::StrCat("rider-run-", universe->rider_runs())),
      clock_(&universe->scheduler(), universe->clock().scale(), clock_wrong),
      store_threads_(&universe->scheduler(), life, [] { return absl::ZeroDuration(); }),
      dispatch_loop_(&universe->scheduler(), life, Lag(universe)),
      housekeeping_(&universe->scheduler(), life, Lag(universe)),
      store_(std::make_unique<SimRideStore>(&universe->ride_disk(), store_threads_, &universe->clock(),
                                            universe->Bits(), universe->present().rider_store,
                                            universe->plan().rider_replicas > 1 ? incarnation_id_ : "", &clock_)),
      bus_(universe, life,
           universe->plan().rider_replicas > 1 ? std::function([universe] { return BusesOf(universe->riders()); })
                                               : nullptr),
      gate_(&clock_, {.tick = absl::ZeroDuration()}, nullptr) {
  store_->set_on_commit([this](const Ride* before, const Ride& after, const rider::RideEvent* event,
                               const std::string&) { Watch(before, after, event); });
  store_->set_before_ack([this] { unacknowledged_ = 0; });
  Boot();
}

RiderNode::~RiderNode() {
  // The pending callbacks of the store and the streams' pending messages are dropped first.
  ends_.Die();
  store_.reset();
}

void RiderNode::Boot() {
  store_->QuoteKey([this](const absl::StatusOr<std::string>& key) {
    // A process that cannot read its store exits and is restarted.
    if (!key.ok()) {
      universe_->scheduler().After(absl::Seconds(1), life_, [this] { Boot(); });
      return;
    }
    Serve(*key);
  });
}

void RiderNode::Serve(const std::string& quote_key) {
  server_ = std::make_unique<rider::RiderServer>(rider::RiderServer::Ports{.store = store_.get(),
                                                                           .bus = &bus_,
                                                                           .clock = &clock_,
                                                                           .random = universe_->Bits(),
                                                                           .dispatch_loop = &dispatch_loop_,
                                                                           .housekeeping = &housekeeping_,
                                                                           .search = this,
                                                                           .dispatch_links = DispatchLinks()},
                                                 rider::RiderServer::Options{.regions = &universe_->regions(),
                                                                             .quote_key = quote_key,
                                                                             .incarnation_id = incarnation_id_,
                                                                             .replicas = store_->shared()});
  server_->Start();
  housekeeping_.Every(absl::Milliseconds(500), [this] { gate_.Tick(); });
  if (universe_->rider_runs() > 1) {
    store_->Dispatchable([this](const absl::StatusOr<std::vector<Ride>>& rides) {
      if (!rides.ok()) return;
      for (const Ride& ride : *rides) {
        if (ride.state() == rider::RideState::kMatching) universe_->Hit(Situation::kDispatchRestartedAfterRiderDeath);
      }
    });
  }
  if (!store_->shared()) return;
  housekeeping_.Every(absl::Milliseconds(500), [this, leases = 0]() mutable {
    const rider::DispatchClient::Stats stats = server_->stats().dispatch;
    if (leases > 0 && (stats.leases > leases || !stats.leased)) {
      if (stats.leases > leases) universe_->Hit(Situation::kLeaseEndedInALivingProcess);
      // The process dispatches its rides anew, so the judge's time limits restart.
      universe_->judge().RiderServiceUp(true, kTakeOver);
    }
    leases = stats.leases;
  });
}

void RiderNode::Search(rider::SearchRequest request, const rpc::CallContext& call, Done<rider::SearchResponse> done) {
  Universe& u = *universe_;
  CallMethod<driver::DispatchService, DriverNode>(
      &u.network(), &u.services(), life_, [&u] { return u.driver(); },
      std::min(kSearchTime, call.deadline - clock_.Read().wall), request, std::move(done));
}

rider::DispatchClient::Opener RiderNode::DispatchLinks() {
  return [this](auto handlers) {
    const auto open = [this](std::shared_ptr<ClientEnd<DispatchResponse>> end) {
      return OpenMethod<driver::DispatchService, DriverNode, DispatchRequest>(
          &universe_->network(), &universe_->services(), std::move(end), [u = universe_] { return u->driver(); }, {},
          [](DriverNode& driver) { driver.LinkOpens(); });
    };
    return std::make_unique<SimOutgoingStream<DispatchRequest, DispatchResponse>>(
        &universe_->network(), life_, &dispatch_loop_, open, true, std::move(handlers),
        [this, started = std::set<std::tuple<std::uint64_t, std::string, std::int64_t>>()](
            std::uint64_t link, const DispatchRequest& sent) mutable {
          rpc::ForEachJoined(sent, [&](const DispatchRequest& request) {
            if (request.has_stop()) {
              universe_->Note(incarnation_id_, "'s link ", link, " stops ", request.stop().ride_id(), "@",
                              request.stop().epoch());
            }
            if (!request.has_start()) return;
            if (!started.emplace(link, request.start().ride_id(), request.start().epoch()).second) {
              universe_->Hit(Situation::kStartRepeated);
            }
            universe_->Note(incarnation_id_, "'s link ", link, " starts ", request.start().ride_id(), "@",
                            request.start().epoch());
            universe_->judge().Started(request.start().ride_id(), request.start().epoch(),
                                       absl::StrCat(incarnation_id_, "'s link ", link));
          });
        });
  };
}

void RiderNode::Watch(const Ride* before, const Ride& after, const rider::RideEvent* event) {
  using rider::RideEventType;
  Universe& u = *universe_;
  ++unacknowledged_;
  u.Note("commit ", after.ride_id(), " ", rider::StateName(after.state()), " sequence ", after.sequence(), " epoch ",
         after.epoch(), after.driver() != nullptr ? " driver " + after.driver()->driver_id() : "",
         event == nullptr ? " (epoch only)" : "");
  u.Digest(absl::StrCat(after.ride_id(), after.sequence(), after.epoch()));
  u.judge().Committed(before, after, event);
  if (before == nullptr) u.Created(after.ride_id());
  if (const std::string keeper = u.TakeOver(after.ride_id(), incarnation_id_);
      store_->shared() && before != nullptr && keeper != incarnation_id_) {
    const bool waits = before->state() == rider::RideState::kMatching;
    if (u.IsAlive(keeper)) {
      u.Hit(waits ? Situation::kRideOfAnotherReplicaChanged : Situation::kTripWentOnAtAnotherReplica);
      if (event == nullptr) u.Hit(Situation::kRideOfALivingReplicaTakenOver);
    } else {
      u.Hit(event == nullptr ? Situation::kOrphanTakenOver : Situation::kOrphanChangedBeforeAnybodyTookItOver);
    }
  }
  if (event == nullptr) {
    u.Hit(Situation::kEpochRaised);
    // Only the epoch has changed since the ride's latest event.
    const auto& log = u.ride_disk().events.at(after.ride_id());
    if (log.rbegin()->second.ride.epoch() + 1 < after.epoch()) u.Hit(Situation::kEpochRaisedTwiceInARow);
    return;
  }
  const absl::Time now = u.clock().Read().domain;
  switch (event->type()) {
    case RideEventType::kRedispatched:
      if (event->reason() == rider::CancelReason::kDriverUnreachable) {
        u.Hit(Situation::kDriverUnreachable);
      } else {
        u.Hit(Situation::kDriverGaveUpBeforeArrival);
      }
      break;
    case RideEventType::kCanceled:
      if (after.cancellation()->actor == rider::CancelActor::kDriver) u.Hit(Situation::kDriverGaveUpAtPickup);
      if (after.cancellation()->reason == rider::CancelReason::kRedispatchLimit) u.Hit(Situation::kRedispatchLimit);
      if (after.cancellation()->actor == rider::CancelActor::kRider && before->assign_time() &&
          now - *before->assign_time() < absl::Seconds(2) * u.plan().scale) {
        u.Hit(Situation::kCancelAndAcceptRacedAcceptWon);
      }
      break;
    case RideEventType::kWaiting:
      u.Hit(Situation::kDriverWaited);
      break;
    case RideEventType::kUnfulfilled:
      u.Hit(now < *before->match_deadline() + absl::Seconds(18) ? Situation::kUnfulfilledAfterExhausted
                                                                : Situation::kUnfulfilledWithoutWord);
      break;
    case RideEventType::kAssigned: {
      if (!u.IsConfirming(after.offer_id())) u.Hit(Situation::kConfirmOfDeadProcessCommitted);
      break;
    }
    default:
      break;
  }
  if (u.stormy() && u.random().Chance(0.01 * u.plan().deaths_aimed)) u.KillRiderSoon();
}

// --- Observed calls ---

Done<rider::v1::RequestRideResponse> RiderNode::Observe(const rider::v1::RequestRideRequest& request,
                                                        Done<rider::v1::RequestRideResponse> done) {
  const bool known = universe_->ride_disk().by_request.contains({request.rider_id(), request.request_id()});
  return [this, request, done = std::move(done), known,
          run = universe_->rider_runs()](absl::StatusOr<rider::v1::RequestRideResponse> response) {
    Universe& u = *universe_;
    const absl::Status& status = response.status();
    if (response.ok()) {
      if (known) {
        u.Hit(Situation::kRequestFoundItsRide);
        if (u.created_in(response->ride().ride_id()) < run) u.Hit(Situation::kRequestFoundItsRideAfterRestart);
      }
      u.judge().Acknowledged(request, response->ride());
    } else if (HasReason(status, Reason::kRiderBusy)) {
      u.Hit(Situation::kRequestRefusedForLiveRide);
    } else if (HasReason(status, Reason::kRequestIdReused)) {
      u.Hit(Situation::kRequestIdReused);
    } else if (HasReason(status, Reason::kStoreUnavailable) && !known &&
               u.ride_disk().by_request.contains({request.rider_id(), request.request_id()})) {
      u.Hit(Situation::kStoreFailedAfterWritingRequest);
    }
    done(std::move(response));
  };
}

Done<internal::v1::ConfirmAssignmentResponse> RiderNode::Observe(const internal::v1::ConfirmAssignmentRequest& request,
                                                                 Done<internal::v1::ConfirmAssignmentResponse> done) {
  ++confirming_;
  const Ride* before = universe_->ride_disk().Find(request.ride_id());
  const bool committed = before != nullptr && before->offer_id() == request.offer_id();
  return [this, request, done = std::move(done),
          committed](absl::StatusOr<internal::v1::ConfirmAssignmentResponse> response) {
    --confirming_;
    Universe& u = *universe_;
    const absl::Status& status = response.status();
    if (response.ok() && committed) {
      u.Hit(Situation::kConfirmRepeatedFoundItself);
      if (IsFinal(rider::DecodeState(response->ride().state()))) u.Hit(Situation::kConfirmRepeatedFoundRideOver);
    }
    const Ride* row = u.ride_disk().Find(request.ride_id());
    if (HasReason(status, Reason::kStaleEpoch)) u.Hit(Situation::kConfirmRefusedStaleEpoch);
    // Each start carries the exclusions, and offers of an older start are refused because of their epoch.
    if (HasReason(status, Reason::kDriverExcluded)) {
      u.judge().Fail(6, "who gave a ride up is not asked again", request.ride_id());
    }
    if (absl::IsDeadlineExceeded(status)) u.Hit(Situation::kConfirmTooLateToBegin);
    if (HasReason(status, Reason::kRideNotMatching) && row->state() == rider::RideState::kCanceled) {
      u.Hit(Situation::kConfirmRefusedRideCanceled);
      u.Hit(Situation::kCancelAndAcceptRacedCancelWon);
    }
    if (HasReason(status, Reason::kStoreUnavailable) && row != nullptr && row->offer_id() == request.offer_id()) {
      u.Hit(Situation::kStoreFailedAfterWritingAssignment);
    }
    u.Note("confirm ", request.offer_id(), " ", request.ride_id(), "@", request.epoch(), " for ",
           request.driver().driver_id(), ": ", status.ToString());
    done(std::move(response));
  };
}

Done<internal::v1::FindAssignmentResponse> RiderNode::Observe(const internal::v1::FindAssignmentRequest&,
                                                              Done<internal::v1::FindAssignmentResponse> done) {
  return [this, done = std::move(done)](absl::StatusOr<internal::v1::FindAssignmentResponse> response) {
    if (response.ok()) universe_->Hit(Situation::kForgottenOfferWasTheAssignment);
    if (absl::IsNotFound(response.status())) universe_->Hit(Situation::kForgottenOfferWasNot);
    done(std::move(response));
  };
}

Done<internal::v1::RecordTripEventResponse> RiderNode::Observe(const internal::v1::RecordTripEventRequest& request,
                                                               Done<internal::v1::RecordTripEventResponse> done) {
  const Ride* before = universe_->ride_disk().Find(request.ride_id());
  return [this, request, done = std::move(done), sequence = before == nullptr ? 0 : before->sequence()](
             absl::StatusOr<internal::v1::RecordTripEventResponse> response) {
    Universe& u = *universe_;
    const absl::Status& status = response.status();
    const Ride* row = u.ride_disk().Find(request.ride_id());
    const std::int64_t now = row == nullptr ? 0 : row->sequence();
    if (response.ok() && now == sequence) u.Hit(Situation::kStepRepeatedAfterCommit);
    if (HasReason(status, Reason::kAssignmentEnded)) {
      u.Hit(Situation::kStepOfOlderEpoch);
      if (request.step() == internal::v1::TRIP_STEP_SEEN) u.Hit(Situation::kSeenCameTooLate);
    }
    if (HasReason(status, Reason::kIllegalTransition)) {
      u.Hit(row != nullptr && request.leg() != row->leg() ? Situation::kStepOfAnotherLeg : Situation::kStepAhead);
    }
    if (HasReason(status, Reason::kStoreUnavailable) && now > sequence) {
      u.Hit(Situation::kStoreFailedAfterWritingStep);
    }
    done(std::move(response));
  };
}

}  // namespace hail::simulation
