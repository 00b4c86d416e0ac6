"""The rules of docs/clients.md for any client of Hail in Python. Times are in seconds."""

import asyncio
import json
import pathlib
import random
import time
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2, status_pb2

ATTEMPT = 5.0  # of one attempt of a unary call
GIVE_UP = 30.0  # the last attempt begins by then
COMMAND = 10.0  # of one attempt of a command on a stream
GIVE_UP_RESPONSE = 60.0  # the last attempt of a response to an offer
SILENCE = 12.0  # a stream without a message for this long is dead
HEARTBEAT = 5.0  # a stream on which nothing was sent for this long needs one
FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0

REPEATED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.CANCELLED)
CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass
class Failure:
    """The part of an error that a client needs."""
    code: grpc.StatusCode = grpc.StatusCode.OK
    reason: str = ""  # from Hail's ErrorInfo; empty for an error that does not come from Hail
    message: str = ""
    retry_after: float = 0.0  # from RetryInfo

    @classmethod
    def of(cls, error):
        """Of an AioRpcError."""
        status = status_pb2.Status(code=error.code().value[0], message=error.details() or "")
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                status = status_pb2.Status.FromString(value)
        return cls.of_status(status)

    @classmethod
    def of_status(cls, status):
        failure = cls(CODES.get(status.code, grpc.StatusCode.UNKNOWN), message=status.message)
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        for detail in status.details:
            if detail.Unpack(info) and info.domain == "hail":
                failure.reason = info.reason
            elif detail.Unpack(retry):
                failure.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
        return failure

    def is_answer(self):
        """Whether this is Hail's answer, which stays. After any other error the call or stream is repeated."""
        return self.code is grpc.StatusCode.OK or bool(self.reason) and self.code not in REPEATED


class Backoff:
    """The waits before further attempts."""

    def __init__(self):
        self._last = 0.0

    def reset(self):
        self._last = 0.0

    def next(self, at_least=0.0):
        self._last = min(max(2 * self._last, FIRST_WAIT), LONGEST_WAIT)
        return max(self._last * random.uniform(0.5, 1.0), at_least)


async def retry(call, request):
    """Repeats a unary call until it has an answer."""
    wait, began = Backoff(), time.monotonic()
    while True:
        try:
            return await call(request, timeout=ATTEMPT)
        except grpc.aio.AioRpcError as error:
            failure = Failure.of(error)
            if failure.is_answer() or time.monotonic() - began > GIVE_UP:
                raise
            await asyncio.sleep(wait.next(failure.retry_after))


async def messages_of(stream):
    """The messages of a stream. Silence ends it with an error."""
    try:
        while (message := await asyncio.wait_for(stream.read(), SILENCE)) is not grpc.aio.EOF:
            yield message
    except asyncio.TimeoutError:
        raise grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, grpc.aio.Metadata(), grpc.aio.Metadata(),
                                   f"no message for {SILENCE:g} s") from None
    finally:
        stream.cancel()


class Token(grpc.AuthMetadataPlugin):
    """Reads the token for each call, because a token expires and another program renews it."""

    def __init__(self, file):
        self._file = pathlib.Path(file)

    def __call__(self, context, callback):
        callback((("authorization", f"Bearer {self._file.read_text().strip()}"),), None)


def connect(address, ca=None, token_file=None, insecure=False):
    """The one channel that an app needs."""
    options = {"grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 2000,
               "grpc.min_reconnect_backoff_ms": 5000, "grpc.keepalive_time_ms": 30000,
               "grpc.keepalive_timeout_ms": 10000, "grpc.enable_retries": 0}.items()
    if insecure:
        return grpc.aio.insecure_channel(address, options=options)
    credentials = grpc.ssl_channel_credentials(pathlib.Path(ca).read_bytes() if ca else None)
    if token_file:
        credentials = grpc.composite_channel_credentials(
            credentials, grpc.metadata_call_credentials(Token(token_file)))
    return grpc.aio.secure_channel(address, credentials, options=options)


def add_options(parser, service):
    parser.add_argument("--address", required=True, help=f"HOST:PORT of {service} or of an edge")
    parser.add_argument("--ca", help="PEM file of the certificate authority, instead of the system's")
    parser.add_argument("--token-file", help="file with the person's token; needs TLS")
    parser.add_argument("--insecure", action="store_true", help="without TLS")


def name(enum, value):
    """An enumerator's name, or its number if it is of a later version, for which Name() raises."""
    return enum.Name(value) if value in enum.values() else str(value)


def emit(kind, **fields):
    print(json.dumps({"kind": kind, **fields}), flush=True)


def emit_error(error):
    failure = Failure.of(error)
    emit("error", code=failure.code.name, reason=failure.reason, message=failure.message)
