// A run: riders and drivers against two services, on one thread; gRPC's threads only post into its inbox.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/tools/hail-sim/driver_slot.h"
#include "tests/tools/hail-sim/loop.h"
#include "tests/tools/hail-sim/options.h"
#include "tests/tools/hail-sim/phone_context.h"
#include "tests/tools/hail-sim/rider_slot.h"
#include "tests/tools/hail-sim/world.h"

namespace hail::sim {

class Simulation {
 public:
  // `stop` becoming true ends the run early.
  Simulation(RunOptions options, std::vector<Trip> trips, std::vector<Start> starts, Ledger* ledger,
             const std::atomic<bool>* stop);
  ~Simulation();

  // Blocks until the run is over. FAILED_PRECONDITION if the run is impossible: no service answers, or the services'
  // clock differs.
  absl::StatusOr<Report> Run();

 private:
  absl::Time WallNow() const { return context_.clock.Read().wall; }
  // Handles received messages and due timers until `until` holds (it is checked now and then), the run is cut off, or
  // `deadline` (wall).
  void Turn(const std::function<bool()>& until, absl::Time deadline);
  bool CutOff() const;

  void StartDrivers();
  void StartRider(std::size_t index);
  bool RidersDone() const;
  // No more news is to be expected: no driver drives a ride, and no message came for some time.
  bool Quiet() const;
  bool DriversFree() const;
  void Check();
  void Settle();
  void HangUp();
  void Progress(absl::Time now);

  const RunOptions options_;
  const std::vector<Trip> trips_;
  const std::vector<Start> starts_;
  const World world_;
  const std::atomic<bool>* const stop_;
  PhoneContext context_;
  Loop loop_{&context_};

  std::vector<std::unique_ptr<hail::rider::v1::RiderService::Stub>> rider_stubs_;
  std::vector<std::unique_ptr<hail::driver::v1::DriverService::Stub>> driver_stubs_;
  std::vector<std::unique_ptr<RiderSlot>> riders_;
  std::vector<std::unique_ptr<DriverSlot>> drivers_;

  // The region's products, cheapest first.
  std::vector<hail::rider::v1::Product> products_;
  absl::Time started_;
  absl::Time cut_off_ = absl::InfiniteFuture();
  absl::Time progress_due_ = absl::InfinitePast();
};

}  // namespace hail::sim
