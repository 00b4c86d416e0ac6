// The rider's app without its looks: a trip is chosen and priced, a ride requested, watched to its end, canceled.
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, createClient } from "@connectrpc/connect";
import { type NearbyCar, type Quote, RiderService, type RideTelemetry } from "./gen/hail/rider/v1/rider_service_pb.js";
import type { CancelReason, Ride, RideEvent } from "./gen/hail/type/v1/ride_pb.js";
import type { Draining } from "./gen/hail/type/v1/stream_pb.js";
import { distance, type Point } from "./geo.js";
import { Backoff, type Failure, failureOf, isAnswer, messagesOf, retry, sleep } from "./rules.js";
import { newId, signOut, transportOf } from "./session.js";
import { SideApp } from "./side_app.js";

export type End = "pickup" | "dropoff";

/** Where a trip begins or ends, as chosen. */
export interface Stop {
  position: Point;
  address: string;
}

/** Of a stream: "live" once it has said something, "resuming" while the next attempt is due. */
export type Link = "closed" | "live" | "resuming";

const CARS_EVERY = 5_000;

export class RiderApp extends SideApp {
  name = "";
  note = "";
  stops: Partial<Record<End, Stop>> = {};
  quotes: Quote[] = [];
  productId = "";
  cars: NearbyCar[] = [];

  ride?: Ride;
  events: RideEvent[] = [];
  link: Link = "closed";
  /** How often the watch of this ride resumed. */
  resumed = 0;

  #telemetry?: RideTelemetry;
  #client: Client<typeof RiderService> = createClient(RiderService, transportOf("rider"));
  /** The request of which nobody knows the outcome yet: it is repeated before there is another one. */
  #request?: { body: string; requestId: string };
  #asked = 0;

  /** Begins with the person who is signed in, if there is one. */
  start() {
    this.begin("rider");
    this.#request = undefined;
    this.cars = [];
    this.forgetRide();
    if (!this.person) {
      return;
    }
    const riderId = this.person.id;
    const { signal } = this;
    void this.do("Looking for your ride", async () => {
      const { ride } = await retry((call) => this.#client.getActiveRide({ riderId }, call), signal);
      if (ride) {
        this.#begin(ride);
      }
    });
    void this.#showCars(signal);
  }

  signOut() {
    signOut("rider");
    this.stops = {};
    this.start();
  }

  setName(name: string) {
    this.name = name;
    this.changed();
  }

  setNote(note: string) {
    this.note = note;
    this.changed();
  }

  choose(productId: string) {
    this.productId = productId;
    this.changed();
  }

  /** Sets an end of the trip, and asks for prices once there are two. */
  setStop(end: End, stop: Stop | undefined) {
    this.stops = { ...this.stops, [end]: stop };
    this.quotes = [];
    this.failure = undefined;
    this.changed();
    void this.quote();
  }

  /** The end of the trip that a click on the map sets. */
  get missing(): End | undefined {
    if (!this.person || this.ride) {
      return undefined;
    }
    return !this.stops.pickup ? "pickup" : !this.stops.dropoff ? "dropoff" : undefined;
  }

  /** Of the present driver. */
  get telemetry(): RideTelemetry | undefined {
    return this.#telemetry?.epoch === this.ride?.epoch ? this.#telemetry : undefined;
  }

  get over(): boolean {
    return this.ride?.endTime !== undefined;
  }

  async quote() {
    const { pickup, dropoff } = this.stops;
    if (!this.person || !pickup || !dropoff) {
      return;
    }
    const riderId = this.person.id;
    // Only the answer to the last question counts.
    const asked = ++this.#asked;
    await this.do("Asking for prices", async () => {
      const { quotes } = await retry((call) => this.#client.quoteRide({ riderId, pickup, dropoff }, call), this.signal);
      if (asked !== this.#asked) {
        return;
      }
      this.quotes = quotes;
      if (!quotes.some(({ productId }) => productId === this.productId)) {
        this.productId = quotes[0]?.productId ?? "";
      }
    });
  }

  async request() {
    const { pickup, dropoff } = this.stops;
    const quote = this.quotes.find(({ productId }) => productId === this.productId);
    if (!this.person || !pickup || !dropoff || !quote) {
      return;
    }
    const request = {
      riderId: this.person.id, pickup: { ...pickup, note: this.note }, dropoff, productId: quote.productId,
      quoteToken: quote.quoteToken, riderDisplayName: this.name,
    };
    const body = JSON.stringify(request);
    if (this.#request?.body !== body) {
      this.#request = { body, requestId: newId() };
    }
    const { requestId } = this.#request;
    await this.do("Requesting the ride", async () => {
      const { ride } = await retry((call) => this.#client.requestRide({ ...request, requestId }, call), this.signal);
      this.#request = undefined;
      this.quotes = [];
      this.#begin(ride!);
    });
    if (this.failure?.reason === "QUOTE_EXPIRED" || this.failure?.reason === "QUOTE_USED") {
      await this.quote();
    }
  }

  async cancel(reason: CancelReason, note: string) {
    const ride = this.ride;
    if (!ride) {
      return;
    }
    await this.do("Canceling the ride", async () => {
      const answer = await retry((call) => this.#client.cancelRide(
        { riderId: ride.riderId, rideId: ride.rideId, reason, note }, call), this.signal);
      this.#setRide(answer.ride!);
    });
  }

  /** Makes room for the next ride, over the same trip. */
  forgetRide() {
    this.ride = undefined;
    this.events = [];
    this.#telemetry = undefined;
    this.quotes = [];
    this.link = "closed";
    this.resumed = 0;
    this.failure = undefined;
    this.changed();
    void this.quote();
  }

  #begin(ride: Ride) {
    this.events = [];
    this.#telemetry = undefined;
    this.resumed = 0;
    this.ride = ride;
    this.stops = { pickup: stopOf(ride.pickup), dropoff: stopOf(ride.dropoff) };
    void this.#watch(ride, this.signal);
  }

  /** Of two states of a ride the one with the higher sequence is the newer, on whatever way they came. */
  #setRide(ride: Ride) {
    if (ride.rideId === this.ride?.rideId && ride.sequence >= this.ride.sequence) {
      this.ride = ride;
    }
  }

