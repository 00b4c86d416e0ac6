// What must always hold (DESIGN §10), checked at every step of a simulation against what is on the simulated disks and
// what clients were told. Knows the rules only from the blueprint: shares no code with what it judges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/time/clock.h"
#include "driver-service/domain/driver_store.h"
#include "driver-service/domain/offer.h"
#include "hail/driver/v1/driver_service.pb.h"
#include "hail/type/v1/ride.pb.h"
#include "rider-service/domain/ride.h"
#include "tests/simulation/ride_disk.h"
#include "tests/simulation/situations.h"

namespace hail::simulation {

// What was broken, when and how.
struct Violation {
  // Of DESIGN §10, 1 to 8.
  int invariant = 0;
  std::string rule;
  std::string what;
  absl::Time when;
};

class Judge {
 public:
  // Both must outlive it.
  Judge(const RideDisk* disk, const Clock* clock) : disk_(disk), clock_(clock) {}

  // --- The store of rides: at the instant of a commit ---
  void Committed(const rider::Ride* before, const rider::Ride& after, const rider::RideEvent* event);

  // --- What a driver's phone asked for: only that may happen to its ride ---
  void DriverAsked(const std::string& driver_id, const driver::v1::AdvanceTripRequest& step);
  // What a rider's phone asked for.
  void RiderAskedToCancel(const std::string& ride_id) { cancels_.insert(ride_id); }

  // --- What was told, at the instant it left the service ---
  void ToldRider(const std::string& rider_id, const type::v1::Ride& ride);
  void ToldDriver(const std::string& driver_id, const type::v1::Ride& ride);
  // A driver's state was told by `replica` of driver-service, with no ride in hand.
  void ToldDriverNoRide(const std::string& replica, const std::string& driver_id);
  // A request was acknowledged with this ride.
  void Acknowledged(const std::string& rider_id, const std::string& request_id, const type::v1::Ride& ride);
  // A command on a ride was answered with success.
  void StepAnswered(const std::string& driver_id, const driver::v1::AdvanceTripRequest& step);

  // --- Offers ---
  // A driver's session was claimed in the store, by a replica of driver-service: now.
  void Claimed(const driver::SessionClaim& session);
  // This replica's next look at what others claimed may come so much later (wall) than it should.
  void DriverStoreSlow(const std::string& replica, absl::Duration late);
  // rider-service has asked for the ride to be dispatched at this epoch, on `link`.
  void Started(const std::string& ride_id, std::int64_t epoch, const std::string& link);
  // The driver's phone is shown an offer (again), by `replica`.
  void OfferShown(const std::string& replica, const std::string& driver_id, const driver::v1::Offer& offer);
  // An offer settled, as driver-service logs it.
  void OfferSettled(const driver::OfferRecord& record);
  // `replica` of driver-service asks for an offer to be made an assignment.
  void ConfirmAsked(const std::string& replica, const std::string& offer_id, const std::string& driver_id,
                    const std::string& ride_id, std::int64_t epoch, int attempt);
  // The driver's accept was answered with "yours".
  void AcceptGranted(const std::string& driver_id, const std::string& offer_id);
  // The driver's accept was answered with "not yours".
  void AcceptRefused(const std::string& driver_id, const std::string& offer_id);
  // A watcher is sent this event now, on a stream that was opened at `opened` and first spoke at `answered` (wall).
  void Watched(const std::string& ride_id, std::int64_t sequence, absl::Time opened, absl::Time answered);
  // A wall clock was set that a process had begun by.
  void ClockSet() { clock_set_since_ = std::min(clock_set_since_, clock_->Read().wall); }
  // From now on nothing disturbs anybody.
  void BecameCalm(absl::Time wall) { calm_since_ = wall; }
  // A replica of driver-service died: its offers are nobody's.
  void DriverServiceDied(const std::string& replica);
  // rider-service came up, or died. Where it has replicas, also when one of them did and the others have to find out
  // what it looked after: that may take `later` (wall).
  void RiderServiceUp(bool up, absl::Duration later = absl::ZeroDuration());

