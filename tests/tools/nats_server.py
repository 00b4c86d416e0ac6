"""A nats-server of Debian's package on loopback, for tools and tests."""
import socket
import subprocess
import time


def host_and_port(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


class Nats:
    def __init__(self, directory, port):
        self.address = f"127.0.0.1:{port}"
        self.command = ["nats-server", "-a", "127.0.0.1", "-p", str(port)]
        self.log = open(directory / "nats.log", "ab")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        deadline = time.time() + 20
        while time.time() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(host_and_port(self.address)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError("nats-server does not start")

    def kill(self):
        self.process.kill()
        self.process.wait()
