// What people read.
import { type Duration, durationMs, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { BlockedBy, type DriverState, DriverStatus, OfferRevokeReason, OfferStatus, type OfferUpdate } from "./gen/hail/driver/v1/driver_service_pb.js";
import type { Money } from "./gen/hail/type/v1/money_pb.js";
import {
  CancelActor, CancelReason, type Ride, type RideEvent, RideEventType, RideState, type Vehicle, WaitReason,
} from "./gen/hail/type/v1/ride_pb.js";
import type { Failure } from "./rules.js";

export function money(amount: Money | undefined): string {
  if (!amount) {
    return "";
  }
  const value = Number(amount.micros) / 1e6;
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency: amount.currencyCode }).format(value);
  } catch {
    return `${value} ${amount.currencyCode}`; // A currency that the browser does not know.
  }
}

/** "3 min", or "40 s" below two minutes. */
export function time(duration: Duration | undefined): string {
  if (!duration) {
    return "";
  }
  const seconds = Math.max(0, Math.round(durationMs(duration) / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

export function length(metres: number): string {
  return metres < 1000 ? `${Math.round(metres / 10) * 10} m` : `${(metres / 1000).toFixed(1)} km`;
}

export function clock(timestamp: Timestamp | undefined): string {
  return timestamp ? timestampDate(timestamp).toLocaleTimeString([], { hour12: false }) : "";
}

export function vehicle(car: Vehicle | undefined): string {
  return car ? [car.color, car.make, car.model].filter(Boolean).join(" ") : "";
}

const CANCEL_REASONS: Record<number, string> = {
  [CancelReason.CHANGED_PLANS]: "plans changed",
  [CancelReason.WAIT_TOO_LONG]: "the wait is too long",
  [CancelReason.ASKED_TO_CANCEL]: "the other side asked for it",
  [CancelReason.WRONG_PLACE]: "wrong pickup or drop-off",
  [CancelReason.VEHICLE_PROBLEM]: "a problem with the vehicle",
  [CancelReason.RIDER_NOT_FOUND]: "the rider was not there",
  [CancelReason.SAFETY]: "safety",
  [CancelReason.OTHER]: "another reason",
  [CancelReason.DRIVER_UNREACHABLE]: "the driver could not be reached",
  [CancelReason.REDISPATCH_LIMIT]: "too many drivers gave the ride up",
  [CancelReason.OPERATOR]: "resolved by an operator",
};
export const cancelReason = (reason: CancelReason): string => CANCEL_REASONS[reason] ?? "";

/** The reasons that a person may give. */
export const RIDERS_REASONS = [
  CancelReason.CHANGED_PLANS, CancelReason.WAIT_TOO_LONG, CancelReason.ASKED_TO_CANCEL, CancelReason.WRONG_PLACE,
  CancelReason.SAFETY, CancelReason.OTHER,
];
export const DRIVERS_REASONS = [
  CancelReason.RIDER_NOT_FOUND, CancelReason.ASKED_TO_CANCEL, CancelReason.WRONG_PLACE, CancelReason.VEHICLE_PROBLEM,
  CancelReason.SAFETY, CancelReason.OTHER,
];

const WAIT_REASONS: Record<number, string> = {
  [WaitReason.RIDER_NOT_THERE]: "the rider is not there yet",
  [WaitReason.BOARDING]: "getting on or off",
  [WaitReason.RIDER_ASKED]: "the rider asked for a stop",
  [WaitReason.TRAFFIC]: "traffic",
  [WaitReason.OTHER]: "another reason",
};
export const waitReason = (reason: WaitReason): string => WAIT_REASONS[reason] ?? "no reason given";
export const ALL_WAIT_REASONS = Object.keys(WAIT_REASONS).map(Number) as WaitReason[];

/** What an event says in a ride's history. */
export function event({ type, reason, ride }: RideEvent): string {
  const because = cancelReason(reason) && `: ${cancelReason(reason)}`;
  switch (type) {
    case RideEventType.REQUESTED:
      return "Ride requested";
    case RideEventType.ASSIGNED:
      return ride?.driver?.displayName ? `${ride.driver.displayName} took the ride` : "A driver took the ride";
    case RideEventType.ASSIGNMENT_SEEN:
      return "Confirmed by the driver";
    case RideEventType.ARRIVED_AT_PICKUP:
      return "At the pickup";
    case RideEventType.STARTED:
      return "On board";
    case RideEventType.COMPLETED:
      return "At the drop-off";
    case RideEventType.REDISPATCHED:
      return `The driver gave the ride up${because}`;
    case RideEventType.CANCELED:
      return `Canceled${because}`;
    case RideEventType.UNFULFILLED:
      return "No driver was found";
    case RideEventType.WAITING:
      return `Waiting: ${waitReason(ride?.wait?.reason ?? WaitReason.UNSPECIFIED)}`;
    default:
      return `Event ${type}`; // Of a later version.
  }
}

/** A ride's state, for its rider. */
export function ridersState(ride: Ride): string {
  const driver = ride.driver?.displayName || "Your driver";
  switch (ride.state) {
    case RideState.MATCHING:
      return "Looking for a driver";
    case RideState.ENROUTE_TO_PICKUP:
      return `${driver} is on the way`;
    case RideState.ARRIVED_AT_PICKUP:
      return `${driver} is here`;
    case RideState.ENROUTE_TO_DROPOFF:
      return "On the way to your drop-off";
    case RideState.COMPLETED:
      return "You have arrived";
    case RideState.NO_DRIVERS_AVAILABLE:
      return "No driver was found";
    case RideState.CANCELED:
      return ride.cancellation?.actor === CancelActor.RIDER ? "You canceled the ride" : "The ride was canceled";
    default:
      return "Your ride";
  }
}

/** The same for its driver. */
export function driversRideState(ride: Ride): string {
  const rider = ride.riderDisplayName || "the rider";
  switch (ride.state) {
    case RideState.ENROUTE_TO_PICKUP:
      return `Pick up ${rider}`;
    case RideState.ARRIVED_AT_PICKUP:
      return `Wait for ${rider}`;
    case RideState.ENROUTE_TO_DROPOFF:
      return `Bring ${rider} to the drop-off`;
    default:
      return "Your ride";
  }
}

/** How a driver's ride ended, by the event that ended it. */
export function driversEnd({ type, reason }: RideEvent): string {
  switch (type) {
    case RideEventType.COMPLETED:
      return "Ride completed";
    case RideEventType.CANCELED:
      return `Ride canceled${cancelReason(reason) && `: ${cancelReason(reason)}`}`;
    default:
      return "The ride is no longer yours";
  }
}

export function driversState({ status, blockedBy }: DriverState): string {
  switch (blockedBy) {
    case BlockedBy.STALE_POSITION:
      return "No offers: your position is unknown or old";
    case BlockedBy.NOT_SYNCED:
      return "No offers yet: your rides are being looked up";
    case BlockedBy.NOT_CONNECTED:
      return "No offers: this page was away";
    default:
  }
  switch (status) {
    case DriverStatus.AVAILABLE:
      return "Online, waiting for an offer";
    case DriverStatus.OFFERED:
      return "You have an offer";
    case DriverStatus.RESERVED:
      return "Your answer is being confirmed";
    case DriverStatus.ON_TRIP:
      return "On a ride";
    default:
      return "Offline";
  }
}

export function offerEnd({ status, reason }: OfferUpdate): string {
  switch (status) {
    case OfferStatus.DECLINED:
      return "You declined the offer.";
    case OfferStatus.EXPIRED:
      return "The offer has expired.";
    default:
  }
  switch (reason) {
    case OfferRevokeReason.TAKEN:
      return "Another driver has the ride.";
    case OfferRevokeReason.RIDE_CANCELED:
      return "The rider canceled.";
    case OfferRevokeReason.WENT_OFFLINE:
      return "You went offline: the offer is gone.";
    default:
      return "The offer was withdrawn.";
  }
}

const REASONS: Record<string, string> = {
  OUTSIDE_SERVICE_AREA: "There is no service at this place, or no way between the two.",
  RIDER_BUSY: "You have another ride.",
  DRIVER_BUSY: "You have a ride.",
  QUOTE_EXPIRED: "The price has expired. Here is the new one.",
  QUOTE_USED: "The price was used before. Here is the new one.",
  RIDE_ENDED: "The ride has ended.",
  ASSIGNMENT_ENDED: "The ride is no longer yours.",
  OFFER_EXPIRED: "The offer has expired.",
  OFFER_REVOKED: "The offer was withdrawn.",
  OFFER_DECLINED: "You declined this offer.",
  PLATE_IN_USE: "Another driver is online with this plate.",
  TOKEN_EXPIRED: "Your token has expired. Sign in with a new one.",
  TOKEN_INVALID: "The edge refuses your token.",
  TOKEN_AUDIENCE: "The token is for the other side.",
  IDENTITY_MISMATCH: "The token is somebody else's.",
  RATE_LIMITED: "Too many calls. Wait a moment.",
};

export function failure(what: Failure): string {
  const known = REASONS[what.reason];
  if (known) {
    return known;
  }
  if (what.reason) {
    return what.field ? `${what.message} (${what.field})` : what.message;
  }
  return `The network does not get through (${Code[what.code]}: ${what.message}). Try again.`;
}
