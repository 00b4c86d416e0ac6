// The driver's app without its looks: a session on WatchDriver, offers, the steps of a ride, and a car that reports its
// position. Everything that the app says is a unary call, because a browser cannot send on a stream.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, createClient } from "@connectrpc/connect";
import {
  type AdvanceTripRequestSchema, Availability, type Driver, DriverService, type DriverState, type Offer, type OfferUpdate,
  OfferResponse, OfferStatus, type StreamDriverResponse,
} from "./gen/hail/driver/v1/driver_service_pb.js";
import { type Ride, type RideEvent, RideState, type VehicleSchema } from "./gen/hail/type/v1/ride_pb.js";
import type { Cursor, Draining } from "./gen/hail/type/v1/stream_pb.js";
import { course, distance, type Point, towards } from "./geo.js";
import type { Link } from "./rider.js";
import { Backoff, type Failure, failureOf, isAnswer, messagesOf, RESPONSE, retry, sleep } from "./rules.js";
import { newId, signOut, transportOf } from "./session.js";
import { SideApp } from "./side_app.js";

/** A car that stands reports this often, a car that moves more often. */
const STANDING_EVERY = 5_000;
const MOVING_EVERY = 1_000;
/** The car is there. */
const THERE_M = 1;

export type Step = NonNullable<MessageInitShape<typeof AdvanceTripRequestSchema>["action"]>;

export interface Profile {
  displayName: string;
  regionId: string;
  productIds: string[];
  vehicle: MessageInitShape<typeof VehicleSchema>;
}

/** An offer as the page counts it down. */
export interface LiveOffer {
  offer: Offer;
  /** Of performance.now(). */
  ends: number;
  length: number;
}

export class DriverApp extends SideApp {
  /** Undefined until it is known; null: this driver is not registered yet. */
  profile?: Driver | null;
  state?: DriverState;
  offer?: LiveOffer;
  /** How the last offer ended, if it did not become a ride. */
  offerEnd?: OfferUpdate;
  ride?: Ride;
  /** The event that ended the ride before, until there is an offer again. */
  end?: RideEvent;
  events: RideEvent[] = [];
  link: Link = "closed";
  resumed = 0;
  /** Another page or phone has this driver's session. */
  replaced = false;

  position?: Point;
  heading?: number;
  /** Metres a second. */
  speed = 15;
  driving = false;

  #client: Client<typeof DriverService> = createClient(DriverService, transportOf("driver"));
  readonly #incarnationId = newId();
  #openings = 0n;
  #positions = 0n;
  #cursor?: { rideId: string; sequence: bigint };
  #seen = "";
  #wake = new AbortController();

