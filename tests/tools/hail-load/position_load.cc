#include "tests/tools/hail-load/position_load.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "tests/tools/hail-load/authorize.h"
#include "tests/tools/hail-load/connections.h"
#include "tests/tools/hail-load/pacer.h"
#include "tests/tools/hail-load/register.h"

namespace hail::load {
namespace {

using Request = hail::driver::v1::StreamDriverRequest;
using Response = hail::driver::v1::StreamDriverResponse;

// State shared by the streams.
struct Shared {
  int per_message = 1;
  bool paced = false;
  // Positions that were sent so far.
  std::atomic<std::int64_t> taken{0};
  std::atomic<bool> over{false};
  // Streams that are ready for positions.
  std::atomic<int> ready{0};
  absl::Mutex mutex;
  int ended_early ABSL_GUARDED_BY(mutex) = 0;
  // The reason of the last of them.
  std::string why ABSL_GUARDED_BY(mutex);
  int open ABSL_GUARDED_BY(mutex) = 0;
};

// A load that skips more than this share of its positions does not keep up.
constexpr double kMostSkipped = 0.02;
constexpr absl::Duration kOpening = absl::Minutes(2);

// A driver who moves a few metres with each position. Outlives its stream.
class Sender final : public grpc::ClientBidiReactor<Request, Response> {
 public:
  Sender(Shared* shared, hail::driver::v1::DriverService::Stub& stub, const std::string& driver_id, double latitude,
         double longitude)
      : shared_(shared), latitude_(latitude), longitude_(longitude) {
    message_.mutable_open()->set_driver_id(driver_id);
    AuthorizeDriver(&context_, driver_id);
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
    if (step_ == 0) {
      message_.Clear();
      message_.mutable_set_availability()->set_availability(hail::driver::v1::AVAILABILITY_ONLINE);
      message_.set_command_id("online");
      StartWrite(&message_);
    } else if (shared_->paced) {
      idle_ = true;
      // Close may have been called just before.
      if (shared_->over) Close();
    } else {
      WritePositions();
    }
    if (++step_ == 2) ++shared_->ready;
  }

  // In paced mode. Returns whether the stream was free.
  bool SendNow() {
    if (!idle_.exchange(false)) return false;
    WritePositions();
    return true;
  }
  // In paced mode, after the run.
  void Close() {
    if (idle_.exchange(false)) End();
  }

  void OnDone(const grpc::Status& status) override {
    absl::MutexLock lock(&shared_->mutex);
    --shared_->open;
    if (shared_->over) return;
    ++shared_->ended_early;
    shared_->why = status.error_message();
  }

 private:
  void WritePositions() {
    message_.Clear();
    for (int i = 0; i < shared_->per_message; ++i) {
      auto& position = *message_.mutable_location()->add_positions();
      // To and fro along one street.
      ++sequence_;
      position.mutable_location()->set_latitude_deg(latitude_ + 1e-5 * static_cast<double>(sequence_ % 64));
      position.mutable_location()->set_longitude_deg(longitude_);
      position.set_speed_mps(8);
      position.set_heading_deg(90);
      position.set_position_seq(sequence_);
    }
    StartWrite(&message_);
  }
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
  // In paced mode: no write is in progress.
  std::atomic<bool> idle_{false};
};

double CpuUs(const std::optional<WatchedProcess>& process) {
  return process ? absl::ToDoubleMicroseconds(CpuTime(process->pid)) : 0;
}
double RssKib(const std::optional<WatchedProcess>& process) { return process ? 1024 * RssMib(process->pid) : 0; }

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
  shared.paced = plan.rate.has_value();
  {
    absl::MutexLock lock(&shared.mutex);
    shared.open = plan.drivers;
  }
  const double rss_before = RssKib(plan.server);
  std::vector<std::unique_ptr<Sender>> senders;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(ids.size());
    senders.push_back(
        std::make_unique<Sender>(&shared, *stubs[i % stubs.size()], ids[i], 37.72 + 0.08 * part, -122.45));
  }
  const absl::Time give_up = absl::Now() + kOpening;
  while (shared.ready < plan.drivers && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(20));
  absl::FPrintF(stderr, "%d drivers online\n", shared.ready.load());
  Positions positions;
  std::int64_t skipped = 0;
  std::int64_t number = 0;
  const auto send_for = [&](absl::Duration length) {
    if (!plan.rate) return absl::SleepFor(length);
    SendPaced(absl::Now(), *plan.rate / plan.per_message, length, [&](absl::Time) {
      if (!senders[static_cast<std::size_t>(number++) % senders.size()]->SendNow()) ++skipped;
    });
  };
  send_for(plan.warm_up);
  positions.kib_per_stream = (RssKib(plan.server) - rss_before) / plan.drivers;
  skipped = 0;
  const std::int64_t sent_before = number;
  const std::int64_t before = shared.taken;
  const double cpu_before = CpuUs(plan.server);
  const absl::Time from = absl::Now();
  send_for(plan.length);
  const std::int64_t taken = shared.taken - before;
  const absl::Duration took = absl::Now() - from;
  positions.per_second = static_cast<double>(taken) / absl::ToDoubleSeconds(took);
  positions.cpu_us_per_position =
      (CpuUs(plan.server) - cpu_before) / static_cast<double>(std::max<std::int64_t>(1, taken));
  const bool behind = static_cast<double>(skipped) > kMostSkipped * static_cast<double>(number - sent_before);
  shared.over = true;
  for (const auto& sender : senders) sender->Close();
  absl::MutexLock lock(&shared.mutex);
  const auto none = [&shared]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(shared.mutex) { return shared.open == 0; };
  shared.mutex.Await(absl::Condition(&none));
  if (shared.ended_early > 0) {
    return absl::UnavailableError(absl::StrCat(shared.ended_early, " streams ended early: ", shared.why));
  }
  if (behind) return absl::UnavailableError(absl::StrCat(skipped, " positions found the one before them unsent"));
  return positions;
}

}  // namespace hail::load
