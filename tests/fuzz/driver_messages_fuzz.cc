// Any bytes as the messages that driver-service receives: from apps, and from rider-service on the link and the feed.
// They are parsed, decoded and checked; accepted messages are used and encoded again.
#include <memory>
#include <string>

#include "common/proto/time.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/codec/internal_codec.h"
#include "driver-service/codec/ride_codec.h"
#include "driver-service/domain/batch_matcher.h"
#include "driver-service/domain/dispatch.h"
#include "driver-service/domain/position_rules.h"
#include "tests/fuzz/fuzz_target.h"

namespace hail::fuzz {
namespace {

namespace dpb = hail::driver::v1;
namespace ipb = hail::internal::v1;
namespace tpb = hail::type::v1;
using hail::driver::Dispatch;

const absl::Time kReceived = absl::FromUnixSeconds(1'700'000'000);

// Encodes the core's messages, as for the wire.
class EncodingOut final : public hail::driver::Effects {
 public:
  void ToDriver(hail::driver::StreamId, const hail::driver::DriverMessage& message) override {
    dpb::StreamDriverResponse again;
    Require(again.ParseFromString(hail::driver::ToProto(message).SerializeAsString()), "a message of ours is read");
  }
  void ToLink(hail::driver::LinkId, const hail::driver::LinkMessage& message) override {
    ipb::DispatchResponse again;
    Require(again.ParseFromString(hail::driver::ToProto(message).SerializeAsString()), "a message of ours is read");
  }
  void Confirm(const hail::driver::ConfirmCall& call) override { hail::driver::ToProto(call); }
  void FindAssignment(const hail::driver::FindCall&) override {}
  void FeedSubscribe(const std::string&, std::int64_t subscription,
                     const std::optional<hail::driver::RideCursor>&) override {
    last_subscription = subscription;
  }
  void FeedUnsubscribe(const std::string&) override {}
  void OnTrip(const std::string&, std::int64_t, const hail::driver::RideRef&) override {}
  void LogOffer(const hail::driver::OfferRecord&) override {}

  std::int64_t last_subscription = 0;
};

// A core with one driver, online and near by.
struct Core {
  Core() {
    core.OnFeedUp(now);
    core.LinkUp(now, 1);
    hail::driver::Driver driver;
    driver.driver_id = "driver-1";
    driver.region_id = "san_francisco";
    driver.vehicle.seats = 4;
    driver.product_ids = {"economy"};
    const std::int64_t epoch = core.OpenStream(now, driver, hail::driver::Availability::kOnline, 1, 1, std::nullopt);
    hail::driver::Fix fix;
    fix.point = {37.7793, -122.4193};
    fix.session_epoch = epoch;
    fix.position_seq = 1;
    fix.observed = now.domain;
    index.Update("driver-1", fix);
  }
  void Pass() {
    for (int i = 0; i < 8; ++i) {
      now.wall += absl::Seconds(4);
      now.domain += absl::Seconds(4);
      core.Tick(now);
    }
    hail::driver::ToProto(core.State(now, "driver-1"));
  }

  Now now{kReceived, kReceived};
  hail::driver::LocationIndex index;
  hail::driver::StraightLineTravelTimes travel_times;
  hail::driver::BatchMatcher matcher;
  EncodingOut out;
  Dispatch core{{}, index, travel_times, matcher, [] { return std::uint64_t{7}; }, out};
};

void Profile(const std::string& bytes) {
  dpb::RegisterDriverRequest request;
  if (!request.ParseFromString(bytes)) return;
  const hail::driver::Driver driver = hail::driver::FromProto(request.driver());
  if (!CheckDriver(driver, "driver").ok()) return;
  Require(SameProfile(hail::driver::FromProto(hail::driver::ToProto(driver)), driver), "a profile is sent as it is");
}

void Update(const std::string& bytes) {
  dpb::UpdateDriverRequest request;
  if (!request.ParseFromString(bytes)) return;
  const hail::driver::Driver known{.driver_id = "driver-1",
                                   .region_id = "san_francisco",
                                   .vehicle = {.plate = "7ABC123", .seats = 4},
                                   .product_ids = {"economy"}};
  const auto updated = Updated(known, request);
  if (!updated.ok()) return;
  Require(CheckDriver(*updated, "driver").ok(), "what is stored is a profile");
  const auto again = Updated(*updated, request);
  Require(again.ok() && SameProfile(*again, *updated), "the same update changes nothing the second time");
}

void Positions(const std::string& bytes) {
  dpb::UpdateLocationRequest request;
  if (!request.ParseFromString(bytes)) return;
  hail::driver::LocationIndex index;
  for (const tpb::Position& position : request.positions()) {
    auto fix = hail::driver::FromProto(position, 1, kReceived, "positions");
    if (!fix.ok()) continue;
    Require(fix->observed <= kReceived, "no fix is in the future");
    Require(fix->observed >= kReceived - hail::driver::kMaxFixAge, "no fix is too old");
    const auto known = index.Find("driver-1");
    const bool taken = IsTaken(index.Judge("driver-1", *fix));
    const auto now_known = index.Find("driver-1");
    Require(now_known.has_value(), "the first fix is accepted");
    Require(known.has_value() || taken, "the first fix is accepted");
    if (known.has_value()) {
      Require(taken ? now_known->observed > known->observed : now_known->observed == known->observed,
              "the known position never gets older");
    }
    Require(!taken || !index.IsDoubted("driver-1"), "an accepted fix ends a doubt");
    hail::driver::RideView ride;
    const ipb::DriverLocation sent =
        hail::driver::ToProto("driver-1", ride, *fix, kReceived + absl::Seconds(3), absl::Seconds(60));
    Require(sent.position().age().seconds() >= 0 && sent.position().age().nanos() >= 0, "an age is positive");
  }
}

void Session(const std::string& bytes) {
  dpb::StreamDriverRequest request;
  if (!request.ParseFromString(bytes)) return;
  hail::driver::FromProto(request.set_availability().availability()).IgnoreError();
  if (!request.has_open()) return;
  const auto cursor = hail::driver::FromProto(request.open());
  if (!cursor.ok() || !cursor->has_value()) return;
  Require((*cursor)->sequence >= 0 && !(*cursor)->ride_id.empty(), "a cursor is somewhere");
}

void Link(const std::string& bytes) {
  ipb::DispatchRequest request;
  if (!request.ParseFromString(bytes)) return;
  Core world;
  world.core.OnFeedSnapshot(world.now, {"driver-1", world.out.last_subscription, {}, false, nullptr});
  hail::driver::FromProto(request.stop().reason());
  auto start = hail::driver::FromProto(request.start());
  if (start.ok()) {
    Require(start->epoch >= 1 && start->seats >= 1, "a start has an epoch and seats");
    world.core.Start(world.now, 1, std::make_shared<const hail::driver::DispatchStart>(*std::move(start)));
  }
  world.Pass();
}

void Feed(const std::string& bytes) {
  ipb::WatchDriversResponse response;
  if (!response.ParseFromString(bytes)) return;
  Core world;
  if (response.has_snapshot()) {
    hail::driver::FeedSnapshot snapshot = hail::driver::FromProto(response.snapshot());
    snapshot.driver_id = "driver-1";
    snapshot.subscription = world.out.last_subscription;
    world.core.OnFeedSnapshot(world.now, snapshot);
  }
  if (response.has_event()) {
    world.core.OnFeedSnapshot(world.now, {"driver-1", world.out.last_subscription, {}, false, nullptr});
    hail::driver::FeedEvent event = hail::driver::FromProto(response.event());
    event.driver_id = "driver-1";
    event.subscription = world.out.last_subscription;
    world.core.OnFeedEvent(world.now, event);
  }
  world.Pass();
}

void Length(Input& input) {
  google::protobuf::Duration proto;
  proto.set_seconds(input.Int64());
  proto.set_nanos(static_cast<std::int32_t>(input.Int64()));
  const absl::Duration length = DecodeDuration(proto);
  if (length == absl::InfiniteDuration() || length == -absl::InfiniteDuration()) return;
  Require((length < absl::ZeroDuration()) == (proto.seconds() < 0 || proto.nanos() < 0), "a length keeps its sign");
  google::protobuf::Duration again;
  Encode(length, &again);
  Require(again.seconds() == proto.seconds() && again.nanos() == proto.nanos(), "a length is sent as it is");
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  switch (input.Below(7)) {
    case 0:
      hail::fuzz::Profile(input.Rest());
      break;
    case 1:
      hail::fuzz::Positions(input.Rest());
      break;
    case 2:
      hail::fuzz::Session(input.Rest());
      break;
    case 3:
      hail::fuzz::Link(input.Rest());
      break;
    case 4:
      hail::fuzz::Feed(input.Rest());
      break;
    case 6:
      hail::fuzz::Update(input.Rest());
      break;
    default:
      hail::fuzz::Length(input);
      break;
  }
  return 0;
}
