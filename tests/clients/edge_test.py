#!/usr/bin/python3
"""Checks the edge (deploy/edge) in front of both services, by real requests: gRPC, gRPC-Web, JSON, lines and server-sent
events; its errors, limits and tokens; its restart, and services that die or freeze under open streams.

    edge_test.py BIN_DIR [TEST…]
    edge_test.py --details          prints the headers grpc-status-details-bin that envoy.yaml should have

Needs Envoy: `make edge-tools`, or ENVOY=PATH.
"""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid

import grpc
import yaml
from cryptography import x509
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

import hail_errors
import hail_services
import raw_http2
from a_ride import CITY_HALL, FERRY_BUILDING, STAND

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy/edge"))
import files  # noqa: E402
sys.path.insert(0, str(ROOT / "tests/tools"))
from secured import Secured  # noqa: E402

RIDER = "hail.rider.v1.RiderService/"
DRIVER = "hail.driver.v1.DriverService/"
TRIP = {"pickup": FERRY_BUILDING, "dropoff": CITY_HALL, "productId": "economy"}


def await_that(condition, what, seconds=60):
    """Returns the condition's first true value."""
    give_up = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > give_up:
            raise AssertionError(f"after {seconds} s this still does not hold: {what}")
        time.sleep(0.02)
    return found


class Contract:
    """The types of the contract, from the descriptors that the edge uses."""

    def __init__(self, path):
        self._pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file:
            self._pool.Add(file)

    def _class(self, descriptor):
        if hasattr(message_factory, "GetMessageClass"):
            return message_factory.GetMessageClass(descriptor)
        return message_factory.MessageFactory(self._pool).GetPrototype(descriptor)

    def type(self, name):
        return self._class(self._pool.FindMessageTypeByName(name))

    def types(self, method):
        service, name = method.split("/")
        found = self._pool.FindServiceByName(service).methods_by_name[name]
        return self._class(found.input_type), self._class(found.output_type)

    def service(self, name):
        return self._pool.FindServiceByName(name)

    def enumerators(self, name):
        return [value.name for value in self._pool.FindEnumTypeByName(name).values]

    def http(self, method):
        """The method's google.api.http, as JSON."""
        # The class of the pool knows the extension.
        options = self.type("google.protobuf.MethodOptions").FromString(method.GetOptions().SerializeToString())
        return self.to_fields(options.Extensions[self._pool.FindExtensionByName("google.api.http")])

    def to_message(self, fields, kind):
        return json_format.ParseDict(fields, kind(), descriptor_pool=self._pool)

    def to_fields(self, message):
        return json_format.MessageToDict(message, descriptor_pool=self._pool)

    def status(self, code, message, details):
        """A google.rpc.Status from the details of its JSON form, as bytes."""
        return self.to_message({"code": code, "message": message, "details": details},
                               self.type("google.rpc.Status")).SerializeToString()


def contract():
    with tempfile.TemporaryDirectory(prefix="hail-test-") as directory:
        descriptors = pathlib.Path(directory) / "hail.binpb"
        files.make_descriptors(descriptors)
        return Contract(descriptors)


class CallError(Exception):
    """A call that failed. `status`: google.rpc.Status as JSON. `reason`: of Hail's ErrorInfo, or ""."""

    def __init__(self, status, headers=None, http_code=None):
        super().__init__(f"{http_code or ''} {status}")
        self.status, self.headers, self.http_code = status, headers or {}, http_code
        info = {**status, "details": [
            {**detail, **({"retry_delay": detail["retryDelay"]} if "retryDelay" in detail else {})}
            for detail in status.get("details", [])]}
        self.reason, self.retry_after = hail_errors.details_of(info)
        self.answer = hail_errors.is_answer(status["code"], self.reason)


