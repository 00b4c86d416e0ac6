"""Both services on free loopback ports with their data in one directory, for programs that stop and start them."""
import datetime
import os
import pathlib
import signal
import subprocess
import time

from free_ports import free_ports


def epoch(text):
    try:
        return float(text)
    except ValueError:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Service:
    """One service that can be stopped, killed and started again on the same ports and data."""

    def __init__(self, name, binaries, directory, settings, environment=None, binary=None):
        """`binary`: the program's name, if it differs from `name`."""
        self.name = name
        self.address = settings["listen"]
        self.metrics = settings["metrics_listen"]
        self.log = open(directory / f"{name}.log", "ab")
        self.command = [str(binaries / (binary or name)), "--port-file", str(directory / f"{name}.ports")]
        self.ports = directory / f"{name}.ports"
        for key, value in settings.items():
            self.command += ["--set", f"{key}={value}"]
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    def run_from(self, binaries):
        """From its next start on, runs the program of another release from that directory."""
        self.command[0] = str(binaries / pathlib.Path(self.command[0]).name)

    def start(self):
        self.launch()
        self.await_serving()

    def launch(self):
        self.ports.unlink(missing_ok=True)
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, env=self.environment)

    def await_serving(self):
        deadline = time.time() + 120
        while not self.ports.exists():
            if self.process.poll() is not None or time.time() > deadline:
                raise SystemExit(f"{self.name} did not start; see {self.log.name}")
            time.sleep(0.02)

    def stop(self, with_signal=signal.SIGTERM):
        """Returns the exit status, and how long the stop took."""
        begin = time.time()
        self.process.send_signal(with_signal)
        try:
            status = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = f"killed after 60 s ({self.process.wait()})"
        return status, time.time() - begin


def two_services(binaries, directory, shared, own=None, environments=None, secured=None):
    """{"rider": Service, "driver": Service}, not started. `shared` are settings of both, `own` and `environments` of one
    each. Their stores are `directory`/rider/rider.db and `directory`/driver/driver.db. `secured`: a Secured (secured.py),
    for services with TLS and tokens; without it they serve everybody in the clear."""
    ports = [f"127.0.0.1:{port}" for port in free_ports(6)]
    internal = {"rider": ports[0], "driver": ports[1]}

    def service(name, other, public, metrics):
        settings = {**(secured.settings(name) if secured else {}), **shared, "listen": public, "internal_listen": internal[name], "metrics_listen": metrics,
                    "data_dir": directory / name, f"{other}_service": internal[other], **(own or {}).get(name, {})}
        return Service(f"{name}-service", binaries, directory, settings, (environments or {}).get(name))

    return {"rider": service("rider", "driver", *ports[2:4]), "driver": service("driver", "rider", *ports[4:6])}


def end_all(processes):
    """Ends the services that still run."""
    for process in processes:
        if process and process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
