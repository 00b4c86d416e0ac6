#include "tests/tools/hail-sim/simulation.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/errors/status_macros.h"
#include "tests/tools/hail-sim/channel.h"
#include "tests/tools/hail-sim/town.h"

namespace hail::sim {

namespace dpb = hail::driver::v1;
namespace rpb = hail::rider::v1;
namespace tpb = hail::type::v1;

namespace {

// Wall time, all of them.
constexpr absl::Duration kServicesUp = absl::Seconds(20);
constexpr absl::Duration kDriversUp = absl::Seconds(20);
constexpr absl::Duration kCheckFor = absl::Seconds(20);
constexpr absl::Duration kSettleFor = absl::Seconds(10);
// How many trips' pickups are tried for products.
constexpr std::size_t kPlacesAsked = 50;
// Between two drivers' starts.
constexpr absl::Duration kDriverEvery = absl::Milliseconds(3);
// The longest sleep, so that Ctrl-C is noticed.
constexpr absl::Duration kNap = absl::Milliseconds(200);
constexpr absl::Duration kUntilEvery = absl::Milliseconds(20);
// Domain time: longer than any phase of a ride without a driving driver (boarding, matching).
constexpr absl::Duration kLongestPause = absl::Seconds(240);

// The share of drivers whose car can be ordered as a product beyond the cheapest; smaller if the product needs more
// seats.
constexpr double kOffersMore = 0.45;
constexpr double kOffersLarge = 0.25;
constexpr int kOrdinarySeats = 4;
// The share of requests by returning riders.
constexpr double kComesBack = 0.3;

}  // namespace

Simulation::Simulation(RunOptions options, std::vector<Trip> trips, std::vector<Start> starts, Ledger* ledger,
                       const std::atomic<bool>* stop)
    : options_(std::move(options)),
      trips_(std::move(trips)),
      starts_(std::move(starts)),
      world_(trips_),
      stop_(stop),
      context_(options_.time, ledger) {
  context_.tokens = options_.tokens;
  for (int i = 0; i < options_.channels; ++i) {
    rider_stubs_.push_back(rpb::RiderService::NewStub(MakeChannel(options_.rider_address, options_.credentials)));
    driver_stubs_.push_back(dpb::DriverService::NewStub(MakeChannel(options_.driver_address, options_.credentials)));
  }
}

Simulation::~Simulation() {
  HangUp();
  context_.in_flight.AwaitNone();
}

bool Simulation::CutOff() const { return *stop_ || !context_.clock_error.ok() || WallNow() >= cut_off_; }

void Simulation::Turn(const std::function<bool()>& until, absl::Time deadline) {
  absl::Time ask = absl::InfinitePast();
  while (!CutOff()) {
    const absl::Time now = WallNow();
    if (now >= deadline) return;
    if (now >= ask) {
      if (until()) return;
      ask = now + kUntilEvery;
    }
    loop_.Turn(std::min(deadline, now + kNap));
    context_.ledger->Flush();
    Progress(now);
  }
}

void Simulation::StartDrivers() {
  absl::Time start = WallNow();
  for (std::size_t i = 0; i < starts_.size(); ++i, start += kDriverEvery) {
    Random random(options_.seed, "car " + starts_[i].taxi_id);
    dpb::Driver profile;
    profile.set_driver_id(absl::StrCat(options_.run_id, "-", starts_[i].taxi_id));
    profile.set_display_name(starts_[i].taxi_id);
    profile.set_region_id(products_.front().region_id());
    *profile.mutable_vehicle() = DrawVehicle(random);
    profile.mutable_vehicle()->set_plate(absl::StrFormat("SIM%05d", i));
    int seats = kOrdinarySeats;
    for (const rpb::Product& product : products_) {
      const bool large = product.max_seats() > kOrdinarySeats;
      if (&product != &products_.front() && !random.Chance(large ? kOffersLarge : kOffersMore)) continue;
      profile.add_product_ids(product.product_id());
      seats = std::max(seats, product.max_seats());
    }
    profile.mutable_vehicle()->set_seats(seats);
    drivers_.push_back(std::make_unique<DriverSlot>(&context_, driver_stubs_[i % driver_stubs_.size()].get(), profile,
                                                    starts_[i].position, options_.odds, &world_, options_.seed));
    loop_.At(start, [driver = drivers_.back().get()] { driver->Begin(); });
  }
}

void Simulation::StartRider(std::size_t index) {
  const Trip& trip = trips_[index];
  std::string rider_id = absl::StrCat(options_.run_id, "-r", index);
  Random random(options_.seed, "who " + trip.trip_id);
  if (options_.reuse_riders && random.Chance(kComesBack)) {
    std::set<std::string> busy;
    for (const auto& rider : riders_) {
      if (!rider->agent().done()) busy.insert(rider->agent().rider_id());
    }
    for (const auto& rider : riders_) {
      if (busy.contains(rider->agent().rider_id()) || rider->agent().refusal()) continue;
      rider_id = rider->agent().rider_id();
      ++context_.report.counts["riders_back_again"];
      break;
    }
  }
  riders_.push_back(std::make_unique<RiderSlot>(&context_, rider_stubs_[index % rider_stubs_.size()].get(), rider_id,
                                                absl::StrCat(options_.run_id, "-", trip.trip_id), trip,
                                                products_.front().product_id(), options_.odds, options_.seed));
  riders_.back()->Begin();
}

bool Simulation::RidersDone() const {
  return riders_.size() == trips_.size() &&
         std::all_of(riders_.begin(), riders_.end(), [](const auto& rider) { return rider->agent().done(); });
}

bool Simulation::Quiet() const {
  if (riders_.size() < trips_.size()) return false;
  const Now now = context_.clock.Read();
  if (now.wall - context_.last_news < options_.quiet + options_.time.ToWall(kLongestPause)) return false;
  return std::none_of(drivers_.begin(), drivers_.end(),
                      [&](const auto& driver) { return driver->agent().driving(now); });
}

bool Simulation::DriversFree() const {
  return std::none_of(drivers_.begin(), drivers_.end(), [](const auto& driver) {
    return !driver->live_ride().empty() || driver->agent().unanswered() > 0;
  });
}

absl::StatusOr<Report> Simulation::Run() {
  started_ = WallNow();
  if (options_.duration > absl::ZeroDuration()) cut_off_ = started_ + options_.duration;
  // Broken records lie outside every area.
  std::vector<LatLng> places;
  for (std::size_t i = 0; i < trips_.size() && i < kPlacesAsked; ++i) places.push_back(trips_[i].pickup);
  if (places.empty()) return absl::FailedPreconditionError("no trips in that time");
  HAIL_ASSIGN_OR_RETURN(products_, FindProducts(context_, rider_stubs_.front().get(), options_.run_id, places,
                                                WallNow() + kServicesUp, [this] { return CutOff(); }));
  StartDrivers();
  const auto ready = [this] {
    return std::count_if(drivers_.begin(), drivers_.end(), [](const auto& driver) { return driver->agent().ready(); });
  };
  Turn([&] { return ready() == static_cast<std::ptrdiff_t>(drivers_.size()); }, WallNow() + kDriversUp);
  if (!CutOff() && ready() == 0 && !drivers_.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("no driver got a session at ", options_.driver_address,
                                                      " within ", absl::FormatDuration(kDriversUp)));
  }
  const Now begin = context_.clock.Read();
  context_.last_news = begin.wall;
  context_.ledger->Write(Ledger::kPlan, begin.wall, "", "begin", {{"ready", ready()}});
  context_.ledger->Flush();
  for (std::size_t i = 0; i < trips_.size(); ++i) {
    const absl::Duration after = trips_[i].request_time - options_.trips_from;
    loop_.At(begin.wall + options_.time.ToWall(after), [this, i] { StartRider(i); });
  }
  Turn([this] { return RidersDone() || Quiet(); }, absl::InfiniteFuture());
  const bool cut_off = CutOff();
  if (!context_.clock_error.ok()) return context_.clock_error;
  if (!cut_off) {
    // The last completions are in flight to the drivers.
    Turn([this] { return DriversFree(); }, WallNow() + kSettleFor);
    Check();
  }
  context_.report.interrupted = cut_off;
  Settle();
  HangUp();
  context_.report.wall_s = absl::ToDoubleSeconds(WallNow() - started_);
  return context_.report;
}

