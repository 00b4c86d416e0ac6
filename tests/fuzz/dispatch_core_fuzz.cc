// driver-service's dispatch core, driven by bytes: apps that open and close streams and give any answer to any offer,
// links and a feed that come and go, a rider-service that answers anything at any time. Without a model of the right
// behaviour; the rules are checked at each message and after each step (promises 1, 5, 6, 7 of README.md).
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/errors/error.h"
#include "common/geo/lat_lng.h"
#include "driver-service/domain/batch_matcher.h"
#include "driver-service/domain/dispatch.h"
#include "tests/fuzz/fuzz_target.h"

namespace hail::fuzz {
namespace {

using namespace hail::driver;  // NOLINT: this target uses no other namespace.

constexpr int kDrivers = 4;
constexpr int kRides = 4;
constexpr int kLinks = 3;
const LatLng kPickup{37.7793, -122.4193};

std::string DriverName(int number) { return "driver-" + std::to_string(number); }
std::string RideName(int number) { return "ride-" + std::to_string(number); }

class World final : public Effects {
 public:
  World()
      : core_(
            {}, index_, travel_times_, matcher_, [this] { return ++random_; }, *this) {}

  void Step(Input& input) {
    const std::string driver_id = DriverName(input.Below(kDrivers));
    const int action = input.Below(20);
    switch (action) {
      case 0:
        Open(input, driver_id);
        break;
      case 1: {
        // The present stream, or an earlier one.
        const StreamId stream = input.Coin() ? StreamOf(driver_id) : static_cast<StreamId>(input.Below(8)) + 1;
        if (stream == StreamOf(driver_id)) streams_.erase(driver_id);
        core_.CloseStream(now_, driver_id, stream);
        break;
      }
      case 2:
        if (!core_.Contact(now_, driver_id)) {
          core_.OpenUnary(now_, MakeDriver(driver_id), Wish(input, driver_id), ++claims_);
        }
        break;
      case 3:
        core_.Learn(now_, MakeDriver(driver_id), Wish(input, driver_id));
        break;
      case 4:
        core_.OfferReceived(now_, driver_id, AnyOffer(input));
        break;
      case 5:
      case 6:
        Respond(input, driver_id);
        break;
      case 7: {
        const LinkId link = input.Below(kLinks) + 1;
        links_.insert(link);
        core_.LinkUp(now_, link);
        break;
      }
      case 8: {
        const LinkId link = input.Below(kLinks) + 1;
        links_.erase(link);
        core_.LinkDown(now_, link);
        break;
      }
      case 9:
      case 10:
        Start(input);
        break;
      case 11:
        core_.Stop(now_, input.Below(kLinks) + 1, RideName(input.Below(kRides)), input.Below(6),
                   static_cast<StopReason>(input.Below(3)));
        break;
      case 12:
      case 13:
        AnswerConfirm(input);
        break;
      case 14:
        AnswerFind(input);
        break;
      case 15:
        if (input.Coin()) {
          feed_up_ = true;
          core_.OnFeedUp(now_);
        } else {
          feed_up_ = false;
          synced_.clear();
          subscriptions_.clear();
          core_.OnFeedDown(now_);
        }
        break;
      case 16:
        Snapshot(input, driver_id);
        break;
      case 17:
        Event(input, driver_id);
        break;
      case 18:
        Move(input, driver_id);
        break;
      default: {
        const absl::Duration step = absl::Milliseconds(100) * (1 + input.Below(64));
        now_.wall += step;
        // Domain time runs as fast as wall time, or faster, or stands still.
        now_.domain += step * input.Below(4);
        core_.Tick(now_);
      }
    }
    CheckAll();
  }

