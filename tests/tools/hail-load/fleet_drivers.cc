#include "tests/tools/hail-load/fleet_drivers.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/tools/hail-load/connections.h"
#include "tests/tools/hail-load/register.h"

namespace hail::load {
namespace {

// The step by which the drivers' positions are spread over time.
constexpr absl::Duration kBeatSlice = absl::Milliseconds(2);

// The position at these shares (0 to 1) of the city's height and width.
void SetPlace(double north, double east, hail::type::v1::LatLng* to) {
  to->set_latitude_deg(37.74 + 0.05 * north);
  to->set_longitude_deg(-122.46 + 0.05 * east);
}

}  // namespace

hail::rider::v1::RequestRideRequest FleetRequest(const std::string& run_id, std::uint64_t number) {
  hail::rider::v1::RequestRideRequest request;
  request.set_rider_id(absl::StrCat(run_id, "-", number));
  request.set_request_id("1");
  request.set_product_id("economy");
  // The fractional parts of multiples of irrational numbers are evenly spread.
  const double x = static_cast<double>(number);
  SetPlace(std::fmod(x * 0.618033988749895, 1), std::fmod(x * 0.414213562373095, 1),
           request.mutable_pickup()->mutable_position());
  SetPlace(std::fmod(0.5 + x * 0.618033988749895, 1), std::fmod(x * 0.732050807568877, 1),
           request.mutable_dropoff()->mutable_position());
  return request;
}

Fleet::Fleet(FleetOptions options, const std::string& run_id) : options_(std::move(options)) {
  state_.loop = &loop_;
  state_.in_flight = &in_flight_;
  for (int i = 0; i < options_.drivers; ++i) {
    hail::type::v1::LatLng at;
    SetPlace(state_.random.Unit(), state_.random.Unit(), &at);
    drivers_.push_back(std::make_unique<FleetDriver>(&state_, absl::StrCat(run_id, "-", i), at));
  }
  Connect();
  const auto slices = static_cast<std::size_t>(options_.beat / kBeatSlice);
  loop_.Every(kBeatSlice, [this, slices] {
    for (std::size_t i = beat_++ % slices; i < drivers_.size(); i += slices) drivers_[i]->Beat();
  });
}

Fleet::~Fleet() {
  OnLoop([this](FleetState&) {
    for (const auto& driver : drivers_) driver->Drop();
  });
  in_flight_.AwaitNone();
  loop_.Stop();
}

absl::Status Fleet::Register() {
  std::vector<std::string> ids;
  for (const auto& driver : drivers_) ids.push_back(driver->driver_id());
  return RegisterDrivers(stubs_, ids);
}

void Fleet::OpenAll(absl::Duration within) {
  OnLoop([&](FleetState& state) {
    for (std::size_t i = 0; i < drivers_.size(); ++i) {
      drivers_[i]->OpenAfter(within * state.random.Unit(), stubs_[i % stubs_.size()].get());
    }
  });
}

void Fleet::DropAll() {
  OnLoop([&](FleetState& state) {
    for (const auto& driver : drivers_) driver->Drop();
    state.catch_up = {};
    state.ended.clear();
  });
  in_flight_.AwaitNone();
  Connect();
}

void Fleet::OnLoop(const std::function<void(FleetState&)>& task) {
  absl::Notification done;
  loop_.Post([&] {
    task(state_);
    done.Notify();
  });
  done.WaitForNotification();
}

void Fleet::Connect() {
  stubs_.clear();
  channels_ = load::Connect(options_.driver_address, options_.connections);
  for (const auto& channel : channels_) stubs_.push_back(hail::driver::v1::DriverService::NewStub(channel));
}

}  // namespace hail::load