void Simulation::Check() {
  // In batches: a service that is slow now must not look as if it had lost rides.
  constexpr std::size_t kAtOnce = 32;
  const absl::Time deadline = WallNow() + kCheckFor;
  std::vector<RiderSlot*> waiting;
  for (const auto& rider : riders_) {
    if (!rider->agent().ride_id().empty()) waiting.push_back(rider.get());
  }
  std::size_t open = 0;
  std::function<void()> next = [&] {
    while (open < kAtOnce && !waiting.empty()) {
      RiderSlot* rider = waiting.back();
      waiting.pop_back();
      ++open;
      rider->Check(deadline, [&] {
        --open;
        next();
      });
    }
  };
  next();
  // After the deadline every check has ended by itself, so no callback refers to this frame.
  while (open > 0) loop_.Turn(WallNow() + kNap);
}

void Simulation::Settle() {
  Report& report = context_.report;
  std::set<std::string> over;
  for (const auto& rider : riders_) {
    const RiderAgent& agent = rider->agent();
    if (!agent.asked()) continue;
    ++report.requested;
    const char* outcome = "unanswered";
    if (agent.refusal()) {
      ++report.rejected;
      outcome = "rejected";
    } else if (report.interrupted ? !IsFinal(agent.ride().state()) : agent.ride_id().empty()) {
      // A request that was never answered gives no guarantee, and has no outcome unless the run was cut off.
      if (report.interrupted) {
        ++report.in_progress;
        outcome = "in_progress";
      }
    } else if (!report.interrupted && (!rider->checked() || !IsFinal(rider->checked()->state()))) {
      ++report.lost;
      outcome = rider->not_found() ? "lost: not found" : "lost: not final";
    } else {
      rider->Settle();
      over.insert(agent.ride_id());
      const tpb::RideState state = rider->checked() ? rider->checked()->state() : agent.ride().state();
      if (state == tpb::RIDE_STATE_COMPLETED) {
        ++report.completed;
        outcome = "completed";
      } else if (state == tpb::RIDE_STATE_CANCELED) {
        ++report.canceled;
        outcome = "canceled";
      } else {
        ++report.unfulfilled;
        outcome = "unfulfilled";
      }
    }
    context_.ledger->Write(Ledger::kPlan, WallNow(), agent.rider_id(), "outcome",
                           {{"request_id", agent.request_id()}, {"ride_id", agent.ride_id()}, {"outcome", outcome}});
  }
  if (!report.interrupted) {
    for (const auto& driver : drivers_) {
      // The ride is over, and its driver missed the event.
      if (over.contains(driver->live_ride())) ++report.violations.missed;
      if (driver->agent().unanswered() > 0) report.counts["unanswered_commands"] += driver->agent().unanswered();
    }
  }
  report.declined = report.counts["declined"];
  report.counts.erase("declined");
  report.counts["drivers"] = static_cast<std::int64_t>(drivers_.size());
}

