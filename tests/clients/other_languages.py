"""The clients in other languages: how to build each of them, how to start it, and one ride with two of them."""

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build/clients"
PROTO = ROOT / "proto"
# `make` installs buf there.
TOOLS = ROOT / "build/tools/node_modules/.bin"


@dataclasses.dataclass(frozen=True)
class Language:
    """`build` and the apps are command lines, run in `directory`."""
    directory: str
    programs: tuple
    build: tuple
    rider: tuple = ()
    driver: tuple = ()


_VENV = BUILD / "python"
_PROTOS = [str(path.relative_to(PROTO)) for side in ("driver", "rider", "type")
           for path in sorted((PROTO / "hail" / side).rglob("*.proto"))]
_TYPESCRIPT = Language(
    "typescript", ("node", "npm"),
    (("npm", "ci", "--no-fund", "--no-audit"), ("npm", "run", "generate"), ("npm", "run", "build")),
    rider=("node", "dist/rider.js"))
LANGUAGES = {
    "go": Language(
        "go-rider", ("go", "buf"),
        (("buf", "generate"), ("go", "vet", "."), ("go", "build", "-o", str(BUILD / "go-rider"))),
        rider=(str(BUILD / "go-rider"),)),
    "java": Language(
        "java-driver", ("java", "mvn"), (("mvn", "-q", "-B", "compile", "dependency:build-classpath"),),
        driver=("java", "-cp", "target/classes:{classpath}", "com.example.driver.DriverApp")),
    "typescript": _TYPESCRIPT,
    # Needs an edge: the services do not speak gRPC-Web.
    "typescript-web": dataclasses.replace(_TYPESCRIPT, rider=(*_TYPESCRIPT.rider, "--grpc-web")),
    "python": Language(
        "python", ("python3",),
        (("python3", "-m", "venv", str(_VENV)),
         (f"{_VENV}/bin/pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt"),
         ("mkdir", "-p", "gen"),
         (f"{_VENV}/bin/python", "-m", "grpc_tools.protoc", "-I", str(PROTO), "-I", str(PROTO / "third_party"),
          "--python_out=gen", "--grpc_python_out=gen", *_PROTOS)),
        rider=(f"{_VENV}/bin/python", "rider.py"), driver=(f"{_VENV}/bin/python", "driver.py")),
}


def has_app(name, side):
    """Whether there is a rider's or driver's app (`side`) in the language."""
    return name in LANGUAGES and bool(getattr(LANGUAGES[name], side))


def _environment():
    path = os.pathsep.join((os.environ["PATH"], str(TOOLS), str(HERE / "typescript/node_modules/.bin")))
    return {**os.environ, "PATH": path, "PYTHONPATH": "gen", "PYTHONDONTWRITEBYTECODE": "1"}


