// Any bytes as messages on the bus between replicas of driver-service. A decoded message can be encoded and decoded
// unchanged, and a core accepts it, whatever it contains; the core's own messages can be decoded. Requests and replies
// with any headers are answered on valid topics, or not at all.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/bus/request_reply.h"
#include "common/errors/error.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/codec/internal_codec.h"
#include "driver-service/codec/replica_codec.h"
#include "driver-service/domain/batch_matcher.h"
#include "driver-service/domain/dispatch.h"
#include "driver-service/domain/position_rules.h"
#include "tests/fuzz/fuzz_target.h"

namespace hail::fuzz {
namespace {

using driver::Dispatch;
using driver::ReplicaMessage;

const absl::Time kReceived = absl::FromUnixSeconds(1'700'000'000);
constexpr LatLng kPickup = {37.7793, -122.4193};
constexpr char kHere[] = "here";

// Decodes the message as another replica does.
std::pair<std::string, ReplicaMessage> Decoded(const std::string& from, const ReplicaMessage& message) {
  auto decoded = driver::ReplicaMessageFromBytes(ReplicaBytes(from, message, kReceived), kReceived);
  Require(decoded.ok(), "an encoded message can be decoded", std::string(decoded.status().message()));
  return *std::move(decoded);
}

// A decoded message always encodes to the same bytes.
void GoRound(const std::string& from, const ReplicaMessage& message) {
  const auto again = Decoded(from, message);
  Require(again.first == from && again.second.index() == message.index(),
          "a decoded message keeps its sender and kind");
  Require(ReplicaBytes(again.first, again.second, kReceived) == ReplicaBytes(from, message, kReceived),
          "a decoded message encodes to the same bytes");
}

class Out final : public driver::Effects {
 public:
  void ToDriver(driver::StreamId, const driver::DriverMessage& message) override {
    if (const auto* offer = std::get_if<driver::OfferView>(&message)) last_offer = offer->offer_id;
    driver::ToProto(message);
  }
  void ToLink(driver::LinkId, const driver::LinkMessage& message) override { driver::ToProto(message); }
  void Confirm(const driver::ConfirmCall& call) override {
    driver::ToProto(call);
    confirms.push_back(call);
  }
  void FindAssignment(const driver::FindCall&) override {}
  void FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                     const std::optional<driver::RideCursor>&) override {
    subscriptions.emplace_back(driver_id, subscription);
  }
  void FeedUnsubscribe(const std::string&) override {}
  void OnTrip(const std::string&, std::int64_t, const driver::RideRef&) override {}
  void LogOffer(const driver::OfferRecord&) override {}
  void ToReplica(const std::string& replica, const ReplicaMessage& message) override {
    Require(replica != kHere, "no replica sends to itself");
    Decoded(kHere, message);
    if (const auto* ask = std::get_if<driver::RemoteOfferRequest>(&message)) {
      last_asked = ask->offer_id;
      last_owner = replica;
    }
  }
  void ToReplicas(const ReplicaMessage& message) override { Decoded(kHere, message); }

  std::string last_offer;
  std::string last_asked;
  std::string last_owner;
  std::vector<driver::ConfirmCall> confirms;
  std::vector<std::pair<std::string, std::int64_t>> subscriptions;
};

// A core with its own driver, who can get an offer, and with a ride that waits for a driver.
class World {
 public:
  World() {
    core_.OnFeedUp(now_);
    core_.LinkUp(now_, 1);
    driver::Driver dora;
    dora.driver_id = "d1";
    dora.region_id = "sf";
    dora.vehicle.seats = 4;
    dora.product_ids = {"economy"};
    core_.OpenStream(now_, dora, driver::Availability::kOnline, 7, 1, std::nullopt);
    AnswerFeed();
    index_.Update("d1", {.point = kPickup, .session_epoch = 7, .position_seq = 1, .observed = now_.domain});
  }

  void Step(Input& input) {
    switch (input.Below(8)) {
      case 0:
        Pass(absl::Milliseconds(100) * (1 + input.Byte()));
        break;
      case 1:
        Start(1 + input.Below(4));
        break;
      case 2:
        core_.Respond(now_, "d1", out_.last_offer, input.Coin(), [](const driver::RespondResult&) {});
        break;
      case 3:
        core_.OfferReceived(now_, "d1", out_.last_offer);
        break;
      case 4:
        AnswerConfirm(input.Coin());
        break;
      default:
        Receive(input.Text());
    }
    AnswerFeed();
  }

  // All offers end, whatever messages came before.
  void CalmDown() {
    for (int i = 0; i < 60; ++i) {
      Pass(absl::Seconds(2));
      while (!out_.confirms.empty()) AnswerConfirm(false);
      AnswerFeed();
    }
    const driver::DispatchCounts counts = core_.Counts(now_);
    Require(counts.offers_pending == 0 && counts.offers_confirming == 0, "no offer lives for ever");
  }

 private:
  void Receive(const std::string& bytes) {
    auto decoded = driver::ReplicaMessageFromBytes(bytes, now_.domain);
    if (!decoded.ok()) return;
    auto& [from, message] = *decoded;
    GoRound(from, message);
    // Replace ids that the input cannot know.
    if (auto* status = std::get_if<driver::RemoteOfferStatus>(&message);
        status != nullptr && status->offer_id == "asked" && !out_.last_asked.empty()) {
      status->offer_id = out_.last_asked;
    }
    if (auto* ask = std::get_if<driver::RemoteOfferRequest>(&message); ask != nullptr && ask->offer_id == "offered") {
      ask->offer_id = out_.last_offer.empty() ? "first" : out_.last_offer;
    }
    core_.OnReplicaMessage(now_, from == "owner" && !out_.last_owner.empty() ? out_.last_owner : from, message);
  }