  // Ends all activity: every pending call is answered once rider-service answers.
  void CalmDown() {
    for (int i = 0; i < 400 && (!confirms_.empty() || !finds_.empty() || i < 20); ++i) {
      now_.wall += absl::Milliseconds(500);
      now_.domain += absl::Milliseconds(500);
      core_.Tick(now_);
      while (!finds_.empty()) {
        const FindCall call = finds_.back();
        finds_.pop_back();
        core_.OnFound(now_, call.find, NotFound(Reason::kRideNotFound, "no such ride"));
      }
      for (const ConfirmCall& call : std::exchange(confirms_, {})) {
        core_.OnConfirmed(now_, call.offer_id, call.attempt, FailedPrecondition(Reason::kStaleEpoch, "another epoch"));
      }
      CheckAll();
    }
    Require(core_.Counts(now_).offers_confirming == 0, "no confirmation lasts for ever");
    for (const auto& [answer, times] : answers_) Require(times == 1, "each answer is answered", std::to_string(answer));
  }

 private:
  struct Known {
    std::string driver_id;
    std::string ride_id;
    std::int64_t epoch = 0;
    // Domain time.
    absl::Time expires;
    OfferStatus status = OfferStatus::kPending;
    bool logged = false;
    bool accepted_in_time = false;
    // rider-service reported, by reply or feed, that the ride is the driver's by this offer.
    bool theirs = false;
    int attempts = 0;
  };

  static Driver MakeDriver(const std::string& id) {
    return {.driver_id = id,
            .display_name = "Dora",
            .region_id = "sf",
            .vehicle = {.plate = "7ABC123", .seats = 4},
            .product_ids = {"economy"}};
  }

  Availability Wish(Input& input, const std::string& driver_id) {
    const Availability desired = input.Below(4) == 0 ? Availability::kOffline : Availability::kOnline;
    if (desired == Availability::kOnline) ever_online_.insert(driver_id);
    return desired;
  }

  StreamId StreamOf(const std::string& driver_id) const {
    const auto stream = streams_.find(driver_id);
    return stream == streams_.end() ? 0 : stream->second;
  }

  void Open(Input& input, const std::string& driver_id) {
    std::optional<RideCursor> cursor;
    if (input.Below(3) == 0) cursor = RideCursor{RideName(input.Below(kRides)), input.Int64()};
    const StreamId stream = ++last_stream_;
    const Availability desired = Wish(input, driver_id);
    replaced_ = StreamOf(driver_id);
    streams_[driver_id] = stream;
    sent_.erase(driver_id);
    const std::int64_t epoch = core_.OpenStream(now_, MakeDriver(driver_id), desired, ++claims_, stream, cursor);
    Require(replaced_ == 0, "the older stream gets replaced");
    Require(epoch > last_epoch_, "a session's epoch rises");
    last_epoch_ = epoch;
  }

  // An offer of this driver, of another driver, or an unknown one.
  std::string AnyOffer(Input& input) {
    const int choice = input.Below(16);
    if (choice == 0 || offers_.empty()) return "offer-unheard-of-" + std::to_string(choice);
    auto offer = offers_.end();
    // The latest offers are the live ones.
    for (int i = 1 + choice % 4; i > 0 && offer != offers_.begin(); --i) --offer;
    return offer->first;
  }

  void Respond(Input& input, const std::string& driver_id) {
    const std::string offer_id = AnyOffer(input);
    const bool accept = input.Below(4) != 0;
    const auto offer = offers_.find(offer_id);
    if (offer != offers_.end() && offer->second.driver_id == driver_id && accept &&
        now_.domain < offer->second.expires) {
      offer->second.accepted_in_time = true;
    }
    const int answer = static_cast<int>(answers_.size());
    answers_[answer] = 0;
    core_.Respond(now_, driver_id, offer_id, accept, [this, answer, driver_id, offer_id, accept](RespondResult result) {
      Require(++answers_[answer] == 1, "an answer is answered once");
      if (!result.status.ok()) {
        Require(DetailsOf(result.status).has_value(), "a refusal has a reason");
        return;
      }
      const auto found = offers_.find(offer_id);
      if (result.offer.status == OfferStatus::kAccepted) {
        const bool known = found != offers_.end() && found->second.theirs && found->second.driver_id == driver_id;
        Require(known || found_.contains(offer_id), "an accept gets only the driver's own ride", offer_id);
      } else {
        Require(!accept && result.offer.status == OfferStatus::kDeclined, "an accept that is OK is won");
      }
    });
  }

