"""TCP proxies on loopback that can be cut: each stands for the network between one process and another."""
import asyncio
import socket
import threading


class _Pipe(asyncio.Protocol):
    """The reader of one direction; passes the data to its peer as fast as the peer accepts it."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.peer = None
        self.transport = None
        self.early = []

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.proxy.transports.add(transport)

    def data_received(self, data):
        if self.proxy.state == "silent":
            # Bytes are missing from now on: the connection does not recover.
            self.proxy.lost.add(self)
        if self in self.proxy.lost or (self.peer is not None and self.peer in self.proxy.lost):
            return
        if self.peer is None or self.peer.transport is None:
            self.early.append(data)
        else:
            self.peer.transport.write(data)

    def pause_writing(self):
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self):
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()

    def connection_lost(self, _):
        self.proxy.transports.discard(self.transport)
        self.proxy.lost.discard(self)
        if self.peer is not None and self.peer.transport is not None and self.proxy.state != "silent":
            self.peer.transport.close()


class Proxy:
    """A proxy on its own port for `target`, (host, port). Thread-safe."""

    def __init__(self, network, port, target):
        self.network = network
        self.target = target
        self.state = "open"
        self.transports = set()
        self.lost = set()
        self.address = f"127.0.0.1:{port}"
        network.call(self._serve(port))

    async def _serve(self, port):
        await asyncio.get_running_loop().create_server(self._accepted, "127.0.0.1", port)

    def _accepted(self):
        near = _Pipe(self)
        asyncio.get_running_loop().create_task(self._connect(near))
        return near

    async def _connect(self, near):
        await asyncio.sleep(0)
        try:
            if self.state == "refusing":
                raise ConnectionError
            far = _Pipe(self)
            far.peer = near
            await asyncio.get_running_loop().create_connection(lambda: far, *self.target)
        except OSError:
            if near.transport is not None:
                near.transport.abort()
            return
        near.peer = far
        for data in near.early:
            near.data_received(data)
        near.early = []

    def cut(self, silently):
        """Ends connections and refuses new ones; or, silently, drops all data without notifying either end."""
        def do():
            self.state = "silent" if silently else "refusing"
            if not silently:
                for transport in list(self.transports):
                    transport.abort()
        self.network.run(do)

    def mend(self):
        def do():
            self.state = "open"
        self.network.run(do)


class Network:
    """A thread with the proxies on it."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def run(self, function):
        self.loop.call_soon_threadsafe(function)
