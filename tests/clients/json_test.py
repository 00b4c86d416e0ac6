#!/usr/bin/python3
"""Checks JSON through the edge against gRPC and against the contract's OpenAPI: every public call of a ride, over both.

    json_test.py BIN_DIR DOCS [TEST…]

DOCS is the folder that `make docs` fills. Needs Envoy and openapi-spec-validator, as `make clients-json` installs them.
"""

import copy
import json
import pathlib
import re
import sys
import unittest
import urllib.parse
import uuid

import jsonschema
import openapi_spec_validator

import edge_test
import hail_errors
from a_ride import STAND
from edge_test import DRIVER, RIDER, CallError

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ("hail.rider.v1.RiderService", "hail.driver.v1.DriverService")
ERRORS = {"$ref": "#/components/schemas/google.rpc.Status"}


def camel(name):
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def camel_keys(fields):
    """JSON as the document has it: the edge takes `snake_case`, too."""
    return {camel(name): camel_keys(field) if isinstance(field, dict) else field for name, field in fields.items()}


TRIP, STAND = camel_keys(edge_test.TRIP), camel_keys(STAND)


class Method:
    """A method of the contract and its google.api.http."""

    def __init__(self, contract, descriptor):
        self.name = f"{descriptor.containing_service.full_name}/{descriptor.name}"
        self.operation_id = f"{descriptor.containing_service.name}_{descriptor.name}"
        self.output = descriptor.output_type.full_name
        self.client_streaming, self.server_streaming = descriptor.client_streaming, descriptor.server_streaming
        rule = contract.http(descriptor)
        self.body = rule.pop("body", "")
        ((self.verb, self.template),) = rule.items() or ((None, None),)

    def path(self):
        """The template, with the variables' own names."""
        return re.sub(r"\{(?:\w+\.)*(\w+)\}", r"{\1}", self.template)

    def request(self, fields):
        """A request as HTTP has it: path, query (a list of pairs) and body. `fields`: the message as JSON."""
        left = copy.deepcopy(fields)

        def take(path):
            *parents, last = camel(path).split(".")
            owner = left
            for parent in parents:
                owner = owner[parent]
            return owner.pop(last)

        def pairs(value, prefix):
            for name, field in value.items():
                if isinstance(field, dict):
                    yield from pairs(field, f"{prefix}{name}.")
                else:
                    yield from ((prefix + name, each) for each in (field if isinstance(field, list) else [field]))

        path = re.sub(r"\{([\w.]+)\}", lambda found: urllib.parse.quote(take(found[1]), safe=""), self.template)
        body = None
        if self.body == "*":
            body, left = left, {}
        elif self.body:
            body = take(self.body)
        return path, list(pairs(left, "")), body


def methods(contract):
    return {method.name: method for service in SERVICES
            for method in (Method(contract, each) for each in contract.service(service).methods)}


