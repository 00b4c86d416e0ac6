// The messages between replicas of driver-service. The bus may lose, duplicate or delay them. Every message can be
// repeated, and names the session, offer or dispatch that it is about.
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

// A driver as the owner of the session sees it, for the other replicas' indexes.
struct DriverPresence {
  std::string driver_id;
  std::int64_t session_epoch = 0;
  // Rises with each presence that a replica sends: for one session, the highest is the latest.
  std::uint64_t number = 0;
  // Whether the driver can be offered a ride, apart from the age of the position.
  bool offerable = false;
  // Whether strangers see the car: it is offerable, or has an offer.
  bool on_map = false;
  std::shared_ptr<const CarProfile> car;
  // The latest fix; nullopt: none.
  std::optional<Fix> fix;
};
struct Presences {
  std::vector<DriverPresence> drivers;
};

// The sender claimed the driver's session.
struct SessionClaimed {
  std::string driver_id;
  std::int64_t epoch = 0;
  // Whether a stream of the app claimed it, not only a unary call.
  bool by_stream = false;
};

// The ride is dispatched at this epoch: its offers at lower epochs are superseded.
struct RideStarted : RideEpoch {};

// ---- To the owner of a driver's session, from the replica that dispatches a ride, the asker

// Requests an offer of this ride to that driver. Each request is answered by RemoteOfferStatus. Repeated while the
// offer is live: the owner withdraws an offer whose asker is silent.
struct RemoteOfferRequest {
  // Chosen by the asker.
  std::string offer_id;
  std::string driver_id;
  std::shared_ptr<const DispatchStart> start;
  // Domain time until the match deadline, as of sending.
  absl::Duration remaining = absl::ZeroDuration();
  // Domain time since this dispatch of the ride began, as of the first request.
  absl::Duration ride_waited = absl::ZeroDuration();
  // The owner has answered before: if it does not know the offer, it makes none.
  bool repeated = false;
};

// Withdraws a pending offer.
struct OfferWithdraw {
  std::string offer_id;
  RevokeReason reason = RevokeReason::kSuperseded;
};

// ---- From the owner to the asker

// Why a requested offer was revoked or not made, as far as the asker must react to it.
enum class RemoteOfferRejectReason {
  kNone,
  // The driver cannot be offered a ride now.
  kNotFree,
  // The owner does not know the offer any more.
  kUnknown,
  // The app did not show it.
  kNotReceived,
  // rider-service refused this driver.
  kDriverRefused,
  // rider-service refused the ride: its dispatch at this epoch is over.
  kDispatchOver,
};

// The present status of a requested offer, sent after each request and each change.
struct RemoteOfferStatus {
  std::string offer_id;
  OfferStatus status = OfferStatus::kRevoked;
  RevokeReason reason = RevokeReason::kNone;
  RemoteOfferRejectReason ending = RemoteOfferRejectReason::kNone;
};

using ReplicaMessage =
    std::variant<Presences, SessionClaimed, RideStarted, RemoteOfferRequest, OfferWithdraw, RemoteOfferStatus>;

}  // namespace hail::driver