  /** Begins with the driver who is signed in, if there is one. */
  start() {
    this.begin("driver");
    this.profile = undefined;
    this.state = undefined;
    this.offer = undefined;
    this.ride = undefined;
    this.end = undefined;
    this.events = [];
    this.link = "closed";
    this.replaced = false;
    this.#cursor = undefined;
    this.changed();
    if (!this.person) {
      return;
    }
    const driverId = this.person.id;
    const { signal } = this;
    void this.do("Looking for your profile", async () => {
      try {
        this.profile = (await retry((call) => this.#client.getDriver({ driverId }, call), signal)).driver;
      } catch (error) {
        if (failureOf(error).reason !== "DRIVER_NOT_FOUND") {
          throw error;
        }
        this.profile = null;
        return;
      }
      this.open();
    });
  }

  signOut() {
    signOut("driver");
    this.position = undefined;
    this.driving = false;
    this.start();
  }

  async register(profile: Profile) {
    const driver = { ...profile, driverId: this.person!.id };
    await this.do("Registering", async () => {
      this.profile = (await retry((call) => this.#client.registerDriver({ driver }, call), this.signal)).driver;
      this.open();
    });
  }

  /** Opens the driver's session; takes it from another page. */
  open() {
    if (this.link !== "closed") {
      return;
    }
    this.replaced = false;
    this.link = "resuming";
    this.changed();
    const { signal } = this;
    const session = new AbortController();
    signal.addEventListener("abort", () => session.abort());
    void this.#watch(session.signal).finally(() => session.abort());
    void this.#move(session.signal);
  }

  get online(): boolean {
    return this.state?.availability === Availability.ONLINE;
  }

  async setOnline(online: boolean) {
    const availability = online ? Availability.ONLINE : Availability.OFFLINE;
    await this.do(online ? "Going online" : "Going offline", async () => {
      const driverId = this.person!.id;
      const { state } = await retry((call) => this.#client.setAvailability({ driverId, availability }, call), this.signal);
      this.#setState(state);
    });
  }

  async respond(accept: boolean) {
    const offer = this.offer?.offer;
    if (!offer) {
      return;
    }
    const response = accept ? OfferResponse.ACCEPT : OfferResponse.DECLINE;
    await this.do(accept ? "Accepting" : "Declining", async () => {
      const driverId = this.person!.id;
      const answer = await retry((call) => this.#client.respondToOffer(
        { driverId, offerId: offer.offerId, response }, call), this.signal, RESPONSE);
      this.#endOffer(answer.offer);
      this.#setState(answer.state);
      this.#setRide(answer.state?.ride);
    });
    // A refusal says that the offer is over.
    if (this.failure && isAnswer(this.failure) && this.offer?.offer.offerId === offer.offerId) {
      this.offer = undefined;
      this.changed();
    }
  }

  async advance(what: string, action: Step) {
    const ride = this.ride;
    if (!ride) {
      return;
    }
    await this.do(what, () => this.#advance(ride, action));
  }

  /** Where the ride wants the car, if it wants it somewhere else than it is. */
  get target(): Point | undefined {
    const goal = this.goal;
    return goal && this.position && distance(goal, this.position) > THERE_M ? goal : undefined;
  }

  /** The end of the present leg, while the car is under way. */
  get goal(): Point | undefined {
    switch (this.ride?.state) {
      case RideState.ENROUTE_TO_PICKUP:
        return this.ride.pickup?.position;
      case RideState.ENROUTE_TO_DROPOFF:
        return this.ride.dropoff?.position;
      default:
        return undefined;
    }
  }

  placeCar(position: Point) {
    if (this.position) {
      this.heading = course(this.position, position);
    }
    this.position = position;
    this.changed();
    this.#wake.abort();
  }

  setSpeed(speed: number) {
    this.speed = speed;
    this.changed();
  }

  setDriving(driving: boolean) {
    this.driving = driving;
    this.changed();
    this.#wake.abort();
  }

  async #advance({ rideId, epoch, leg }: Ride, action: Step) {
    const request = { driverId: this.person!.id, rideId, epoch, leg, action };
    this.#setRide((await retry((call) => this.#client.advanceTrip(request, call), this.signal)).ride);
  }

  // --- The session ---

  async #watch(signal: AbortSignal) {
    const driverId = this.person!.id;
    const wait = new Backoff();
    while (!signal.aborted) {
      let draining: Draining | undefined;
      let failure: Failure | undefined;
      try {
        const request = { driverId, cursor: this.#cursor, incarnationId: this.#incarnationId, opening: ++this.#openings };
        for await (const message of messagesOf((call) => this.#client.watchDriver(request, call), signal)) {
          wait.reset();
          this.link = "live";
          if (message.message.case === "draining") {
            draining = message.message.value;
          }
          this.#receive(message, signal);
          this.changed();
        }
      } catch (error) {
        failure = failureOf(error);
      }
      if (signal.aborted) {
        return;
      }
      if (this.replaced || (failure && isAnswer(failure))) {
        this.failure = failure;
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

  #receive({ message }: StreamDriverResponse, signal: AbortSignal) {
    switch (message.case) {
      case "snapshot":
        this.state = message.value;
        this.ride = message.value.ride;
        if (this.ride) {
          this.#cursor = cursorOf(this.ride);
          this.#showAssignment(this.ride);
        }
        this.offer = undefined;
        if (message.value.offer) {
          this.#beginOffer(message.value.offer, signal);
        }
        this.#wake.abort(); // Positions need the session's number.
        break;
      case "state":
        this.#setState(message.value);
        break;
      case "event":
        this.#cursor = cursorOf(message.value);
        this.#onEvent(message.value);
        break;
      case "offer":
        this.#beginOffer(message.value, signal);
        break;
      case "offerUpdate":
        this.#endOffer(message.value);
        break;
      case "startOver":
        this.#cursor = undefined;
        this.events = [];
        break;
      case "replaced":
        this.replaced = true;
        this.offer = undefined;
        this.driving = false;
        break;
      default: // Heartbeats and caughtUp call for nothing. Messages of a later version are skipped.
    }
  }

  /** Of two states the one with the higher (session_epoch, revision) is the newer, on whatever way they came. */
  #setState(state: DriverState | undefined) {
    if (!state) {
      return;
    }
    const known = this.state;
    const newer = !known || state.sessionEpoch > known.sessionEpoch
      || (state.sessionEpoch === known.sessionEpoch && state.revision >= known.revision);
    if (newer) {
      this.state = state;
    }
  }

  #onEvent(event: RideEvent) {
    if (event.rideId !== this.events[0]?.rideId) {
      this.events = [];
    }
    this.events = [...this.events, event];
    const ride = event.ride!;
    if (event.ended || ride.endTime) {
      this.end = event;
      if (this.ride?.rideId === ride.rideId) {
        this.ride = undefined;
      }
      this.driving = false;
    } else {
      this.#setRide(ride);
    }
  }

  /** The newer of two states of a ride has the higher sequence. */
  #setRide(ride: Ride | undefined) {
    const older = ride && this.ride?.rideId === ride.rideId && ride.sequence < this.ride.sequence;
    if (!ride || older || ride.endTime || ride.assignmentEnded || ride.rideId === this.end?.rideId) {
      return;
    }
    this.offer = undefined;
    this.offerEnd = undefined;
    this.ride = ride;
    if (ride.state === RideState.ARRIVED_AT_PICKUP) {
      this.driving = false;
    }
    this.#showAssignment(ride);
  }

  /** The page shows the assignment now, and says so once. */
  #showAssignment(ride: Ride) {
    const assignment = `${ride.rideId} ${ride.epoch}`;
    if (ride.state === RideState.ENROUTE_TO_PICKUP && !ride.seenTime && this.#seen !== assignment) {
      this.#seen = assignment;
      this.#advance(ride, { case: "seen", value: {} }).then(() => this.changed(), () => {
        this.#seen = ""; // The next message about the ride tries again.
      });
    }
  }

  #beginOffer(offer: Offer, signal: AbortSignal) {
    const length = offer.remaining ? durationMs(offer.remaining) : 0;
    this.offer = { offer, length, ends: performance.now() + length };
    this.offerEnd = undefined;
    this.end = undefined;
    if (offer.status !== OfferStatus.PENDING) {
      return; // Accepted already: its update follows.
    }
    // Without it within 3 s, the offer goes to somebody else. The stream says so.
    const receipt = { driverId: this.person!.id, offerId: offer.offerId };
    retry((call) => this.#client.acknowledgeOffer(receipt, call), signal).catch(() => {});
  }

  #endOffer(update: OfferUpdate | undefined) {
    if (!update || update.offerId !== this.offer?.offer.offerId) {
      return;
    }
    if (update.status === OfferStatus.CONFIRMING) {
      this.offer = { ...this.offer, offer: { ...this.offer.offer, status: update.status } };
      return;
    }
    this.offer = undefined;
    this.offerEnd = update.status === OfferStatus.ACCEPTED ? undefined : update;
  }

