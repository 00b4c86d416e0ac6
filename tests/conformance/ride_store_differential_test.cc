// Makes the same random operations on a real store and on the simulated one: every answer must be the same, and so must
// all data at the end. This justifies conclusions from the simulation about the services.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/time/fake_clock.h"
#include "tests/conformance/random_ops.h"
#include "tests/conformance/ride_store_calls.h"
#include "tests/conformance/ride_store_kinds.h"
#include "tests/conformance/same_error.h"
#include "tests/conformance/same_ride.h"

namespace hail::rider {

namespace {

constexpr int kOperations = 600;
constexpr int kRiders = 10;
constexpr int kDrivers = 7;
constexpr int kRequests = 8;  // different request ids of a rider
constexpr int kQuotes = 25;

using Found = std::optional<Ride>;
using Numbers = std::map<std::string, std::int64_t>;

// One of the two stores.
class Side final : public RideStoreCalls {
 public:
  Side(const RideStoreKind& kind, const Clock* clock) : subject_(kind.open(clock)) {}

  RideStore& store() override { return subject_->store(); }
  void WaitFor(const absl::Notification& finished) override { subject_->WaitFor(finished); }
  void Reopen() { subject_->Reopen(); }

  using RideStoreCalls::AwaitAll;

 private:
  const std::unique_ptr<RideStoreSubject> subject_;
};

class RideStoreDifferential : public ::testing::TestWithParam<int> {
 protected:
  RideStoreDifferential() : choices_(static_cast<std::uint64_t>(GetParam())) {}

  template <typename T>
  using Call = std::function<void(RideStore&, Done<T>)>;

  // Makes all `calls` on both sides, without waiting in between (see `in_order`), and compares the answers.
  // `what` names the operation in a failure.
  template <typename T>
  std::vector<absl::StatusOr<T>> Ask(const std::string& what, const std::vector<Call<T>>& calls) {
    const auto on = [&](Side& side) {
      // All calls at once, if the store's order makes the outcome unique.
      const std::size_t step = RealKind().in_order ? std::max<std::size_t>(calls.size(), 1) : 1;
      std::vector<absl::StatusOr<T>> answers;
      for (std::size_t from = 0; from < calls.size(); from += step) {
        for (auto& answer : side.template AwaitAll<T>(
                 step, [&](std::size_t i, Done<T> done) { calls[from + i](side.store(), std::move(done)); })) {
          answers.push_back(std::move(answer));
        }
      }
      return answers;
    };
    const std::vector<absl::StatusOr<T>> real = on(real_);
    std::vector<absl::StatusOr<T>> simulated = on(simulated_);
    for (std::size_t i = 0; i < calls.size(); ++i) {
      ++(real[i].ok() ? answered_ : refused_)[what];
      if (real[i].ok() && simulated[i].ok()) {
        EXPECT_TRUE(*real[i] == *simulated[i]) << what << ": different answers to " << i + 1 << " of " << calls.size();
      } else {
        EXPECT_TRUE(SameError(real[i].status(), simulated[i].status()))
            << what << ": the store says " << real[i].status() << ", the simulation " << simulated[i].status();
      }
    }
    return simulated;
  }
  template <typename T>
  absl::StatusOr<T> AskOne(const std::string& what, Call<T> call) {
    return Ask<T>(what, {std::move(call)})[0];
  }
  template <typename T>
  void Compare(const std::string& what, Call<T> call) {
    Ask<T>(what, {std::move(call)});
  }

  // --- Random operations ---

