#include "tests/tools/hail-load/fleet.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/exec/loop.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/tools/hail-load/authorize.h"
#include "tests/tools/hail-load/connections.h"
#include "tests/tools/hail-load/fleet_drivers.h"
#include "tests/tools/hail-load/metrics_page.h"
#include "tests/tools/hail-load/pacer.h"
#include "tests/tools/hail-load/svg.h"
#include "tests/tools/hail-load/timeline.h"

namespace hail::load {
namespace {

using hail::driver::v1::DriverService;
using hail::rider::v1::RiderService;

constexpr absl::Duration kDeadline = absl::Seconds(5);
// A refused rider asks again after this time.
constexpr absl::Duration kAgain = absl::Seconds(1);
// Each driver sends its position at this interval.
constexpr absl::Duration kBeat = absl::Seconds(5);
constexpr absl::Duration kLook = absl::Milliseconds(200);
// Time limits of a probe, and of all preparations.
constexpr absl::Duration kProbeDeadline = absl::Seconds(1);
constexpr absl::Duration kPreparation = absl::Minutes(3);
// Time for rides to find their drivers after the load has ended.
constexpr absl::Duration kSettled = absl::Minutes(1);
constexpr absl::Duration kLastRides = absl::Seconds(2);
// Share of all probes that must be answered in time.
constexpr double kProbesAnswered = 0.99;

// The riders: rides that wait for drivers, and their results.
class Riders {
 public:
  Riders(const std::string& address, std::string run_id)
      : run_id_(std::move(run_id)), channels_(load::Connect(address, 4)) {
    for (const auto& channel : channels_) stubs_.push_back(RiderService::NewStub(channel));
  }
  ~Riders() {
    loop_.Stop();
    in_flight_.AwaitNone();
  }

  // Requests a ride, repeatedly with the same request_id until it is acknowledged; `timeline`, if given, records the
  // first try.
  void Request(absl::Time intended, Timeline* timeline) { Send(FleetRequest(run_id_, next_++), intended, timeline); }

  // The acknowledged rides: ride_id → rider_id.
  std::map<std::string, std::string> Rides() const {
    absl::MutexLock lock(&mutex_);
    return rides_;
  }

  hail::type::v1::Ride Get(const std::string& rider_id, const std::string& ride_id) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kDeadline));
    hail::rider::v1::GetRideRequest request;
    request.set_rider_id(rider_id);
    request.set_ride_id(ride_id);
    hail::rider::v1::GetRideResponse response;
    AuthorizeRider(&context, rider_id);
    stubs_[0]->GetRide(&context, request, &response);
    return response.ride();
  }

 private:
  void Send(const hail::rider::v1::RequestRideRequest& request, absl::Time intended, Timeline* timeline) {
    RiderService::Stub* const stub = stubs_[next_ % stubs_.size()].get();
    sim::StartUnary<hail::rider::v1::RequestRideRequest, hail::rider::v1::RequestRideResponse>(
        [stub](auto* context, auto* request, auto* response, auto done) {
          AuthorizeRider(context, request->rider_id());
          stub->async()->RequestRide(context, request, response, std::move(done));
        },
        request, kDeadline,
        [this, request, intended, timeline](absl::Time at, const grpc::Status& status,
                                            const hail::rider::v1::RequestRideResponse& response) {
          if (timeline != nullptr) timeline->Record(intended, at, status);
          if (!status.ok()) {
            loop_.PostAfter(kAgain, [this, request, intended] { Send(request, intended, nullptr); });
            return;
          }
          absl::MutexLock lock(&mutex_);
          rides_[response.ride().ride_id()] = request.rider_id();
        },
        &in_flight_);
  }

  const std::string run_id_;
  const std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::unique_ptr<RiderService::Stub>> stubs_;
  std::atomic<std::uint64_t> next_ = 0;
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> rides_ ABSL_GUARDED_BY(mutex_);
  sim::CallsInFlight in_flight_;
  // Last: its tasks use all members above.
  Loop loop_{"riders"};
};

// The fleet as driver-service sees it. Each driver is counted once, in one count, which takes a moment.
struct Seen {
  int streams = 0;
  // Can be offered a ride.
  int offerable = 0;
  int on_trip = 0;
  // Drivers with an open offer, or whose accept is being committed.
  int deciding = 0;
  int waiting_rides = 0;
};
Seen Look(const std::string& metrics) {
  const auto page = ReadMetrics(metrics);
  const auto value = [&](const std::string& name) {
    const auto found = page.find(name);
    return found == page.end() ? 0 : static_cast<int>(found->second);
  };
  return {value("hail_driver_driver_streams"), value("hail_driver_drivers{status=\"AVAILABLE\"}"),
          value("hail_driver_drivers{status=\"ON_TRIP\"}"),
          value("hail_driver_drivers{status=\"OFFERED\"}") + value("hail_driver_drivers{status=\"RESERVED\"}"),
          value("hail_driver_dispatch_rides")};
}

}  // namespace

