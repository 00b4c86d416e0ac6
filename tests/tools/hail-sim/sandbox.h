// The sandbox: scripted drivers or riders around one place, for the author of an app, until the program is stopped.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/tools/hail-sim/driver_slot.h"
#include "tests/tools/hail-sim/ledger.h"
#include "tests/tools/hail-sim/loop.h"
#include "tests/tools/hail-sim/phone_context.h"
#include "tests/tools/hail-sim/rider_slot.h"
#include "tests/tools/hail-sim/sandbox_options.h"
#include "tests/tools/hail-sim/script_book.h"
#include "tests/tools/hail-sim/world.h"

namespace hail::sim {

class Sandbox {
 public:
  // `stop` becoming true ends it.
  Sandbox(SandboxOptions options, const std::atomic<bool>* stop);
  ~Sandbox();

  // Blocks until `stop`; then riders cancel their rides, and drivers go offline. Prints a line for each thing that its
  // people do. FAILED_PRECONDITION if the services do not answer, if they offer nothing at the place, if their clock
  // differs, or if another sandbox took over the drivers.
  absl::Status Run();

 private:
  // A rider of the sandbox; rides follow each other.
  struct Seat {
    // The rides, the present one last. Kept, because timers refer to them.
    std::vector<std::unique_ptr<RiderSlot>> rides;
    bool reported = true;
  };

  absl::Time WallNow() const { return context_.clock.Read().wall; }
  // Handles received messages and due timers until `until` holds, `deadline` (wall), or, if `stops`, the end of the
  // run.
  void Turn(const std::function<bool()>& until, absl::Time deadline, bool stops);
  absl::Status Problem() const;
  // All between the start and the leaving.
  absl::Status Play();
  absl::Status StartDrivers();
  // A free rider requests a ride, now and then at each interval.
  void RequestRides();
  void StartRide(std::size_t seat);
  void ReportRides();
  void LeaveStreets();
  void Say(const std::string& line) const;

  const SandboxOptions options_;
  const std::atomic<bool>* const stop_;
  Ledger ledger_;
  PhoneContext context_;
  Loop loop_{&context_};
  World world_;
  Random random_;
  std::unique_ptr<ScriptBook> scripts_;

  std::vector<std::unique_ptr<hail::rider::v1::RiderService::Stub>> rider_stubs_;
  std::vector<std::unique_ptr<hail::driver::v1::DriverService::Stub>> driver_stubs_;
  std::vector<std::unique_ptr<DriverSlot>> drivers_;
  std::vector<Seat> seats_;
  int requests_ = 0;
  std::size_t next_product_ = 0;

  // The region's products, cheapest first.
  std::vector<hail::rider::v1::Product> products_;
};

}  // namespace hail::sim
