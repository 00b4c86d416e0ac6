#include "tests/tools/hail-load/reach.h"

#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "hail/internal/v1/dispatch_service.grpc.pb.h"
#include "tests/tools/hail-load/authorize.h"
#include "tests/tools/hail-load/connections.h"
#include "tests/tools/hail-load/register.h"

namespace hail::load {
namespace {

using Request = hail::driver::v1::StreamDriverRequest;
using Response = hail::driver::v1::StreamDriverResponse;

constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr char kDriver[] = "driver-of-reach";
// In a place without other drivers: to and fro between two places 100 m apart, a distance plausible for a car.
constexpr double kLatitude = 37.60;
constexpr double kLongitude = -122.40;
constexpr double kApart = 0.0009;
constexpr double kNearM = 500;

// When the index that `stub` reaches shows the driver at another place than before; InfiniteFuture: not in time. The
// shown places are inexact, and equal for positions within a cell of 75 m.
absl::Time MovedAt(hail::internal::v1::DispatchService::Stub& stub, hail::type::v1::LatLng& shown) {
  hail::internal::v1::SearchDriversRequest request;
  request.mutable_position()->set_latitude_deg(kLatitude);
  request.mutable_position()->set_longitude_deg(kLongitude);
  request.set_radius_m(kNearM);
  request.set_limit(1);
  for (const absl::Time give_up = absl::Now() + kPatience; absl::Now() < give_up;) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(give_up));
    hail::internal::v1::SearchDriversResponse response;
    if (!stub.SearchDrivers(&context, request, &response).ok() || response.drivers_size() == 0) continue;
    const hail::type::v1::LatLng& place = response.drivers(0).position();
    if (place.latitude_deg() == shown.latitude_deg() && place.longitude_deg() == shown.longitude_deg()) continue;
    shown = place;
    return absl::Now();
  }
  return absl::InfiniteFuture();
}

}  // namespace

absl::StatusOr<Reach> MeasureReach(const ReachPlan& plan) {
  const auto channel = Connect(plan.driver_address, 1).front();
  std::vector<std::unique_ptr<hail::driver::v1::DriverService::Stub>> stubs;
  stubs.push_back(hail::driver::v1::DriverService::NewStub(channel));
  if (absl::Status status = RegisterDrivers(stubs, {kDriver}); !status.ok()) return status;
  std::vector<std::unique_ptr<hail::internal::v1::DispatchService::Stub>> indexes;
  for (const std::string& address : plan.indexes) {
    indexes.push_back(hail::internal::v1::DispatchService::NewStub(Connect(address, 1).front()));
  }

  grpc::ClientContext context;
  AuthorizeDriver(&context, kDriver);
  const auto stream = stubs.front()->StreamDriver(&context);
  // The received messages do not matter, but must be read.
  std::thread reader([&stream] {
    Response response;
    while (stream->Read(&response)) {
    }
  });
  Request open;
  open.mutable_open()->set_driver_id(kDriver);
  stream->Write(open);
  Request online;
  online.set_command_id("online");
  online.mutable_set_availability()->set_availability(hail::driver::v1::AVAILABILITY_ONLINE);
  stream->Write(online);

  Reach reach;
  reach.by_index.resize(indexes.size());
  std::vector<hail::type::v1::LatLng> shown(indexes.size());
  absl::Status status;
  // The first one shows that all parts work, and does not count.
  for (int i = 0; i <= plan.positions && status.ok(); ++i) {
    Request message;
    auto& position = *message.mutable_location()->add_positions();
    const double latitude = kLatitude + kApart * (i % 2);
    position.mutable_location()->set_latitude_deg(latitude);
    position.mutable_location()->set_longitude_deg(kLongitude);
    position.set_position_seq(static_cast<std::uint64_t>(i) + 1);
    const absl::Time sent = absl::Now();
    if (!stream->Write(message)) {
      status = absl::UnavailableError("the driver's stream has ended");
      break;
    }
    std::vector<absl::Time> found(indexes.size());
    std::vector<std::thread> askers;
    for (std::size_t at = 0; at < indexes.size(); ++at) {
      askers.emplace_back([&, at] { found[at] = MovedAt(*indexes[at], shown[at]); });
    }
    for (std::thread& asker : askers) asker.join();
    for (std::size_t at = 0; at < indexes.size(); ++at) {
      if (found[at] == absl::InfiniteFuture()) {
        status = absl::UnavailableError(absl::StrCat("position ", i, " did not reach ", plan.indexes[at]));
      } else if (i > 0) {
        reach.by_index[at].Add(found[at] - sent);
      }
    }
    absl::SleepFor(plan.pause);
  }
  context.TryCancel();
  reader.join();
  const grpc::Status ended = stream->Finish();
  if (!status.ok())
    return absl::UnavailableError(absl::StrCat(std::string(status.message()), "; ", ended.error_message()));
  return reach;
}

}  // namespace hail::load
