// A rider's app in TypeScript: it quotes a ride, requests it and watches it to its end, by the rules of docs/clients.md.
//
// Install, generate the code of the contract into gen/, and build:
//
//   npm ci
//   npm run generate
//   npm run build
//
// With the services on this machine, and a driver online:
//
//   node dist/rider.js --address 127.0.0.1:50051 --insecure --id ada
//
// Through an edge with TLS and tokens, where the id must be the token's subject; --grpc-web takes the protocol that
// browsers take:
//
//   node dist/rider.js --address localhost:8443 --ca ca.crt --token-file ada.jwt --id ada --grpc-web
//
// It prints one line of JSON for each message. rules.ts has what every client needs: which errors are answers, how
// often to repeat, the transport. This file has the ride. A watch that breaks resumes after the last event received,
// so each event is printed once.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { DescEnum } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, createClient } from "@connectrpc/connect";
import { RiderService, type WatchRideResponse } from "./gen/hail/rider/v1/rider_service_pb.js";
import { type Ride, RideEventTypeSchema, RideStateSchema } from "./gen/hail/type/v1/ride_pb.js";
import type { Draining } from "./gen/hail/type/v1/stream_pb.js";
import { Backoff, connect, type Failure, failureOf, isAnswer, messagesOf, retry } from "./rules.js";

const FERRY_BUILDING = { position: { latitudeDeg: 37.7955, longitudeDeg: -122.3937 }, address: "Ferry Building" };
const UNION_SQUARE = { position: { latitudeDeg: 37.7879, longitudeDeg: -122.4075 }, address: "Union Square" };

const { values: options } = parseArgs({
  options: {
    address: { type: "string" }, // HOST:PORT of rider-service or of an edge
    ca: { type: "string" }, // PEM file of the certificate authority, instead of Node's
    "token-file": { type: "string" }, // file with the rider's token
    insecure: { type: "boolean", default: false }, // without TLS
    id: { type: "string", default: `ada-${randomUUID().slice(0, 6)}` }, // the rider
    "grpc-web": { type: "boolean", default: false },
  },
});
const riderId = options.id;

// JSON.stringify refuses the bigint that an int64 is.
function emit(line: Record<string, unknown>) {
  console.log(JSON.stringify(line, (_, value) => (typeof value === "bigint" ? Number(value) : value)));
}

// An enumerator's name, or its number if it is of a later version.
function name(schema: DescEnum, value: number) {
  return schema.value[value]?.name ?? value;
}

/** Takes the first price offered for the trip. */
async function request(client: Client<typeof RiderService>): Promise<Ride> {
  const trip = { riderId, pickup: FERRY_BUILDING, dropoff: UNION_SQUARE };
  const { quotes } = await retry((call) => client.quoteRide({ ...trip, productId: "economy" }, call));
  const { productId, quoteToken, fare } = quotes[0];
  emit({ kind: "quote", product: productId, micros: fare?.micros, currency: fare?.currencyCode });

  // All attempts have the same requestId, so there is at most one ride.
  const requestId = randomUUID();
  const { ride } = await retry((call) => client.requestRide({ ...trip, requestId, productId, quoteToken }, call));
  emit({ kind: "ride", ride_id: ride!.rideId, sequence: ride!.sequence, state: name(RideStateSchema, ride!.state) });
  return ride!;
}

/** Follows the ride to its end, on as many streams as it takes, and returns the ride as it ended. */
async function watch(client: Client<typeof RiderService>, ride: Ride): Promise<Ride> {
  const { rideId } = ride;
  let afterSequence: bigint | undefined = ride.sequence; // the cursor; undefined asks for a snapshot
  const wait = new Backoff();
  for (;;) {
    let draining: Draining | undefined;
    let failure: Failure | undefined;
    try {
      const messages: AsyncIterable<WatchRideResponse> =
        messagesOf((call) => client.watchRide({ riderId, rideId, afterSequence }, call));
      for await (const { message } of messages) {
        wait.reset();
        switch (message.case) {
          case "snapshot":
            ride = message.value;
            afterSequence = ride.sequence;
            emit({ kind: "snapshot", sequence: ride.sequence, state: name(RideStateSchema, ride.state) });
            break;
          case "event": {
            const { sequence, type } = message.value;
            ride = message.value.ride!;
            afterSequence = sequence;
            const state = name(RideStateSchema, ride.state);
            emit({ kind: "event", sequence, type: name(RideEventTypeSchema, type), state });
            break;
          }
          case "telemetry": {
            // With missingSince, the car's position is the last known one, or unset.
            const { position, missingSince } = message.value;
            const { latitudeDeg: latitude, longitudeDeg: longitude } = position?.location ?? {};
            emit({ kind: "telemetry", latitude, longitude, missing: missingSince !== undefined });
            break;
          }
          case "startOver":
            afterSequence = undefined;
            break;
          case "draining":
            draining = message.value;
            break;
          default: // Heartbeats and caughtUp call for nothing. Messages of a later version are skipped.
        }
      }
    } catch (error) {
      failure = failureOf(error);
      if (isAnswer(failure)) {
        throw error;
      }
    }
    if (ride.endTime) {
      return ride;
    }
    emit({ kind: "resume", after: afterSequence, code: failure ? Code[failure.code] : "OK" });
    await sleep(draining?.retryAfter ? durationMs(draining.retryAfter) : wait.next(failure?.retryAfter ?? 0));
  }
}

try {
  const client = createClient(RiderService, connect({
    address: options.address ?? "",
    ca: options.ca,
    tokenFile: options["token-file"],
    insecure: options.insecure,
    grpcWeb: options["grpc-web"],
  }));
  const ride = await watch(client, await request(client));
  emit({ kind: "end", state: name(RideStateSchema, ride.state), micros: ride.fare?.final?.micros });
  process.exit(0); // The connection to the service would keep Node alive.
} catch (error) {
  const { code, reason, message } = failureOf(error);
  emit({ kind: "error", code: Code[code], reason, message });
  process.exit(1);
}