  // --- The car ---

  /** Moves the car and reports its position, for as long as there is a session. */
  async #move(signal: AbortSignal) {
    let last = performance.now();
    while (!signal.aborted) {
      const now = performance.now();
      const target = this.driving ? this.target : undefined;
      if (target && this.position) {
        // By the time that passed: a page in the background runs rarely.
        this.heading = course(this.position, target);
        this.position = towards(this.position, target, (this.speed * (now - last)) / 1000);
        this.changed();
      }
      last = now;
      this.#wake = new AbortController();
      const wake = AbortSignal.any([this.#wake.signal, signal]);
      await this.#report(target !== undefined, signal);
      await sleep(this.driving && this.target ? MOVING_EVERY : STANDING_EVERY, wake);
    }
  }

  /** One attempt: the next position is soon. */
  async #report(moving: boolean, signal: AbortSignal) {
    const { person, position, state } = this;
    if (!person || !position || !state) {
      return;
    }
    const fix = {
      location: position, headingDeg: this.heading, speedMps: moving ? this.speed : 0, accuracyM: 5,
      age: { seconds: 0n, nanos: 0 }, positionSeq: ++this.#positions,
    };
    const request = { driverId: person.id, sessionEpoch: state.sessionEpoch, positions: [fix] };
    try {
      await this.#client.updateLocation(request, { timeoutMs: STANDING_EVERY, signal });
    } catch (error) {
      const failure = failureOf(error);
      if (failure.code === Code.InvalidArgument && !signal.aborted) {
        this.failure = failure;
        this.changed();
      }
    }
  }
}

function cursorOf({ rideId, sequence }: Pick<Cursor, "rideId" | "sequence">) {
  return { rideId, sequence };
}
