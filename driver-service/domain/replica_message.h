// What the replicas of driver-service tell each other. The bus that carries it is a hint: messages get lost, doubled,
// late. Everything here can be said again, and says which session, offer or dispatch it is about.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "driver-service/domain/dispatch_types.h"
#include "driver-service/domain/near_driver.h"
#include "driver-service/domain/offer.h"

namespace hail::driver {

// ---- To all

// A driver as the replica that has the session sees it, for the others' indexes.
struct DriverPresence {
  std::string driver_id;
  std::int64_t session_epoch = 0;
  // Rises with each presence that a replica sends: of one session the highest is the latest.
  std::uint64_t number = 0;
  // Whether the driver can be offered a ride, but for the age of the position.
  bool offerable = false;
  std::shared_ptr<const CarProfile> car;
  // The latest; nullopt: none.
  std::optional<Fix> fix;
};
struct Presences {
  std::vector<DriverPresence> drivers;
};

// The sender claimed the driver's session.
struct SessionClaimed {
  std::string driver_id;
  std::int64_t epoch = 0;
  // By a stream of the app's, not only by a unary call.
  bool by_stream = false;
};

// The ride is dispatched at this epoch: offers of it at a lower one are superseded.
struct RideStarted : RideEpoch {};

// ---- To the replica that has a driver's session, the owner, from one that dispatches a ride, the asker

// "Offer this ride to your driver." Answered by RemoteOfferStatus, however often it is asked. Repeated while the offer
// lives: the owner withdraws an offer whose asker is silent.
struct RemoteOfferRequest {
  // Chosen by the asker.
  std::string offer_id;
  std::string driver_id;
  std::shared_ptr<const DispatchStart> start;
  // Domain time until the match deadline, as of sending.
  absl::Duration remaining = absl::ZeroDuration();
  // Domain time since this dispatch of the ride began, as of the first asking.
  absl::Duration ride_waited = absl::ZeroDuration();
  // It was answered before: an owner that does not know it makes no offer.
  bool repeated = false;
};

// Withdraws a pending offer.
struct OfferWithdraw {
  std::string offer_id;
  RevokeReason reason = RevokeReason::kSuperseded;
};

// ---- From the owner to the asker

// Why an offer that was asked for ended REVOKED, or was not made, as far as the asker has to act on it.
enum class RemoteOfferRejectReason {
  kNone,
  // The driver cannot be offered a ride now.
  kNotFree,
  // Nobody knows the offer any more.
  kUnknown,
  // The app did not show it.
  kNotReceived,
  // rider-service refused this driver.
  kDriverRefused,
  // rider-service refused the ride: its dispatch at this epoch is over.
  kDispatchOver,
};

// The present status of an offer that was asked for: on being asked, and at each change.
struct RemoteOfferStatus {
  std::string offer_id;
  OfferStatus status = OfferStatus::kRevoked;
  RevokeReason reason = RevokeReason::kNone;
  RemoteOfferRejectReason ending = RemoteOfferRejectReason::kNone;
};

using ReplicaMessage =
    std::variant<Presences, SessionClaimed, RideStarted, RemoteOfferRequest, OfferWithdraw, RemoteOfferStatus>;

}  // namespace hail::driver
