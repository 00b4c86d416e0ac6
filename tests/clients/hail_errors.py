"""How a client handles an error, by docs/clients.md: whether it is the service's answer, and when to try again."""

import random
import time

# The codes by which Hail itself asks for a repeat: CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE.
REPEATED = frozenset((1, 4, 8, 14))

FIRST_WAIT, MOST_WAIT = 0.1, 2.0
# Seconds for one attempt of a call, and from the first attempt until the last one may begin. The response to an offer
# takes longer, because the services may have to find out its outcome.
ATTEMPT, GIVE_UP = 5.0, 30.0
ANSWER_ATTEMPT, ANSWER_GIVE_UP = 60.0, 60.0


def is_answer(code, reason):
    """Whether an error of `code` (the number) is the service's answer. `reason` comes from the ErrorInfo with the
    domain "hail". If it is empty or None, the error is from the network or a proxy, whatever its code."""
    return code == 0 or bool(reason) and code not in REPEATED


def details_of(status):
    """The reason and RetryInfo's seconds (or None) of a status, which is a dict of protobuf's JSON mapping."""
    reason, retry_after = "", None
    for detail in status.get("details", []):
        kind = detail.get("@type", "").rsplit("/", 1)[-1]
        if kind == "google.rpc.ErrorInfo" and detail.get("domain") == "hail":
            reason = detail["reason"]
        elif kind == "google.rpc.RetryInfo":
            retry_after = float(detail["retry_delay"].rstrip("s"))
    return reason, retry_after


class Backoff:
    """The waits before further attempts, in seconds: they double, less up to half at random, and are never shorter than
    the service asks for."""

    def __init__(self):
        self.reset()

    def reset(self):
        self._next = FIRST_WAIT

    def next(self, asked=None):
        wait, self._next = self._next * random.uniform(0.5, 1.0), min(2 * self._next, MOST_WAIT)
        return max(wait, asked or 0.0)


def patiently(call, attempt=ATTEMPT, give_up=GIVE_UP, error=Exception):
    """Repeats `call(timeout=seconds)` until it has an answer. Returns the answer, or raises it as an `error` with the
    attributes `answer` and `retry_after` (grpc_reflection.CallError)."""
    backoff, began = Backoff(), time.monotonic()
    while True:
        try:
            return call(timeout=attempt)
        except error as failed:
            if failed.answer or time.monotonic() - began > give_up:
                raise
            time.sleep(backoff.next(failed.retry_after))
