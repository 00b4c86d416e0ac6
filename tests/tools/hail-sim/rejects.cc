#include "tests/tools/hail-sim/rejects.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/tools/hail-sim/channel.h"
#include "tests/tools/hail-sim/outcome_of.h"

namespace hail::sim {

namespace rpb = hail::rider::v1;

namespace {

// The contract's minimum distance between pickup and drop-off.
constexpr double kShortestM = 20;

bool Possible(const LatLng& point) {
  const bool in_range = std::isfinite(point.latitude_deg) && std::isfinite(point.longitude_deg) &&
                        std::abs(point.latitude_deg) <= 90 && std::abs(point.longitude_deg) <= 180;
  const bool zero_island = std::abs(point.latitude_deg) < 0.001 && std::abs(point.longitude_deg) < 0.001;
  return in_range && !zero_island;
}

// New York, roughly: a box around the five boroughs and the airports, without the area beyond the Hudson's cities in
// New Jersey. None of the records lies between this and the shipped area's edge.
bool InNewYork(const LatLng& point) {
  const bool in_box = point.latitude_deg > 40.45 && point.latitude_deg < 41.0 && point.longitude_deg > -74.30 &&
                      point.longitude_deg < -73.60;
  const bool in_jersey = point.latitude_deg > 40.735 && point.longitude_deg < -74.12;
  return in_box && !in_jersey;
}

void Put(const LatLng& from, hail::type::v1::Place* to) {
  to->mutable_position()->set_latitude_deg(from.latitude_deg);
  to->mutable_position()->set_longitude_deg(from.longitude_deg);
}

}  // namespace

std::string ExpectedAnswer(const Reject& reject) {
  if (!Possible(reject.pickup) || !Possible(reject.dropoff)) return "INVALID_FIELD";
  if (DistanceM(reject.pickup, reject.dropoff) < kShortestM) return "INVALID_FIELD";
  if (!InNewYork(reject.pickup) || !InNewYork(reject.dropoff)) return "OUTSIDE_SERVICE_AREA";
  return "OK";
}

absl::StatusOr<int> PlayRejects(const std::string& rider_address, std::shared_ptr<grpc::ChannelCredentials> credentials,
                                const std::vector<Reject>& rejects, const std::string& run_id) {
  const auto stub = rpb::RiderService::NewStub(MakeChannel(rider_address, std::move(credentials)));
  const auto arm = [](grpc::ClientContext& call) {
    call.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
    call.set_wait_for_ready(true);
  };
  std::map<std::tuple<std::string, std::string, std::string>, int> table;
  int wrong = 0;
  for (std::size_t i = 0; i < rejects.size(); ++i) {
    rpb::RequestRideRequest request;
    request.set_rider_id(absl::StrCat(run_id, "-reject", i));
    request.set_request_id(absl::StrCat(run_id, "-reject", i));
    request.set_product_id("economy");
    Put(rejects[i].pickup, request.mutable_pickup());
    Put(rejects[i].dropoff, request.mutable_dropoff());
    rpb::RequestRideResponse response;
    grpc::ClientContext call;
    arm(call);
    const Outcome outcome = OutcomeOf(stub->RequestRide(&call, request, &response));
    if (outcome.Retryable()) {
      return absl::UnavailableError(absl::StrCat("record ", i + 1, ": ", outcome.Name(), " ", outcome.message));
    }
    const std::string expected = ExpectedAnswer(rejects[i]);
    if (outcome.Name() != expected) {
      ++wrong;
      std::fprintf(stderr, "record %zu (%s): expected %s, got %s %s\n", i + 1, rejects[i].why.c_str(), expected.c_str(),
                   outcome.Name().c_str(), outcome.message.c_str());
    }
    ++table[{rejects[i].why, expected, outcome.Name()}];
    if (!outcome.ok()) continue;
    rpb::CancelRideRequest cancel;
    cancel.set_rider_id(request.rider_id());
    cancel.set_ride_id(response.ride().ride_id());
    rpb::CancelRideResponse canceled;
    grpc::ClientContext cancel_call;
    arm(cancel_call);
    const Outcome canceling = OutcomeOf(stub->CancelRide(&cancel_call, cancel, &canceled));
    if (canceling.Retryable()) return absl::UnavailableError(absl::StrCat("canceling: ", canceling.message));
  }
  std::printf("%-30s %-22s %-22s %6s\n", "reason", "expected", "answered", "count");
  for (const auto& [key, count] : table) {
    const auto& [why, expected, answered] = key;
    std::printf("%-30s %-22s %-22s %6d%s\n", why.c_str(), expected.c_str(), answered.c_str(), count,
                expected == answered ? "" : "   <-- wrong");
  }
  std::printf("%zu records, %d answered otherwise than expected\n", rejects.size(), wrong);
  return wrong;
}

}  // namespace hail::sim
