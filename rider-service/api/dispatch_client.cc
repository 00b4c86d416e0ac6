#include "rider-service/api/dispatch_client.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "common/failpoint/failpoint.h"
#include "common/logging/log.h"
#include "common/time/lease.h"
#include "rider-service/api/api_codec.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

// Wall time. A command must begin to be written within this time; otherwise the scheduler retries it.
constexpr absl::Duration kCommandDeadline = absl::Seconds(5);
// Wall time. Interval of the reads of rides that the scheduler should know: 10 s + 5 ms per waiting ride, to bound the
// load of the store. A read costs some ten microseconds per ride, and under overload tens of thousands wait.
constexpr absl::Duration kReadEvery = absl::Seconds(10);
constexpr absl::Duration kReadEveryPerRide = absl::Milliseconds(5);
// Wall time. Interval of the queries for rides of dead owners, and for rides that other processes took over.
constexpr absl::Duration kCheckEvery = absl::Seconds(2);
// Limit of the queue of the loop: about one second of work.
constexpr std::size_t kMostWaiting = 20'000;

// The scheduler needs ten ticks per second at normal speed of domain time, and more when domain time runs faster.
absl::Duration TickEvery(double scale) {
  return std::clamp(absl::Milliseconds(100) / std::max(1.0, scale), absl::Milliseconds(10), absl::Milliseconds(100));
}

}  // namespace

DispatchClient::DispatchClient(Ports ports, RideRules rules)
    : ports_(std::move(ports)),
      scheduler_(this, rules),
      batcher_(ports_.loop, [this](Request message) { stream_->Send(link_, std::move(message)); }) {}

void DispatchClient::Start(Rides* rides, const Opener& open) {
  stream_ =
      open({.on_up =
                [this](std::uint64_t link) {
                  Log(LogLevel::kInfo, "dispatch_link_up", {{"link", link}});
                  Request hello;
                  hello.mutable_hello()->set_incarnation_id(ports_.incarnation_id);
                  Encode(ports_.clock->Read().domain, hello.mutable_hello()->mutable_domain_time());
                  link_ = link;
                  batcher_.Clear();
                  stream_->Send(link, std::move(hello));
                  Run([this](const Now& now) { scheduler_.OnLinkUp(now); });
                },
            .on_message = [this](const Response& message) { Run([&](const Now& now) { OnMessage(now, message); }); },
            .on_down =
                [this](const absl::Status& status) {
                  Log(LogLevel::kWarn, "dispatch_link_down", {{"link", link_}, {"status", status}});
                  Run([this](const Now& now) { scheduler_.OnLinkDown(now); });
                },
            .heartbeat =
                [] {
                  Request heartbeat;
                  heartbeat.mutable_heartbeat();
                  return heartbeat;
                }});
  ports_.loop->Post([this, rides] {
    rides_ = rides;
    RenewLease();
  });
  if (ports_.store->shared()) {
    from_keepers_ = ports_.bus->Subscribe(KeeperTopic(ports_.incarnation_id), [this](const BusPayload& payload) {
      const absl::StatusOr<RideEvent> event = ports_.codec->Decode(*payload);
      if (!event.ok()) return;
      Post([this, ride = event->ride](const Now& now) { scheduler_.OnElsewhere(now, ride); });
    });
    ports_.loop->Every(kRenewLeaseEvery, [this] { RenewLease(); });
    ports_.loop->Every(kCheckEvery, [this] { CheckOthers(); });
  }
  ports_.loop->Every(TickEvery(ports_.clock->scale().scale),
                     [this] { Run([this](const Now& now) { scheduler_.OnTick(now); }); });
  ReadLater();
  stream_->Start();
}

void DispatchClient::Stop(std::function<void()> done) {
  from_keepers_ = nullptr;
  if (stream_ != nullptr) stream_->Stop();
  if (!ports_.store->shared()) return done();
  ports_.loop->Post([this, done = std::move(done)] {
    stopped_ = true;
    ports_.store->RenewLease(absl::ZeroDuration(), [done](const absl::Status&) { done(); });
  });
}