def build(names):
    """Builds the clients in these languages. Raises RuntimeError for a missing program and for a failed build."""
    environment = _environment()
    languages = {LANGUAGES[name].directory: (name, LANGUAGES[name]) for name in names}
    missing = [f"{name} needs the program {program}, which is not in the PATH" for name, language in languages.values()
               for program in language.programs if not shutil.which(program, path=environment["PATH"])]
    if missing:
        raise RuntimeError("; ".join(missing) + ". --pairs chooses the languages.")
    BUILD.mkdir(parents=True, exist_ok=True)

    def build_one(name, language):
        for command in language.build:
            done = subprocess.run(command, cwd=HERE / language.directory, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
            if done.returncode:
                raise RuntimeError(f"{name}: {' '.join(command)} failed:\n{done.stdout}")

    # Together, because most of the time is downloads and single threads.
    with concurrent.futures.ThreadPoolExecutor(len(languages)) as pool:
        for one in [pool.submit(build_one, *each) for each in languages.values()]:
            one.result()


class App:
    """A running client. Its lines of JSON go to `lines` as (app, line); `words` has them and all else it printed."""

    def __init__(self, name, side, options, lines):
        """`side`: "rider" or "driver"."""
        self.name, self.side = f"{name} {side}", side
        language = LANGUAGES[name]
        directory = HERE / language.directory
        classpath = directory / "target/classpath"
        command = [word.replace("{classpath}", classpath.read_text() if classpath.exists() else "")
                   for word in getattr(language, side)]
        self.words = []
        self._lines = lines
        self._process = subprocess.Popen([*command, *options], cwd=directory, env=_environment(), text=True,
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for word in self._process.stdout:
            self.words.append(word.rstrip())
            with contextlib.suppress(ValueError):
                line = json.loads(word)
                if isinstance(line, dict):
                    self._lines.put((self, line))
        self._lines.put((self, {"kind": "exit", "status": self._process.wait()}))

    def close(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()


class Apps:
    """Clients that run at the same time. A context manager, which ends them."""

    def __init__(self, seconds=180):
        """`seconds`: for everything together."""
        self._queue = queue.Queue()
        self._give_up = time.monotonic() + seconds
        self._apps = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for app in self._apps:
            app.close()

    def start(self, name, side, options):
        self._apps.append(App(name, side, options, self._queue))
        return self._apps[-1]

    def all(self):
        return tuple(self._apps)

    def next(self):
        """The next line of any of them: (app, line)."""
        try:
            return self._queue.get(timeout=max(0, self._give_up - time.monotonic()))
        except queue.Empty:
            raise AssertionError("the clients did not finish in time:\n" + self.report()) from None

    def wait_for(self, app, wanted):
        """The first line of `app` for which `wanted(line)` is true. Lines before it, of all apps, are dropped."""
        while True:
            came_from, line = self.next()
            if came_from is app:
                if wanted(line):
                    return line
                if line["kind"] == "exit":
                    raise AssertionError(f"{app.name} ended too early:\n" + self.report())

    def report(self):
        return "\n".join(f"{app.name}: {word}" for app in self._apps for word in app.words[-60:])


def take_a_ride(rider, driver, rider_options, driver_options, disturbances, pace=2000):
    """One ride from the quote to the drop-off. `rider`, `driver`: keys of LANGUAGES. `disturbances`: functions by
    (side, sequence), called when that side has received that event. Raises AssertionError unless both sides received
    each event once, in order, and ended well. Returns how often each side resumed, by side."""
    with Apps() as apps:
        driver_app = apps.start(driver, "driver", [*driver_options, "--pace", str(pace)])
        apps.wait_for(driver_app, lambda line: line.get("status") == "DRIVER_STATUS_AVAILABLE")
        apps.start(rider, "rider", rider_options)
        left = dict(disturbances)
        events = {"rider": [], "driver": []}
        resumed = {"rider": 0, "driver": 0}
        ended, statuses = {}, {}
        while len(statuses) < 2:
            app, line = apps.next()
            if line["kind"] == "event":
                events[app.side].append((line["sequence"], line["type"].removeprefix("RIDE_EVENT_TYPE_")))
                left.pop((app.side, line["sequence"]), lambda: None)()
            elif line["kind"] == "resume":
                resumed[app.side] += 1
            elif line["kind"] == "end":
                ended[app.side] = line["state"]
            elif line["kind"] == "exit":
                statuses[app.side] = line["status"]
        expected = [(2, "ASSIGNED"), (3, "ASSIGNMENT_SEEN"), (4, "ARRIVED_AT_PICKUP"), (5, "STARTED"), (6, "COMPLETED")]
        for side in ("rider", "driver"):
            assert statuses[side] == 0, f"the {side} ended with status {statuses[side]}:\n{apps.report()}"
            assert ended[side] == "RIDE_STATE_COMPLETED", f"the {side}'s ride ended as {ended[side]}:\n{apps.report()}"
            assert events[side] == expected, f"the {side} received {events[side]}:\n{apps.report()}"
        assert not left, f"did not happen: {sorted(left)}"
        return resumed