absl::StatusOr<Judged> PlayFleet(const FleetPlan& plan) {
  const MemoryWatch memory(plan.processes);
  const absl::Time start = absl::Now();
  const auto second = [&] { return absl::ToDoubleSeconds(absl::Now() - start); };
  const auto say = [&](const std::string& what) { absl::FPrintF(stderr, "%5.1f s: %s\n", second(), what); };
  const std::string run_id = absl::StrCat("fleet-", absl::ToUnixMillis(start));
  Timeline timeline(start, kProbeDeadline);
  Panel drivers_panel{"drivers:", {{"caught up", {}}, {"offerable, deciding or on a trip", {}}}};
  Riders riders(plan.rider_address, run_id);
  Fleet fleet({plan.driver_address, plan.drivers, plan.connections, kBeat}, run_id);
  // Watches until `wanted` holds or `limit` has passed; returns whether it holds, and when.
  const auto await = [&](absl::Duration limit, const std::function<bool(int, const Seen&)>& wanted) {
    const absl::Time deadline = absl::Now() + limit;
    while (true) {
      const int caught_up = fleet.CaughtUp();
      const Seen seen = Look(plan.driver_metrics);
      drivers_panel.series[0].points.emplace_back(second(), caught_up);
      drivers_panel.series[1].points.emplace_back(second(), seen.offerable + seen.on_trip + seen.deciding);
      if (wanted(caught_up, seen)) return true;
      if (absl::Now() > deadline) {
        say(absl::StrFormat("still %d caught up, %d streams, %d offerable, %d on a trip, %d rides waiting", caught_up,
                            seen.streams, seen.offerable, seen.on_trip, seen.waiting_rides));
        return false;
      }
      absl::SleepFor(kLook);
    }
  };
  const auto all_there = [&](int caught_up, const Seen& seen) {
    return caught_up == plan.drivers && seen.streams == plan.drivers &&
           seen.offerable + seen.on_trip + seen.deciding >= plan.drivers;
  };

  if (absl::Status status = fleet.Register(); !status.ok()) return status;
  say(absl::StrCat(plan.drivers, " drivers registered"));
  fleet.OpenAll(absl::Seconds(plan.drivers / 1000.0));
  if (!await(kPreparation, all_there)) return absl::UnavailableError("the drivers did not get online");
  say("all drivers online");
  SendPaced(absl::Now(), 40, absl::Seconds(plan.rides / 40.0), [&](absl::Time at) { riders.Request(at, nullptr); });
  if (!await(kPreparation,
             [&](int, const Seen& seen) { return seen.on_trip >= plan.rides && seen.waiting_rides == 0; })) {
    return absl::UnavailableError("the rides did not get drivers");
  }
  say(absl::StrCat(plan.rides, " rides under way; probes begin"));
  const auto driven_before =
      fleet.Read<std::map<std::string, std::string>>([](const FleetState& state) { return state.driven; });

  std::thread probes([&] {
    SendPaced(absl::Now(), plan.probes, absl::Seconds(5) + plan.within + plan.back_within + absl::Seconds(5),
              [&](absl::Time at) { riders.Request(at, &timeline); });
  });
  await(absl::Seconds(5), [](int, const Seen&) { return false; });
  const double broke = second();
  if (plan.kill != 0) {
    say("driver-service is killed");
    kill(plan.kill, SIGKILL);
  } else {
    say("all connections are cut");
    fleet.DropAll();
    fleet.OpenAll(plan.within);
  }
  const bool back = await(plan.back_within + kSettled, all_there);
  const double took = second() - broke;
  say(absl::StrFormat("%s after %.1f s", back ? "all drivers are back" : "not all drivers are back", took));
  probes.join();
  // The last probes' rides find their drivers; the count of waiting rides is half a second old, so it needs this time,
  // too.
  absl::SleepFor(kLastRides);
  const bool settled = await(kSettled, [&](int, const Seen& seen) { return seen.waiting_rides == 0; });
  const auto rides = riders.Rides();
  const auto driven =
      fleet.Read<std::map<std::string, std::string>>([](const FleetState& state) { return state.driven; });
  int lost = 0;
  int moved = 0;
  for (const auto& [ride_id, rider_id] : rides) {
    const hail::type::v1::Ride ride = riders.Get(rider_id, ride_id);
    const auto known = driven.find(ride_id);
    if (ride.state() != hail::type::v1::RIDE_STATE_ENROUTE_TO_PICKUP || known == driven.end() ||
        known->second != ride.driver().driver_id()) {
      ++lost;
      say(absl::StrFormat("ride %s: state %d, driver \"%s\", driven by \"%s\"", ride_id, ride.state(),
                          ride.driver().driver_id(), known == driven.end() ? "" : known->second));
    }
    const auto before = driven_before.find(ride_id);
    if (before != driven_before.end() && before->second != ride.driver().driver_id()) ++moved;
  }

  Judged judged;
  const auto expect = [&](bool holds, const std::string& complaint) {
    if (!holds) judged.complaints.push_back(complaint);
  };
  const Tally all = timeline.Sum(0, static_cast<int>(second()) + 1);
  const Tally storm = timeline.Sum(static_cast<int>(broke), static_cast<int>(std::ceil(broke + took)));
  const auto in_time = [](const Tally& tally) {
    return tally.sent == 0 ? 1 : static_cast<double>(tally.in_time) / static_cast<double>(tally.sent);
  };
  expect(back && took <= absl::ToDoubleSeconds(plan.back_within),
         absl::StrFormat("the drivers were not back within %s", absl::FormatDuration(plan.back_within)));
  expect(settled, "rides still wait for a driver");
  expect(lost == 0, absl::StrCat(lost, " rides are not where rider and driver both say they are"));
  expect(moved == 0, absl::StrCat(moved, " rides under way went to another driver"));
  expect(in_time(all) >= kProbesAnswered,
         absl::StrFormat("only %.1f %% of the probes were answered in time", 100 * in_time(all)));
  const auto ended =
      fleet.Read<std::map<std::string, std::int64_t>>([](const FleetState& state) { return state.ended; });
  const auto catch_up = fleet.Read<Histogram>([](const FleetState& state) { return state.catch_up; });
  auto& report = judged.report;
  report = {{"drivers", plan.drivers},
            {"connections", plan.connections},
            {"back_after_s", std::round(10 * took) / 10},
            {"catch_up_ms",
             {{"p50", std::round(absl::ToDoubleMilliseconds(catch_up.Quantile(0.5)))},
              {"p99", std::round(absl::ToDoubleMilliseconds(catch_up.Quantile(0.99)))}}},
            {"streams_ended", ended},
            {"rides", rides.size()},
            {"rides_lost", lost},
            {"rides_moved", moved},
            {"probes_in_time", std::round(1000 * in_time(all)) / 1000},
            {"probes_in_time_meanwhile", std::round(1000 * in_time(storm)) / 1000},
            {"probe_p99_ms_meanwhile", std::round(absl::ToDoubleMilliseconds(storm.answered.Quantile(0.99)))}};
  Panel rss{"resident memory, MiB:", {}};
  for (std::size_t i = 0; i < plan.processes.size(); ++i) {
    report["rss_mib"][plan.processes[i].name] = {{"before", std::round(memory.Samples(i).front().rss_mib)},
                                                 {"peak", std::round(memory.Peak(i))},
                                                 {"end", std::round(RssMib(plan.processes[i].pid))}};
    Series series{plan.processes[i].name, {}};
    for (const Sample& sample : memory.Samples(i)) {
      series.points.emplace_back(absl::ToDoubleSeconds(sample.at - start), sample.rss_mib);
    }
    rss.series.push_back(std::move(series));
  }
  report["complaints"] = judged.complaints;
  if (!plan.svg.empty()) {
    Panel latency{"probes, milliseconds:", {{"p99", {}}, {"median", {}}}};
    double at = 0;
    for (const Tally& tally : timeline.Seconds()) {
      at += 1;
      if (tally.answered.count() == 0) continue;
      latency.series[0].points.emplace_back(at, absl::ToDoubleMilliseconds(tally.answered.Quantile(0.99)));
      latency.series[1].points.emplace_back(at, absl::ToDoubleMilliseconds(tally.answered.Quantile(0.5)));
    }
    const absl::Status written =
        WriteFile(plan.svg, Svg(absl::StrCat(plan.drivers, " drivers come back"), {drivers_panel, latency, rss},
                                {{"coming back", broke, broke + took}}));
    if (!written.ok()) return written;
  }
  return judged;
}

}  // namespace hail::load