void DispatchClient::OnCommitted(const Ride& ride, const RideEvent* /*event*/) {
  Post([this, ride](const Now& now) mutable { scheduler_.OnRide(now, std::move(ride)); });
}

void DispatchClient::OnFound(const Ride& ride) {
  Post([this, ride](const Now& now) { scheduler_.OnDispatchable(now, {ride}); });
}

bool DispatchClient::IsOverloaded() const { return ports_.loop->depth() > kMostWaiting; }

DispatchClient::Stats DispatchClient::stats() const {
  return {leased_, leases_, link_up_, matching_, unseen_, ports_.loop->depth()};
}

void DispatchClient::Post(std::function<void(const Now&)> input) {
  ports_.loop->Post([this, input = std::move(input)] { Run(input); });
}

void DispatchClient::Run(const std::function<void(const Now&)>& input) {
  // Before Start there is no Rides for commands; the rides of earlier inputs are in the store, and are read from it.
  if (rides_ == nullptr) return;
  input(ports_.clock->Read());
  leased_ = scheduler_.leased();
  leases_ = scheduler_.leases();
  link_up_ = scheduler_.link_up();
  matching_ = scheduler_.matching();
  unseen_ = scheduler_.unseen();
}

void DispatchClient::OnMessage(const Now& now, const Response& message) {
  switch (message.message_case()) {
    case Response::kStarted:
      return scheduler_.OnStarted(now, message.started().ride_id(), message.started().epoch());
    case Response::kExhausted:
      return scheduler_.OnExhausted(now, message.exhausted().ride_id(), message.exhausted().epoch());
    case Response::kSettled:
      return scheduler_.OnSettled(now, message.settled().ride_id(), message.settled().epoch(),
                                  message.settled().driver_id());
    case Response::kWorkingSet: {
      std::vector<DispatchScheduler::Dispatching> set;
      for (const auto& entry : message.working_set().rides()) set.push_back({entry.ride_id(), entry.epoch()});
      return scheduler_.OnWorkingSet(now, set);
    }
    case Response::kHeartbeat:
    case Response::MESSAGE_NOT_SET:
      return;
  }
}

void DispatchClient::ReadLater() {
  ports_.loop->PostAfter(std::max(kReadEvery, kReadEveryPerRide * static_cast<std::int64_t>(matching_.load())), [this] {
    ReadDispatchable();
    ReadLater();
  });
}

void DispatchClient::ReadDispatchable() {
  ports_.store->Dispatchable(
      [this, known = scheduler_.RideIds(), found = Found()](const absl::StatusOr<std::vector<Ride>>& rides) {
        found(rides);
        if (!rides.ok() || known.empty()) return;
        std::set<std::string> gone(known.begin(), known.end());
        for (const Ride& ride : *rides) gone.erase(ride.ride_id());
        if (gone.empty()) return;
        Post([this, gone](const Now&) {
          for (const std::string& ride_id : gone) {
            if (scheduler_.Has(ride_id)) ReadAgain(ride_id);
          }
        });
      });
}

void DispatchClient::ReadAgain(const std::string& ride_id) {
  ports_.store->ById(ride_id, [this](const absl::StatusOr<std::optional<Ride>>& found) {
    // A ride that still waits belongs to another process; CheckOthers finds it.
    if (!found.ok() || !found->has_value() || (*found)->state() == RideState::kMatching) return;
    Post([this, ride = **found](const Now& now) { scheduler_.OnRide(now, ride); });
  });
}

