// Stored rides, and events from the bus, with any bytes in them. Each is either refused, or supports every operation on
// a ride.
#include <string>
#include <vector>

#include "rider-service/codec/record_codec.h"
#include "rider-service/codec/ride_codec.h"
#include "rider-service/domain/dispatch_scheduler.h"
#include "rider-service/domain/view.h"
#include "tests/fuzz/ride_model.h"

namespace hail::fuzz {
namespace {

using rider::Ride;

class NoOut final : public rider::DispatchScheduler::Out {
 public:
  void SendStart(const rider::DispatchScheduler::Start& start) override {
    Require(start.ride != nullptr && start.remaining > absl::ZeroDuration(), "a start has a ride and time");
  }
  void SendStop(const std::string&, std::int64_t, rider::DispatchScheduler::StopReason) override {}
  void RaiseEpoch(const std::string&, std::int64_t) override {}
  void EndUnfulfilled(const std::string&, std::int64_t) override {}
  void ExpireUnacknowledged(const std::string&, std::int64_t) override {}
  void ReadDispatchable() override {}
};

void Use(const Ride& ride, Input& commands) {
  const auto again = rider::RideFromBytes(rider::RideBytes(ride), rider::InternalsBytes(ride));
  Require(again.ok(), "a ride that was read can be stored again");
  Require(again->sequence() == ride.sequence() && again->state() == ride.state() && *again == ride,
          "a ride that was read is stored as it is");
  Require(rider::RideForRider(ride).excluded_driver_ids().empty(), "riders see no internals");
  hail::type::v1::Ride shown;
  rider::Encode(rider::RideForDriver(ride), &shown);
  Require(shown.ride_id() == ride.ride_id() && shown.rider_id().empty(), "drivers see the ride, not the rider's id");

  const rider::RideRules rules;
  Ride present = ride;
  for (int i = 0; i < 16; ++i) {
    const auto change = AnyCommand(commands, present, rules, kStart + absl::Seconds(commands.Byte()));
    if (change.ok()) present = change->ride;
  }

  NoOut out;
  rider::DispatchScheduler scheduler(&out, rules);
  scheduler.OnLease({kStart, kStart}, absl::InfiniteFuture());
  scheduler.OnDispatchable({kStart, kStart}, {ride});
  scheduler.OnLinkUp({kStart, kStart});
  scheduler.OnRide({kStart, kStart}, present);
  scheduler.OnTick({kStart + absl::Hours(1), kStart + absl::Hours(1)});
}

void Read(Input& input) {
  const int kind = input.Below(3);
  std::string commands = input.Text();
  Input rest(reinterpret_cast<const std::uint8_t*>(commands.data()), commands.size());
  if (kind == 0) {
    const std::string internals = input.Text();
    const auto ride = rider::RideFromBytes(input.Rest(), internals);
    if (ride.ok()) Use(*ride, rest);
  } else if (kind == 1) {
    const auto event = rider::EventFromBytes(input.Rest());
    if (!event.ok()) return;
    Require(rider::EventFromBytes(rider::EventBytes(*event)).ok(), "an event that was read can be stored again");
    Use(event->ride, rest);
  } else {
    const rider::ProtoEventCodec codec;
    const auto event = codec.Decode(input.Rest());
    if (!event.ok()) return;
    const auto again = codec.Decode(codec.Encode(*event));
    Require(again.ok() && again->driver_sequence == event->driver_sequence, "an event goes round the bus as it is");
    rider::EventForDriver(*event);
    rider::EventForRider(*event);
    Use(event->ride, rest);
  }
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  hail::fuzz::Read(input);
  return 0;
}
