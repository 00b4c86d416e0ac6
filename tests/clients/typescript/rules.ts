// The rules of docs/clients.md for any client of Hail in TypeScript. Times are in milliseconds.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type CallOptions, Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const ATTEMPT = 5_000; // of one attempt of a unary call
const GIVE_UP = 30_000; // the last attempt begins by then
const SILENCE = 12_000; // a stream without a message for this long is dead
const FIRST_WAIT = 100;
const LONGEST_WAIT = 2_000;

/** The part of an error that a client needs. */
export interface Failure {
  code: Code;
  /** From Hail's ErrorInfo; empty for an error that does not come from Hail. */
  reason: string;
  message: string;
  /** From RetryInfo, or 0. */
  retryAfter: number;
}

export function failureOf(error: unknown): Failure {
  const e = ConnectError.from(error);
  const retryDelay = e.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    code: e.code,
    reason: e.findDetails(ErrorInfoSchema).find((info) => info.domain === "hail")?.reason ?? "",
    message: e.rawMessage,
    retryAfter: retryDelay ? durationMs(retryDelay) : 0,
  };
}

/** Whether this is Hail's answer, which stays. After any other error the call or stream is repeated. */
export function isAnswer(failure: Failure): boolean {
  switch (failure.code) {
    case Code.Unavailable:
    case Code.ResourceExhausted:
    case Code.DeadlineExceeded:
    case Code.Canceled:
      return false;
    default:
      return failure.reason !== "";
  }
}

/** The waits before further attempts. */
export class Backoff {
  #last = 0;

  reset() {
    this.#last = 0;
  }

  next(atLeast: number): number {
    this.#last = Math.min(Math.max(2 * this.#last, FIRST_WAIT), LONGEST_WAIT);
    return Math.max(this.#last * (0.5 + Math.random() / 2), atLeast);
  }
}

/** Repeats a unary call until it has an answer. */
export async function retry<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
  const wait = new Backoff();
  for (const began = performance.now(); ; ) {
    try {
      return await call({ timeoutMs: ATTEMPT });
    } catch (error) {
      const failure = failureOf(error);
      if (isAnswer(failure) || performance.now() - began > GIVE_UP) {
        throw error;
      }
      await sleep(wait.next(failure.retryAfter));
    }
  }
}

/** The messages of a stream. Silence ends it with an error. */
export async function* messagesOf<T>(open: (options: CallOptions) => AsyncIterable<T>): AsyncGenerator<T> {
  const dead = new AbortController();
  const timer = setTimeout(() => dead.abort(), SILENCE);
  try {
    for await (const message of open({ signal: dead.signal })) {
      timer.refresh();
      yield message;
    }
  } finally {
    clearTimeout(timer);
    dead.abort();
  }
}

export interface Connection {
  address: string;
  ca?: string;
  tokenFile?: string;
  insecure: boolean;
  /** gRPC-Web is the protocol of browsers, where createGrpcWebTransport comes from @connectrpc/connect-web. */
  grpcWeb: boolean;
}

/** The one transport that an app needs. */
export function connect({ address, ca, tokenFile, insecure, grpcWeb }: Connection): Transport {
  // The token is read for each call, because a token expires and another program renews it.
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${readFileSync(tokenFile!, "utf8").trim()}`);
    return next(request);
  };
  const options = {
    baseUrl: `${insecure ? "http" : "https"}://${address}`,
    interceptors: tokenFile ? [authorize] : [],
    nodeOptions: ca ? { ca: readFileSync(ca) } : {},
    pingIntervalMs: 30_000,
    pingTimeoutMs: 10_000,
  };
  return grpcWeb ? createGrpcWebTransport({ ...options, httpVersion: "2" }) : createGrpcTransport(options);
}
