"""Both services, started for a test on free ports and temporary data, and stopped after it."""

import contextlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from free_ports import free_port  # noqa: E402


class Service:
    def __init__(self, binary, directory, settings, open_files=None):
        """`open_files`: the limit of the process's open files, sockets included."""
        self.name = pathlib.Path(binary).name
        self._open_files = open_files
        self.log = directory / f"{self.name}.log"
        self.port_file = directory / f"{self.name}.ports"
        self._command = [str(binary), "--port-file", str(self.port_file)]
        for key, value in settings.items():
            self._command += ["--set", f"{key}={value}"]
        self._process = None

    def start(self):
        self.port_file.unlink(missing_ok=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HAIL_")}

        def limit():
            if self._open_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self._open_files, self._open_files))

        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, preexec_fn=limit)

    @property
    def pid(self):
        return self._process.pid

    def running(self):
        return self._process is not None and self._process.poll() is None

    def await_ports(self, seconds=30):
        """The ports in use. Waits for the file that the service writes once it listens."""
        give_up = time.monotonic() + seconds
        while not self.port_file.exists():
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{self.name} did not come up:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.02)
        return json.loads(self.port_file.read_text())

    def restart_when_killed(self, other):
        """Waits until somebody kills the service, and starts it again; gives up when the process `other` ends."""
        while self._process.poll() is None:
            if other.poll() is not None:
                return
            time.sleep(0.01)
        self.start()

    def kill(self):
        """As a crash: nothing is drained."""
        self._process.kill()
        self._process.wait()

    def stop(self, seconds=30):
        """Drains the service and returns its exit status."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise RuntimeError(f"{self.name} did not stop within {seconds} s:\n"
                                   f"{self.log.read_text(errors='replace')}") from None
        status, self._process = self._process.returncode, None
        return status


class Services:
    """`rider` and `driver` are the public addresses, `rider_internal` and `driver_internal` the internal ones."""

    def __init__(self, bin_dir, directory, rider=None, driver=None, open_files=None):
        """`rider`, `driver`: further settings of each service. `open_files`: see Service; the same for both."""
        bin_dir = pathlib.Path(bin_dir)
        rider_internal, driver_internal = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.rider_internal, self.driver_internal = rider_internal, driver_internal
        common = {"listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0", "shutdown.notice": "0s"}
        self.rider_service = Service(bin_dir / "rider-service", directory, {
            **common, "internal_listen": rider_internal, "driver_service": driver_internal,
            "data_dir": directory / "rider", **(rider or {})}, open_files)
        self.driver_service = Service(bin_dir / "driver-service", directory, {
            **common, "internal_listen": driver_internal, "rider_service": rider_internal,
            "data_dir": directory / "driver", **(driver or {})}, open_files)

    def start(self):
        self.rider_service.start()
        self.driver_service.start()
        rider, driver = self.rider_service.await_ports(), self.driver_service.await_ports()
        self.rider = f"127.0.0.1:{rider['listen']}"
        self.driver = f"127.0.0.1:{driver['listen']}"
        self.rider_metrics = f"127.0.0.1:{rider['metrics_listen']}"
        self.driver_metrics = f"127.0.0.1:{driver['metrics_listen']}"
        return self

    def stop(self):
        return self.driver_service.stop(), self.rider_service.stop()


@contextlib.contextmanager
def running(bin_dir, **arguments):
    with tempfile.TemporaryDirectory(prefix="hail-test-") as directory:
        services = Services(bin_dir, pathlib.Path(directory), **arguments)
        try:
            yield services.start()
        finally:
            services.stop()