  void Start(Input& input) {
    auto start = std::make_shared<DispatchStart>();
    start->ride_id = RideName(input.Below(kRides));
    start->epoch = 1 + input.Below(5);
    start->region_id = "sf";
    start->product_id = "economy";
    start->seats = 1 + input.Below(5);
    start->pickup = Toward(kPickup, input.Below(256), input.Below(256) * 20);
    start->remaining = absl::Seconds(input.Below(128) - 4);
    const int excluded = input.Below(8);
    if (excluded < kDrivers) start->excluded_driver_ids.push_back(DriverName(excluded));
    const LinkId link = input.Below(kLinks) + 1;
    if (links_.contains(link)) {
      absl::Time& deadline = deadlines_[{start->ride_id, start->epoch}];
      deadline = std::max(deadline, now_.domain + start->remaining);
    }
    core_.Start(now_, link, std::move(start));
  }

  void AnswerConfirm(Input& input) {
    if (past_confirms_.empty()) return;
    // A pending confirmation, or one that was answered before or given up.
    ConfirmCall call;
    if (!confirms_.empty() && input.Below(4) != 0) {
      const auto at = confirms_.begin() + input.Below(static_cast<int>(std::min<std::size_t>(confirms_.size(), 256)));
      call = *at;
      confirms_.erase(at);
    } else {
      const std::size_t back = static_cast<std::size_t>(input.Below(8)) % past_confirms_.size();
      call = past_confirms_[past_confirms_.size() - 1 - back];
      call.attempt += input.Below(3) - 1;
      std::erase_if(confirms_, [&](const ConfirmCall& other) {
        return other.offer_id == call.offer_id && other.attempt == call.attempt;
      });
    }
    absl::StatusOr<RideView> result = absl::UnavailableError("connection reset");
    switch (input.Below(8)) {
      case 0:
      case 1: {
        RideView ride = View(input, call.ride_id);
        ride.epoch = call.epoch;
        ride.offer_id = call.offer_id;
        ride.live = input.Below(4) != 0;
        offers_.at(call.offer_id).theirs = true;
        result = std::move(ride);
        break;
      }
      case 2: {
        // The ride may belong to another driver by now.
        RideView ride = View(input, call.ride_id);
        ride.offer_id = AnyOffer(input);
        offers_.at(call.offer_id).theirs = true;
        result = std::move(ride);
        break;
      }
      case 3:
        result = FailedPrecondition(Reason::kStaleEpoch, "another epoch", {{"state", input.Text()}});
        break;
      case 4:
        result = FailedPrecondition(Reason::kDriverBusy, "busy");
        break;
      case 5:
        result = FailedPrecondition(Reason::kRideNotMatching, "taken", {{"state", "CANCELED"}});
        break;
      case 6:
        result = InvalidField("offer_id", "none");
        break;
      default:
        break;
    }
    core_.OnConfirmed(now_, call.offer_id, call.attempt, std::move(result));
  }

  void AnswerFind(Input& input) {
    const bool known = !finds_.empty() && input.Below(4) != 0;
    FindCall call{input.Below(8), "", ""};
    if (known) {
      call = finds_.back();
      finds_.pop_back();
    }
    absl::StatusOr<RideView> result = absl::UnavailableError("connection reset");
    const int how = input.Below(3);
    if (how == 0 && known) {
      RideView ride = View(input, RideName(input.Below(kRides)));
      ride.offer_id = call.offer_id;
      found_.insert(call.offer_id);
      result = std::move(ride);
    } else if (how == 1) {
      result = NotFound(Reason::kRideNotFound, "no such ride");
    }
    std::erase_if(finds_, [&](const FindCall& other) { return other.find == call.find; });
    core_.OnFound(now_, call.find, std::move(result));
  }

