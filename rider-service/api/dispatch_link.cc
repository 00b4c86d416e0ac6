#include "rider-service/api/dispatch_link.h"

#include <algorithm>
#include <utility>

#include "common/failpoint/failpoint.h"
#include "common/logging/log.h"
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
// What may wait for the book: about a second's worth of it.
constexpr std::size_t kMostWaiting = 20'000;

// The book wants to be looked at ten times a second of domain time's usual pace, and more often when that runs faster.
absl::Duration TickEvery(double scale) {
  return std::clamp(absl::Milliseconds(100) / std::max(1.0, scale), absl::Milliseconds(10), absl::Milliseconds(100));
}

}  // namespace

DispatchLink::DispatchLink(RideStore* store, const Clock* clock, Executor* loop, std::string incarnation_id,
                           RideRules rules)
    : store_(store),
      clock_(clock),
      loop_(loop),
      incarnation_id_(std::move(incarnation_id)),
      book_(this, rules),
      burst_(loop, [this](Request message) { stream_->Send(link_, std::move(message)); }) {}

void DispatchLink::Start(Rides* rides, const Opener& open, std::vector<Ride> dispatchable) {
  stream_ =
      open({.on_up =
                [this](std::uint64_t link) {
                  Log(LogLevel::kInfo, "dispatch_link_up", {{"link", link}});
                  Request hello;
                  hello.mutable_hello()->set_incarnation_id(incarnation_id_);
                  Encode(clock_->Read().domain, hello.mutable_hello()->mutable_domain_time());
                  link_ = link;
                  burst_.Clear();
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
  loop_->Post([this, rides, dispatchable = std::move(dispatchable)] {
    rides_ = rides;
    Run([&](const Now& now) { book_.OnDispatchable(now, dispatchable); });
  });
  loop_->Every(TickEvery(clock_->scale().scale), [this] { Run([this](const Now& now) { book_.OnTick(now); }); });
  ReadLater();
  stream_->Start();
}

void DispatchLink::Stop() {
  if (stream_ != nullptr) stream_->Stop();
}

void DispatchLink::OnCommitted(const Ride& ride, const RideEvent*) {
  Post([this, ride](const Now& now) mutable { book_.OnRide(now, std::move(ride)); });
}

bool DispatchLink::Behind() const { return loop_->depth() > kMostWaiting; }

DispatchLink::Stats DispatchLink::stats() const { return {link_up_, matching_, unseen_, loop_->depth()}; }

void DispatchLink::Post(std::function<void(const Now&)> input) {
  loop_->Post([this, input = std::move(input)] { Run(input); });
}

void DispatchLink::Run(const std::function<void(const Now&)>& input) {
  // Before Start there is nobody to command; what is heard until then is in the store, and is read from it.
  if (rides_ == nullptr) return;
  input(clock_->Read());
  link_up_ = book_.link_up();
  matching_ = book_.matching();
  unseen_ = book_.unseen();
}

void DispatchLink::OnMessage(const Now& now, const Response& message) {
  switch (message.message_case()) {
    case Response::kStarted:
      return book_.OnStarted(now, message.started().ride_id(), message.started().epoch());
    case Response::kExhausted:
      return book_.OnExhausted(now, message.exhausted().ride_id(), message.exhausted().epoch());
    case Response::kSettled:
      return book_.OnSettled(now, message.settled().ride_id(), message.settled().epoch(),
                             message.settled().driver_id());
    case Response::kWorkingSet: {
      std::vector<DispatchBook::Dispatching> set;
      for (const auto& entry : message.working_set().rides()) set.push_back({entry.ride_id(), entry.epoch()});
      return book_.OnWorkingSet(now, set);
    }
    case Response::kHeartbeat:
    case Response::MESSAGE_NOT_SET:
      return;
  }
}

void DispatchLink::ReadLater() {
  loop_->PostAfter(std::max(kReadEvery, kReadEveryPerRide * static_cast<std::int64_t>(matching_.load())), [this] {
    ReadDispatchable();
    ReadLater();
  });
}

void DispatchLink::ReadDispatchable() {
  store_->Dispatchable([this](const absl::StatusOr<std::vector<Ride>>& rides) {
    if (!rides.ok()) {
      Log(LogLevel::kWarn, "dispatchable_rides_not_read", {{"status", rides.status()}});
      return;
    }
    Post([this, rides = *rides](const Now& now) { book_.OnDispatchable(now, rides); });
  });
}

Done<Ride> DispatchLink::CommandDone(const std::string& ride_id) {
  return [this, ride_id](const absl::StatusOr<Ride>& ride) {
    if (!ride.ok()) {
      Log(LogLevel::kWarn, "dispatch_command_failed", {{"ride_id", ride_id}, {"status", ride.status()}});
    }
    Post([this, ride_id, ride](const Now& now) { book_.OnCommandDone(now, ride_id, ride); });
  };
}

void DispatchLink::SendStart(const DispatchBook::Start& start) {
  Request message;
  Encode(start, message.mutable_start());
  if (start.ride->epoch > 1) HAIL_FAILPOINT(kStartNewEpoch);
  burst_.Add(std::move(message));
}

void DispatchLink::SendStop(const std::string& ride_id, std::int64_t epoch, DispatchBook::StopReason reason) {
  Request message;
  message.mutable_stop()->set_ride_id(ride_id);
  message.mutable_stop()->set_epoch(epoch);
  message.mutable_stop()->set_reason(EncodeStopReason(reason));
  burst_.Add(std::move(message));
}

void DispatchLink::RaiseEpoch(const std::string& ride_id, std::int64_t epoch) {
  rides_->RaiseEpoch(ride_id, epoch, clock_->Read().wall + kCommandDeadline, CommandDone(ride_id));
}

void DispatchLink::EndUnfulfilled(const std::string& ride_id, std::int64_t epoch) {
  const Now now = clock_->Read();
  rides_->EndUnfulfilled(now, ride_id, epoch, now.wall + kCommandDeadline, CommandDone(ride_id));
}

void DispatchLink::GiveUpUnseen(const std::string& ride_id, std::int64_t epoch) {
  const Now now = clock_->Read();
  rides_->GiveUpUnseen(now, ride_id, epoch, now.wall + kCommandDeadline, CommandDone(ride_id));
}

}  // namespace hail::rider
