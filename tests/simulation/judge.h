// The invariants, which are the promises of README.md, checked at every step of a simulation against the simulated
// disks and the messages that clients got. Knows the rules only from the blueprint: shares no code with the services.
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
#include "hail/rider/v1/rider_service.pb.h"
#include "hail/type/v1/ride.pb.h"
#include "rider-service/domain/ride.h"
#include "tests/simulation/ride_disk.h"
#include "tests/simulation/situations.h"

namespace hail::simulation {

// Which invariant was broken, when and how.
struct Violation {
  // Number of the promise in README.md, 1 to 8.
  int invariant = 0;
  std::string rule;
  std::string what;
  absl::Time when;
};

class Judge {
 public:
  // Both pointers must outlive the judge.
  Judge(const RideDisk* disk, const Clock* clock) : disk_(disk), clock_(clock) {}

  // --- The ride store: called at the instant of a commit ---
  void Committed(const rider::Ride* before, const rider::Ride& after, const rider::RideEvent* event);

  // --- Requests of phones: a ride may change only as its people asked ---
  // A driver's phone asked for this step.
  void DriverAsked(const std::string& driver_id, const driver::v1::AdvanceTripRequest& step);
  // A rider's phone asked to cancel.
  void RiderAskedToCancel(const std::string& ride_id) { cancels_.insert(ride_id); }

  // --- Messages to clients: called when they leave the service ---
  void ToldRider(const std::string& rider_id, const type::v1::Ride& ride);
  void ToldDriver(const std::string& driver_id, const type::v1::Ride& ride);
  // `replica` of driver-service sent a driver a state without a current ride.
  void ToldDriverNoRide(const std::string& replica, const std::string& driver_id);
  // A request was acknowledged with this ride.
  void Acknowledged(const rider::v1::RequestRideRequest& request, const type::v1::Ride& ride);
  // A command on a ride was answered with success.
  void StepAnswered(const std::string& driver_id, const driver::v1::AdvanceTripRequest& step);

  // --- Offers ---
  // A replica of driver-service has just claimed a driver's session in the store.
  void Claimed(const driver::SessionClaim& session);
  // This replica's next check for claims by others may be late by `late` (wall).
  void DriverStoreSlow(const std::string& replica, absl::Duration late);
  // rider-service has asked for the ride to be dispatched at this epoch, on `link`.
  void Started(const std::string& ride_id, std::int64_t epoch, const std::string& link);
  // The driver's phone is shown an offer (again), by `replica`.
  void OfferShown(const std::string& replica, const std::string& driver_id, const driver::v1::Offer& offer);
  // An offer settled, as driver-service logs it.
  void OfferSettled(const driver::OfferRecord& record);
  // `replica` of driver-service asks rider-service to turn an offer into an assignment.
  void ConfirmAsked(const std::string& replica, const std::string& offer_id, const std::string& driver_id,
                    const std::string& ride_id, std::int64_t epoch, int attempt);
  // The driver's accept was answered with "yours".
  void AcceptGranted(const std::string& driver_id, const std::string& offer_id);
  // The driver's accept was answered with "not yours".
  void AcceptRefused(const std::string& driver_id, const std::string& offer_id);
  // A watcher is sent this event now. Its stream was opened at `opened` and sent its first message at `answered`
  // (wall).
  void Watched(const std::string& ride_id, std::int64_t sequence, absl::Time opened, absl::Time answered);
  // The wall clock of a running process's machine was set.
  void ClockSet() { clock_set_since_ = std::min(clock_set_since_, clock_->Read().wall); }
  // From now on no more faults occur.
  void BecameCalm(absl::Time wall) { calm_since_ = wall; }
  // A replica of driver-service died: its offers have no owner.
  void DriverServiceDied(const std::string& replica);
  // rider-service came up, or died. With several replicas also called when one of them did: then the others may need
  // `later` (wall) to find out about its rides.
  void RiderServiceUp(bool up, absl::Duration later = absl::ZeroDuration());