  void Start(std::int64_t epoch) {
    auto start = std::make_shared<driver::DispatchStart>();
    start->ride_id = "r1";
    start->epoch = epoch;
    start->region_id = "sf";
    start->product_id = "economy";
    start->pickup = kPickup;
    start->remaining = absl::Seconds(60);
    // As if it had come on the link: the core announces it to other replicas.
    start->encoded = std::make_shared<const std::string>(Encoded(*start));
    core_.Start(now_, 1, std::move(start));
  }

  static std::string Encoded(const driver::DispatchStart& start) {
    internal::v1::StartDispatch proto;
    proto.set_ride_id(start.ride_id);
    proto.set_epoch(start.epoch);
    proto.set_region_id(start.region_id);
    proto.set_product_id(start.product_id);
    proto.set_seats(1);
    proto.mutable_pickup()->mutable_position()->set_latitude_deg(start.pickup.latitude_deg);
    proto.mutable_pickup()->mutable_position()->set_longitude_deg(start.pickup.longitude_deg);
    proto.mutable_remaining()->set_seconds(60);
    proto.mutable_offer_time()->set_seconds(15);
    return proto.SerializeAsString();
  }

  void AnswerConfirm(bool theirs) {
    if (out_.confirms.empty()) return;
    const driver::ConfirmCall call = out_.confirms.back();
    out_.confirms.pop_back();
    if (!theirs) {
      return core_.OnConfirmed(now_, call.offer_id, call.attempt,
                               FailedPrecondition(Reason::kStaleEpoch, "another epoch"));
    }
    driver::RideView ride;
    ride.ride_id = call.ride_id;
    ride.sequence = 2;
    ride.epoch = call.epoch;
    ride.offer_id = call.offer_id;
    ride.live = true;
    core_.OnConfirmed(now_, call.offer_id, call.attempt, std::move(ride));
  }

  void AnswerFeed() {
    for (const auto& [driver_id, subscription] : std::exchange(out_.subscriptions, {})) {
      core_.OnFeedSnapshot(now_, {driver_id, subscription, {}, false, nullptr});
    }
  }

  void Pass(absl::Duration time) {
    now_.wall += time;
    now_.domain += time;
    core_.Tick(now_);
    driver::ToProto(core_.State(now_, "d1"));
  }

  static driver::DispatchOptions Options() {
    driver::DispatchOptions options;
    options.replica = kHere;
    return options;
  }

  Now now_{kReceived, kReceived};
  driver::LocationIndex index_;
  driver::StraightLineTravelTimes travel_times_;
  driver::BatchMatcher matcher_;
  Out out_;
  std::uint64_t random_ = 0;
  Dispatch core_{Options(), index_, travel_times_, matcher_, [this] { return ++random_; }, out_};
};

// One message of any length.
void One(const std::string& bytes) {
  const auto decoded = driver::ReplicaMessageFromBytes(bytes, kReceived);
  if (!decoded.ok()) return;
  GoRound(decoded->first, decoded->second);
  if (const auto* presences = std::get_if<driver::Presences>(&decoded->second)) {
    for (const driver::DriverPresence& presence : presences->drivers) {
      if (!presence.fix.has_value()) continue;
      Require(presence.fix->observed <= kReceived, "no fix is in the future");
      Require(presence.fix->observed >= kReceived - driver::kMaxFixAge, "no fix is too old");
    }
  }
}

// A bus that delivers every message and checks the topics.
class StrictBus final : public Bus {
 public:
  void Publish(std::string_view topic, BusPayload payload) override {
    Require(!topic.empty(), "a topic has words");
    for (const char c : topic) {
      Require((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                  c == '%' || c == '.',
              "a topic's words are words", std::string(topic));
    }
    local_->Publish(topic, std::move(payload));
  }
  std::unique_ptr<Subscription> Subscribe(std::string topic,
                                          std::function<void(const BusPayload&)> on_message) override {
    return local_->Subscribe(std::move(topic), std::move(on_message));
  }

 private:
  const std::unique_ptr<Bus> local_ = MakeLocalBus();
};

// No time-out occurs here.
class NoTimers final : public Executor {
 public:
  bool Post(std::function<void()>) override { return true; }
  bool PostAfter(absl::Duration, std::function<void()>) override { return true; }
  void Every(absl::Duration, std::function<void()>) override {}
  std::size_t depth() const override { return 0; }
};

void Requests(Input& input) {
  StrictBus bus;
  NoTimers timers;
  int answered = 0;
  const RequestServer answerer(&bus, "answerer", [](std::string_view request, const RequestServer::Reply& reply) {
    if (!request.empty()) reply(request);
  });
  RequestClient asker(&bus, &timers, "asker");
  // No server answers this request; only the input may contain a reply.
  const auto silent = bus.Subscribe("ask.silent", [](const BusPayload&) {});
  asker.Ask("silent", "request", absl::Seconds(1), [&](const absl::StatusOr<std::string>& answer) {
    Require(answer.ok() && ++answered == 1, "a request is answered once");
  });
  const bool request = input.Coin();
  bus.Publish(request ? "ask.answerer" : "reply.asker", std::make_shared<const std::string>(input.Rest()));

  std::string got;
  const std::string sent("any\0thing\n", 10);
  asker.Ask("answerer", sent, absl::Seconds(1),
            [&](const absl::StatusOr<std::string>& answer) { got = answer.ok() ? *answer : ""; });
  Require(got == sent, "other requests are answered as before");
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  switch (input.Below(3)) {
    case 0:
      hail::fuzz::One(input.Rest());
      break;
    case 1:
      hail::fuzz::Requests(input);
      break;
    default: {
      hail::fuzz::World world;
      while (!input.empty()) world.Step(input);
      world.CalmDown();
    }
  }
  return 0;
}