  // --- From time to time ---
  void Look();
  // The replica that has the driver's session goes by this desired availability; that one is stored.
  void OwnerGoesBy(const std::string& replica, const std::string& driver_id, driver::Availability known,
                   driver::Availability stored);

  // --- The end, after all has become quiet ---
  void Quiet(const std::map<std::string, std::string>& ride_in_hand, const std::vector<std::string>& unanswered);

  // Whether the driver is shown an offer of this replica's that is not being confirmed.
  bool HasPendingOffer(const std::string& driver_id, const std::string& replica) const;
  // Whether the offer was shown and is not settled.
  bool IsLive(const std::string& offer_id) const { return live_.contains(offer_id); }

  void Fail(int invariant, const std::string& rule, const std::string& what);
  const std::vector<Violation>& violations() const { return violations_; }

 private:
  struct ShownOffer {
    std::string replica;
    std::string driver_id;
    std::string ride_id;
    std::int64_t epoch = 0;
    // The end of its time, as the phone was told first (domain).
    absl::Time expires;
    // As long before it was shown first.
    absl::Duration remaining;
    // When it was shown first (wall).
    absl::Time shown;
    bool confirming = false;
  };
  // Whose a driver's session is, and since when (wall).
  struct Session {
    std::string replica;
    absl::Time since;
  };

  // Fails if the driver's session is another replica's for so long that this one must have found out.
  void CheckOwner(const std::string& replica, const std::string& driver_id, const std::string& name);

  // By how much (domain) the clock of any process may differ from the right time: one that was set is made up for by a
  // twentieth of the time that passes.
  absl::Duration Wrong() const;

  const RideDisk* const disk_;
  const Clock* const clock_;
  std::vector<Violation> violations_;
  // (driver, ride, epoch, action, leg) that a phone asked for.
  std::set<std::tuple<std::string, std::string, std::int64_t, int, int>> asked_;
  std::set<std::string> cancels_;
  // (ride, epoch) → the driver told of it.
  std::map<std::pair<std::string, std::int64_t>, std::string> assigned_to_;
  std::map<std::pair<std::string, std::string>, std::string> acknowledged_;
  // Offers shown and not settled, of the replicas of driver-service that live; by the replica and the driver, the ride.
  std::map<std::string, ShownOffer> live_;
  std::map<std::pair<std::string, std::string>, std::string> live_of_driver_;
  std::map<std::pair<std::string, std::string>, std::string> live_of_ride_;
  std::map<std::string, Session> sessions_;
  // By replica: when (wall), and how long it took.
  std::map<std::string, std::vector<std::pair<absl::Time, absl::Duration>>> slow_;
  // (ride, epoch) → the link on which it was started.
  std::map<std::pair<std::string, std::int64_t>, std::string> started_;
  // The latest epoch of a ride, and since when (wall).
  std::map<std::string, std::pair<std::int64_t, absl::Time>> epoch_of_;
  // Since when (wall) a ride does not wait for a driver any more.
  std::map<std::string, absl::Time> found_since_;
  // When (wall) each settled.
  std::map<std::string, absl::Time> settled_;
  // Offers whose accept was answered with "yours", and when (wall).
  std::map<std::string, absl::Time> granted_;
  // Offers whose accept was answered with "not yours".
  std::set<std::string> refused_;
  // The epoch that each offer was made at, of those to be confirmed.
  std::map<std::string, std::int64_t> confirmed_at_epoch_;
  // The replica that last asked for that.
  std::map<std::string, std::string> confirmed_by_;
  // Who was assigned by which offer.
  std::map<std::string, std::string> assigned_by_;
  // When each event was committed (wall).
  std::map<std::pair<std::string, std::int64_t>, absl::Time> committed_at_;
  absl::Time calm_since_ = absl::InfiniteFuture();
  absl::Time clock_set_since_ = absl::InfiniteFuture();
  // Since when (wall) which owner has gone by another desired availability than is stored, by driver.
  std::map<std::string, Session> mistaken_;
  // Since when (domain) there is a rider-service that looks after all rides.
  absl::Time rider_up_since_ = absl::InfiniteFuture();
};

}  // namespace hail::simulation
