#include "tests/tools/hail-sim/town.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/tools/hail-sim/backoff.h"
#include "tests/tools/hail-sim/outcome_of.h"

namespace hail::sim {

namespace rpb = hail::rider::v1;

namespace {

const char* const kMakes[] = {"Toyota", "Ford", "Honda", "Hyundai", "Nissan"};
const char* const kModels[] = {"Prius", "Crown Victoria", "Odyssey", "Ioniq", "Altima"};
const char* const kColors[] = {"yellow", "white", "black", "silver", "blue"};

}  // namespace

absl::StatusOr<std::vector<rpb::Product>> FindProducts(const PhoneContext& context, rpb::RiderService::Stub* stub,
                                                       const std::string& caller, absl::Span<const LatLng> places,
                                                       absl::Time deadline, const std::function<bool()>& stopped) {
  Outcome outcome;
  Backoff backoff;
  Random random(1, "products");
  std::size_t next = 0;
  while (!stopped() && next < places.size() && context.clock.Read().wall < deadline) {
    grpc::ClientContext call;
    call.set_deadline(absl::ToChronoTime(std::min(deadline, context.clock.Read().wall + kCallDeadline)));
    call.set_wait_for_ready(true);
    context.Authorize(&call, {.role = "rider", .subject = caller});
    rpb::ListProductsRequest request;
    request.mutable_position()->set_latitude_deg(places[next].latitude_deg);
    request.mutable_position()->set_longitude_deg(places[next].longitude_deg);
    rpb::ListProductsResponse response;
    outcome = OutcomeOf(stub->ListProducts(&call, request, &response));
    if (outcome.ok() && response.products_size() > 0)
      return std::vector(response.products().begin(), response.products().end());
    if (outcome.Retryable()) {
      absl::SleepFor(backoff.Next(random, outcome.retry_after));
    } else {
      ++next;
    }
  }
  return absl::FailedPreconditionError(
      absl::StrCat("rider-service offers no products where rides begin: ", outcome.Name(), " ", outcome.message));
}

hail::type::v1::Vehicle DrawVehicle(Random& random) {
  hail::type::v1::Vehicle vehicle;
  const std::size_t car = random.Index(std::size(kMakes));
  vehicle.set_make(kMakes[car]);
  vehicle.set_model(kModels[car]);
  vehicle.set_color(kColors[random.Index(std::size(kColors))]);
  return vehicle;
}

}  // namespace hail::sim
