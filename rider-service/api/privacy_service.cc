#include "rider-service/api/privacy_service.h"

#include <string>
#include <utility>

#include "common/rpc/erasure_log.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

namespace pb = hail::internal::v1;

void Encode(const RideLog& log, pb::StoredRide* out) {
  Encode(log.ride, out->mutable_ride());
  for (const RideEvent& event : log.events) Encode(event, out->add_events());
}

// Erases, logs, answers with the number of rides.
template <typename Response, typename Request>
void Erase(People* people, PersonKind kind, const std::string& id, const rpc::CallContext& call, const Request& request,
           Done<Response> done) {
  if (absl::Status status = rpc::CheckErasureNote(request.note()); !status.ok()) return done(status);
  const char* person = kind == PersonKind::kRider ? "rider" : "driver";
  people->Erase(kind, id, [&call, &request, person, done = std::move(done)](const absl::StatusOr<int>& rides) {
    rpc::LogErasure(call, person, request.note(), rides.status(), {.rides = rides.value_or(0)});
    if (!rides.ok()) return done(rides.status());
    Response response;
    response.set_rides(*rides);
    done(std::move(response));
  });
}

template <typename Response>
Done<People::Exported> AnswerWithRides(Done<Response> done) {
  return [done = std::move(done)](const absl::StatusOr<People::Exported>& exported) {
    if (!exported.ok()) return done(exported.status());
    Response response;
    for (const RideLog& log : exported->rides) Encode(log, response.add_rides());
    response.set_next_page_token(exported->next_page_token);
    done(std::move(response));
  };
}

}  // namespace

void PrivacyService::EraseRider(const rpc::CallContext& call, const pb::EraseRiderRequest& request,
                                Done<pb::EraseRiderResponse> done) {
  Erase(people_, PersonKind::kRider, request.rider_id(), call, request, std::move(done));
}

void PrivacyService::EraseDriver(const rpc::CallContext& call, const pb::EraseDriverRequest& request,
                                 Done<pb::EraseDriverResponse> done) {
  Erase(people_, PersonKind::kDriver, request.driver_id(), call, request, std::move(done));
}

void PrivacyService::ExportRider(const rpc::CallContext&, const pb::ExportRiderRequest& request,
                                 Done<pb::ExportRiderResponse> done) {
  people_->Export(PersonKind::kRider, request.rider_id(), request.page_token(), AnswerWithRides(std::move(done)));
}

void PrivacyService::ExportDriver(const rpc::CallContext&, const pb::ExportDriverRequest& request,
                                  Done<pb::ExportDriverResponse> done) {
  people_->Export(PersonKind::kDriver, request.driver_id(), request.page_token(), AnswerWithRides(std::move(done)));
}

}  // namespace hail::rider
