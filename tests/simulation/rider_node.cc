#include "tests/simulation/rider_node.h"

#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "common/rpc/identity.h"
#include "driver-service/api/dispatch_link.h"
#include "rider-service/api/api_codec.h"
#include "rider-service/api/driver_streams.h"
#include "rider-service/codec/ride_codec.h"
#include "tests/simulation/driver_node.h"
#include "tests/simulation/universe.h"

namespace hail::simulation {
namespace {

using internal::v1::DispatchRequest;
using internal::v1::DispatchResponse;
using rider::Ride;

absl::Status SpeaksFor(const std::string& rider_id) { return rpc::CheckSpeaksFor({}, rider_id, "rider_id"); }

absl::Status CheckRideCall(const std::string& rider_id, const std::string& ride_id) {
  const absl::Status speaks = SpeaksFor(rider_id);
  return speaks.ok() ? CheckId(ride_id, "ride_id") : speaks;
}

// Answers with the ride, or with why there is none.
template <typename Response>
rider::Done<Ride> WithRide(RiderNode::Answer<Response> answer) {
  return [answer = std::move(answer)](const absl::StatusOr<Ride>& ride) {
    if (!ride.ok()) return answer(ride.status());
    Response response;
    Encode(*ride, response.mutable_ride());
    answer(std::move(response));
  };
}

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
      book_loop_(&universe->scheduler(), life, Lag(universe)),
      housekeeping_(&universe->scheduler(), life, Lag(universe)),
      store_(std::make_unique<SimRideStore>(&universe->ride_disk(), store_threads_, &universe->clock(),
                                            universe->Bits(), universe->present().rider_store,
                                            universe->plan().rider_replicas > 1 ? incarnation_id_ : "", &clock_)),
      bus_(universe, life,
           universe->plan().rider_replicas > 1 ? std::function([universe] { return BusesOf(universe->riders()); })
                                               : nullptr),
      quoter_(&universe->regions(), *universe->ride_disk().quote_key, universe->Bits()),
      checks_(store_.get()),
      link_({.store = store_.get(),
             .bus = &bus_,
             .codec = &codec_,
             .clock = &clock_,
             .loop = &book_loop_,
             .incarnation_id = incarnation_id_},
            {}),
      rides_({.store = store_.get(),
              .bus = &bus_,
              .codec = &codec_,
              .observer = this,
              .quoter = &quoter_,
              .random = universe->Bits()},
             {}),
      gate_(&clock_, {.tick = absl::ZeroDuration()}, nullptr),
      session_ports_{.store = store_.get(),
                     .bus = &bus_,
                     .codec = &codec_,
                     .telemetry = &telemetry_,
                     .checks = &checks_,
                     .clock = &clock_,
                     .housekeeping = &housekeeping_} {
  store_->set_on_commit([this](const Ride* before, const Ride& after, const rider::RideEvent* event,
                               const std::string&) { Watch(before, after, event); });
  store_->set_before_ack([this] { untold_ = 0; });
  Boot();
}

RiderNode::~RiderNode() {
  // What a store would still tell, and what streams would still say, dies first.
  ends_.Die();
  store_.reset();
}

void RiderNode::Boot() {
  store_->Dispatchable([this](const absl::StatusOr<std::vector<Ride>>& rides) {
    // A process that cannot read its store ends, and is started again.
    if (!rides.ok()) {
      universe_->scheduler().After(absl::Seconds(1), life_, [this] { Boot(); });
      return;
    }
    Serve(*rides);
  });
}

void RiderNode::Serve(const std::vector<Ride>& dispatchable) {
  if (universe_->rider_runs() > 1) {
    for (const Ride& ride : dispatchable) {
      if (ride.state == rider::RideState::kMatching) universe_->Hit(Situation::kDispatchRestartedAfterRiderDeath);
    }
  }
  link_.Start(&rides_, Opener());
  housekeeping_.Every(absl::Seconds(2), [this] { checks_.Check(); });
  housekeeping_.Every(absl::Milliseconds(500), [this] { gate_.Tick(); });
  if (store_->shared()) {
    positions_ = rider::HearPositions(&bus_, &telemetry_, &clock_);
    housekeeping_.Every(absl::Milliseconds(500), [this, leases = 0]() mutable {
      const rider::DispatchLink::Stats stats = link_.stats();
      if (leases > 0 && (stats.leases > leases || !stats.leased)) {
        if (stats.leases > leases) universe_->Hit(Situation::kLeaseEndedInALivingProcess);
        // What it had waited for it waits for anew.
        universe_->judge().RiderServiceUp(true, kTakeOver);
      }
      leases = stats.leases;
    });
  }
  serving_ = true;
}

rider::DispatchLink::Opener RiderNode::Opener() {
  return [this](auto handlers) {
    const auto open = [this](std::shared_ptr<ClientEnd<DispatchResponse>> end) {
      return OpenStream<DispatchRequest, DispatchResponse, DriverNode>(
          &universe_->network(), &universe_->services(), std::move(end), [u = universe_] { return u->driver(); },
          "Dispatch", {.queue = 100'000}, true,
          [](DriverNode& driver, auto outbox) { return driver.Dispatch(outbox); });
    };
    return std::make_unique<SimOutgoingStream<DispatchRequest, DispatchResponse>>(
        &universe_->network(), life_, &book_loop_, open, true, std::move(handlers),
        [this, started = std::set<std::tuple<std::uint64_t, std::string, std::int64_t>>()](
            std::uint64_t link, const DispatchRequest& sent) mutable {
          rpc::HearEach(sent, [&](const DispatchRequest& request) {
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

void RiderNode::OnCommitted(const Ride& ride, const rider::RideEvent* event) { link_.OnCommitted(ride, event); }

void RiderNode::Watch(const Ride* before, const Ride& after, const rider::RideEvent* event) {
  using rider::RideEventType;
  Universe& u = *universe_;
  ++untold_;
  u.Note("commit ", after.ride_id, " ", rider::StateName(after.state), " sequence ", after.sequence, " epoch ",
         after.epoch, after.driver ? " driver " + after.driver->driver_id : "",
         event == nullptr ? " (epoch only)" : "");
  u.Digest(absl::StrCat(after.ride_id, after.sequence, after.epoch));
  u.judge().Committed(before, after, event);
  if (before == nullptr) u.Created(after.ride_id);
  if (const std::string keeper = u.TakeOver(after.ride_id, incarnation_id_);
      store_->shared() && before != nullptr && keeper != incarnation_id_) {
    const bool waits = before->state == rider::RideState::kMatching;
    if (u.IsAlive(keeper)) {
      u.Hit(waits ? Situation::kRideOfAnotherReplicaChanged : Situation::kTripWentOnAtAnotherReplica);
      if (event == nullptr) u.Hit(Situation::kRideOfALivingReplicaTakenOver);
    } else {
      u.Hit(event == nullptr ? Situation::kOrphanTakenOver : Situation::kOrphanChangedBeforeAnybodyTookItOver);
    }
  }
  if (event == nullptr) {
    u.Hit(Situation::kEpochRaised);
    // Only its epoch has changed since its latest event.
    const auto& log = u.ride_disk().events.at(after.ride_id);
    if (log.rbegin()->second.ride.epoch + 1 < after.epoch) u.Hit(Situation::kEpochRaisedTwiceInARow);
    return;
  }
  const absl::Time now = u.clock().Read().domain;
  switch (event->type) {
    case RideEventType::kRedispatched:
      if (event->reason == rider::CancelReason::kDriverUnreachable) {
        u.Hit(Situation::kDriverUnreachable);
      } else {
        u.Hit(Situation::kDriverGaveUpBeforeArrival);
      }
      break;
    case RideEventType::kCanceled:
      if (after.cancellation->actor == rider::CancelActor::kDriver) u.Hit(Situation::kDriverGaveUpAtPickup);
      if (after.cancellation->reason == rider::CancelReason::kRedispatchLimit) u.Hit(Situation::kRedispatchLimit);
      if (after.cancellation->actor == rider::CancelActor::kRider && before->assign_time &&
          now - *before->assign_time < absl::Seconds(2) * u.plan().scale) {
        u.Hit(Situation::kCancelAndAcceptRacedAcceptWon);
      }
      break;
    case RideEventType::kUnfulfilled:
      u.Hit(now < *before->match_deadline + absl::Seconds(18) ? Situation::kUnfulfilledAfterExhausted
                                                              : Situation::kUnfulfilledWithoutWord);
      break;
    case RideEventType::kAssigned: {
      if (!u.IsConfirming(after.offer_id)) u.Hit(Situation::kConfirmOfDeadProcessCommitted);
      break;
    }
    default:
      break;
  }
  if (u.stormy() && u.random().Chance(0.01 * u.plan().deaths_aimed)) u.KillRiderSoon();
}

void RiderNode::ListProducts(const rider::v1::ListProductsRequest& request,
                             const Answer<rider::v1::ListProductsResponse>& answer) {
  const auto position = rider::DecodePosition(request.has_position(), request.position());
  if (!position.ok()) return answer(position.status());
  const auto products = quoter_.ProductsAt(*position, "position");
  if (!products.ok()) return answer(products.status());
  rider::v1::ListProductsResponse response;
  for (const rider::Product& product : *products) rider::Encode(product, response.add_products());
  answer(std::move(response));
}

void RiderNode::QuoteRide(const rider::v1::QuoteRideRequest& request,
                          const Answer<rider::v1::QuoteRideResponse>& answer) {
  if (const absl::Status status = SpeaksFor(request.rider_id()); !status.ok()) return answer(status);
  const auto quotes = quoter_.QuoteRide(clock_.Read(), rider::DecodeRequest(request));
  if (!quotes.ok()) return answer(quotes.status());
  rider::v1::QuoteRideResponse response;
  for (const rider::Quote& quote : *quotes) rider::Encode(quote, response.add_quotes());
  answer(std::move(response));
}

void RiderNode::RequestRide(const rider::v1::RequestRideRequest& request, absl::Time deadline,
                            const Answer<rider::v1::RequestRideResponse>& answer) {
  if (const absl::Status status = SpeaksFor(request.rider_id()); !status.ok()) return answer(status);
  const bool known = universe_->ride_disk().by_request.contains({request.rider_id(), request.request_id()});
  const int run = universe_->rider_runs();
  rides_.Request(clock_.Read(), rider::DecodeRequest(request), deadline,
                 WithRide<rider::v1::RequestRideResponse>([this, request, answer, known, run](
                                                              absl::StatusOr<rider::v1::RequestRideResponse> response) {
                   if (response.ok()) {
                     if (known) {
                       universe_->Hit(Situation::kRequestFoundItsRide);
                       if (universe_->created_in(response->ride().ride_id()) < run) {
                         universe_->Hit(Situation::kRequestFoundItsRideAfterRestart);
                       }
                     }
                     universe_->judge().Acknowledged(request.rider_id(), request.request_id(), response->ride());
                   } else if (HasReason(response.status(), Reason::kRiderBusy)) {
                     universe_->Hit(Situation::kRequestRefusedForLiveRide);
                   } else if (HasReason(response.status(), Reason::kRequestIdReused)) {
                     universe_->Hit(Situation::kRequestIdReused);
                   } else if (HasReason(response.status(), Reason::kStoreUnavailable) && !known &&
                              universe_->ride_disk().by_request.contains({request.rider_id(), request.request_id()})) {
                     universe_->Hit(Situation::kStoreFailedAfterWritingRequest);
                   }
                   answer(std::move(response));
                 }));
}

void RiderNode::GetRide(const rider::v1::GetRideRequest& request, const Answer<rider::v1::GetRideResponse>& answer) {
  if (const absl::Status status = CheckRideCall(request.rider_id(), request.ride_id()); !status.ok()) {
    return answer(status);
  }
  rides_.Get(request.rider_id(), request.ride_id(), WithRide<rider::v1::GetRideResponse>(answer));
}

void RiderNode::GetActiveRide(const rider::v1::GetActiveRideRequest& request,
                              const Answer<rider::v1::GetActiveRideResponse>& answer) {
  if (const absl::Status status = SpeaksFor(request.rider_id()); !status.ok()) return answer(status);
  rides_.GetActive(request.rider_id(), [answer](const absl::StatusOr<std::optional<Ride>>& ride) {
    if (!ride.ok()) return answer(ride.status());
    rider::v1::GetActiveRideResponse response;
    if (*ride) rider::Encode(**ride, response.mutable_ride());
    answer(std::move(response));
  });
}

void RiderNode::ListRides(const rider::v1::ListRidesRequest& request,
                          const Answer<rider::v1::ListRidesResponse>& answer) {
  if (const absl::Status status = SpeaksFor(request.rider_id()); !status.ok()) return answer(status);
  rides_.ListForRider({request.rider_id(), request.page_size(), request.page_token(), {}},
                      [answer](const absl::StatusOr<rider::Rides::Listed>& listed) {
                        if (!listed.ok()) return answer(listed.status());
                        rider::v1::ListRidesResponse response;
                        for (const Ride& ride : listed->rides) rider::Encode(ride, response.add_rides());
                        answer(std::move(response));
                      });
}

void RiderNode::CancelRide(const rider::v1::CancelRideRequest& request, absl::Time deadline,
                           const Answer<rider::v1::CancelRideResponse>& answer) {
  if (const absl::Status status = CheckRideCall(request.rider_id(), request.ride_id()); !status.ok()) {
    return answer(status);
  }
  rides_.Cancel(clock_.Read(), request.rider_id(), request.ride_id(), rider::DecodeReason(request.reason()),
                request.note(), deadline, WithRide<rider::v1::CancelRideResponse>(answer));
}

void RiderNode::ConfirmAssignment(const internal::v1::ConfirmAssignmentRequest& request, absl::Time deadline,
                                  const Answer<internal::v1::ConfirmAssignmentResponse>& answer) {
  auto assignment = rider::DecodeAssignment(request);
  if (!assignment.ok()) return answer(assignment.status());
  ++confirming_;
  const Ride* before = universe_->ride_disk().Find(request.ride_id());
  const bool committed = before != nullptr && before->offer_id == request.offer_id();
  rides_.Confirm(
      clock_.Read(), request.ride_id(), *std::move(assignment), deadline,
      WithRide<internal::v1::ConfirmAssignmentResponse>(
          [this, request, answer, committed](absl::StatusOr<internal::v1::ConfirmAssignmentResponse> response) {
            --confirming_;
            Universe& u = *universe_;
            const absl::Status& status = response.status();
            if (response.ok() && committed) {
              u.Hit(Situation::kConfirmRepeatedFoundItself);
              if (IsFinal(rider::DecodeState(response->ride().state()))) {
                u.Hit(Situation::kConfirmRepeatedFoundRideOver);
              }
            }
            const Ride* row = u.ride_disk().Find(request.ride_id());
            if (HasReason(status, Reason::kStaleEpoch)) u.Hit(Situation::kConfirmRefusedStaleEpoch);
            // Exclusions travel with each start, and an older start's offers are refused for their epoch.
            if (HasReason(status, Reason::kDriverExcluded)) {
              u.judge().Fail(6, "who gave a ride up is not asked again", request.ride_id());
            }
            if (absl::IsDeadlineExceeded(status)) u.Hit(Situation::kConfirmTooLateToBegin);
            if (HasReason(status, Reason::kRideNotMatching) && row->state == rider::RideState::kCanceled) {
              u.Hit(Situation::kConfirmRefusedRideCanceled);
              u.Hit(Situation::kCancelAndAcceptRacedCancelWon);
            }
            if (HasReason(status, Reason::kStoreUnavailable) && row != nullptr && row->offer_id == request.offer_id()) {
              u.Hit(Situation::kStoreFailedAfterWritingAssignment);
            }
            u.Note("confirm ", request.offer_id(), " ", request.ride_id(), "@", request.epoch(), " for ",
                   request.driver().driver_id(), ": ", status.ToString());
            answer(std::move(response));
          }));
}

void RiderNode::FindAssignment(const internal::v1::FindAssignmentRequest& request,
                               const Answer<internal::v1::FindAssignmentResponse>& answer) {
  rides_.FindAssignment(request.driver_id(), request.offer_id(),
                        WithRide<internal::v1::FindAssignmentResponse>(
                            [this, answer](absl::StatusOr<internal::v1::FindAssignmentResponse> response) {
                              if (response.ok()) universe_->Hit(Situation::kForgottenOfferWasTheAssignment);
                              if (absl::IsNotFound(response.status())) universe_->Hit(Situation::kForgottenOfferWasNot);
                              answer(std::move(response));
                            }));
}

void RiderNode::RecordTripEvent(const internal::v1::RecordTripEventRequest& request, absl::Time deadline,
                                const Answer<internal::v1::RecordTripEventResponse>& answer) {
  auto command = rider::DecodeCommand(request);
  if (!command.ok()) return answer(command.status());
  const Ride* before = universe_->ride_disk().Find(request.ride_id());
  const std::int64_t sequence = before == nullptr ? 0 : before->sequence;
  rides_.RecordStep(
      clock_.Read(), request.ride_id(), *std::move(command), deadline,
      WithRide<internal::v1::RecordTripEventResponse>(
          [this, request, answer, sequence](absl::StatusOr<internal::v1::RecordTripEventResponse> response) {
            Universe& u = *universe_;
            const absl::Status& status = response.status();
            const Ride* row = u.ride_disk().Find(request.ride_id());
            const std::int64_t now = row == nullptr ? 0 : row->sequence;
            if (response.ok() && now == sequence) u.Hit(Situation::kStepRepeatedAfterCommit);
            if (HasReason(status, Reason::kAssignmentEnded)) {
              u.Hit(Situation::kStepOfOlderEpoch);
              if (request.step() == internal::v1::TRIP_STEP_SEEN) u.Hit(Situation::kSeenCameTooLate);
            }
            if (HasReason(status, Reason::kIllegalTransition)) {
              u.Hit(row != nullptr && request.leg() != row->leg ? Situation::kStepOfAnotherLeg : Situation::kStepAhead);
            }
            if (HasReason(status, Reason::kStoreUnavailable) && now > sequence) {
              u.Hit(Situation::kStoreFailedAfterWritingStep);
            }
            answer(std::move(response));
          }));
}

void RiderNode::ListDriverRides(const internal::v1::ListDriverRidesRequest& request,
                                const Answer<internal::v1::ListDriverRidesResponse>& answer) {
  if (const absl::Status status = CheckId(request.driver_id(), "driver_id"); !status.ok()) return answer(status);
  rides_.ListForDriver(request.driver_id(), request.page_size(), request.page_token(),
                       [answer](const absl::StatusOr<rider::Rides::Listed>& listed) {
                         if (!listed.ok()) return answer(listed.status());
                         internal::v1::ListDriverRidesResponse response;
                         for (const Ride& ride : listed->rides) rider::Encode(ride, response.add_rides());
                         response.set_next_page_token(listed->next_page_token);
                         answer(std::move(response));
                       });
}

}  // namespace hail::simulation
