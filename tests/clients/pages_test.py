#!/usr/bin/python3
"""Runs what the pages show, as it is there, against services and an edge of its own: commands for grpcurl and buf curl, and
the apps in Ruby and PHP.

    pages_test.py BIN_DIR TOOLS [TEST…]

TOOLS is the folder with bin/grpcurl and node_modules/.bin/buf, as `make clients-pages` installs them.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

import edge_test

ROOT = pathlib.Path(__file__).resolve().parents[2]


def blocks(page, language, heading=None):
    """The blocks of code in a page, or in a section of it."""
    text = (ROOT / page).read_text()
    if heading:
        text = re.search(rf"^## {heading}\n(.*?)(?:^## |\Z)", text, re.M | re.S)[1]
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def commands(page, heading):
    """The commands in the shell's blocks of a section. Each begins at the margin."""
    return [command for block in blocks(page, "sh", heading) for command in re.split(r"\n(?=\S)", block.rstrip())]


class Session:
    """A command that runs. Its standard input stays open, as a terminal's does."""

    def __init__(self, command, directory=ROOT, environment=None):
        self.text = ""
        self._process = subprocess.Popen(
            ["bash", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=directory, env=environment, start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.text += line

    def expect(self, pattern, seconds=30):
        def found():
            done = not self._reader.is_alive()
            match = re.search(pattern, self.text)
            if done and not match:
                raise AssertionError(f"/{pattern}/ is not in:\n{self.text}")
            return match

        return edge_test.await_that(found, f"the output has /{pattern}/", seconds)

    def type(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def end(self):
        """Ends the input and returns the exit code."""
        self._process.stdin.close()
        return self._process.wait(30)

    def close(self):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._process.stdin.close()


class Commands(edge_test.EdgeTest):
    def setUp(self):
        tools = pathlib.Path(TOOLS).resolve()
        path = os.pathsep.join((str(tools / "bin"), str(tools / "node_modules/.bin"), os.environ["PATH"]))
        self.environment = {**os.environ, "PATH": path, "ada": self.edge.token("rider", "ada"),
                            "grace": self.edge.token("driver", "grace")}

    def start(self, command):
        for shown, here in (("127.0.0.1:50051", self.services.rider), ("localhost:8443", self.edge.tls.replace("127.0.0.1", "localhost")),
                            ("build/edge/", f"{self.edge.root.parent}/")):
            command = command.replace(shown, here)
        session = Session(command, environment=self.environment)
        self.addCleanup(session.close)
        return session

    def run_each(self, shown, expected):
        """Runs the commands `shown`. `expected`: for each the pattern of its output, and its exit code if that is not 0."""
        self.assertEqual(len(shown), len(expected), shown)
        for command, wanted in zip(shown, expected):
            pattern, code = wanted if isinstance(wanted, tuple) else (wanted, 0)
            with self.subTest(command):
                session = self.start(command)
                session.expect(pattern)
                self.assertEqual(session.end(), code, session.text)

    def new_ride(self, request, number):
        """The ride of the page's command. Another number gives another ride."""
        return self.start(request.replace('"request_id": "1"', f'"request_id": "{number}"')).expect(r'"ride_id": "(.*?)"')[1]

    def canceled(self, stream, ride):
        session = self.start(stream.replace("RIDE", ride))
        session.expect('"snapshot"')
        session.type('{"command_id": "1", "cancel_ride": {}}')
        session.expect("RIDE_EVENT_TYPE_CANCELED")
        self.assertEqual(session.end(), 0, session.text)
        self.assertRegex(session.text, '"command_?[iI]d": *"1"')

    def test_commands_for_the_services(self):
        *simple, request, watch, stream_by_grpcurl, methods, unary, refused, stream_by_buf = commands(
            "docs/first-ride.md", "A ride with any gRPC client")
        self.run_each(simple, (
            r"(?s)grpc\.health\.v1\.Health.*grpc\.reflection\.v1\..*grpc\.reflection\.v1alpha\..*hail\.rider\.v1\.RiderService",
            r"rpc RequestRide .*\.RequestRideRequest", r"message ErrorInfo \{"))
        ride = self.new_ride(request, 1)
        # It goes on until the ride's end.
        self.start(watch.replace("RIDE", ride)).expect(rf'(?s)"snapshot": \{{.*"ride_id": "{ride}"')
        self.canceled(stream_by_grpcurl, ride)
        ride = self.new_ride(request, 2)
        # Their exit code is eight times gRPC's.
        self.run_each((methods, unary, refused), (
            r"hail\.rider\.v1\.RiderService/StreamRide", ride, ("google.rpc.ErrorInfo", 40)))
        v1 = refused.replace("grpc-v1alpha", "grpc-v1")
        self.assertNotEqual(v1, refused)
        self.run_each([v1], [("google.rpc.ErrorInfo", 40)])
        self.canceled(stream_by_buf, ride)

    def test_commands_for_the_edge(self):
        self.run_each(commands("docs/edge.md", "grpcurl and buf curl"), (
            r"hail\.rider\.v1\.RiderService", r"\{", (r"(?s)NotFound.*DRIVER_NOT_FOUND", 69), r"\{", r"\{"))


class Apps(edge_test.EdgeTest):
    """Each takes a ride while rider-service is killed."""

    def ride(self, directory, command):
        rider, token = self.rider()
        (directory / "ada.jwt").write_text(token)
        driver = edge_test.DriverByJson(self.edge)
        for shown, here in (("localhost:8443", self.edge.tls), (" ada ", f" {rider} "), ("ca.crt", str(self.edge.root))):
            command = command.replace(shown, here)
        app = Session(command, directory)
        self.addCleanup(app.close)
        app.expect("RIDER_BUSY")
        ride = driver.accept()
        app.expect("RIDE_EVENT_TYPE_ASSIGNED")
        self.services.rider_service.kill()
        self.services.rider_service.start()
        self.services.rider_service.await_ports()
        for step in ("seen", "arrive", "start", "complete"):
            ride = driver.step(ride, step)
        app.expect("RIDE_STATE_COMPLETED")
        self.assertEqual(app.end(), 0, app.text)
        self.assertRegex(app.text, "(?m)^resume after 2")
        self.assertEqual(re.findall(r"(?m)^(\d) RIDE_EVENT_TYPE", app.text), ["2", "3", "4", "5", "6"], app.text)

    def directory(self):
        directory = tempfile.TemporaryDirectory(prefix="hail-test-")
        self.addCleanup(directory.cleanup)
        return pathlib.Path(directory.name)

    def test_ruby(self):
        directory = self.directory()
        _, make_folder, generate, run = commands("docs/clients/ruby.md", "Set-up")
        setup = Session(f"{make_folder} && {generate}".replace("HAIL", str(ROOT)), directory)
        self.addCleanup(setup.close)
        self.assertEqual(setup.end(), 0, setup.text)
        # Ruby writes to a terminal at once, but not to this test.
        (directory / "ride.rb").write_text("\n".join(["$stdout.sync = true", *blocks("docs/clients/ruby.md", "ruby")]))
        self.ride(directory, run.split("#")[0])

    def test_php(self):
        directory = self.directory()
        _, run = commands("docs/clients/php.md", "Set-up")
        (directory / "ride.php").write_text("\n".join(blocks("docs/clients/php.md", "php")))
        self.ride(directory, run)


if __name__ == "__main__":
    edge_test.EdgeTest.bin_dir = pathlib.Path(sys.argv.pop(1)).resolve()
    TOOLS = sys.argv.pop(1)
    edge_test.run("pages")