class Edge:
    def __init__(self, directory, rider, driver, *arguments):
        """`arguments`: more of them for deploy/edge/run."""
        self._files = directory / "edge"
        self._log = directory / "edge.log"
        self._port_file = directory / "edge.ports"
        self._arguments = ["--workers", "1", "--rider", rider, "--driver", driver, *arguments]
        self._process = None
        # Clients look for the edge at its old ports after a restart. Nobody does at its admin port.
        self.clear, self.tls = (f"127.0.0.1:{hail_services.free_port()}" for _ in range(2))
        self._admin = None

    def start(self, drain=0):
        self._port_file.unlink(missing_ok=True)
        command = [str(ROOT / "deploy/edge/run"), "--files", str(self._files), "--port-file", str(self._port_file),
                   "--drain", str(drain), "--clear", self.clear, "--tls", self.tls, "--admin", "127.0.0.1:0",
                   *self._arguments]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def up():
            if self._process.poll() is not None:
                raise AssertionError(f"the edge did not come up:\n{self.log()}")
            return self._port_file.exists()

        await_that(up, "the edge listens")
        self._admin = f"127.0.0.1:{json.loads(self._port_file.read_text())['admin']}"
        self.contract = Contract(self._files / "hail.binpb")
        self.root = self._files / "tls.crt"
        return self

    def await_services(self):
        """Waits until the edge knows that both services are healthy."""
        for name in ("rider-service", "driver-service"):
            await_that(lambda name=name: f"cluster.{name}.membership_healthy: 1" in self.admin(
                f"/stats?filter=cluster.{name}.membership_healthy"), f"{name} is healthy")
        return self

    def admin(self, path):
        connection = http.client.HTTPConnection(self._admin, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    @property
    def pid(self):
        """Of Envoy."""
        runner = self._process.pid
        return int(pathlib.Path(f"/proc/{runner}/task/{runner}/children").read_text().split()[0])

    @property
    def token_key(self):
        return self._files / "token.key"

    def begin_stop(self):
        self._process.send_signal(signal.SIGTERM)

    def stop(self, seconds=60):
        if self._process is None:
            return 0
        self.begin_stop()
        status = self._process.wait(seconds)
        self._process = None
        return status

    def log(self):
        return self._log.read_text(errors="replace")

    def token(self, role, subject, **more):
        return files.token(self._files, role, subject, **more)

    # --- JSON ---

    def request(self, verb, path, body=None, token=None, headers=None, tls=False, timeout=70):
        """The answer, unread, and its connection."""
        if tls:
            connection = http.client.HTTPSConnection(self.tls, timeout=timeout,
                                                     context=ssl.create_default_context(cafile=str(self.root)))
        else:
            connection = http.client.HTTPConnection(self.clear, timeout=timeout)
        headers = {**({"authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers["content-type"] = "application/json"
        connection.request(verb, path, body, headers)
        return connection.getresponse(), connection

    def raw(self, *arguments, **more):
        """HTTP's code, headers and body."""
        answer, connection = self.request(*arguments, **more)
        with contextlib.closing(connection):
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()

    def json(self, *arguments, **more):
        code, headers, body = self.raw(*arguments, **more)
        if code != 200:
            raise CallError(json.loads(body), headers, code)
        return json.loads(body)

    def patient_json(self, *arguments, **more):
        """By docs/clients.md: repeats the call until it has an answer."""
        def call(timeout):
            try:
                return self.json(*arguments, timeout=timeout, **more)
            except (OSError, http.client.HTTPException) as error:
                raise CallError({"code": 14, "message": str(error)}) from None
        return hail_errors.patiently(call, error=CallError, give_up=60)

    def messages(self, path, token, events=False, timeout=70, **more):
        """The messages of a JSON stream, as lines or as server-sent events."""
        headers = {"accept": "text/event-stream"} if events else {}
        answer, connection = self.request("GET", path, token=token, headers=headers, timeout=timeout, **more)
        with contextlib.closing(connection):
            if answer.status != 200:
                raise CallError(json.loads(answer.read()), dict(answer.getheaders()), answer.status)
            kind = "text/event-stream" if events else "application/json"
            if answer.getheader("content-type") != kind:
                raise AssertionError(answer.getheader("content-type"))
            while line := answer.readline():
                if events and line.startswith(b"data: "):
                    yield json.loads(line[len("data: "):])
                elif not events and line.strip():
                    yield json.loads(line)

    # --- gRPC ---

    def channel(self, token=None, tls=True):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0),
                   ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 2000)]
        if not tls:
            return grpc.insecure_channel(self.clear, options)
        credentials = grpc.ssl_channel_credentials(self.root.read_bytes())
        if token:
            credentials = grpc.composite_channel_credentials(credentials, grpc.access_token_call_credentials(token))
        return grpc.secure_channel(self.tls, credentials, options)

    def error_of(self, error):
        trailers = dict(error.trailing_metadata() or ())
        status = {"code": error.code().value[0], "message": error.details()}
        if encoded := trailers.get("grpc-status-details-bin"):
            status = self.contract.to_fields(self.contract.type("google.rpc.Status").FromString(encoded))
            # What grpcio-status demands of the two.
            assert (status["code"], status["message"]) == (error.code().value[0], error.details()), status
        return CallError(status, trailers)

    def call(self, channel, method, fields, timeout=70, metadata=None):
        """A unary call's answer, as JSON."""
        request, response = self.contract.types(method)
        call = channel.unary_unary("/" + method, request.SerializeToString, response.FromString)
        try:
            return self.contract.to_fields(
                call(self.contract.to_message(fields, request), timeout=timeout, metadata=metadata))
        except grpc.RpcError as error:
            raise self.error_of(error) from None

    def stream(self, channel, method, fields, timeout=None):
        request, response = self.contract.types(method)
        call = channel.unary_stream("/" + method, request.SerializeToString, response.FromString)(
            self.contract.to_message(fields, request), timeout=timeout)
        try:
            for message in call:
                yield self.contract.to_fields(message)
        except grpc.RpcError as error:
            raise self.error_of(error) from None
        finally:
            call.cancel()

    def grpc_web(self, method, fields, token=None, headers=None):
        """HTTP's headers, the messages, and the trailers of a call over gRPC-Web, as a browser makes it."""
        request, response = self.contract.types(method)
        body = self.contract.to_message(fields, request).SerializeToString()
        answer, connection = self.request(
            "POST", "/" + method, raw_http2.message(body), token,
            {"content-type": "application/grpc-web+proto", "x-grpc-web": "1", **(headers or {})})
        messages, trailers = [], {}
        with contextlib.closing(connection):
            head = {key.lower(): value for key, value in answer.getheaders()}
            if answer.status != 200 or not head["content-type"].startswith("application/grpc-web"):
                raise AssertionError(f"{answer.status} {head}")
            while prefix := answer.read(5):
                payload = answer.read(int.from_bytes(prefix[1:], "big"))
                if prefix[0] & 0x80:
                    trailers = dict(line.split(":", 1) for line in payload.decode().split("\r\n") if line)
                else:
                    messages.append(self.contract.to_fields(response.FromString(payload)))
        return head, messages, {key.lower(): value.strip() for key, value in trailers.items()}


def new_id(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


class DriverByJson:
    """A driver's app that only makes unary calls over JSON."""

    def __init__(self, edge):
        self.id = new_id("grace")
        self._edge = edge
        self._token = edge.token("driver", self.id)
        self._positions = 0
        self._call("POST", "/v1/drivers", {
            "driverId": self.id, "displayName": "Grace", "regionId": "san_francisco", "productIds": ["economy"],
            "vehicle": {"make": "Toyota", "model": "Prius", "color": "green", "plate": self.id, "seats": 4}})
        self.here()
        self._call("POST", f"/v1/drivers/{self.id}:setAvailability", {"availability": "AVAILABILITY_ONLINE"})

    def _call(self, verb, path, body=None):
        return self._edge.patient_json(verb, path, body, token=self._token)

    def here(self):
        self._positions += 1
        self._call("POST", f"/v1/drivers/{self.id}:updateLocation", {"positions": [
            {"location": STAND, "age": "0s", "positionSeq": str(self._positions)}]})

    def state(self):
        self.here()
        return self._call("GET", f"/v1/drivers/{self.id}/state")["state"]

    def accept(self):
        """Accepts the next offer and returns the ride. Looks for an offer as often as a polling app should."""
        offer = await_that(lambda: self.state().get("offer"), "an offer")
        self._call("POST", f"/v1/drivers/{self.id}/offers/{offer['offerId']}:respond", {"response": "OFFER_RESPONSE_ACCEPT"})
        return await_that(lambda: self.state().get("ride"), "the assignment")

    def step(self, ride, step):
        self.here()
        return self._call("POST", f"/v1/drivers/{self.id}/trips/{ride['rideId']}:advance",
                          {"epoch": ride["epoch"], "leg": ride.get("leg", 0), step: {}})["ride"]


class Watcher:
    """A rider's app that follows a ride by docs/clients.md. `open`: begins a stream after a sequence."""

    def __init__(self, open_stream):
        self._open = open_stream
        self.events, self.attempts, self.error = [], 0, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        backoff = hail_errors.Backoff()
        try:
            while True:
                after = int(self.events[-1]["sequence"]) if self.events else 0
                self.attempts += 1
                wait = None
                try:
                    for message in self._open(after):
                        backoff.reset()
                        if "event" in message:
                            self.events.append(message["event"])
                        elif "draining" in message:
                            wait = float(message["draining"]["retryAfter"].rstrip("s"))
                    if self.ended():
                        return
                except CallError as error:
                    if error.answer:
                        raise
                    wait = error.retry_after
                except (OSError, http.client.HTTPException, ValueError):
                    # The connection was cut, perhaps within a line.
                    pass
                time.sleep(backoff.next(wait))
        except Exception as error:  # The main thread must get any error.
            self.error = error

    def ended(self):
        return bool(self.events) and self.events[-1]["type"] == "RIDE_EVENT_TYPE_COMPLETED"

    def saw(self, kind):
        return any(event["type"] == "RIDE_EVENT_TYPE_" + kind for event in self.events)

    def join(self, seconds=90):
        self._thread.join(seconds)
        if self.error:
            raise self.error
        if self._thread.is_alive():
            raise AssertionError(f"the watch did not end; its events: {[event['type'] for event in self.events]}")


class EdgeTest(unittest.TestCase):
    """One edge and both services for all tests of a class."""
    settings = {}

    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hail-test-")))
        # Fixed ports, because the edge must find a restarted service again.
        cls.services = hail_services.Services(
            cls.bin_dir, directory,
            *({"listen": f"127.0.0.1:{hail_services.free_port()}", "reflection": "on", **cls.settings, **cls.more_settings(directory, name)}
              for name in ("rider-service", "driver-service")))
        stack.callback(lambda: cls.services.stop())
        cls.services.start()
        cls.edge = Edge(directory, cls.services.rider, cls.services.driver, *cls.edge_arguments(directory))
        stack.callback(lambda: cls.edge.stop())
        cls.edge.start().await_services()

    @classmethod
    def more_settings(cls, directory, service):
        return {}

    @classmethod
    def edge_arguments(cls, directory):
        return []

    def rider(self):
        """A new rider's id and token."""
        rider = new_id("ada")
        return rider, self.edge.token("rider", rider)

    def new_ride(self, rider, token):
        return self.edge.patient_json("POST", f"/v1/riders/{rider}/rides", {
            **TRIP, "requestId": str(uuid.uuid4())}, token=token)["ride"]

    def cancel(self, rider, token, ride):
        return self.edge.patient_json("POST", f"/v1/riders/{rider}/rides/{ride['rideId']}:cancel", {}, token=token)

    def refused(self, code, reason, call):
        """The call must fail so, with an answer that clients take as final."""
        with self.assertRaises(CallError) as caught:
            call()
        error = caught.exception
        self.assertEqual((error.status["code"], error.reason), (code, reason), error)
        self.assertEqual(error.answer, code not in hail_errors.REPEATED)
        self.assertTrue(error.status["message"])
        return error


class Protocols(EdgeTest):
    def test_grpc_unary_and_stream_with_tls(self):
        rider, token = self.rider()
        with self.edge.channel(token) as channel:
            self.assertTrue(self.edge.call(channel, RIDER + "QuoteRide", {"riderId": rider, **TRIP})["quotes"])
            ride = self.edge.call(channel, RIDER + "RequestRide", {
                "riderId": rider, "requestId": str(uuid.uuid4()), **TRIP})["ride"]
            watch = self.edge.stream(channel, RIDER + "WatchRide", {
                "riderId": rider, "rideId": ride["rideId"], "afterSequence": "0"}, timeout=60)
            self.assertEqual(next(watch)["event"]["type"], "RIDE_EVENT_TYPE_REQUESTED")
            watch.close()
            error = self.refused(9, "RIDER_BUSY", lambda: self.edge.call(channel, RIDER + "RequestRide", {
                "riderId": rider, "requestId": "another", **TRIP}))
            self.assertEqual(error.status["details"][0]["metadata"]["ride_id"], ride["rideId"])
        self.cancel(rider, token, ride)

    def test_grpc_in_the_clear(self):
        rider, token = self.rider()
        with self.edge.channel(tls=False) as channel:
            found = self.edge.call(channel, RIDER + "GetActiveRide", {"riderId": rider},
                                   metadata=[("authorization", f"Bearer {token}")])
        self.assertEqual(found, {})

    def test_a_bidirectional_stream(self):
        driver = DriverByJson(self.edge)
        request, response = self.edge.contract.types(DRIVER + "StreamDriver")
        going_on = threading.Event()
        self.addCleanup(going_on.set)

        def requests():
            yield self.edge.contract.to_message({"open": {"driverId": driver.id}}, request)
            going_on.wait(60)

        with self.edge.channel(self.edge.token("driver", driver.id)) as channel:
            call = channel.stream_stream("/" + DRIVER + "StreamDriver", request.SerializeToString, response.FromString)
            for message in call(requests(), timeout=60):
                if message.WhichOneof("message") == "caught_up":
                    break

    def test_json_says_what_grpc_says(self):
        rider, token = self.rider()
        ride = self.new_ride(rider, token)
        path = f"/v1/riders/{rider}/rides/{ride['rideId']}"
        with self.edge.channel(token) as channel:
            by_grpc = self.edge.call(channel, RIDER + "GetRide", {"riderId": rider, "rideId": ride["rideId"]})
        for tls in (False, True):
            by_json = self.edge.json("GET", path, token=token, tls=tls)
            # JSON also has the fields that are empty.
            kind = self.edge.contract.types(RIDER + "GetRide")[1]
            self.assertEqual(self.edge.contract.to_fields(self.edge.contract.to_message(by_json, kind))["ride"]["rideId"],
                             by_grpc["ride"]["rideId"])
        # An empty list is there.
        self.assertEqual(self.edge.json("GET", f"/v1/riders/{new_id('bob')}/rides", token=token)["rides"], [])
        # The path's id counts, not the body's.
        self.assertEqual(self.cancel(rider, token, ride)["ride"]["state"], "RIDE_STATE_CANCELED")

    def test_ids_with_special_characters(self):
        for rider in ("a:b", "a/b", "é", "a.b~c", "a+b&c=d?e#f%g;h@i"):
            token = self.edge.token("rider", rider)
            ride = self.edge.json("POST", f"/v1/riders/{urllib.parse.quote(rider, safe='')}/rides", {
                **TRIP, "requestId": str(uuid.uuid4())}, token=token)["ride"]
            with self.edge.channel(token) as channel:
                found = self.edge.call(channel, RIDER + "GetActiveRide", {"riderId": rider})
            self.assertEqual(found["ride"]["rideId"], ride["rideId"])
            self.edge.json("POST", f"/v1/riders/{urllib.parse.quote(rider, safe='')}/rides/{ride['rideId']}:cancel", {},
                           token=token)

    def test_a_whole_ride_over_json(self):
        rider, token = self.rider()
        driver = DriverByJson(self.edge)
        ride = self.new_ride(rider, token)
        path = f"/v1/riders/{rider}/rides/{ride['rideId']}:watch?afterSequence=0"
        lines = Watcher(lambda after: self.edge.messages(path, token))
        # As EventSource does it: no header but Accept.
        sse = Watcher(lambda after: self.edge.messages(f"{path}&access_token={token}", None, events=True))
        ride = driver.accept()
        for step in ("seen", "arrive", "start", "complete"):
            ride = driver.step(ride, step)
        for watcher in (lines, sse):
            watcher.join()
            self.assertEqual(watcher.attempts, 1)
            self.assertEqual([int(event["sequence"]) for event in watcher.events],
                             list(range(1, int(ride["sequence"]) + 1)))
        self.assertEqual(lines.events, sse.events)

    def test_the_driver_watches(self):
        driver = DriverByJson(self.edge)
        token = self.edge.token("driver", driver.id)
        for events in (False, True):
            messages = self.edge.messages(f"/v1/drivers/{driver.id}:watch", token, events=events)
            self.assertEqual(next(message for message in messages if "snapshot" in message)["snapshot"]["driverId"], driver.id)
            messages.close()

    def test_grpc_web(self):
        rider, token = self.rider()
        origin = {"origin": "http://localhost:5173"}
        _, messages, trailers = self.edge.grpc_web(RIDER + "GetActiveRide", {"riderId": rider}, token, origin)
        self.assertEqual((messages, trailers["grpc-status"]), ([{}], "0"))
        head, messages, trailers = self.edge.grpc_web(RIDER + "GetRide", {"riderId": rider, "rideId": "none"}, token, origin)
        self.assertEqual((messages, {**head, **trailers}["grpc-status"]), ([], "5"))
        self.assertIn("grpc-status-details-bin", {**head, **trailers})
        self.assertIn("grpc-status-details-bin", head["access-control-expose-headers"])
        ride = self.new_ride(rider, token)
        self.cancel(rider, token, ride)
        _, messages, trailers = self.edge.grpc_web(
            RIDER + "WatchRide", {"riderId": rider, "rideId": ride["rideId"], "afterSequence": "0"}, token, origin)
        self.assertEqual([message["event"]["type"] for message in messages if "event" in message][-1],
                         "RIDE_EVENT_TYPE_CANCELED")
        self.assertEqual(trailers["grpc-status"], "0")

    def test_cors(self):
        ask = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
        for path in ("/v1/riders/ada/rides", "/" + RIDER + "RequestRide"):
            code, headers, _ = self.edge.raw("OPTIONS", path, headers={"origin": "http://localhost:5173", **ask})
            self.assertEqual((code, headers["access-control-allow-origin"]), (200, "http://localhost:5173"))
            self.assertIn("authorization", headers["access-control-allow-headers"])
            self.assertIn("PATCH", headers["access-control-allow-methods"])
            _, headers, _ = self.edge.raw("OPTIONS", path, headers={"origin": "https://evil.example", **ask})
            self.assertNotIn("access-control-allow-origin", headers)
        # A page can read the edge's own errors.
        for path in ("/v1/riders/ada/rides", "/v1/nothing", "/nothing"):
            _, headers, _ = self.edge.raw("GET", path, headers={"origin": "http://localhost:5173"})
            self.assertEqual(headers["access-control-allow-origin"], "http://localhost:5173", path)

    def test_health(self):
        self.assertEqual(self.edge.raw("GET", "/healthz")[0], 200)
        with self.edge.channel() as channel:
            for metadata in ((), [("hail-service", "driver")]):
                check = channel.unary_unary("/grpc.health.v1.Health/Check")
                self.assertEqual(check(b"", timeout=30, metadata=metadata), b"\x08\x01")

    def test_more_streams_than_envoys_default(self):
        """Each open stream counts as a request, of which Envoy would allow 1,024."""
        riders, each, connections = 40, 28, []
        request, _ = self.edge.contract.types(RIDER + "WatchRide")
        rides = []
        for _ in range(riders):
            rider, token = self.rider()
            rides.append((rider, token, self.new_ride(rider, token)))
        with contextlib.ExitStack() as stack:
            for rider, token, ride in rides:
                connection = raw_http2.Connection(self.edge.clear).greet()
                stack.callback(connection.close)
                watch = raw_http2.message(self.edge.contract.to_message(
                    {"riderId": rider, "rideId": ride["rideId"]}, request).SerializeToString())
                for stream in range(1, 2 * each, 2):
                    connection.open(stream, "/" + RIDER + "WatchRide", ("authorization", f"Bearer {token}"))
                    connection.send(raw_http2.frame(raw_http2.DATA, stream, watch, raw_http2.END_STREAM))
            await_that(lambda: f"rq_active: {riders * each}\n" in self.edge.admin(
                "/stats?filter=cluster.rider-service.upstream_rq_active"), "all streams are open")
        for rider, token, ride in rides:
            self.cancel(rider, token, ride)


class BadDays(EdgeTest):
    def test_tokens(self):
        rider, good = self.rider()
        head, payload, signature = good.split(".")
        forged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(payload + "==").replace(
            rider.encode(), b"eva-" + rider.encode()[4:])).rstrip(b"=").decode()
        for what, token, code, http_code, reason in (
                ("none", None, 16, 401, "TOKEN_MISSING"),
                ("expired", self.edge.token("rider", rider, seconds=-3600), 16, 401, "TOKEN_EXPIRED"),
                ("of another issuer", self.edge.token("rider", rider, iss="https://evil.example"), 16, 401, "TOKEN_INVALID"),
                ("forged", f"{head}.{forged}.{signature}", 16, 401, "TOKEN_INVALID"),
                ("no token at all", "hello", 16, 401, "TOKEN_INVALID"),
                ("without a subject", self.edge.token("rider", ""), 16, 401, "TOKEN_INVALID"),
                ("with two lines", self.edge.token("rider", f"{rider}\nx-hail-role: operator"), 16, 401, "TOKEN_INVALID"),
                ("for ever", self.edge.token("rider", rider, exp=None), 16, 401, "TOKEN_INVALID"),
                ("a driver's", self.edge.token("driver", rider), 7, 403, "TOKEN_AUDIENCE")):
            with self.subTest(what):
                error = self.refused(code, reason, lambda token=token: self.edge.json(
                    "GET", f"/v1/riders/{rider}/rides:active", token=token))
                self.assertEqual(error.http_code, http_code)
                self.refused(code, reason, lambda token=token: next(self.edge.messages(
                    f"/v1/riders/{rider}/rides/r:watch", token, events=True)))
                with self.edge.channel(token) as channel:
                    self.refused(code, reason, lambda channel=channel: self.edge.call(
                        channel, RIDER + "GetActiveRide", {"riderId": rider}))
                    self.refused(code, reason, lambda channel=channel: next(self.edge.stream(
                        channel, RIDER + "WatchRide", {"riderId": rider, "rideId": "r"})))
                head_, messages, _ = self.edge.grpc_web(RIDER + "GetActiveRide", {"riderId": rider}, token)
                self.assertEqual((head_["grpc-status"], messages), (str(code), []))
                details = self.edge.contract.type("google.rpc.Status").FromString(
                    base64.b64decode(head_["grpc-status-details-bin"] + "=="))
                self.assertIn(reason, str(details))

    def test_paths_of_drivers_need_a_drivers_token(self):
        token = self.edge.token("rider", "ada")
        for path in ("/v1/drivers/d/state", "/v1/%64rivers/d/state", "//v1//drivers/d/state", "/v1/x/../drivers/d/state"):
            self.refused(7, "TOKEN_AUDIENCE", lambda path=path: self.edge.json("GET", path, token=token))

    def test_paths_that_are_not_there(self):
        _, token = self.rider()
        for verb, path in (("GET", "/"), ("GET", "/v2/rides"), ("GET", "/v1/nothing"), ("DELETE", "/v1/riders/ada/rides"),
                           ("GET", "/v1/riders/ada/rides/r:nothing/x")):
            for accept in ("*/*", "text/event-stream"):
                error = self.refused(5, "PATH_NOT_FOUND", lambda verb=verb, path=path, accept=accept: self.edge.json(
                    verb, path, token=token, headers={"accept": accept}))
                self.assertEqual(error.http_code, 404)
        with self.edge.channel(token) as channel:
            for method, reason in (("no.such.Service/Call", "PATH_NOT_FOUND"), (RIDER + "NoSuchCall", "NOT_SERVED"),
                                   ("hail.internal.v1.AssignmentService/ResolveRide", "PATH_NOT_FOUND")):
                def call(method=method):
                    try:
                        channel.unary_unary("/" + method)(b"", timeout=30)
                    except grpc.RpcError as error:
                        raise self.edge.error_of(error) from None
                self.refused(12, reason, call)

    def test_what_is_not_for_strangers(self):
        """The services have these methods; only those who reach the services themselves can call them."""
        with grpc.insecure_channel(self.services.rider_internal) as internal:
            internal.unary_unary("/grpc.channelz.v1.Channelz/GetServers")(b"", timeout=30)
        token = self.edge.token("rider", "ada")
        with self.edge.channel(token) as channel:
            for method in ("grpc.health.v1.Health/Watch", "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                           "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                           "grpc.channelz.v1.Channelz/GetServers", "grpc.channelz.v1.Channelz/GetTopChannels",
                           "hail.internal.v1.AssignmentService/ConfirmAssignment",
                           "hail.internal.v1.AssignmentService/ResolveRide",
                           "hail.internal.v1.DispatchService/ListDriverRides", "hail.internal.v1.DispatchService/Dispatch"):
                for metadata in ((), [("hail-service", "driver")]):
                    def call(method=method, metadata=metadata):
                        try:
                            list(channel.stream_stream("/" + method)(iter([b""]), timeout=30, metadata=metadata))
                        except grpc.RpcError as error:
                            raise self.edge.error_of(error) from None
                    self.refused(12, "PATH_NOT_FOUND", call)

    def test_compressed_messages(self):
        rider, token = self.rider()
        request, response = self.edge.contract.types(RIDER + "GetActiveRide")
        with self.edge.channel(token) as channel:
            call = channel.unary_unary("/" + RIDER + "GetActiveRide", request.SerializeToString, response.FromString)

            def compressed(compression):
                try:
                    call(self.edge.contract.to_message({"riderId": rider}, request), timeout=30, compression=compression)
                except grpc.RpcError as error:
                    raise self.edge.error_of(error) from None
            for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
                self.refused(12, "MESSAGE_COMPRESSED", lambda compression=compression: compressed(compression))
            call(self.edge.contract.to_message({"riderId": rider}, request), timeout=30,
                 metadata=[("grpc-encoding", "identity")])
        self.refused(12, "MESSAGE_COMPRESSED", lambda: self.edge.json(
            "GET", f"/v1/riders/{rider}/rides:active", token=token, headers={"grpc-encoding": "gzip"}))

    def test_headers_that_end_a_services_connection(self):
        """CVE-2023-32732: the edge's connection to a service has the streams of all clients."""
        rider, token = self.rider()
        ride = self.new_ride(rider, token)
        request, _ = self.edge.contract.types(RIDER + "WatchRide")
        body = raw_http2.message(self.edge.contract.to_message(
            {"riderId": rider, "rideId": ride["rideId"]}, request).SerializeToString())
        with self.edge.channel(token) as channel:
            watch = self.edge.stream(channel, RIDER + "WatchRide", {"riderId": rider, "rideId": ride["rideId"]})
            next(watch)
            for bad in (("trace-bin", "%%%"), ("grpc-trace-bin", "="), ("x-bin", "a" * 7000), ("x-large", "a" * 17000)):
                connection = raw_http2.Connection(self.edge.clear).greet().agree()
                with contextlib.closing(connection):
                    connection.open(1, "/" + RIDER + "WatchRide", ("authorization", f"Bearer {token}"), bad)
                    connection.send(raw_http2.frame(raw_http2.DATA, 1, body, raw_http2.END_STREAM))
                    await_that(lambda connection=connection: connection.read_some(1) is not None, "the edge answers")
            # The neighbour's stream goes on, to its end.
            self.cancel(rider, token, ride)
            self.assertEqual([message["event"]["type"] for message in watch if "event" in message][-1], "RIDE_EVENT_TYPE_CANCELED")

    def test_things_that_are_not_there(self):
        rider, token = self.rider()
        for path in (f"/v1/riders/{rider}/rides/r", f"/v1/riders/{rider}/rides/r:watch"):
            error = self.refused(5, "RIDE_NOT_FOUND", lambda path=path: self.edge.json("GET", path, token=token))
            self.assertEqual(error.http_code, 404)

    def test_json_that_is_wrong(self):
        rider, token = self.rider()
        path = f"/v1/riders/{rider}/rides"
        for body, reason, field in (
                ('{"pickup": {"position": {"latitudeDeg": "north"}}}', "UNREADABLE_MESSAGE", "pickup.position.latitude_deg"),
                ('{"pickup": ', "UNREADABLE_MESSAGE", "Unexpected end"),
                ('[]', "UNREADABLE_MESSAGE", ""),
                ('{"requestId": "r"}', "INVALID_FIELD", "pickup")):
            error = self.refused(3, reason, lambda body=body: self.edge.json("POST", path, body, token=token))
            self.assertEqual(error.http_code, 400)
            self.assertIn(field, json.dumps(error.status))
        self.refused(3, "UNREADABLE_MESSAGE", lambda: self.edge.json("GET", path + "?surprise=1", token=token))
        self.refused(3, "UNREADABLE_MESSAGE", lambda: self.edge.json("GET", path + "?pageSize=many", token=token))
        # A trap of Envoy's: it drops fields that it does not know.
        self.refused(3, "INVALID_FIELD", lambda: self.edge.json("POST", path, {"surprise": 1}, token=token))

    def test_requests_that_are_too_large(self):
        rider, token = self.rider()
        error = self.refused(3, "BODY_TOO_LARGE", lambda: self.edge.json(
            "POST", f"/v1/riders/{rider}/rides", {"riderDisplayName": "a" * 70000}, token=token))
        self.assertEqual(error.http_code, 413)
        for headers in ({"x-large": "a" * 9000}, {f"x-{i}": "a" for i in range(70)}):
            error = self.refused(3, "HEADERS_TOO_LARGE", lambda headers=headers: self.edge.json(
                "GET", f"/v1/riders/{rider}/rides:active", token=token, headers=headers))
            self.assertEqual(error.http_code, 431)
        # gRPC's messages are bounded by the services, which answer.
        with self.edge.channel(token) as channel, self.assertRaises(CallError):
            self.edge.call(channel, RIDER + "GetActiveRide", {"riderId": "a" * 70000})

    def test_too_many_calls(self):
        rider, token = self.rider()
        with self.edge.channel(token) as channel:
            # At once: the subject's bucket has 40 calls and gets 20 a second.
            def one(_):
                try:
                    return self.edge.call(channel, RIDER + "GetActiveRide", {"riderId": rider})
                except CallError as error:
                    return error
            with concurrent.futures.ThreadPoolExecutor(64) as pool:
                results = list(pool.map(one, range(1000)))
            refused = [result for result in results if isinstance(result, CallError)]
            self.assertTrue(refused)
            for error in refused:
                self.assertEqual((error.status["code"], error.reason, error.retry_after), (8, "RATE_LIMITED", 1))
                self.assertFalse(error.answer)

        def until_refused():
            for _ in range(1000):
                self.edge.json("GET", f"/v1/riders/{rider}/rides:active", token=token)
        # The bucket is empty, and a call over JSON takes a while: several at a time.
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            errors = [each.exception() for each in [pool.submit(until_refused) for _ in range(16)]]
        error = next(error for error in errors if error)
        self.assertEqual((error.http_code, error.status["code"], error.reason), (429, 8, "RATE_LIMITED"))
        self.assertEqual((error.headers["retry-after"], error.retry_after), ("1", 1))
        # Others are not affected.
        other, others = self.rider()
        self.edge.json("GET", f"/v1/riders/{other}/rides:active", token=others)

    def test_a_service_that_is_down(self):
        token = self.edge.token("driver", "grace")
        self.services.driver_service.stop()
        try:
            for path in ("/v1/drivers/grace/state", "/v1/drivers/grace:watch"):
                with self.assertRaises(CallError) as caught:
                    self.edge.json("GET", path, token=token)
                error = caught.exception
                self.assertEqual((error.http_code, error.status["code"], error.reason), (503, 14, ""))
                self.assertEqual(error.headers["retry-after"], "1")
            with self.edge.channel(token) as channel, self.assertRaises(CallError) as caught:
                self.edge.call(channel, DRIVER + "GetDriverState", {"driverId": "grace"})
            self.assertEqual((caught.exception.status["code"], caught.exception.reason), (14, ""))
            # The other service goes on, and so does the edge.
            rider, riders = self.rider()
            self.edge.json("GET", f"/v1/riders/{rider}/rides:active", token=riders)
            self.assertEqual(self.edge.raw("GET", "/healthz")[0], 200)
        finally:
            self.services.driver_service.start()
            self.services.driver_service.await_ports()
            self.edge.await_services()

    def test_the_log_has_no_tokens(self):
        rider, token = self.rider()
        self.edge.json("GET", f"/v1/riders/{rider}/rides:active?access_token={token}")
        await_that(lambda: f"/v1/riders/{rider}/rides:active" in self.edge.log(), "the call is in the log")
        self.assertNotIn(token, self.edge.log())
        self.assertNotIn("access_token", self.edge.log())

    def test_connections_that_reset_their_streams(self):
        connection = raw_http2.Connection(self.edge.clear).greet().agree()
        with contextlib.closing(connection):
            for stream in range(1, 8001, 2):
                if not (connection.open(stream, "/" + RIDER + "WatchRide") and
                        connection.send(raw_http2.frame(raw_http2.RST_STREAM, stream, bytes([0, 0, 0, 8])))):
                    break
            await_that(lambda: "premature_resets: 1" in self.edge.admin("/stats?filter=http.hail.*premature_resets"),
                       "the edge ends the connection", 20)
        self.assertEqual(self.edge.raw("GET", "/healthz")[0], 200)

    def test_header_blocks_without_end(self):
        connection = raw_http2.Connection(self.edge.clear).greet().agree()
        with contextlib.closing(connection):
            connection.send(raw_http2.frame(raw_http2.HEADERS, 1, raw_http2.call_headers("/" + RIDER + "WatchRide")))
            sent = 0
            while sent < 1 << 16 and connection.send(raw_http2.frame(
                    raw_http2.CONTINUATION, 1, raw_http2.literal("x-more", "a" * 1000))):
                sent += 1
            self.assertLess(sent, 1 << 16, "the edge ends the connection")


class Identity(unittest.TestCase):
    """What reaches a service: a server that notes it takes the place of both."""

    def test_what_arrives(self):
        calls = []

        class Noting(grpc.GenericRpcHandler):
            def service(self, details):
                if details.method.startswith("/grpc.health"):
                    return grpc.unary_unary_rpc_method_handler(lambda *_: b"\x08\x01")
                calls.append((details.method, dict(details.invocation_metadata)))
                return grpc.unary_unary_rpc_method_handler(lambda *_: b"")

        server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[Noting()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(lambda: server.stop(0).wait())
        with tempfile.TemporaryDirectory(prefix="hail-test-") as directory:
            edge = Edge(pathlib.Path(directory), f"127.0.0.1:{port}", f"127.0.0.1:{port}")
            self.addCleanup(edge.stop)
            edge.start().await_services()
            token = edge.token("rider", "ada")
            hostile = {"x-hail-subject": "eva", "X-Hail-Role": "operator", "x-envoy-original-path": "/x",
                       "x-envoy-upstream-rq-timeout-ms": "1", "trace-bin": "%%%", "x-kept": "yes"}
            edge.json("GET", "/v1/riders/ada/rides:active", token=token, headers=hostile)
            with edge.channel(token) as channel:
                edge.call(channel, RIDER + "GetActiveRide", {"riderId": "ada"},
                          metadata=[("x-hail-subject", "eva"), ("trace-bin", b"\0"), ("x-kept", "yes")])
            # As much as the edge lets pass must be within gRPC's limit, which ends the connection of all.
            edge.json("GET", "/v1/riders/ada/rides:active?access_token=" + token, headers={"x-kept": "a" * 7000})
            self.assertEqual([method for method, _ in calls], ["/" + RIDER + "GetActiveRide"] * 3)
            for _, metadata in calls:
                self.assertEqual(metadata["x-hail-subject"], "ada")
                self.assertIn("x-kept", metadata)
                for name in ("x-hail-role", "trace-bin", "x-envoy-upstream-rq-timeout-ms"):
                    self.assertNotIn(name, metadata)
            self.assertEqual(calls[0][1]["authorization"], "Bearer " + token)
            self.assertTrue(calls[0][1]["x-envoy-original-path"].startswith("/v1/"))


class ServicesTls(EdgeTest):
    """Between the edge and the services, both show certificates."""

    @classmethod
    def more_settings(cls, directory, service):
        secured = Secured(directory)
        cls.certificates = secured.tls
        return secured.tls_settings(service.removesuffix("-service"))

    @classmethod
    def edge_arguments(cls, directory):
        return ["--services-tls", str(directory / "tls/edge")]

    def handshakes(self):
        """How many TLS connections the edge has made to the services."""
        numbers = self.edge.admin("/stats?filter=cluster.*service.ssl.handshake")
        return sum(int(line.rsplit(" ", 1)[1]) for line in numbers.splitlines())

    def test_a_ride_under_new_certificates(self):
        rider, token = self.rider()
        ride = self.new_ride(rider, token)
        messages = self.edge.messages(f"/v1/riders/{rider}/rides/{ride['rideId']}:watch", token)
        self.assertIn("snapshot", next(messages))
        self.assertGreater(self.handshakes(), 0)

        def serials(service):
            lines = [json.loads(line) for line in service.log.read_text().splitlines() if '"tls_' in line]
            return [line["serial"] for line in lines if line["event"] in ("tls_loaded", "tls_reloaded")]
        services = (self.services.rider_service, self.services.driver_service)
        known = {service: len(serials(service)) for service in services}
        files.make_services(self.certificates, renew=files.PARTIES)
        for service in services:
            await_that(lambda service=service: len(serials(service)) > known[service], f"{service.name} has its new certificate")
        self.await_serial(self.certificates / "edge/tls.crt")
        # A service that comes back is called with the new certificates, on both sides.
        before = self.handshakes()
        self.services.rider_service.kill()
        self.services.rider_service.start()
        self.services.rider_service.await_ports()
        self.cancel(rider, token, ride)
        self.assertGreater(self.handshakes(), before)

    def await_serial(self, file, there=True):
        """Waits until the edge uses the first certificate of the file, or no longer does."""
        serial = f"{x509.load_pem_x509_certificate(file.read_bytes()).serial_number:x}"
        await_that(lambda: (serial in self.edge.admin("/certs")) == there, f"the edge uses {file}: {there}")

    def test_a_new_authority(self):
        old = self.certificates / "ca-old.crt"
        old.write_bytes((self.certificates / "ca.crt").read_bytes())
        self.await_serial(old)
        files.change_authority(self.certificates, "add")
        self.await_serial(self.certificates / "ca-next.crt")
        files.change_authority(self.certificates, "use")
        self.await_serial(self.certificates / "edge/tls.crt")
        files.change_authority(self.certificates, "remove")
        self.await_serial(old, there=False)
        # The new certificates alone count at the next connection.
        before = self.handshakes()
        for service in (self.services.rider_service, self.services.driver_service):
            service.kill()
            service.start()
            service.await_ports()
        rider, token = self.rider()
        self.cancel(rider, token, self.new_ride(rider, token))
        self.assertGreater(self.handshakes(), before)

    def test_the_services_serve_the_edge_alone(self):
        for address in (self.services.rider, self.services.driver, self.services.rider_internal):
            with grpc.insecure_channel(address) as channel, self.assertRaises(grpc.RpcError) as caught:
                channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=30)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_a_service_with_another_name_is_not_called(self):
        """driver-service's certificate at the place of rider-service: signed by the same authority, but another."""
        with tempfile.TemporaryDirectory(prefix="hail-test-") as directory:
            confused = Edge(pathlib.Path(directory), self.services.driver, self.services.driver,
                            "--services-tls", str(self.certificates / "edge"))
            self.addCleanup(confused.stop)
            confused.start()
            await_that(lambda: "ssl.fail_verify_san: 0" not in confused.admin(
                "/stats?filter=cluster.rider-service.ssl.fail_verify_san"), "the name is refused")
            self.assertIn("membership_healthy: 0", confused.admin("/stats?filter=cluster.rider-service.membership_healthy"))


class Interruptions(EdgeTest):
    def watchers(self, rider, token, ride_id):
        """The same ride over gRPC, as lines, and as server-sent events."""
        channel = self.edge.channel(token)
        self.addCleanup(channel.close)
        path = f"/v1/riders/{rider}/rides/{ride_id}:watch?afterSequence="

        def by_grpc(after):
            return self.edge.stream(channel, RIDER + "WatchRide", {
                "riderId": rider, "rideId": ride_id, "afterSequence": str(after)})

        # A stream is dead after 12 s without a message. Over gRPC the edge notices it, after 15 s.
        return [Watcher(by_grpc),
                Watcher(lambda after: self.edge.messages(f"{path}{after}", token, timeout=12)),
                Watcher(lambda after: self.edge.messages(f"{path}{after}", token, events=True, timeout=12, tls=True))]

    def test_no_event_is_missed(self):
        rider, token = self.rider()
        driver = DriverByJson(self.edge)
        ride = self.new_ride(rider, token)
        watchers = self.watchers(rider, token, ride["rideId"])
        ride = driver.accept()

        def all_saw(kind):
            def check():
                for watcher in watchers:
                    if watcher.error:
                        raise watcher.error
                return all(watcher.saw(kind) for watcher in watchers)
            await_that(check, f"all watchers saw {kind}", 90)

        all_saw("ASSIGNED")
        with self.subTest("the edge restarts"):
            self.edge.stop()
            self.edge.start()
            ride = driver.step(ride, "seen")
            all_saw("ASSIGNMENT_SEEN")
        with self.subTest("the service is killed"):
            self.services.rider_service.kill()
            self.services.rider_service.start()
            ride = driver.step(ride, "arrive")
            all_saw("ARRIVED_AT_PICKUP")
        with self.subTest("the service freezes"):
            frozen = self.services.rider_service.pid
            os.kill(frozen, signal.SIGSTOP)
            attempts = [watcher.attempts for watcher in watchers]
            try:
                await_that(lambda: all(watcher.attempts > before for watcher, before in zip(watchers, attempts)),
                           "all watchers gave up the silent stream", 60)
                code, headers, _ = self.edge.raw("GET", f"/v1/riders/{rider}/rides:active", token=token)
                self.assertEqual((code, headers["retry-after"]), (503, "1"))
            finally:
                os.kill(frozen, signal.SIGCONT)
            ride = driver.step(ride, "start")
            all_saw("STARTED")
        ride = driver.step(ride, "complete")
        for watcher in watchers:
            watcher.join()
            self.assertEqual([int(event["sequence"]) for event in watcher.events],
                             list(range(1, int(ride["sequence"]) + 1)))
            self.assertGreater(watcher.attempts, 3)


class Drain(EdgeTest):
    # So that streams end with `draining` soon.
    settings = {"connection.age": "3s"}

    def test_streams_end_with_draining_before_the_edge_stops(self):
        rider, token = self.rider()
        ride = self.new_ride(rider, token)
        self.edge.stop()
        self.edge.start(drain=60).await_services()
        path = f"/v1/riders/{rider}/rides/{ride['rideId']}:watch?afterSequence=0"
        with self.edge.channel(token) as channel:
            streams = [
                self.edge.stream(channel, RIDER + "WatchRide", {"riderId": rider, "rideId": ride["rideId"]}),
                self.edge.messages(path, token), self.edge.messages(path, token, events=True, tls=True)]
            firsts = [next(stream) for stream in streams]
            began = time.monotonic()
            self.edge.begin_stop()
            rests = [list(stream) for stream in streams]
        for first, rest in zip(firsts, rests):
            self.assertIn("draining", [first, *rest][-1])
        self.edge.stop()
        self.assertLess(time.monotonic() - began, 50)
        self.edge.start().await_services()
        self.cancel(rider, token, ride)


class Configuration(unittest.TestCase):
    """What envoy.yaml says twice must be the same."""

    @classmethod
    def setUpClass(cls):
        cls.contract = contract()
        cls.config = yaml.safe_load((ROOT / "deploy/edge/envoy.yaml").read_text())
        cls.listeners = cls.config["static_resources"]["listeners"]
        manager, = (each["typed_config"] for each in cls.listeners[0]["filter_chains"][0]["filters"])
        cls.manager = manager

    def pairs(self):
        """The headers for gRPC clients and the body for JSON clients of each final error."""
        mappers = self.manager["local_reply_config"]["mappers"]
        for grpc_client, json_client in zip(mappers, mappers[1:]):
            headers = {each["header"]["key"]: each["header"]["value"] for each in grpc_client.get("headers_to_add", [])}
            if "grpc-status-details-bin" in headers:
                yield headers, json_client["body_format_override"]["json_format"]

    def test_grpc_and_json_clients_get_the_same_errors(self):
        pairs = list(self.pairs())
        self.assertEqual(len(pairs), 7)
        for headers, body in pairs:
            reason = body["details"][0]["reason"]
            # A path that is not there is NOT_FOUND in JSON, for HTTP's 404; in gRPC it is a method.
            code = 12 if reason == "PATH_NOT_FOUND" else body["code"]
            self.assertEqual((headers["grpc-status"], headers["grpc-message"]), (str(code), body["message"]))
            self.assertEqual(headers["grpc-status-details-bin"], self.encoded(code, body))

    def encoded(self, code, body):
        return base64.b64encode(self.contract.status(code, body["message"], body["details"])).decode().rstrip("=")

    def test_the_admin_port_is_on_loopback(self):
        self.assertEqual(self.config["admin"]["address"]["socket_address"]["address"], "127.0.0.1")

    def test_both_ports_do_the_same(self):
        clear, tls = (listener["filter_chains"][0]["filters"] for listener in self.listeners)
        self.assertEqual(clear, tls)

    def test_lines_and_server_sent_events_differ_in_their_form_alone(self):
        name = "envoy.filters.http.grpc_json_transcoder"
        lines, = (each["typed_config"] for each in self.manager["http_filters"] if each["name"] == name)
        host, = self.manager["route_config"]["virtual_hosts"]
        events, = (route["typed_per_filter_config"][name] for route in host["routes"]
                   if name in route.get("typed_per_filter_config", {}))
        self.assertTrue(events["print_options"].pop("stream_sse_style_delimited"))
        self.assertEqual(lines, events)


def print_details():
    Configuration.setUpClass()
    case = Configuration()
    for headers, body in case.pairs():
        code = int(headers["grpc-status"])
        print(body["details"][0]["reason"], case.encoded(code, body))


def run(name):
    """Runs the program's tests, and exits."""
    report(name, unittest.main(verbosity=2, exit=False).result)


def report(name, result):
    """Prints the line that CI counts by, and exits."""
    failed = len({case for case, _ in result.failures + result.errors})
    print(f"{name}: {max(result.testsRun - failed, 0)} passed, {failed} failed")
    sys.exit(not result.wasSuccessful())


def main():
    if sys.argv[1:2] == ["--details"]:
        print_details()
        return
    EdgeTest.bin_dir = pathlib.Path(sys.argv.pop(1)).resolve()
    run("edge")


if __name__ == "__main__":
    main()
