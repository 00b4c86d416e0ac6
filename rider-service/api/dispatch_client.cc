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

// Wall time. Within which a command of the book must have begun to be written; it is tried again.
constexpr absl::Duration kCommandDeadline = absl::Seconds(5);
// Wall time. How often the store is read for rides the book should know and does not; the more rides wait, the
// seldomer, for each costs some ten microseconds: in an overload there are tens of thousands, and the store has better
// to do.
constexpr absl::Duration kReadEvery = absl::Seconds(10);
constexpr absl::Duration kReadEveryPerRide = absl::Milliseconds(5);
// Wall time. How often the store is asked for rides of the dead, and for those that others took over.
constexpr absl::Duration kCheckEvery = absl::Seconds(2);
// What may wait for the book: about a second's worth of it.
constexpr std::size_t kMostWaiting = 20'000;

// The book wants to be looked at ten times a second of domain time's usual pace, and more often when that runs faster.
absl::Duration TickEvery(double scale) {
  return std::clamp(absl::Milliseconds(100) / std::max(1.0, scale), absl::Milliseconds(10), absl::Milliseconds(100));
}

}  // namespace

DispatchClient::DispatchClient(Ports ports, RideRules rules)
    : ports_(std::move(ports)),
      book_(this, rules),
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
                  Run([this](const Now& now) { book_.OnLinkUp(now); });
                },
            .on_message = [this](const Response& message) { Run([&](const Now& now) { OnMessage(now, message); }); },
            .on_down =
                [this](const absl::Status& status) {
                  Log(LogLevel::kWarn, "dispatch_link_down", {{"link", link_}, {"status", status}});
                  Run([this](const Now& now) { book_.OnLinkDown(now); });
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
      Post([this, ride = event->ride](const Now& now) { book_.OnElsewhere(now, ride); });
    });
    ports_.loop->Every(kRenewLeaseEvery, [this] { RenewLease(); });
    ports_.loop->Every(kCheckEvery, [this] { CheckOthers(); });
  }
  ports_.loop->Every(TickEvery(ports_.clock->scale().scale),
                     [this] { Run([this](const Now& now) { book_.OnTick(now); }); });
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
  Post([this, ride](const Now& now) mutable { book_.OnRide(now, std::move(ride)); });
}

void DispatchClient::OnFound(const Ride& ride) {
  Post([this, ride](const Now& now) { book_.OnDispatchable(now, {ride}); });
}

bool DispatchClient::IsOverloaded() const { return ports_.loop->depth() > kMostWaiting; }

DispatchClient::Stats DispatchClient::stats() const {
  return {leased_, leases_, link_up_, matching_, unseen_, ports_.loop->depth()};
}

void DispatchClient::Post(std::function<void(const Now&)> input) {
  ports_.loop->Post([this, input = std::move(input)] { Run(input); });
}

void DispatchClient::Run(const std::function<void(const Now&)>& input) {
  // Before Start there is nobody to command; what is heard until then is in the store, and is read from it.
  if (rides_ == nullptr) return;
  input(ports_.clock->Read());
  leased_ = book_.leased();
  leases_ = book_.leases();
  link_up_ = book_.link_up();
  matching_ = book_.matching();
  unseen_ = book_.unseen();
}

void DispatchClient::OnMessage(const Now& now, const Response& message) {
  switch (message.message_case()) {
    case Response::kStarted:
      return book_.OnStarted(now, message.started().ride_id(), message.started().epoch());
    case Response::kExhausted:
      return book_.OnExhausted(now, message.exhausted().ride_id(), message.exhausted().epoch());
    case Response::kSettled:
      return book_.OnSettled(now, message.settled().ride_id(), message.settled().epoch(),
                             message.settled().driver_id());
    case Response::kWorkingSet: {
      std::vector<DispatchScheduler::Dispatching> set;
      for (const auto& entry : message.working_set().rides()) set.push_back({entry.ride_id(), entry.epoch()});
      return book_.OnWorkingSet(now, set);
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
      [this, known = book_.RideIds(), found = Found()](const absl::StatusOr<std::vector<Ride>>& rides) {
        found(rides);
        if (!rides.ok() || known.empty()) return;
        std::set<std::string> gone(known.begin(), known.end());
        for (const Ride& ride : *rides) gone.erase(ride.ride_id());
        if (gone.empty()) return;
        Post([this, gone](const Now&) {
          for (const std::string& ride_id : gone) {
            if (book_.Has(ride_id)) ReadAgain(ride_id);
          }
        });
      });
}

void DispatchClient::ReadAgain(const std::string& ride_id) {
  ports_.store->ById(ride_id, [this](const absl::StatusOr<std::optional<Ride>>& found) {
    // One that waits is somebody else's, whom CheckOthers finds.
    if (!found.ok() || !found->has_value() || (*found)->state() == RideState::kMatching) return;
    Post([this, ride = **found](const Now& now) { book_.OnRide(now, ride); });
  });
}

void DispatchClient::RenewLease() {
  if (stopped_) return;
  if (!ports_.store->shared()) return Run([this](const Now& now) { book_.OnLease(now, absl::InfiniteFuture()); });
  // As of now: the store counts from when it hears of it, which is later.
  const absl::Time until = ports_.clock->Read().wall + kOwnLease;
  ports_.store->RenewLease(kLeaseTime, [this, until](const absl::Status& status) {
    Post([this, until, status](const Now& now) {
      if (stopped_) return;
      if (!status.ok()) return Log(LogLevel::kWarn, "lease_not_renewed", {{"status", status}});
      book_.OnLease(now, until);
    });
  });
}

void DispatchClient::CheckOthers() {
  ports_.store->Orphans([this, found = Found()](const absl::StatusOr<std::vector<Ride>>& rides) {
    if (rides.ok() && !rides->empty()) Log(LogLevel::kInfo, "orphans_found", {{"count", rides->size()}});
    found(rides);
  });
  std::vector<std::string> ride_ids = book_.RideIds();
  if (ride_ids.empty()) return;
  ports_.store->KeptElsewhere(std::move(ride_ids), [this](const absl::StatusOr<std::vector<Ride>>& rides) {
    if (!rides.ok()) return Log(LogLevel::kWarn, "keepers_not_read", {{"status", rides.status()}});
    if (rides->empty()) return;
    Post([this, rides = *rides](const Now& now) {
      for (const Ride& ride : rides) book_.OnElsewhere(now, ride);
    });
  });
}

Done<std::vector<Ride>> DispatchClient::Found() {
  return [this](const absl::StatusOr<std::vector<Ride>>& rides) {
    if (!rides.ok()) return Log(LogLevel::kWarn, "dispatchable_rides_not_read", {{"status", rides.status()}});
    if (rides->empty()) return;
    Post([this, rides = *rides](const Now& now) { book_.OnDispatchable(now, rides); });
  };
}

Done<Changed> DispatchClient::CommandDone(const std::string& ride_id) {
  return [this, ride_id](const absl::StatusOr<Changed>& done) {
    if (!done.ok()) {
      Log(LogLevel::kWarn, "dispatch_command_failed", {{"ride_id", ride_id}, {"status", done.status()}});
      return Post(
          [this, ride_id, status = done.status()](const Now& now) { book_.OnCommandDone(now, ride_id, status); });
    }
    const bool elsewhere = !done->changed && !done->keeper.empty();
    Post([this, ride_id, ride = done->ride, elsewhere](const Now& now) {
      book_.OnCommandDone(now, ride_id, ride, elsewhere);
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
