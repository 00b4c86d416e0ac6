"""A nats-server of Debian's package on loopback, for tools and tests."""
import pathlib
import signal
import socket
import subprocess
import time

CONFIGURATION = pathlib.Path(__file__).resolve().parents[2] / "deploy/nats.conf"


def host_and_port(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


class Nats:
    def __init__(self, directory, port, certificate=None):
        """`certificate`: a folder with ca.crt, tls.crt and tls.key, for TLS and permissions as in deploy/nats.conf."""
        self.address = f"127.0.0.1:{port}"
        self.command = ["nats-server", "-a", "127.0.0.1", "-p", str(port)]
        if certificate:
            text = CONFIGURATION.read_text()
            for there, here in (("/etc/hail/nats/ca.crt", certificate / "ca.crt"),
                                ("/etc/hail/nats/nats.crt", certificate / "tls.crt"),
                                ("/etc/hail/nats/nats.key", certificate / "tls.key")):
                assert there in text
                text = text.replace(there, str(here))
            (directory / "nats.conf").write_text(text)
            self.command += ["--config", str(directory / "nats.conf")]
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

    def read_certificate(self):
        """Replaced files are used for new connections, as after `nats-server --signal reload`."""
        self.process.send_signal(signal.SIGHUP)