  RideView View(Input& input, const std::string& ride_id) const {
    RideView ride;
    ride.ride_id = ride_id;
    ride.sequence = input.Below(16);
    ride.epoch = input.Below(6);
    ride.live = input.Coin();
    ride.leg = input.Below(2);
    return ride;
  }

  // A ride as the feed shows it to `driver_id`, with any driver's offer.
  RideRef FeedRide(Input& input, const std::string& driver_id) {
    RideView ride = View(input, RideName(input.Below(kRides)));
    if (input.Below(3) != 0) ride.offer_id = AnyOffer(input);
    const auto offer = offers_.find(ride.offer_id);
    if (offer != offers_.end() && offer->second.driver_id == driver_id) offer->second.theirs = true;
    return std::make_shared<const RideView>(std::move(ride));
  }

  std::int64_t AnySubscription(Input& input, const std::string& driver_id) const {
    const auto subscription = subscriptions_.find(driver_id);
    return (subscription == subscriptions_.end() ? 1 : subscription->second) - (input.Below(8) == 0 ? 1 : 0);
  }

  void Snapshot(Input& input, const std::string& driver_id) {
    FeedSnapshot snapshot;
    snapshot.driver_id = driver_id;
    snapshot.subscription = AnySubscription(input, driver_id);
    for (int i = input.Below(4); i > 1; --i) snapshot.missed.push_back({FeedRide(input, driver_id), nullptr});
    snapshot.reset = input.Below(8) == 0;
    if (input.Below(3) == 0) snapshot.ride = FeedRide(input, driver_id);
    // A subscription that the core renews by itself does not get a second catch-up.
    const auto subscription = subscriptions_.find(driver_id);
    if (subscription != subscriptions_.end() && subscription->second == snapshot.subscription) {
      synced_.insert(driver_id);
      if (snapshot.reset) sent_.erase(driver_id);
    }
    core_.OnFeedSnapshot(now_, snapshot);
  }

  void Event(Input& input, const std::string& driver_id) {
    FeedEvent event;
    event.driver_id = driver_id;
    event.subscription = AnySubscription(input, driver_id);
    event.event.ride = FeedRide(input, driver_id);
    event.ended = input.Below(3) == 0;
    core_.OnFeedEvent(now_, event);
  }

  void Move(Input& input, const std::string& driver_id) {
    index_.Update(driver_id, {.point = Toward(kPickup, input.Below(256), input.Below(256) * 20),
                              .session_epoch = core_.State(now_, driver_id).session_epoch,
                              .position_seq = ++position_seq_,
                              .observed = now_.domain - absl::Seconds(input.Below(4) == 0 ? 60 : 0)});
  }

  // ---- Effects

  void ToDriver(StreamId stream, const DriverMessage& message) override {
    if (std::holds_alternative<Replaced>(message)) {
      Require(stream == replaced_, "only the older stream gets replaced");
      replaced_ = 0;
      return;
    }
    const auto open =
        std::find_if(streams_.begin(), streams_.end(), [&](const auto& entry) { return entry.second == stream; });
    Require(open != streams_.end(), "nothing is sent to a stream that is gone");
    const std::string& driver_id = open->first;
    if (const auto* offer = std::get_if<OfferView>(&message)) {
      MadeOffer(driver_id, *offer);
    } else if (const auto* update = std::get_if<OfferUpdate>(&message)) {
      Require(offers_.contains(update->offer_id) && offers_.at(update->offer_id).driver_id == driver_id,
              "a driver gets updates of their own offers only");
      Become(update->offer_id, update->status);
    } else if (const auto* event = std::get_if<RideEventView>(&message)) {
      const auto [sent, first] = sent_[driver_id].try_emplace(event->ride->ride_id, event->ride->sequence);
      Require(first || event->ride->sequence > sent->second, "events come in order and once");
      sent->second = event->ride->sequence;
    }
  }