void Simulation::HangUp() {
  for (const auto& rider : riders_) rider->HangUp();
  for (const auto& driver : drivers_) driver->HangUp();
  context_.ledger->Flush();
}

void Simulation::Progress(absl::Time now) {
  if (!options_.progress || now < progress_due_) return;
  progress_due_ = now + absl::Seconds(1);
  int matching = 0;
  int pickup = 0;
  int trip = 0;
  int over = 0;
  int requested = 0;
  for (const auto& rider : riders_) {
    if (!rider->agent().asked()) continue;
    ++requested;
    const tpb::RideState state = rider->agent().ride().state();
    if (state == tpb::RIDE_STATE_MATCHING) ++matching;
    if (state == tpb::RIDE_STATE_ENROUTE_TO_PICKUP || state == tpb::RIDE_STATE_ARRIVED_AT_PICKUP) ++pickup;
    if (state == tpb::RIDE_STATE_ENROUTE_TO_DROPOFF) ++trip;
    if (rider->agent().done()) ++over;
  }
  const auto ready =
      std::count_if(drivers_.begin(), drivers_.end(), [](const auto& driver) { return driver->agent().ready(); });
  const bool terminal = isatty(STDERR_FILENO) == 1;
  const std::string line = absl::StrFormat(
      "%4.0f s  drivers %d/%d  requested %d/%d  matching %d  to pickup %d  on trip %d  over %d  offers %d",
      absl::ToDoubleSeconds(now - started_), ready, drivers_.size(), requested, trips_.size(), matching, pickup, trip,
      over, context_.report.offers);
  // On a terminal each line overwrites the one before.
  std::fprintf(stderr, terminal ? "\r\033[K%s" : "%s\n", line.c_str());
  if (terminal && RidersDone()) std::fprintf(stderr, "\n");
  std::fflush(stderr);
}

}  // namespace hail::sim
