#include "tests/tools/hail-sim/sandbox.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/errors/status_macros.h"
#include "tests/tools/hail-sim/audit.h"
#include "tests/tools/hail-sim/channel.h"
#include "tests/tools/hail-sim/placement.h"
#include "tests/tools/hail-sim/town.h"

namespace hail::sim {

namespace dpb = hail::driver::v1;
namespace rpb = hail::rider::v1;
namespace tpb = hail::type::v1;

namespace {

// Wall time, all of them.
constexpr absl::Duration kServicesUp = absl::Seconds(20);
constexpr absl::Duration kDriversUp = absl::Seconds(20);
constexpr absl::Duration kLeaveWithin = absl::Seconds(3);
// The longest sleep, so that Ctrl-C is noticed.
constexpr absl::Duration kNap = absl::Milliseconds(100);

// People behave as their scripts say, and use streams.
constexpr Odds kOdds = {.pause = 0, .unary = 0, .driver_watch = 0, .watch = 0};

// Drivers wander between the places where they began.
World WorldOf(const std::vector<LatLng>& places) {
  std::vector<Trip> trips;
  for (const LatLng& place : places) trips.push_back({.pickup = place, .dropoff = place});
  return World(trips);
}

}  // namespace

Sandbox::Sandbox(SandboxOptions options, const std::atomic<bool>* stop)
    : options_(std::move(options)),
      stop_(stop),
      context_(options_.run.time, &ledger_),
      world_(WorldOf(SpreadOver(options_.around, options_.radius_m, options_.drivers))),
      random_(options_.run.seed, "sandbox"),
      seats_(options_.riders) {
  context_.tokens = options_.run.tokens;
  for (int i = 0; i < options_.run.channels; ++i) {
    rider_stubs_.push_back(
        rpb::RiderService::NewStub(MakeChannel(options_.run.rider_address, options_.run.credentials)));
    if (options_.drivers == 0) continue;
    driver_stubs_.push_back(
        dpb::DriverService::NewStub(MakeChannel(options_.run.driver_address, options_.run.credentials)));
  }
  if (options_.drivers > 0) {
    scripts_ = std::make_unique<ScriptBook>(&context_, options_.rider_internal_address, options_.run.credentials,
                                            [this](const std::string& line) { Say(line); });
  }
}

Sandbox::~Sandbox() {
  for (const auto& driver : drivers_) driver->HangUp();
  for (const Seat& seat : seats_) {
    for (const auto& ride : seat.rides) ride->HangUp();
  }
  context_.in_flight.AwaitNone();
}

void Sandbox::Say(const std::string& line) const {
  std::printf("%s  %s\n", absl::FormatTime("%H:%M:%S", WallNow(), absl::LocalTimeZone()).c_str(), line.c_str());
  std::fflush(stdout);
}

absl::Status Sandbox::Problem() const {
  if (!context_.clock_error.ok()) return context_.clock_error;
  for (const auto& driver : drivers_) {
    if (!driver->agent().replaced()) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(driver->agent().driver_id(), " is on another phone: another sandbox runs with the same --run-id"));
  }
  return absl::OkStatus();
}

void Sandbox::Turn(const std::function<bool()>& until, absl::Time deadline, bool stops) {
  while (!until()) {
    const absl::Time now = WallNow();
    if (now >= deadline || (stops && (*stop_ || !Problem().ok()))) return;
    loop_.Turn(std::min(deadline, now + kNap));
    ReportRides();
  }
}

absl::Status Sandbox::StartDrivers() {
  const std::vector<LatLng> places = SpreadOver(options_.around, options_.radius_m, options_.drivers);
  for (std::size_t i = 0; i < places.size(); ++i) {
    dpb::Driver profile;
    // The same at each start, so that a driver goes on with the ride that an earlier run left.
    profile.set_driver_id(absl::StrCat(options_.run.run_id, "-", i + 1));
    profile.set_display_name(absl::StrCat("Sandbox driver ", i + 1));
    profile.set_region_id(products_.front().region_id());
    Random random(options_.run.seed, profile.driver_id());
    *profile.mutable_vehicle() = DrawVehicle(random);
    profile.mutable_vehicle()->set_plate(profile.driver_id().substr(0, 32));
    int seats = 1;
    for (const rpb::Product& product : products_) {
      profile.add_product_ids(product.product_id());
      seats = std::max(seats, product.max_seats());
    }
    profile.mutable_vehicle()->set_seats(seats);
    drivers_.push_back(std::make_unique<DriverSlot>(&context_, driver_stubs_[i % driver_stubs_.size()].get(), profile,
                                                    places[i], kOdds, &world_, options_.run.seed, scripts_.get()));
    drivers_.back()->Begin();
  }
  const auto online = [this] {
    return std::all_of(drivers_.begin(), drivers_.end(),
                       [](const auto& driver) { return driver->agent().ready() && driver->agent().unanswered() == 0; });
  };
  Turn(online, WallNow() + kDriversUp, true);
  HAIL_RETURN_IF_ERROR(Problem());
  if (*stop_ || online()) return absl::OkStatus();
  std::string counts;
  for (const auto& [what, count] : context_.report.counts) absl::StrAppend(&counts, "; ", what, ": ", count);
  return absl::FailedPreconditionError(absl::StrCat("not all drivers are online at ", options_.run.driver_address,
                                                    " after ", absl::FormatDuration(kDriversUp), counts));
}