  // An offer shown on the stream, or, to a driver without a stream, in the driver's state after the step.
  void MadeOffer(const std::string& driver_id, const OfferView& view) {
    const auto [offer, is_new] = offers_.try_emplace(view.offer_id);
    Known& known = offer->second;
    if (!is_new) {
      Require(known.driver_id == driver_id && known.ride_id == view.start->ride_id, "an offer stays the same offer");
      Become(view.offer_id, view.status);
      return;
    }
    known.driver_id = driver_id;
    known.ride_id = view.start->ride_id;
    known.epoch = view.start->epoch;
    known.expires = now_.domain + view.remaining;
    Require(view.status == OfferStatus::kPending && view.remaining > absl::ZeroDuration(), "an offer begins pending");
    Require(synced_.contains(driver_id) && feed_up_, "no offer without the feed", driver_id);
    Require(ever_online_.contains(driver_id), "no offer to a driver who was never online");
    const auto deadline = deadlines_.find({known.ride_id, known.epoch});
    Require(deadline != deadlines_.end() && now_.domain < deadline->second, "no offer after the deadline");
    const auto& excluded = view.start->excluded_driver_ids;
    Require(std::find(excluded.begin(), excluded.end(), driver_id) == excluded.end(), "no offer to an excluded driver");
    for (const auto& [id, other] : offers_) {
      if (id == view.offer_id || !IsLive(other.status)) continue;
      Require(other.driver_id != driver_id, "one live offer of a driver");
      Require(other.ride_id != known.ride_id, "one live offer of a ride");
    }
  }

  void Become(const std::string& offer_id, OfferStatus status) {
    Known& known = offers_.at(offer_id);
    if (status == known.status) return;
    Require(IsLive(known.status), "a settled offer stays settled", offer_id);
    Require(
        known.status != OfferStatus::kConfirming || status == OfferStatus::kAccepted || status == OfferStatus::kRevoked,
        "an offer in confirmation is won or lost", offer_id);
    if (status == OfferStatus::kConfirming) Require(known.accepted_in_time, "an offer that is over cannot be accepted");
    if (status == OfferStatus::kAccepted) Require(known.theirs, "rider-service decides that an offer is won", offer_id);
    known.status = status;
  }

  void ToLink(LinkId link, const LinkMessage&) override {
    Require(links_.contains(link), "nothing is sent to a link that is down");
  }

  void Confirm(const ConfirmCall& call) override {
    const auto offer = offers_.find(call.offer_id);
    Require(offer != offers_.end() && offer->second.driver_id == call.driver.driver_id, "a confirmation has its offer");
    Known& known = offer->second;
    Require(known.ride_id == call.ride_id && known.epoch == call.epoch,
            "a confirmation has the offer's ride and epoch");
    Require(known.accepted_in_time, "only an offer accepted in time is confirmed");
    Require(!known.logged, "a settled offer is not confirmed");
    Require(call.attempt == ++known.attempts, "attempts count up");
    for (const ConfirmCall& other : confirms_) {
      if (other.offer_id == call.offer_id) Require(false, "one attempt at a time", call.offer_id);
      const Known& waits = offers_.at(other.offer_id);
      // The feed may have settled an offer already; the answer to its confirmation no longer matters.
      if (waits.driver_id == known.driver_id) Require(waits.logged, "one confirmation of a driver", known.driver_id);
    }
    confirms_.push_back(call);
    past_confirms_.push_back(call);
  }