void DispatchClient::RenewLease() {
  if (stopped_) return;
  if (!ports_.store->shared()) return Run([this](const Now& now) { scheduler_.OnLease(now, absl::InfiniteFuture()); });
  // Measured from now, which is earlier than the start of the lease in the store.
  const absl::Time until = ports_.clock->Read().wall + kOwnLease;
  ports_.store->RenewLease(kLeaseTime, [this, until](const absl::Status& status) {
    Post([this, until, status](const Now& now) {
      if (stopped_) return;
      if (!status.ok()) return Log(LogLevel::kWarn, "lease_not_renewed", {{"status", status}});
      scheduler_.OnLease(now, until);
    });
  });
}

void DispatchClient::CheckOthers() {
  ports_.store->Orphans([this, found = Found()](const absl::StatusOr<std::vector<Ride>>& rides) {
    if (rides.ok() && !rides->empty()) Log(LogLevel::kInfo, "orphans_found", {{"count", rides->size()}});
    found(rides);
  });
  std::vector<std::string> ride_ids = scheduler_.RideIds();
  if (ride_ids.empty()) return;
  ports_.store->KeptElsewhere(std::move(ride_ids), [this](const absl::StatusOr<std::vector<Ride>>& rides) {
    if (!rides.ok()) return Log(LogLevel::kWarn, "keepers_not_read", {{"status", rides.status()}});
    if (rides->empty()) return;
    Post([this, rides = *rides](const Now& now) {
      for (const Ride& ride : rides) scheduler_.OnElsewhere(now, ride);
    });
  });
}

Done<std::vector<Ride>> DispatchClient::Found() {
  return [this](const absl::StatusOr<std::vector<Ride>>& rides) {
    if (!rides.ok()) return Log(LogLevel::kWarn, "dispatchable_rides_not_read", {{"status", rides.status()}});
    if (rides->empty()) return;
    Post([this, rides = *rides](const Now& now) { scheduler_.OnDispatchable(now, rides); });
  };
}

Done<Changed> DispatchClient::CommandDone(const std::string& ride_id) {
  return [this, ride_id](const absl::StatusOr<Changed>& done) {
    if (!done.ok()) {
      Log(LogLevel::kWarn, "dispatch_command_failed", {{"ride_id", ride_id}, {"status", done.status()}});
      return Post(
          [this, ride_id, status = done.status()](const Now& now) { scheduler_.OnCommandDone(now, ride_id, status); });
    }
    const bool elsewhere = !done->changed && !done->keeper.empty();
    Post([this, ride_id, ride = done->ride, elsewhere](const Now& now) {
      scheduler_.OnCommandDone(now, ride_id, ride, elsewhere);
    });
  };
}

void DispatchClient::SendStart(const DispatchScheduler::Start& start) {
  Request message;
  Encode(start, message.mutable_start());
  if (start.ride->epoch() > 1) HAIL_FAILPOINT(kStartNewEpoch);
  batcher_.Add(std::move(message));
}

void DispatchClient::SendStop(const std::string& ride_id, std::int64_t epoch, DispatchScheduler::StopReason reason) {
  Request message;
  message.mutable_stop()->set_ride_id(ride_id);
  message.mutable_stop()->set_epoch(epoch);
  message.mutable_stop()->set_reason(EncodeStopReason(reason));
  batcher_.Add(std::move(message));
}

void DispatchClient::RaiseEpoch(const std::string& ride_id, std::int64_t epoch) {
  rides_->RaiseEpoch(ride_id, epoch, ports_.clock->Read().wall + kCommandDeadline, CommandDone(ride_id));
}

void DispatchClient::EndUnfulfilled(const std::string& ride_id, std::int64_t epoch) {
  const Now now = ports_.clock->Read();
  rides_->EndUnfulfilled(now, ride_id, epoch, now.wall + kCommandDeadline, CommandDone(ride_id));
}

void DispatchClient::ExpireUnacknowledged(const std::string& ride_id, std::int64_t epoch) {
  const Now now = ports_.clock->Read();
  rides_->ExpireUnacknowledged(now, ride_id, epoch, now.wall + kCommandDeadline, CommandDone(ride_id));
}

}  // namespace hail::rider