void Sandbox::RequestRides() {
  // The riders take turns, and one who still has a ride is passed over.
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    const std::size_t seat = (static_cast<std::size_t>(requests_) + i) % seats_.size();
    if (!seats_[seat].rides.empty() && !seats_[seat].rides.back()->agent().done()) continue;
    StartRide(seat);
    break;
  }
  loop_.At(WallNow() + options_.every, [this] { RequestRides(); });
}

void Sandbox::StartRide(std::size_t seat) {
  const int request = requests_++;
  const RiderScript& script = ScriptOfRequest(options_.rider_script, request);
  const std::size_t product = script.each_product ? next_product_++ % products_.size() : 0;
  Trip trip = DrawTripNear(options_.around, options_.radius_m, random_);
  trip.trip_id = absl::StrCat("sandbox-", request);
  // New at each start: a ride that an earlier run left behind must not keep its rider busy.
  const std::int64_t start = absl::ToUnixMillis(WallNow());
  const std::string rider_id = absl::StrCat(options_.run.run_id, "-rider-", seat + 1, "-", start);
  Seat& taken = seats_[seat];
  taken.reported = false;
  taken.rides.push_back(std::make_unique<RiderSlot>(
      &context_, rider_stubs_[seat % rider_stubs_.size()].get(), rider_id, absl::StrCat(rider_id, "-", request), trip,
      products_[product].product_id(), kOdds, options_.run.seed + static_cast<std::uint64_t>(request), &script));
  Say(absl::StrCat(rider_id, " orders ", products_[product].product_id(), " (", script.name, ")"));
  taken.rides.back()->Begin();
}

void Sandbox::ReportRides() {
  for (Seat& seat : seats_) {
    if (seat.reported || !seat.rides.back()->agent().done()) continue;
    seat.reported = true;
    const RiderAgent& agent = seat.rides.back()->agent();
    std::string end = "no request";
    if (agent.refusal()) end = absl::StrCat(agent.refusal()->Name(), " ", agent.refusal()->message);
    if (!agent.ride_id().empty()) {
      end = absl::StrCat("ride ", agent.ride_id(), " ended as ",
                         tpb::RideState_Name(agent.ride().state()).substr(sizeof("RIDE_STATE_") - 1));
    }
    Say(absl::StrCat(agent.rider_id(), ": ", end));
  }
}

void Sandbox::LeaveStreets() {
  if (drivers_.empty() && requests_ == 0) return;
  for (const Seat& seat : seats_) {
    if (!seat.rides.empty()) seat.rides.back()->CallOff();
  }
  for (const auto& driver : drivers_) driver->GoOffline();
  const auto left = [this] {
    return std::all_of(seats_.begin(), seats_.end(),
                       [](const Seat& seat) { return seat.rides.empty() || seat.rides.back()->agent().done(); }) &&
           std::all_of(drivers_.begin(), drivers_.end(),
                       [](const auto& driver) { return driver->agent().unanswered() == 0; });
  };
  Turn(left, WallNow() + kLeaveWithin, false);
  Say(left() ? "everybody left" : "left without an answer of all services");
}

absl::Status Sandbox::Run() {
  const absl::Status status = Play();
  LeaveStreets();
  return status;
}

absl::Status Sandbox::Play() {
  const auto stopped = [this] { return stop_->load(); };
  const absl::Time deadline = WallNow() + kServicesUp;
  absl::StatusOr<std::vector<rpb::Product>> products =
      FindProducts(context_, rider_stubs_.front().get(), options_.run.run_id, {options_.around}, deadline, stopped);
  if (*stop_) return absl::OkStatus();
  if (!products.ok()) return products.status();
  products_ = *std::move(products);
  if (scripts_) {
    absl::Status readable = scripts_->AwaitService(deadline, stopped);
    if (*stop_) return absl::OkStatus();
    HAIL_RETURN_IF_ERROR(readable);
    HAIL_RETURN_IF_ERROR(StartDrivers());
    if (*stop_) return absl::OkStatus();
  }
  Say(absl::StrFormat("ready: %d drivers, %d riders", options_.drivers, options_.riders));
  if (!seats_.empty()) RequestRides();
  Turn([] { return false; }, absl::InfiniteFuture(), true);
  return Problem();
}

}  // namespace hail::sim
