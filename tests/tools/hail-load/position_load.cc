#include "tests/tools/hail-load/position_load.h"

#include <atomic>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "tests/tools/hail-load/connections.h"
#include "tests/tools/hail-load/register.h"

namespace hail::load {
namespace {

using Request = hail::driver::v1::StreamDriverRequest;
using Response = hail::driver::v1::StreamDriverResponse;

// What the streams have in common.
struct Shared {
  int per_message = 1;
  // Positions taken so far.
  std::atomic<std::int64_t> taken{0};
  std::atomic<bool> over{false};
  absl::Mutex mutex;
  int ended_early ABSL_GUARDED_BY(mutex) = 0;
  // Of the last of them.
  std::string why ABSL_GUARDED_BY(mutex);
  int open ABSL_GUARDED_BY(mutex) = 0;
};

// A driver who moves a few metres with each position.
class Sender final : public grpc::ClientBidiReactor<Request, Response> {
 public:
  Sender(Shared* shared, hail::driver::v1::DriverService::Stub& stub, const std::string& driver_id, double latitude,
         double longitude)
      : shared_(shared), latitude_(latitude), longitude_(longitude) {
    message_.mutable_open()->set_driver_id(driver_id);
    stub.async()->StreamDriver(&context_, this);
    StartRead(&response_);
    StartWrite(&message_);
    AddHold();
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (ok) StartRead(&response_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End();
    if (step_ >= 2) shared_->taken += shared_->per_message;
    if (shared_->over) return End();
    message_.Clear();
    if (step_++ == 0) {
      message_.mutable_set_availability()->set_availability(hail::driver::v1::AVAILABILITY_ONLINE);
      message_.set_command_id("online");
    } else {
      for (int i = 0; i < shared_->per_message; ++i) {
        auto& position = *message_.mutable_location()->add_positions();
        // Up and down the same street.
        ++sequence_;
        position.mutable_location()->set_latitude_deg(latitude_ + 1e-5 * static_cast<double>(sequence_ % 64));
        position.mutable_location()->set_longitude_deg(longitude_);
        position.set_speed_mps(8);
        position.set_heading_deg(90);
        position.set_position_seq(sequence_);
      }
    }
    StartWrite(&message_);
  }

  void OnDone(const grpc::Status& status) override {
    Shared* const shared = shared_;
    delete this;
    absl::MutexLock lock(&shared->mutex);
    --shared->open;
    if (shared->over) return;
    ++shared->ended_early;
    shared->why = status.error_message();
  }

 private:
  void End() {
    context_.TryCancel();
    RemoveHold();
  }

  Shared* const shared_;
  const double latitude_;
  const double longitude_;
  grpc::ClientContext context_;
  Request message_;
  Response response_;
  int step_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace

absl::StatusOr<Positions> SendPositions(const PositionPlan& plan) {
  const auto channels = Connect(plan.driver_address, plan.connections);
  std::vector<std::unique_ptr<hail::driver::v1::DriverService::Stub>> stubs;
  for (const auto& channel : channels) stubs.push_back(hail::driver::v1::DriverService::NewStub(channel));
  std::vector<std::string> ids;
  for (int i = 0; i < plan.drivers; ++i) ids.push_back(absl::StrCat("driver-", i));
  if (plan.register_drivers) {
    if (absl::Status status = RegisterDrivers(stubs, ids); !status.ok()) return status;
  }
  Shared shared;
  shared.per_message = plan.per_message;
  {
    absl::MutexLock lock(&shared.mutex);
    shared.open = plan.drivers;
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(ids.size());
    new Sender(&shared, *stubs[i % stubs.size()], ids[i], 37.72 + 0.08 * part, -122.45);
  }
  absl::SleepFor(plan.warm_up);
  const std::int64_t before = shared.taken;
  const absl::Time from = absl::Now();
  absl::SleepFor(plan.length);
  const std::int64_t taken = shared.taken - before;
  const absl::Duration took = absl::Now() - from;
  shared.over = true;
  absl::MutexLock lock(&shared.mutex);
  const auto none = [&shared]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(shared.mutex) { return shared.open == 0; };
  shared.mutex.Await(absl::Condition(&none));
  if (shared.ended_early > 0) {
    return absl::UnavailableError(absl::StrCat(shared.ended_early, " streams ended early: ", shared.why));
  }
  return Positions{static_cast<double>(taken) / absl::ToDoubleSeconds(took)};
}

}  // namespace hail::load
