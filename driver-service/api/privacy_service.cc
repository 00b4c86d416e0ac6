#include "driver-service/api/privacy_service.h"

#include <utility>

#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "common/proto/time.h"
#include "common/rpc/erasure_log.h"
#include "driver-service/codec/driver_codec.h"

namespace hail::driver {
namespace {

namespace pb = hail::internal::v1;

// Offers that one transaction deletes, and one page of an export has.
constexpr int kBatch = 500;

absl::Status Busy(const char* why) { return FailedPrecondition(Reason::kDriverBusy, why); }

// Live, and the driver's.
bool IsInHand(const type::v1::Ride& ride) { return !ride.has_end_time() && !ride.assignment_ended(); }

void Encode(const OfferRecord& record, pb::StoredOffer* out) {
  out->set_offer_id(record.offer_id);
  out->set_ride_id(record.ride_id);
  out->set_epoch(record.epoch);
  out->set_outcome(ToProto(record.outcome));
  out->set_revoke_reason(ToProto(record.reason));
  out->set_received(record.received);
  hail::Encode(record.made_time, out->mutable_made_time());
  hail::Encode(record.settled_time, out->mutable_settled_time());
  hail::Encode(record.pickup_eta, out->mutable_pickup_eta());
  out->set_pickup_distance_m(record.pickup_distance_m);
}

}  // namespace

struct PrivacyService::Erasing {
  const rpc::CallContext& call;
  std::string driver_id;
  Done<pb::EraseDriverResponse> done;
  pb::EraseDriverResponse response;
};

void PrivacyService::EraseDriver(const rpc::CallContext& call, const pb::EraseDriverRequest& request,
                                 Done<pb::EraseDriverResponse> done) {
  if (absl::Status status = CheckId(request.driver_id(), "driver_id"); !status.ok()) return done(status);
  if (absl::Status status = rpc::CheckErasureNote(request.note()); !status.ok()) return done(status);
  auto logged = [&call, &request, done = std::move(done)](const absl::StatusOr<pb::EraseDriverResponse>& erased) {
    rpc::LogErasure(call, "driver", request.note(), erased.status(), {.offers = erased.ok() ? erased->offers() : 0});
    done(erased);
  };
  auto erasing = std::make_shared<Erasing>(Erasing{call, request.driver_id(), std::move(logged), {}});
  ports_.host->Post([this, erasing](Dispatch& core, Now now) {
    const DriverState state = core.State(now, erasing->driver_id);
    if (state.status != DriverStatus::kOffline) return erasing->done(Busy("the driver is online or on a ride"));
    CheckRides(erasing);
  });
}

// Another replica may have the driver's session. rider-service knows the driver's ride in any case.
void PrivacyService::CheckRides(std::shared_ptr<Erasing> erasing) {
  pb::ListDriverRidesRequest list;
  list.set_driver_id(erasing->driver_id);
  list.set_page_size(1);
  ports_.rider->ListDriverRides(std::move(list),
                                {.deadline = erasing->call.deadline, .traceparent = erasing->call.traceparent},
                                [this, erasing](const absl::StatusOr<pb::ListDriverRidesResponse>& rides) {
                                  if (!rides.ok()) return erasing->done(rides.status());
                                  if (rides->rides_size() > 0 && IsInHand(rides->rides(0))) {
                                    return erasing->done(Busy("the driver is on a ride"));
                                  }
                                  EraseProfile(erasing);
                                });
}

void PrivacyService::EraseProfile(std::shared_ptr<Erasing> erasing) {
  ports_.persons->EraseProfile(erasing->driver_id, [this, erasing](const absl::StatusOr<ErasedProfile>& erased) {
    if (!erased.ok()) return erasing->done(erased.status());
    if (erased->online) return erasing->done(Busy("the driver is online"));
    if (erased->existed) ports_.host->ForgetDriver(erasing->driver_id, erased->session_epoch);
    erasing->response.set_profile(erased->existed);
    DeleteOffers(erasing);
  });
}

void PrivacyService::DeleteOffers(std::shared_ptr<Erasing> erasing) {
  ports_.persons->DeleteOffersOf(erasing->driver_id, kBatch, [this, erasing](const absl::StatusOr<int>& deleted) {
    if (!deleted.ok()) return erasing->done(deleted.status());
    erasing->response.set_offers(erasing->response.offers() + *deleted);
    if (*deleted > 0) return DeleteOffers(erasing);
    // Also if there was nothing to erase: the call before may have failed here.
    ports_.persons->Scrub([erasing](const absl::StatusOr<bool>& scrubbed) {
      if (!scrubbed.ok()) return erasing->done(scrubbed.status());
      erasing->done(erasing->response);
    });
  });
}

void PrivacyService::ExportDriver(const rpc::CallContext&, const pb::ExportDriverRequest& request,
                                  Done<pb::ExportDriverResponse> done) {
  const std::string& driver_id = request.driver_id();
  if (absl::Status status = CheckId(driver_id, "driver_id"); !status.ok()) return done(status);
  // The token is the last offer's id.
  if (!request.page_token().empty()) return AddOffers(driver_id, request.page_token(), {}, std::move(done));
  ports_.drivers->Get(driver_id, [this, driver_id, done = std::move(done)](const absl::StatusOr<StoredDriver>& stored) {
    if (!stored.ok() && !absl::IsNotFound(stored.status())) return done(stored.status());
    pb::ExportDriverResponse response;
    if (stored.ok()) *response.mutable_driver() = ToProto(stored->driver);
    AddOffers(driver_id, "", std::move(response), done);
  });
}

void PrivacyService::AddOffers(const std::string& driver_id, const std::string& after,
                               pb::ExportDriverResponse response, Done<pb::ExportDriverResponse> done) {
  ports_.persons->OffersOf(driver_id, after, kBatch,
                           [response = std::move(response),
                            done = std::move(done)](const absl::StatusOr<std::vector<OfferRecord>>& offers) mutable {
                             if (!offers.ok()) return done(offers.status());
                             for (const OfferRecord& record : *offers) Encode(record, response.add_offers());
                             if (offers->size() == kBatch) response.set_next_page_token(offers->back().offer_id);
                             done(std::move(response));
                           });
}

}  // namespace hail::driver