  // --- Periodic checks ---
  void Look();
  // The owner of the driver's session uses the desired availability `known`; the store has `stored`.
  void OwnerGoesBy(const std::string& replica, const std::string& driver_id, driver::Availability known,
                   driver::Availability stored);

  // --- At the end, after all activity has ended ---
  void Quiet(const std::map<std::string, std::string>& ride_in_hand, const std::vector<std::string>& unanswered);

  // Whether the driver is shown an offer of this replica that is not being confirmed.
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
    // The expiry that the phone got first (domain).
    absl::Time expires;
    // The remaining time when it was shown first.
    absl::Duration remaining;
    // When it was shown first (wall).
    absl::Time shown;
    bool confirming = false;
  };
  // The owner of a driver's session, and since when (wall).
  struct Session {
    std::string replica;
    absl::Time since;
  };

  // Fails if another replica has owned the driver's session for so long that this replica must know it.
  void CheckOwner(const std::string& replica, const std::string& driver_id, const std::string& name);

  // Maximum difference (domain) between the clock of any process and the right time. A clock that was set catches up by
  // a twentieth of the elapsed time.
  absl::Duration Wrong() const;

  const RideDisk* const disk_;
  const Clock* const clock_;
  std::vector<Violation> violations_;
  // Each (driver, ride, epoch, action, leg) that a phone asked for.
  std::set<std::tuple<std::string, std::string, std::int64_t, int, int>> asked_;
  std::set<std::string> cancels_;
  // (ride, epoch) → the driver to whom the ride was shown as assigned.
  std::map<std::pair<std::string, std::int64_t>, std::string> assigned_to_;
  std::map<std::pair<std::string, std::string>, std::string> acknowledged_;
  // Offers of live replicas of driver-service that were shown and have not settled, by offer_id; then by replica and
  // driver, and by ride.
  std::map<std::string, ShownOffer> live_;
  std::map<std::pair<std::string, std::string>, std::string> live_of_driver_;
  std::map<std::pair<std::string, std::string>, std::string> live_of_ride_;
  std::map<std::string, Session> sessions_;
  // Slow reads of the store, by replica: when (wall), and the delay.
  std::map<std::string, std::vector<std::pair<absl::Time, absl::Duration>>> slow_;
  // (ride, epoch) → the link on which it was started.
  std::map<std::pair<std::string, std::int64_t>, std::string> started_;
  // The latest epoch of a ride, and since when (wall).
  std::map<std::string, std::pair<std::int64_t, absl::Time>> epoch_of_;
  // Since when (wall) a ride no longer waits for a driver.
  std::map<std::string, absl::Time> found_since_;
  // When (wall) each offer settled, by offer_id.
  std::map<std::string, absl::Time> settled_;
  // Offers whose accept was answered with "yours", and when (wall).
  std::map<std::string, absl::Time> granted_;
  // Offers whose accept was answered with "not yours".
  std::set<std::string> refused_;
  // The epoch of each offer that a replica asked to confirm.
  std::map<std::string, std::int64_t> confirmed_at_epoch_;
  // The replica that last asked to confirm the offer.
  std::map<std::string, std::string> confirmed_by_;
  // The driver assigned by each offer.
  std::map<std::string, std::string> assigned_by_;
  // When each event was committed (wall).
  std::map<std::pair<std::string, std::int64_t>, absl::Time> committed_at_;
  absl::Time calm_since_ = absl::InfiniteFuture();
  absl::Time clock_set_since_ = absl::InfiniteFuture();
  // Since when (wall) an owner has used a desired availability other than the stored one, by driver.
  std::map<std::string, Session> mistaken_;
  // Since when (domain) rider-service owns all rides.
  absl::Time rider_up_since_ = absl::InfiniteFuture();
};

}  // namespace hail::simulation