  void FindAssignment(const FindCall& call) override {
    Require(!offers_.contains(call.offer_id) || offers_.at(call.offer_id).logged, "a known offer is not looked up");
    finds_.push_back(call);
  }
  void FeedSubscribe(const std::string& driver_id, std::int64_t subscription,
                     const std::optional<RideCursor>&) override {
    Require(feed_up_, "subscribe only to a feed that is up");
    Require(subscription > last_subscription_, "subscriptions count up");
    last_subscription_ = subscription;
    subscriptions_[driver_id] = subscription;
    synced_.erase(driver_id);
  }
  void FeedUnsubscribe(const std::string& driver_id) override {
    Require(feed_up_, "unsubscribe only from a feed that is up");
    subscriptions_.erase(driver_id);
    synced_.erase(driver_id);
  }
  void OnTrip(const std::string&, std::int64_t, const RideRef&) override {}
  void LogOffer(const OfferRecord& record) override {
    Require(!IsLive(record.outcome), "a logged offer has settled");
    const auto [offer, is_new] = offers_.try_emplace(record.offer_id);
    Known& known = offer->second;
    if (is_new) {
      // An offer to a driver without a stream, which ended before the state was read.
      known.driver_id = record.driver_id;
      known.ride_id = record.ride_id;
      known.epoch = record.epoch;
    }
    Require(!known.logged, "an offer settles once", record.offer_id);
    Become(record.offer_id, record.outcome);
    known.logged = true;
  }

  void CheckAll() {
    std::set<std::string> rides;
    int live = 0;
    for (int i = 0; i < kDrivers; ++i) {
      const std::string driver_id = DriverName(i);
      const DriverState state = core_.State(now_, driver_id);
      Require(state.driver_id == driver_id, "a state is its driver's");
      Require((state.status == DriverStatus::kOnTrip) == (state.ride != nullptr),
              "a driver is on a trip exactly with a ride");
      if (!state.offer) continue;
      ++live;
      Require(IsLive(state.offer->status), "an offer in a state is live");
      Require(rides.insert(state.offer->start->ride_id).second, "one live offer of a ride");
      if (!offers_.contains(state.offer->offer_id)) {
        MadeOffer(driver_id, *state.offer);
      } else {
        Become(state.offer->offer_id, state.offer->status);
      }
      Require(!offers_.at(state.offer->offer_id).logged, "a settled offer is not live");
    }
    const DispatchCounts counts = core_.Counts(now_);
    Require(counts.offers_pending + counts.offers_confirming == live, "each live offer is some driver's");
    Require(counts.rides <= kRides && counts.streams == static_cast<int>(streams_.size()), "counts match the state");
  }

  Now now_{absl::FromUnixSeconds(1'700'000'000), absl::FromUnixSeconds(1'700'000'000)};
  std::uint64_t random_ = 0;
  std::uint64_t position_seq_ = 0;

  std::map<std::string, StreamId> streams_;
  StreamId last_stream_ = 0;
  // The stream that must get replaced while another one is being opened.
  StreamId replaced_ = 0;
  std::int64_t claims_ = 0;
  std::int64_t last_epoch_ = 0;
  std::set<std::string> ever_online_;
  // Sequences sent on the present stream: driver → ride → sequence.
  std::map<std::string, std::map<std::string, std::int64_t>> sent_;
  // By id: UUIDv7, so the latest is last.
  std::map<std::string, Known> offers_;
  std::set<std::string> found_;
  std::map<int, int> answers_;
  std::set<LinkId> links_;
  std::map<std::pair<std::string, std::int64_t>, absl::Time> deadlines_;
  std::vector<ConfirmCall> confirms_;
  std::vector<ConfirmCall> past_confirms_;
  std::vector<FindCall> finds_;
  bool feed_up_ = false;
  std::int64_t last_subscription_ = 0;
  std::map<std::string, std::int64_t> subscriptions_;
  std::set<std::string> synced_;

  LocationIndex index_;
  StraightLineTravelTimes travel_times_;
  BatchMatcher matcher_;
  Dispatch core_;
};

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  const auto world = std::make_unique<hail::fuzz::World>();
  for (int i = 0; i < 400 && !input.empty(); ++i) world->Step(input);
  world->CalmDown();
  return 0;
}