  std::string SomeRide() {
    if (known_.empty() || choices_.OneIn(20)) return "ride-" + std::to_string(10'000 + choices_.Below(rides_ + 2));
    // Mostly recent rides, because those are live.
    const int from = choices_.OneIn(6) ? 0 : std::max(0, static_cast<int>(known_.size()) - kRiders);
    return known_[static_cast<std::size_t>(from + choices_.Below(static_cast<int>(known_.size()) - from))];
  }
  std::string SomeDriver() { return choices_.Name("driver-", kDrivers); }
  std::string SomeRider() { return choices_.Name("rider-", kRiders); }
  // Time advances by 0 ns to about 2 s, in steps of 0.25 ns, which is finer than the resolution of any store.
  absl::Time Later() {
    now_ += absl::Nanoseconds(choices_.Below(choices_.OneIn(2) ? 400 : 2'000'000'000));
    return now_ += absl::Nanoseconds(1) * 0.25 * choices_.Below(4);
  }
  absl::Time SomeDeadline() {
    if (!choices_.OneIn(20)) return absl::InfiniteFuture();
    // Over, just over, or far away. A store may refuse a near deadline, if it expects too long a wait.
    const absl::Duration from_now[] = {absl::Milliseconds(-1), absl::ZeroDuration(), absl::Hours(1)};
    return clock_.Read().wall + from_now[choices_.Below(3)];
  }

  Call<Created> SomeCreate() {
    const bool is_new = !choices_.OneIn(10);
    Ride request = Requested(is_new ? "ride-" + std::to_string(10'000 + rides_++) : SomeRide(), SomeRider(),
                             choices_.Name("request-", kRequests));
    request.EditInternals()->set_request_fingerprint(choices_.OneIn(5) ? "1:other" : "1:abc");
    if (!choices_.OneIn(3)) request.Edit()->set_quote_id(choices_.Name("quote-", kQuotes));
    Encode(absl::Nanoseconds(1) * 0.25 * choices_.Below(1000), request.Edit()->mutable_trip_duration());
    RideChange change = NewRide(std::move(request), rules_, Later());
    return [change, deadline = SomeDeadline()](RideStore& store, Done<Created> done) {
      store.Create(change, deadline, std::move(done));
    };
  }

  // A decision by the rules of rides.
  Decide SomeDecision() {
    const absl::Time now = Later();
    const std::string driver_id = SomeDriver();
    const int epoch_back = choices_.OneIn(6) ? 1 : 0;
    switch (choices_.Below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        // From few offers, so that some are confirmed twice.
        return [=, offer = choices_.Name("offer-", 3)](const Ride& ride) {
          AcceptedOffer assignment = Offer(ride, driver_id, offer + "-" + ride.ride_id() + "-" + driver_id);
          assignment.epoch -= epoch_back;
          return Assign(ride, assignment, {}, now);
        };
      case 4:
        return [=](const Ride& ride) { return CancelByRider(ride, CancelReason::kOther, "", now); };
      case 5:
        return [=, this](const Ride& ride) -> absl::StatusOr<RideChange> {
          return ExpireUnacknowledged(ride, ride.epoch() - epoch_back, rules_, now + absl::Minutes(5));
        };
      case 6:
        return [=](const Ride& ride) -> absl::StatusOr<RideChange> {
          return EndUnfulfilled(ride, ride.epoch() - epoch_back, now + absl::Minutes(5));
        };
      case 7:
        return
            [=](const Ride& ride) -> absl::StatusOr<RideChange> { return RaiseEpoch(ride, ride.epoch() - epoch_back); };
      case 8:
        return [=, by = choices_.OneIn(2) ? Resolution::kComplete : Resolution::kCancel](const Ride& ride) {
          return Resolve(ride, by, "by hand", now);
        };
      default:
        // Mostly by the ride's own driver.
        return [=, this, action = AllTripActions()[choices_.Below(6)], own = !choices_.OneIn(5)](const Ride& ride) {
          DriverCommand command =
              Command(ride, action, own && ride.driver() != nullptr ? ride.driver()->driver_id() : driver_id);
          command.epoch -= epoch_back;
          return TakeStep(ride, command, rules_, now);
        };
    }
  }

  // A decision against the rules, as faulty code could make it. Constraints refuse it, or the store keeps it unchanged.
  Decide SomeNonsense() {
    struct Plan {
      RideState state;
      std::optional<std::string> driver_id;
      int sequence_step;
      int event_sequence_step;
      bool has_event;
      bool is_elsewhere;
      bool is_event_elsewhere;
      bool has_former;
      bool is_timeless;
      absl::Time now;
    };
    constexpr RideState kStates[] = {RideState::kMatching, RideState::kEnrouteToPickup, RideState::kEnrouteToDropoff,
                                     RideState::kCompleted, RideState::kCanceled};
    Plan plan;
    plan.state = kStates[choices_.Below(5)];
    if (!choices_.OneIn(3)) plan.driver_id = SomeDriver();
    plan.sequence_step = choices_.Below(3);
    plan.event_sequence_step = choices_.Below(3);
    plan.has_event = !choices_.OneIn(4);
    plan.is_elsewhere = choices_.OneIn(10);
    plan.is_event_elsewhere = choices_.OneIn(10) && !RealKind().events_are_the_rides;
    plan.has_former = choices_.OneIn(3);
    plan.is_timeless = choices_.OneIn(4);
    plan.now = Later();
    return [plan](const Ride& ride) -> absl::StatusOr<RideChange> {
      RideChange change{.ride = ride, .event = std::nullopt};
      Ride& after = change.ride;
      if (plan.is_elsewhere) after.Edit()->set_ride_id("ride-elsewhere");
      after.set_state(plan.state);
      after.Edit()->set_sequence(after.sequence() + plan.sequence_step);
      Encode(plan.now, after.Edit()->mutable_update_time());
      after.Edit()->clear_driver();
      if (plan.driver_id) *after.Edit()->mutable_driver() = Driver(*plan.driver_id);
      Encode(plan.now, after.Edit()->mutable_assign_time());
      if (plan.is_timeless) after.Edit()->clear_assign_time();
      // Sets the fields that the state requires, because the adapters treat a row without them as damaged
      // (ValidateRide).
      if (after.state() == RideState::kMatching && !after.match_deadline())
        Encode(plan.now, after.Edit()->mutable_match_deadline());
      if (HasLiveDriver(after.state())) {
        if (after.driver() == nullptr) *after.Edit()->mutable_driver() = Driver("driver-0");
        Encode(plan.now, after.Edit()->mutable_assign_time());
      }
      if (!plan.has_event) return change;
      RideEvent event;
      event.message.set_ride_id(plan.is_event_elsewhere ? "ride-elsewhere" : ride.ride_id());
      event.message.set_sequence(ride.sequence() + plan.event_sequence_step);
      event.message.set_type(static_cast<hail::type::v1::RideEventType>(RideEventType::kAssigned));
      Encode(plan.now, event.message.mutable_event_time());
      event.ride = after;
      if (plan.driver_id) event.driver_id = *plan.driver_id;
      event.message.set_ended(plan.has_former);
      if (plan.has_former) event.former = ride;
      change.event = std::move(event);
      return change;
    };
  }

  // Applies `decide` only to rides that follow the rules, because SomeNonsense() may have broken others.
  static Decide UnlessNonsense(Decide decide) {
    return [decide = std::move(decide)](const Ride& ride) -> absl::StatusOr<RideChange> {
      const bool is_by_the_rules =
          IsFinal(ride.state()) || (HasLiveDriver(ride.state()) == (ride.driver() != nullptr) &&
                                    HasLiveDriver(ride.state()) == ride.assign_time().has_value() &&
                                    HasLiveDriver(ride.state()) != ride.match_deadline().has_value());
      return is_by_the_rules ? decide(ride) : absl::InternalError("not a ride by the rules");
    };
  }

  Call<Changed> SomeChange() {
    return [ride_id = SomeRide(), decide = choices_.OneIn(12) ? SomeNonsense() : UnlessNonsense(SomeDecision()),
            deadline = SomeDeadline()](RideStore& store, Done<Changed> done) {
      store.Change(ride_id, decide, deadline, std::move(done));
    };
  }

  // Writes that may share a batch.
  template <typename T>
  std::vector<Call<T>> Several(const std::function<Call<T>()>& some) {
    std::vector<Call<T>> calls(static_cast<std::size_t>(1 + choices_.Below(8)));
    for (Call<T>& call : calls) call = some();
    return calls;
  }

  std::vector<std::string> Some(int count, const std::function<std::string()>& name) {
    std::vector<std::string> names(static_cast<std::size_t>(count));
    for (std::string& each : names) each = name();
    return names;
  }

  void ReadSomething() {
    switch (choices_.Below(13)) {
      case 0:
        Compare<Found>("ById", [id = SomeRide()](RideStore& store, auto done) { store.ById(id, done); });
        break;
      case 1:
        Compare<Found>("ByRequest", [rider = SomeRider(), request = choices_.Name("request-", kRequests)](
                                        RideStore& store, auto done) { store.ByRequest(rider, request, done); });
        break;
      case 2:
        Compare<Found>("ActiveOfRider",
                       [rider = SomeRider()](RideStore& store, auto done) { store.ActiveOfRider(rider, done); });
        break;
      case 3: {
        const std::string driver = SomeDriver();
        const std::string offer = choices_.Name("offer-", 3) + "-" + SomeRide() + "-" + driver;
        Compare<Found>("ByOffer", [=](RideStore& store, auto done) { store.ByOffer(driver, offer, done); });
        break;
      }
      case 4: {
        RiderListing listing{SomeRider(), {}, choices_.OneIn(2) ? SomeRide() : "", 1 + choices_.Below(6)};
        for (int i = choices_.Below(3); i > 0; --i) listing.states.push_back(kAllStates[choices_.Below(7)]);
        Compare<RidePage>("ListOfRider", [=](RideStore& store, auto done) { store.ListOfRider(listing, done); });
        break;
      }
      case 5: {
        // Mostly the page after the previous one.
        DriverListing listing{SomeDriver(), std::nullopt, "", 1 + choices_.Below(6)};
        for (int pages = choices_.Below(4); pages >= 0; --pages) {
          const absl::StatusOr<RidePage> page =
              AskOne<RidePage>("ListOfDriver", [=](RideStore& store, auto done) { store.ListOfDriver(listing, done); });
          if (!page.ok() || page->rides.empty() || !page->rides.back().assign_time()) break;
          listing.before_assign_time = page->rides.back().assign_time();
          listing.before_ride_id = page->rides.back().ride_id();
        }
        break;
      }
      case 6: {
        std::optional<std::int64_t> after;
        if (!choices_.OneIn(4)) after = choices_.Below(6);
        Compare<RideLog>("ReadLog",
                         [id = SomeRide(), after](RideStore& store, auto done) { store.ReadLog(id, after, done); });
        break;
      }
      case 7: {
        std::optional<Cursor> cursor;
        if (!choices_.OneIn(3)) cursor = Cursor{choices_.OneIn(9) ? "" : SomeRide(), choices_.Below(8)};
        Compare<DriverCatchUp>("ReadDriver", [driver = SomeDriver(), cursor](RideStore& store, auto done) {
          store.ReadDriver(driver, cursor, done);
        });
        break;
      }
      case 8:
        Compare<std::vector<RideEvent>>(
            "ReadDriverEvents", [driver = SomeDriver(), after = choices_.Below(40)](RideStore& store, auto done) {
              store.ReadDriverEvents(driver, after, done);
            });
        break;
      case 9:
        Compare<Numbers>("Sequences", [ids = Some(5, [this] { return SomeRide(); })](RideStore& store, auto done) {
          store.Sequences(ids, done);
        });
        break;
      case 10:
        Compare<Numbers>("DriverSequences", [ids = Some(3, [this] { return SomeDriver(); })](
                                                RideStore& store, auto done) { store.DriverSequences(ids, done); });
        break;
      case 11:
        Compare<std::vector<Ride>>("Dispatchable", [](RideStore& store, auto done) { store.Dispatchable(done); });
        break;
      default:
        Compare<std::map<RideState, LiveRides>>("CountLive",
                                                [](RideStore& store, auto done) { store.CountLive(done); });
    }
  }

  void ReadEverything() {
    std::vector<Call<RideLog>> logs;
    for (int i = 0; i <= rides_; ++i) {
      logs.push_back(
          [id = "ride-" + std::to_string(10'000 + i)](RideStore& store, auto done) { store.ReadLog(id, 0, done); });
    }
    Ask<RideLog>("final ReadLog", logs);
    std::vector<Call<Found>> live;
    std::vector<Call<RidePage>> lists;
    for (int i = 0; i < kRiders; ++i) {
      const std::string id = "rider-" + std::to_string(i);
      live.push_back([=](RideStore& store, auto done) { store.ActiveOfRider(id, done); });
      lists.push_back([=](RideStore& store, auto done) { store.ListOfRider({id, {}, "", 1000}, done); });
    }
    std::vector<Call<DriverCatchUp>> drivers;
    std::vector<Call<std::vector<RideEvent>>> events;
    for (int i = 0; i < kDrivers; ++i) {
      const std::string id = "driver-" + std::to_string(i);
      drivers.push_back([=](RideStore& store, auto done) { store.ReadDriver(id, std::nullopt, done); });
      lists.push_back([=](RideStore& store, auto done) { store.ListOfDriver({id, std::nullopt, "", 1000}, done); });
      for (std::int64_t after = 0; after < 1024; after += 256) {
        events.push_back([=](RideStore& store, auto done) { store.ReadDriverEvents(id, after, done); });
      }
    }
    Ask<Found>("final ActiveOfRider", live);
    Ask<RidePage>("final lists", lists);
    Ask<DriverCatchUp>("final ReadDriver", drivers);
    Ask<std::vector<RideEvent>>("final ReadDriverEvents", events);
    Compare<std::vector<Ride>>("final Dispatchable", [](RideStore& store, auto done) { store.Dispatchable(done); });
    Compare<std::map<RideState, LiveRides>>("final CountLive",
                                            [](RideStore& store, auto done) { store.CountLive(done); });
  }

  Choices choices_;
  const RideRules rules_;
  FakeClock clock_;
  Side real_{RealKind(), &clock_};
  Side simulated_{SimulatedKind(), &clock_};
  absl::Time now_ = kT0;
  // The number of ride ids drawn so far, and the ids of the rides created.
  int rides_ = 0;
  std::vector<std::string> known_;
  // By operation.
  std::map<std::string, int> answered_;
  std::map<std::string, int> refused_;
};

TEST_P(RideStoreDifferential, BothStoresAnswerAlike) {
  for (int i = 0; i < kOperations && !HasFailure(); ++i) {
    const int kind = choices_.Below(20);
    if (kind < 3) {
      for (const auto& created : Ask<Created>("Create", Several<Created>([this] { return SomeCreate(); }))) {
        if (created.ok() && !created->existed) known_.push_back(created->ride.ride_id());
      }
    } else if (kind < 12) {
      Ask<Changed>("Change", Several<Changed>([this] { return SomeChange(); }));
    } else {
      ReadSomething();
    }
    if (choices_.OneIn(300)) {
      real_.Reopen();
      simulated_.Reopen();
    }
  }
  ReadEverything();
  for (const auto& [what, count] : answered_) {
    RecordProperty("answered " + what, count);
    RecordProperty("refused " + what, refused_[what]);
  }
  // The comparison is meaningless unless enough operations succeed and fail.
  EXPECT_GT(answered_["Create"], 30);
  EXPECT_GT(refused_["Create"], 100);
  EXPECT_GT(answered_["Change"], 150);
  EXPECT_GT(refused_["Change"], 300);
}

INSTANTIATE_TEST_SUITE_P(Seed, RideStoreDifferential, ::testing::Range(1, Seeds(4) + 1));

}  // namespace
}  // namespace hail::rider
