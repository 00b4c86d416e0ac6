// The rules of docs/clients.md for a page in a browser: which errors are answers, how often to repeat, the end of a
// silent stream. Times are in milliseconds.
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const ATTEMPT = 5_000; // of one attempt of a unary call
const GIVE_UP = 30_000; // the last attempt begins by then
const SILENCE = 12_000; // a stream without a message for this long is dead
const FIRST_WAIT = 100;
const LONGEST_WAIT = 2_000;

/** RespondToOffer: the service may have to find out the outcome first. */
export const RESPONSE = { attempt: 60_000, giveUp: 60_000 };

/** The part of an error that a client needs. */
export interface Failure {
  code: Code;
  /** From Hail's ErrorInfo; empty for an error that does not come from Hail. */
  reason: string;
  message: string;
  /** The wrong field, if the error names one. */
  field: string;
  metadata: Record<string, string>;
  /** From RetryInfo, or 0. */
  retryAfter: number;
}

export function failureOf(error: unknown): Failure {
  const e = ConnectError.from(error);
  const info = e.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "hail");
  const retryDelay = e.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    code: e.code,
    reason: info?.reason ?? "",
    message: e.rawMessage,
    field: e.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field ?? "",
    metadata: info?.metadata ?? {},
    retryAfter: retryDelay ? durationMs(retryDelay) : 0,
  };
}

/** Whether this is Hail's answer, which stays. After any other error the call or stream is repeated. */
export function isAnswer({ code, reason }: Failure): boolean {
  switch (code) {
    case Code.Unavailable:
    case Code.ResourceExhausted:
    case Code.DeadlineExceeded:
    case Code.Canceled:
      return false;
    default:
      return reason !== "";
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

/** Resolves after `time`, or at once when `signal` aborts. */
export function sleep(time: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const wake = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, time);
    signal?.addEventListener("abort", wake);
  });
}

/** Repeats a unary call until it has an answer. An abort of `signal` ends it with an error. */
export async function retry<T>(
  call: (options: CallOptions) => Promise<T>, signal: AbortSignal, { attempt, giveUp } = { attempt: ATTEMPT, giveUp: GIVE_UP },
): Promise<T> {
  const wait = new Backoff();
  for (const began = performance.now(); ; ) {
    try {
      return await call({ timeoutMs: attempt, signal });
    } catch (error) {
      const failure = failureOf(error);
      if (signal.aborted || isAnswer(failure) || performance.now() - began > giveUp) {
        throw error;
      }
      await sleep(wait.next(failure.retryAfter), signal);
    }
  }
}

/** The messages of a stream. Silence, or an abort of `signal`, ends it with an error. */
export async function* messagesOf<T>(
  open: (options: CallOptions) => AsyncIterable<T>, signal: AbortSignal,
): AsyncGenerator<T> {
  const dead = new AbortController();
  const abort = () => dead.abort();
  signal.addEventListener("abort", abort);
  let timer = setTimeout(abort, SILENCE);
  try {
    signal.throwIfAborted();
    for await (const message of open({ signal: dead.signal })) {
      clearTimeout(timer);
      timer = setTimeout(abort, SILENCE);
      yield message;
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    dead.abort();
  }
}