  /** Follows the ride to its end, on as many streams as it takes. */
  async #watch({ riderId, rideId }: Ride, signal: AbortSignal) {
    // The cursor: the last sequence received. The first stream brings all events, for the history.
    let afterSequence: bigint | undefined = 0n;
    const wait = new Backoff();
    while (!signal.aborted && this.ride?.rideId === rideId) {
      let draining: Draining | undefined;
      let failure: Failure | undefined;
      try {
        const messages = messagesOf((call) => this.#client.watchRide({ riderId, rideId, afterSequence }, call), signal);
        for await (const { message } of messages) {
          if (this.ride?.rideId !== rideId) {
            return; // The user went on to the next ride.
          }
          wait.reset();
          this.link = "live";
          switch (message.case) {
            case "snapshot":
              afterSequence = message.value.sequence;
              this.#setRide(message.value);
              break;
            case "event":
              afterSequence = message.value.sequence;
              this.events = [...this.events, message.value];
              this.#setRide(message.value.ride!);
              break;
            case "telemetry":
              this.#telemetry = message.value;
              break;
            case "startOver":
              afterSequence = undefined;
              this.events = [];
              break;
            case "draining":
              draining = message.value;
              break;
            default: // Heartbeats and caughtUp call for nothing. Messages of a later version are skipped.
          }
          this.changed();
        }
      } catch (error) {
        failure = failureOf(error);
        if (signal.aborted) {
          return;
        }
        if (isAnswer(failure)) {
          this.failure = failure;
          this.link = "closed";
          this.changed();
          return;
        }
      }
      if (this.over && this.ride?.rideId === rideId && afterSequence !== undefined && afterSequence >= this.ride.sequence) {
        this.link = "closed";
        this.changed();
        return;
      }
      this.link = "resuming";
      ++this.resumed;
      this.changed();
      await sleep(draining?.retryAfter ? durationMs(draining.retryAfter) : wait.next(failure?.retryAfter ?? 0), signal);
    }
  }

  /** Keeps the cars near the pickup on the map until a ride is requested. */
  async #showCars(signal: AbortSignal) {
    while (!signal.aborted) {
      const position = this.stops.pickup?.position;
      let cars: NearbyCar[] = [];
      if (position && !this.ride) {
        // The next attempt is soon: no repeats.
        cars = await this.#client.listNearbyCars({ position, radiusM: 3000 }, { timeoutMs: CARS_EVERY, signal }).then(
          (answer) => answer.cars, () => []);
      }
      if (cars.length || this.cars.length) {
        this.cars = this.ride ? [] : cars;
        this.changed();
      }
      await sleep(CARS_EVERY, signal);
    }
  }
}

/** Whether a trip is too short for a ride. */
export function tooShort({ pickup, dropoff }: Partial<Record<End, Stop>>): boolean {
  return pickup !== undefined && dropoff !== undefined && distance(pickup.position, dropoff.position) < 20;
}

function stopOf(place: Ride["pickup"]): Stop {
  const { latitudeDeg, longitudeDeg } = place!.position!;
  return { position: { latitudeDeg, longitudeDeg }, address: place!.address };
}
