"""What a client makes of an error, by docs/clients.md: whether it is the service's answer, and when to try again."""

import random
import time

# The codes with which Hail itself asks for another try: CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE.
REPEATED = frozenset((1, 4, 8, 14))

FIRST_WAIT, MOST_WAIT = 0.1, 2.0
# Seconds for one attempt of a call, and from the first attempt until no other is begun. An offer's answer may have to be
# found out.
ATTEMPT, GIVE_UP = 5.0, 30.0
ANSWER_ATTEMPT, ANSWER_GIVE_UP = 60.0, 60.0


def is_answer(code, reason):
    """Whether an error of `code` (the number) is the service's answer. `reason`: of the ErrorInfo whose domain is "hail";
    empty or None without one: then it is the network's or a proxy's, whatever its code."""
    return code == 0 or bool(reason) and code not in REPEATED


def details_of(status):
    """Reason and RetryInfo's seconds (or None) of a status in a message, a dict of protobuf's JSON mapping."""
    reason, retry_after = "", None
    for detail in status.get("details", []):
        kind = detail.get("@type", "").rsplit("/", 1)[-1]
        if kind == "google.rpc.ErrorInfo" and detail.get("domain") == "hail":
            reason = detail["reason"]
        elif kind == "google.rpc.RetryInfo":
            retry_after = float(detail["retry_delay"].rstrip("s"))
    return reason, retry_after


class Backoff:
    """The waits before further attempts, in seconds: doubling, shortened by up to half at random, never less than the
    service asked for."""

    def __init__(self):
        self.reset()

    def reset(self):
        self._next = FIRST_WAIT

    def next(self, asked=None):
        wait, self._next = self._next * random.uniform(0.5, 1.0), min(2 * self._next, MOST_WAIT)
        return max(wait, asked or 0.0)


def patiently(call, attempt=ATTEMPT, give_up=GIVE_UP, error=Exception):
    """`call(timeout=seconds)` until it has an answer, which is returned, or raised as an `error` with the attributes
    `answer` and `retry_after` (grpc_reflection.CallError)."""
    backoff, began = Backoff(), time.monotonic()
    while True:
        try:
            return call(timeout=attempt)
        except error as failed:
            if failed.answer or time.monotonic() - began > give_up:
                raise
            time.sleep(backoff.next(failed.retry_after))
