// What the map shows of a rider's and a driver's app.
import type { DriverApp } from "./driver.js";
import { RideState } from "./gen/hail/type/v1/ride_pb.js";
import { pointText } from "./geo.js";
import type { Car, Line, Pin, Scene } from "./map.js";
import type { End, RiderApp } from "./rider.js";

function carOfRide({ ride, telemetry, over }: RiderApp): Car | undefined {
  const location = telemetry?.position?.location;
  if (!ride || over || !location || ride.state === RideState.MATCHING) {
    return undefined;
  }
  const { displayName = "", vehicle } = ride.driver ?? {};
  return {
    key: "coming", kind: "coming", position: location, heading: telemetry.position?.headingDeg,
    stale: telemetry.missingSince !== undefined, label: `${displayName}, ${vehicle?.plate ?? ""}`,
  };
}

/** The trip, the car that comes, and the cars near the pickup before that. */
export function ridersScene(app: RiderApp): Scene {
  const ends: End[] = ["pickup", "dropoff"];
  const names = { pickup: "Pickup", dropoff: "Drop-off" };
  const pins = ends.flatMap((end): Pin[] => {
    const stop = app.stops[end];
    return stop ? [{
      key: `rider ${end}`, kind: end, position: stop.position, label: `${names[end]} at ${stop.address || pointText(stop.position)}`,
      moved: app.ride ? undefined : (to) => app.setStop(end, { position: to, address: "" }),
    }] : [];
  });
  const { pickup, dropoff } = app.stops;
  const car = carOfRide(app);
  const lines: Line[] = pickup && dropoff ? [{ kind: "trip", from: pickup.position, to: dropoff.position }] : [];
  if (car && pickup && app.ride?.state === RideState.ENROUTE_TO_PICKUP) {
    lines.push({ kind: "approach", from: car.position, to: pickup.position });
  }
  const nearby = app.cars.map(({ position, headingDeg }, index): Car => ({
    key: `nearby ${index}`, kind: "nearby", position: position!, heading: headingDeg, label: "A car near the pickup",
  }));
  return { cars: car ? [car] : nearby, pins, lines };
}

/** The ride or the offer, and the own car. */
export function driversScene({ position, heading, ride, offer, target }: DriverApp): Scene {
  const trip = ride ?? offer?.offer;
  const pickup = trip?.pickup?.position;
  const dropoff = trip?.dropoff?.position;
  const cars: Car[] = position ? [{ key: "mine", kind: "mine", position, heading, label: "My car" }] : [];
  const pins: Pin[] = [];
  const lines: Line[] = [];
  if (pickup && dropoff) {
    pins.push({ key: "driver pickup", kind: "pickup", position: pickup, label: "Pickup of the ride" },
      { key: "driver dropoff", kind: "dropoff", position: dropoff, label: "Drop-off of the ride" });
    lines.push({ kind: "trip", from: pickup, to: dropoff });
    const approach = target ?? (offer ? pickup : undefined);
    if (approach && position && ride?.state !== RideState.ENROUTE_TO_DROPOFF) {
      lines.push({ kind: "approach", from: position, to: approach });
    }
  }
  return { cars, pins, lines };
}

/** Both at once. A ride that both have is drawn once, and its car is the driver's own. */
export function bothScenes(rider: RiderApp, driver: DriverApp): Scene {
  const riders = ridersScene(rider);
  const drivers = driversScene(driver);
  const rideId = (driver.ride ?? driver.offer?.offer)?.rideId;
  if (rideId !== undefined && rideId === rider.ride?.rideId) {
    return { ...drivers, pins: riders.pins };
  }
  return {
    cars: [...riders.cars, ...drivers.cars],
    pins: [...riders.pins, ...drivers.pins],
    lines: [...riders.lines, ...drivers.lines],
  };
}
