"""A minimal HTTP/2 for hostile clients: frames of any kind in any order, whole or in pieces.

Header blocks are written without compression (RFC 7541 §6.2.2, literal without indexing). Received data are split into
frames, but header blocks are not decoded.
"""

import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8


def frame(kind, stream=0, payload=b"", flags=0, length=None):
    """`length`: a false length for the frame's header."""
    said = len(payload) if length is None else length
    return said.to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", key, value) for key, value in pairs))


def literal(name, value):
    def text(data):
        assert len(data) < 127 + (1 << 20)
        if len(data) < 127:
            return bytes([len(data)]) + data
        rest, out = len(data) - 127, b"\x7f"
        while rest >= 128:
            out += bytes([rest % 128 + 128])
            rest //= 128
        return out + bytes([rest]) + data
    return b"\x00" + text(name.encode()) + text(value if isinstance(value, bytes) else value.encode())


def call_headers(path, *more):
    """The header block of a gRPC call."""
    return b"".join(literal(name, value) for name, value in (
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
        ("te", "trailers"), ("content-type", "application/grpc"), *more))


def message(payload, length=None, compressed=0):
    """A gRPC message; `length`: a false length for its prefix."""
    return bytes([compressed]) + struct.pack(">I", len(payload) if length is None else length) + payload


class Connection:
    def __init__(self, address, timeout=10, source=None):
        """`source`: the address of this machine to connect from."""
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=timeout, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def greet(self):
        self.send(PREFACE + settings())
        return self

    def agree(self):
        """Waits for the server's SETTINGS and acknowledges them. From then on the server enforces them."""
        self.read_some(10)
        self.send(frame(SETTINGS, flags=0x1))
        return self

    def send(self, data):
        """False if the server has closed the connection."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def read_some(self, seconds=0.0):
        """The data received within `seconds`; b"" at the end of the connection, None if nothing came."""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            return self.socket.recv(1 << 16)
        except (socket.timeout, BlockingIOError):
            return None
        except OSError:
            return b""
        finally:
            self.socket.settimeout(10)

    def frames(self, seconds=30.0):
        """The received frames as (kind, stream, flags, payload), until the end or `seconds` without data."""
        data = b""
        while True:
            while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
                end = 9 + int.from_bytes(data[:3], "big")
                yield data[3], int.from_bytes(data[5:9], "big"), data[4], data[9:end]
                data = data[end:]
            more = self.read_some(seconds)
            if not more:
                return
            data += more

    def drain(self):
        """Reads all received data, so that the server can send more answers."""
        while self.read_some():
            pass

    def open(self, stream, path, *more, flags=END_HEADERS):
        return self.send(frame(HEADERS, stream, call_headers(path, *more), flags))

    def call_on_and_on(self, path, payload, in_flight, seconds, headers=((),)):
        """Calls a unary method for `seconds` with `in_flight` calls at a time; returns the number of answers. The calls
        have the sets of further headers in `headers` in turn."""
        blocks, body = [call_headers(path, *more) for more in headers], message(payload)
        self.send(frame(WINDOW_UPDATE, payload=struct.pack(">I", 1 << 30)))
        give_up = time.monotonic() + seconds
        sent = answered = 0
        pending = b""
        while time.monotonic() < give_up:
            calls = b""
            while sent - answered < in_flight and len(calls) < 1 << 15:
                block = blocks[sent % len(blocks)]
                calls += frame(HEADERS, 2 * sent + 1, block, END_HEADERS) + frame(DATA, 2 * sent + 1, body, END_STREAM)
                sent += 1
            received = self.socket.recv(1 << 18) if self.send(calls) else b""
            if not received:
                return answered
            pending += received
            at = 0
            while len(pending) >= at + 9 and len(pending) >= at + 9 + int.from_bytes(pending[at:at + 3], "big"):
                answered += pending[at + 3] == HEADERS and pending[at + 4] & END_STREAM
                at += 9 + int.from_bytes(pending[at:at + 3], "big")
            pending = pending[at:]
        return answered

    def close(self):
        self.socket.close()