class Schemas:
    """The messages of the document, where an answer may have no fields but those described."""

    def __init__(self, document):
        self._components = copy.deepcopy(document["components"])
        for schema in self._components["schemas"].values():
            if "properties" in schema:
                schema["unevaluatedProperties"] = False
        # The last allows any other detail, of which there is none today.
        self._components["schemas"]["google.rpc.Status"]["properties"]["details"]["items"]["anyOf"].pop()

    def problems(self, schema, value):
        validator = jsonschema.Draft202012Validator(
            {**schema, "components": self._components}, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


class Document(unittest.TestCase):
    """What `make docs` made of the contract."""

    @classmethod
    def setUpClass(cls):
        cls.document = json.loads((DOCS / "openapi.json").read_text())
        cls.contract = edge_test.contract()
        cls.methods = methods(cls.contract)

    def operations(self):
        return [(method, self.document["paths"][method.path()][method.verb]) for method in self.methods.values() if method.verb]

    def test_it_is_valid(self):
        openapi_spec_validator.validate(self.document)

    def test_each_binding_is_there(self):
        described = {(verb, path): operation["operationId"] for path, operations in self.document["paths"].items()
                     for verb, operation in operations.items()}
        bound = {(each.verb, each.path()): each.operation_id for each in self.methods.values() if each.verb}
        self.assertEqual(described, bound)
        for method, operation in self.operations():
            variables = re.findall(r"\{(\w+)\}", method.path())
            self.assertEqual([each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"], variables)
            self.assertEqual("requestBody" in operation, bool(method.body), method.name)

    def test_only_streams_of_clients_have_no_binding(self):
        for method in self.methods.values():
            self.assertEqual(method.verb is None, method.client_streaming, method.name)

    def test_streams_have_both_forms(self):
        for method, operation in self.operations():
            content = operation["responses"]["200"]["content"]
            forms = {"application/json", "text/event-stream"} if method.server_streaming else {"application/json"}
            self.assertEqual(content.keys(), forms, method.name)
            for form in content.values():
                self.assertEqual(form["schema"], {"$ref": f"#/components/schemas/{method.output}"})
            self.assertEqual({"token_in_query": []} in operation.get("security", ()), method.server_streaming)

    def test_messages_are_as_the_contract_has_them(self):
        schemas = {name: schema for name, schema in self.document["components"]["schemas"].items()
                   if name.startswith("hail.")}
        self.assertGreater(len(schemas), 40)
        for name, schema in schemas.items():
            if "enum" in schema:
                self.assertEqual(schema["enum"], self.contract.enumerators(name), name)
                continue
            fields = self.contract.type(name).DESCRIPTOR.fields
            properties = schema.get("properties", {})
            self.assertEqual(properties.keys(), {field.json_name for field in fields}, name)
            for field in fields:
                if field.type in (field.TYPE_INT64, field.TYPE_UINT64):
                    self.assertEqual(properties[field.json_name]["type"], "string", field.full_name)

    def test_required_fields_are_marked(self):
        nearby = self.document["paths"]["/v1/cars:nearby"]["get"]
        self.assertEqual([each["name"] for each in nearby["parameters"] if each.get("required")],
                         ["position.latitudeDeg", "position.longitudeDeg"])
        body = self.document["paths"]["/v1/riders/{rider_id}/rides"]["post"]["requestBody"]["content"]["application/json"]
        self.assertEqual(body["schema"]["required"], ["requestId", "pickup", "dropoff", "productId"])

    def test_all_reasons_are_explained(self):
        text = next(tag["description"] for tag in self.document["tags"] if tag["name"] == "Errors")
        for page in ("docs/errors.md", "docs/edge.md"):
            reasons = re.findall(r"^\| (`[A-Z_]+`) \| ", (ROOT / page).read_text(), re.M)
            self.assertGreater(len(reasons), 8)
            for reason in reasons:
                self.assertIn(f"\n| {reason} |", text)

    def test_the_page_has_streams_in_both_directions_and_needs_no_network(self):
        page = (DOCS / "index.html").read_text()
        for method in self.methods.values():
            if method.client_streaming:
                self.assertIn(method.name, page)
        self.assertIn("default-src 'none'", page)
        self.assertNotRegex(page, r"<script[^>]* src|<link")


class EveryCall(edge_test.EdgeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.document = json.loads((DOCS / "openapi.json").read_text())
        cls.schemas = Schemas(cls.document)
        cls.methods = methods(cls.edge.contract)

    def setUp(self):
        self.called = set()
        self.rider_id, self.driver_id = edge_test.new_id("ada"), edge_test.new_id("grace")
        self.tokens = {RIDER: self.edge.token("rider", self.rider_id), DRIVER: self.edge.token("driver", self.driver_id)}
        self.channels = {service: self.edge.channel(token) for service, token in self.tokens.items()}
        for channel in self.channels.values():
            self.addCleanup(channel.close)

    def service(self, method):
        return method.split("/")[0] + "/"

    def valid(self, schema, value, what):
        self.assertEqual(self.schemas.problems(schema, value), [], what)

    def json_request(self, name, fields):
        """Verb, path with query, and body; they must be as the document says."""
        method = self.methods[name]
        path, query, body = method.request(fields)
        operation = self.document["paths"][method.path()][method.verb]
        described = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
        self.assertLessEqual({key for key, _ in query}, described, name)
        if body is not None:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            self.valid({**schema, "unevaluatedProperties": False}, body, name)
        return method.verb.upper(), path + ("?" + urllib.parse.urlencode(query) if query else ""), body

    def over_json(self, name, fields):
        verb, path, body = self.json_request(name, fields)
        answer = self.edge.patient_json(verb, path, body, token=self.tokens[self.service(name)])
        self.valid({"$ref": f"#/components/schemas/{self.methods[name].output}"}, answer, name)
        return answer

    def over_grpc(self, name, fields):
        # Patiently, because of the edge's limit for a subject.
        return hail_errors.patiently(
            lambda timeout: self.edge.call(self.channels[self.service(name)], name, fields, timeout), error=CallError)

    def alike(self, name, by_json, by_grpc, apart):
        def without(value):
            if isinstance(value, dict):
                return {key: without(field) for key, field in value.items() if key not in apart}
            return [without(each) for each in value] if isinstance(value, list) else value

        kind = self.edge.contract.types(name)[1]
        # JSON also has the fields that are empty.
        by_json = [self.edge.contract.to_fields(self.edge.contract.to_message(each, kind)) for each in by_json]
        self.assertEqual(without(by_json), without(by_grpc), name)

    def both(self, name, fields, later=None, apart=()):
        """The call over JSON and then over gRPC, which must give the same answer, because all calls may be repeated. Returns
        JSON's. `later`: the fields over gRPC, if not the same; `apart`: names of fields that may differ."""
        self.called.add(name)
        by_json = self.over_json(name, fields)
        self.alike(name, [by_json], [self.over_grpc(name, later or fields)], apart)
        return by_json

    def streams(self, name, fields, end, apart=()):
        """The messages of the stream as lines, as server-sent events, and over gRPC, up to the first that has the field
        `end`, or to the stream's end. They must be the same, but for heartbeats. Returns those of the lines."""
        self.called.add(name)
        _, path, _ = self.json_request(name, fields)
        token = self.tokens[self.service(name)]

        def read(stream):
            messages = []
            for message in stream:
                if "heartbeat" not in message:
                    messages.append(message)
                if end in message:
                    break
            stream.close()
            return messages

        lines = read(self.edge.messages(path, token))
        events = read(self.edge.messages(path, token, events=True))
        for message in lines + events:
            self.valid({"$ref": f"#/components/schemas/{self.methods[name].output}"}, message, name)
        by_grpc = read(self.edge.stream(self.channels[self.service(name)], name, fields, timeout=60))
        self.alike(name, lines, by_grpc, apart)
        self.alike(name, events, by_grpc, apart)
        return lines

    def test_a_ride(self):
        rider, driver = {"riderId": self.rider_id}, {"driverId": self.driver_id}
        both = self.both
        # A driver who gets ready.
        both(DRIVER + "RegisterDriver", {"driver": {
            **driver, "displayName": "Grace", "regionId": "san_francisco", "productIds": ["economy"],
            "vehicle": {"make": "Toyota", "model": "Prius", "color": "green", "plate": self.driver_id, "seats": 4}}})
        changed = both(DRIVER + "UpdateDriver", {
            "driver": {**driver, "displayName": "Grace H."}, "updateMask": "displayName"})
        self.assertEqual(both(DRIVER + "GetDriver", driver), changed)
        self.assertEqual(changed["driver"]["displayName"], "Grace H.")

        def here(number):
            return {**driver, "positions": [{"location": STAND, "age": "0s", "positionSeq": str(number)}]}

        both(DRIVER + "UpdateLocation", here(1), here(2))
        both(DRIVER + "SetAvailability", {**driver, "availability": "AVAILABILITY_ONLINE"}, apart=("revision",))

        # A rider who looks around, and requests a ride.
        position = TRIP["pickup"]["position"]
        self.assertTrue(both(RIDER + "ListProducts", {"position": position})["products"])
        nearby = {"position": position, "radiusM": 3000, "productId": "economy", "limit": 3}
        edge_test.await_that(lambda: self.over_json(RIDER + "ListNearbyCars", nearby)["cars"], "the car is on the map")
        both(RIDER + "ListNearbyCars", nearby)
        both(RIDER + "QuoteRide", {**rider, **TRIP}, apart=("quoteId", "quoteToken", "expireTime"))
        ride = both(RIDER + "RequestRide", {
            **rider, **TRIP, "requestId": str(uuid.uuid4()), "labels": {"cost centre": "7"}})["ride"]
        one = {**rider, "rideId": ride["rideId"]}

        # The offer: there is time, unless both calls of a pair are seconds apart.
        offer = edge_test.await_that(lambda: self.over_json(DRIVER + "GetDriverState", driver)["state"].get("offer"), "an offer")
        offer = {**driver, "offerId": offer["offerId"]}
        state = both(DRIVER + "AcknowledgeOffer", offer, apart=("remaining", "revision"))["state"]
        self.assertEqual(state["offer"]["offerId"], offer["offerId"])
        both(DRIVER + "GetDriverState", driver, apart=("remaining", "revision"))
        accepted = both(DRIVER + "RespondToOffer", {**offer, "response": "OFFER_RESPONSE_ACCEPT"}, apart=("revision",))
        self.assertEqual(accepted["offer"]["status"], "OFFER_STATUS_ACCEPTED")

        # The trip. The rider's side learns by and by when the driver was last seen.
        self.assertEqual(both(RIDER + "GetActiveRide", rider, apart=("driverLastSeen",))["ride"]["rideId"], ride["rideId"])
        trip = {**driver, "rideId": ride["rideId"], "epoch": "1"}
        for leg, step in ((0, "seen"), (0, "arrive"), (0, "start"), (1, "complete")):
            ride = both(DRIVER + "AdvanceTrip", {**trip, "leg": leg, step: {}})["ride"]
        self.assertEqual(ride["state"], "RIDE_STATE_COMPLETED")
        self.assertEqual(both(DRIVER + "ListTrips", {**driver, "pageSize": 5})["trips"][0]["rideId"], ride["rideId"])

        # What both sides can read of it afterwards.
        edge_test.await_that(lambda: "endTime" in self.over_json(RIDER + "GetRide", one)["ride"], "the rider's side has the end")
        both(RIDER + "GetRide", one, apart=("driverLastSeen",))
        messages = self.streams(RIDER + "WatchRide", {**one, "afterSequence": "0"}, "draining", apart=("driverLastSeen",))
        self.assertEqual([message["event"]["sequence"] for message in messages if "event" in message],
                         [str(number) for number in range(1, int(ride["sequence"]) + 1)])
        messages = self.streams(DRIVER + "WatchDriver", {
            **driver, "cursor": {"rideId": ride["rideId"], "sequence": "2"}}, "caughtUp", apart=("sessionEpoch", "revision"))
        self.assertTrue(any("snapshot" in message for message in messages), messages)

        # Another ride, and its end.
        another = self.over_json(RIDER + "RequestRide", {**rider, **TRIP, "requestId": str(uuid.uuid4())})["ride"]
        canceled = both(RIDER + "CancelRide", {
            **rider, "rideId": another["rideId"], "reason": "CANCEL_REASON_CHANGED_PLANS", "note": "the rain stopped"})
        self.assertEqual(canceled["ride"]["state"], "RIDE_STATE_CANCELED")
        rides = both(RIDER + "ListRides", {
            **rider, "states": ["RIDE_STATE_CANCELED", "RIDE_STATE_COMPLETED"], "pageSize": 1}, apart=("driverLastSeen",))
        self.assertTrue(rides["nextPageToken"])

        self.assertEqual(self.called, {method.name for method in self.methods.values() if not method.client_streaming},
                         "every call but the streams of clients must have its place in this ride")

    def test_errors(self):
        rider, driver = {"riderId": self.rider_id}, {"driverId": self.driver_id}
        for name, fields, http_code, reason in (
                (RIDER + "GetRide", {**rider, "rideId": "none"}, 404, "RIDE_NOT_FOUND"),
                (RIDER + "WatchRide", {**rider, "rideId": "none"}, 404, "RIDE_NOT_FOUND"),
                (RIDER + "RequestRide", {**rider, **TRIP, "requestId": "two words"}, 400, "INVALID_FIELD"),
                (DRIVER + "GetDriver", driver, 404, "DRIVER_NOT_FOUND"),
                (DRIVER + "WatchDriver", driver, 404, "DRIVER_NOT_FOUND"),
                (DRIVER + "AcknowledgeOffer", {**driver, "offerId": "none"}, 404, "DRIVER_NOT_FOUND")):
            verb, path, body = self.json_request(name, fields)
            token, channel = self.tokens[self.service(name)], self.channels[self.service(name)]
            stream = self.methods[name].server_streaming
            by_grpc = self.failure(lambda: next(self.edge.stream(channel, name, fields)) if stream
                                   else self.edge.call(channel, name, fields))
            for accept in ("*/*", "text/event-stream") if stream else ("*/*",):
                with self.subTest(name, accept=accept):
                    by_json = self.failure(lambda: self.edge.json(verb, path, body, token=token, headers={"accept": accept}))
                    self.assertEqual((by_json.http_code, by_json.reason), (http_code, reason))
                    self.valid(ERRORS, by_json.status, name)
                    kind = self.edge.contract.type("google.rpc.Status")
                    self.assertEqual(self.edge.contract.to_fields(self.edge.contract.to_message(by_json.status, kind)),
                                     by_grpc.status)

    def test_errors_of_the_edge(self):
        path = f"/v1/riders/{self.rider_id}/rides"
        for arguments, more, http_code, reason in (
                (("GET", path), {}, 401, "TOKEN_MISSING"),
                (("GET", path), {"token": self.tokens[DRIVER]}, 403, "TOKEN_AUDIENCE"),
                (("PUT", path), {"token": self.tokens[RIDER]}, 404, "PATH_NOT_FOUND"),
                (("POST", path, '{"pickup": '), {"token": self.tokens[RIDER]}, 400, "UNREADABLE_MESSAGE"),
                (("POST", path, {"riderDisplayName": "a" * 70000}), {"token": self.tokens[RIDER]}, 413, "BODY_TOO_LARGE")):
            with self.subTest(reason):
                error = self.failure(lambda: self.edge.json(*arguments, **more))
                self.assertEqual((error.http_code, error.reason), (http_code, reason))
                self.valid(ERRORS, error.status, reason)

    def test_unknown_fields_of_a_body_are_dropped(self):
        _, path, body = self.json_request(RIDER + "QuoteRide", {"riderId": self.rider_id, **TRIP})
        misspelt = {**body, "prodcutId": "none", "pickup": {**body["pickup"], "flat": {"number": 7}}}
        answer = self.edge.patient_json("POST", path, misspelt, token=self.tokens[RIDER])
        self.assertEqual(answer["quotes"][0]["productId"], "economy")

    def failure(self, call):
        with self.assertRaises(CallError) as caught:
            call()
        return caught.exception


if __name__ == "__main__":
    edge_test.EdgeTest.bin_dir = pathlib.Path(sys.argv.pop(1)).resolve()
    DOCS = pathlib.Path(sys.argv.pop(1)).resolve()
    edge_test.run("json")
