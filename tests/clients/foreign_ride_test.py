#!/usr/bin/python3
"""A client that names another person's ride gets no byte of it and does not change it (promise 8 of README.md).

    foreign_ride_test.py BIN_DIR

Tries every method of both public services, with another person's ride, offer, quote, page or driver in every field that
can name one. The methods and fields come from the services' reflection: a new method or id in the contract fails this
test until the test covers it.
"""

import json
import queue
import sys
import threading
import unittest
import uuid

import a_ride
import hail_services
from grpc_reflection import CallError, Client

RIDER = "hail.rider.v1.RiderService/"
DRIVER = "hail.driver.v1.DriverService/"

# Fields with these names identify a person or a thing.
IDS = {"rider_id", "ride_id", "driver_id", "offer_id", "request_id", "quote_token", "page_token", "session_epoch"}

# Each method of the public services, with the ids its request can hold.
METHODS = {
    RIDER + "ListProducts": set(),
    RIDER + "QuoteRide": {"rider_id"},
    RIDER + "RequestRide": {"rider_id", "request_id", "quote_token"},
    RIDER + "GetRide": {"rider_id", "ride_id"},
    RIDER + "GetActiveRide": {"rider_id"},
    RIDER + "ListRides": {"rider_id", "page_token"},
    RIDER + "CancelRide": {"rider_id", "ride_id"},
    RIDER + "ListNearbyCars": set(),
    RIDER + "WatchRide": {"rider_id", "ride_id"},
    RIDER + "StreamRide": {"open.rider_id", "open.ride_id", "cancel_ride.rider_id", "cancel_ride.ride_id"},
    DRIVER + "RegisterDriver": {"driver.driver_id"},
    DRIVER + "UpdateDriver": {"driver.driver_id"},
    DRIVER + "GetDriver": {"driver_id"},
    DRIVER + "GetDriverState": {"driver_id", "session_epoch"},
    DRIVER + "SetAvailability": {"driver_id"},
    DRIVER + "UpdateLocation": {"driver_id", "session_epoch"},
    DRIVER + "RespondToOffer": {"driver_id", "offer_id"},
    DRIVER + "AcknowledgeOffer": {"driver_id", "offer_id"},
    DRIVER + "AdvanceTrip": {"driver_id", "ride_id"},
    DRIVER + "ListTrips": {"driver_id", "page_token"},
    DRIVER + "StreamDriver": {
        "open.driver_id", "open.cursor.ride_id", "location.driver_id", "location.session_epoch",
        "set_availability.driver_id", "respond_to_offer.driver_id", "respond_to_offer.offer_id",
        "offer_received.offer_id", "advance_trip.driver_id", "advance_trip.ride_id"},
    DRIVER + "WatchDriver": {"driver_id", "cursor.ride_id"},
}

# The only errors for a client that names another person's offer or ride.
NOTHING = {("NOT_FOUND", "RIDE_NOT_FOUND"), ("NOT_FOUND", "OFFER_NOT_FOUND"), ("PERMISSION_DENIED", "IDENTITY_MISMATCH")}
STEPS = ("seen", "arrive", "start", "complete", "cancel")


class Stream:
    """A bidirectional stream. A thread reads it and answers heartbeats, because the services drop silent clients."""

    def __init__(self, client, method):
        self._stream = client.bidi(method, timeout=30)
        self._came = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for message in self._stream:
                if "heartbeat" in message or "heartbeat" in message.get("update", {}):
                    self._stream.send({"heartbeat": {}})
                else:
                    self._came.put(message)
            self._came.put(None)
        except CallError as error:
            self._came.put(error)

    def send(self, message):
        self._stream.send(message)

    def next(self):
        """The next message; None or a CallError at the end."""
        return self._came.get(timeout=20)

    def until(self, kind):
        """All messages up to the first one of `kind`."""
        came = []
        while not came or came[-1] is None or kind not in came[-1]:
            came.append(self.next())
            if came[-1] is None or isinstance(came[-1], CallError):
                raise AssertionError(f"no {kind}: {came}")
        return came

    def close(self):
        self._stream.cancel()


class Driver:
    """A driver near the pickup, who goes online and answers offers only when the test asks for it."""

    def __init__(self, client, name, plate):
        self.id = f"{name}-{uuid.uuid4().hex[:12]}"
        client.unary(DRIVER + "RegisterDriver", {"driver": {
            "driver_id": self.id, "display_name": name, "region_id": "san_francisco", "product_ids": ["economy"],
            "vehicle": {"make": "Toyota", "model": "Prius", "color": "green", "plate": plate, "seats": 4}}})
        self.stream = Stream(client, DRIVER + "StreamDriver")
        self.stream.send({"open": {"driver_id": self.id}})
        self.stream.until("caught_up")

    def go_online(self):
        self.stream.send({"location": {"positions": [
            {"location": a_ride.STAND, "age": "0s", "position_seq": "1"}]}})
        self.stream.send({"command_id": "online", "set_availability": {"availability": "AVAILABILITY_ONLINE"}})

    def offer(self):
        offer = self.stream.until("offer")[-1]["offer"]
        self.stream.send({"offer_received": {"offer_id": offer["offer_id"]}})
        return offer


class ForeignRide(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        running = hail_services.running(cls.bin_dir)
        services = running.__enter__()
        cls.addClassCleanup(running.__exit__, None, None, None)
        cls.riders, cls.drivers = Client(services.rider), Client(services.driver)
        cls.addClassCleanup(cls.riders.close)
        cls.addClassCleanup(cls.drivers.close)

        # Ada's rides: two that are over, so that there is a second page, and one that Grace drives. All texts of it can
        # be recognised in answers.
        cls.victim = f"ada-{uuid.uuid4().hex[:12]}"
        cls.grace = Driver(cls.drivers, "grace-secret", "PLATE-SECRET")
        trip = {
            "rider_id": cls.victim, "product_id": "economy",
            "pickup": {**a_ride.FERRY_BUILDING, "address": "ADDRESS-SECRET"},
            "dropoff": {**a_ride.CITY_HALL, "address": "DROPOFF-SECRET"}, "labels": {"note": "LABEL-SECRET"}}
        for number in range(2):
            over = cls.riders.unary(RIDER + "RequestRide", {**trip, "request_id": f"REQUEST-SECRET-{number}"})["ride"]
            cls.riders.unary(RIDER + "CancelRide", {"rider_id": cls.victim, "ride_id": over["ride_id"]})
        cls.page = cls.riders.unary(
            RIDER + "ListRides", {"rider_id": cls.victim, "page_size": 1})["next_page_token"]
        quoted = {key: value for key, value in trip.items() if key != "labels"}
        cls.quote = cls.riders.unary(RIDER + "QuoteRide", quoted)["quotes"][0]["quote_token"]
        cls.spare_quote = cls.riders.unary(RIDER + "QuoteRide", quoted)["quotes"][0]["quote_token"]
        cls.grace.go_online()
        cls.ride = cls.riders.unary(RIDER + "RequestRide", {
            **trip, "request_id": "REQUEST-SECRET", "quote_token": cls.quote})["ride"]
        cls.offer = cls.grace.offer()["offer_id"]

        # Mallory, as a rider and as a driver. The driver is not online and gets no offers.
        cls.mallory = f"mallory-{uuid.uuid4().hex[:12]}"
        cls.mallory_drives = Driver(cls.drivers, "mallory", "PLATE-1")
        cls.trip = {"rider_id": cls.mallory, "product_id": "economy",
                    "pickup": a_ride.FERRY_BUILDING, "dropoff": a_ride.CITY_HALL}

    @classmethod
    def accept(cls):
        cls.grace.stream.send({"command_id": "accept", "respond_to_offer": {
            "offer_id": cls.offer, "response": "OFFER_RESPONSE_ACCEPT"}})
        cls.grace.stream.until("event")

    def setUp(self):
        # Mallory knows the ids in the requests, so answers may repeat them.
        self.named = {self.ride["ride_id"], self.offer, self.page, self.quote, self.spare_quote}

    def secrets(self):
        own = {self.victim, self.grace.id, self.ride["ride_id"], self.offer, self.ride.get("quote_id", "")}
        return {text for text in own if text and text not in self.named} | {"SECRET"}

    def nothing_in(self, answer):
        text = (answer.raw + str(answer).encode()) if isinstance(answer, CallError) else json.dumps(answer).encode()
        for secret in self.secrets():
            self.assertNotIn(secret.encode(), text)

    def refused(self, client, method, request, reasons=None):
        """The call must fail with one of `reasons` (by default NOTHING), and its error must hold no secrets."""
        with self.assertRaises(CallError, msg=f"{method} {request}") as raised:
            answer = client.unary(method, request)
            self.nothing_in(answer)
        error = raised.exception
        self.assertIn((error.code, error.reason), reasons or NOTHING, f"{method} {request}")
        self.nothing_in(error)

    def unchanged(self, state):
        ride = self.riders.unary(RIDER + "GetRide", {"rider_id": self.victim, "ride_id": self.ride["ride_id"]})["ride"]
        self.assertEqual(ride["state"], state)
        return ride["sequence"], ride["epoch"]

    # --- The tests run in the order of their names, while the ride goes on.

    def test_1_every_method_and_every_id_is_known_here(self):
        found = {}
        for client in (self.riders, self.drivers):
            for service in client.services():
                if not service.startswith("hail."):
                    continue
                for name in client.methods(service):
                    method = f"{service}/{name}"
                    found[method] = {field for field in client.request_fields(method)
                                     if field.rsplit(".", 1)[-1] in IDS}
        self.assertEqual(found, METHODS)
        # Fails for id fields whose names this test does not know.
        for method in found:
            client = self.riders if method.startswith(RIDER) else self.drivers
            for field in client.request_fields(method):
                last = field.rsplit(".", 1)[-1]
                known = IDS | {"command_id", "incarnation_id", "product_id", "region_id"}
                self.assertTrue(not last.endswith(("_id", "_token")) or last in known, f"{method}: {field}")

    def test_2_while_it_is_offered(self):
        before = self.unchanged("RIDE_STATE_MATCHING")
        self.try_everything("RIDE_STATE_MATCHING")
        self.assertEqual(self.unchanged("RIDE_STATE_MATCHING"), before)
        # Grace can still accept the offer.
        self.accept()

    def test_3_while_it_is_driven(self):
        before = self.unchanged("RIDE_STATE_ENROUTE_TO_PICKUP")
        self.try_everything("RIDE_STATE_ENROUTE_TO_PICKUP")
        self.assertEqual(self.unchanged("RIDE_STATE_ENROUTE_TO_PICKUP"), before)

    def test_4_when_it_is_over(self):
        self.riders.unary(RIDER + "CancelRide", {"rider_id": self.victim, "ride_id": self.ride["ride_id"]})
        before = self.unchanged("RIDE_STATE_CANCELED")
        self.try_everything("RIDE_STATE_CANCELED")
        self.assertEqual(self.unchanged("RIDE_STATE_CANCELED"), before)

    def try_everything(self, state):
        tried = set()
        for method in METHODS:
            name = "try_" + method.rsplit("/", 1)[-1]
            # Fails for a method without its own test here.
            getattr(self, name)(state)
            tried.add(method)
        self.assertEqual(tried, set(METHODS))

    # --- RiderService, as the rider Mallory

    def try_ListProducts(self, _):
        self.nothing_in(self.riders.unary(RIDER + "ListProducts", {"position": a_ride.STAND}))

    def try_QuoteRide(self, _):
        self.nothing_in(self.riders.unary(RIDER + "QuoteRide", self.trip))

    def try_ListNearbyCars(self, _):
        # The answer shows cars, but not their drivers.
        self.nothing_in(self.riders.unary(RIDER + "ListNearbyCars", {"position": a_ride.STAND}))

    def try_RequestRide(self, _):
        mismatch = {("INVALID_ARGUMENT", "QUOTE_MISMATCH")}
        for quote in (self.quote, self.spare_quote):
            self.refused(self.riders, RIDER + "RequestRide", {
                **self.trip, "request_id": str(uuid.uuid4()), "quote_token": quote}, mismatch)
        # The same request_id of another rider is another request: Mallory gets an own ride.
        ride = self.riders.unary(RIDER + "RequestRide", {**self.trip, "request_id": "REQUEST-SECRET"})["ride"]
        self.assertEqual(ride["rider_id"], self.mallory)
        self.assertNotEqual(ride["ride_id"], self.ride["ride_id"])
        self.riders.unary(RIDER + "CancelRide", {"rider_id": self.mallory, "ride_id": ride["ride_id"]})

    def try_GetRide(self, _):
        self.refused(self.riders, RIDER + "GetRide", {"rider_id": self.mallory, "ride_id": self.ride["ride_id"]})

    def try_GetActiveRide(self, _):
        self.nothing_in(self.riders.unary(RIDER + "GetActiveRide", {"rider_id": self.mallory}))

    def try_ListRides(self, _):
        rides = self.riders.unary(RIDER + "ListRides", {"rider_id": self.mallory}).get("rides", [])
        self.assertEqual({ride["rider_id"] for ride in rides} - {self.mallory}, set())
        self.refused(self.riders, RIDER + "ListRides", {"rider_id": self.mallory, "page_token": self.page},
                     {("INVALID_ARGUMENT", "INVALID_FIELD")})

    def try_CancelRide(self, _):
        self.refused(self.riders, RIDER + "CancelRide", {"rider_id": self.mallory, "ride_id": self.ride["ride_id"]})

    def try_WatchRide(self, _):
        for cursor in ({}, {"after_sequence": "0"}, {"after_sequence": "1000000"}):
            with self.assertRaises(CallError) as raised:
                for message in self.riders.server_stream(RIDER + "WatchRide", {
                        "rider_id": self.mallory, "ride_id": self.ride["ride_id"], **cursor}, timeout=20):
                    self.fail(f"got a message: {message}")
            self.assertEqual((raised.exception.code, raised.exception.reason), ("NOT_FOUND", "RIDE_NOT_FOUND"))
            self.nothing_in(raised.exception)

    def try_StreamRide(self, _):
        stream = Stream(self.riders, RIDER + "StreamRide")
        self.addCleanup(stream.close)
        stream.send({"open": {"rider_id": self.mallory, "ride_id": self.ride["ride_id"], "after_sequence": "0"}})
        end = stream.next()
        self.assertIsInstance(end, CallError)
        self.assertEqual(end.reason, "RIDE_NOT_FOUND")
        self.nothing_in(end)
        # Commands on a stream of Mallory's own ride.
        own = self.riders.unary(RIDER + "RequestRide", {**self.trip, "request_id": str(uuid.uuid4())})["ride"]
        stream = Stream(self.riders, RIDER + "StreamRide")
        self.addCleanup(stream.close)
        stream.send({"open": {"rider_id": self.mallory, "ride_id": own["ride_id"]}})
        for number, named in enumerate((
                {"rider_id": self.victim, "ride_id": self.ride["ride_id"]},
                {"rider_id": self.mallory, "ride_id": self.ride["ride_id"]}, {"ride_id": self.ride["ride_id"]},
                {"rider_id": self.victim})):
            stream.send({"command_id": str(number), "cancel_ride": named})
            result = stream.until("command_result")[-1]["command_result"]
            self.assertEqual((result["command_id"], result["status"]["code"]), (str(number), 3))
            self.named.add(self.victim)
            self.nothing_in(result)
            self.named.discard(self.victim)
        stream.close()
        self.riders.unary(RIDER + "CancelRide", {"rider_id": self.mallory, "ride_id": own["ride_id"]})

    # --- DriverService, as the driver Mallory

    def try_RegisterDriver(self, _):
        # Mallory may change the own profile. The answer holds no data of others.
        self.nothing_in(self.drivers.unary(DRIVER + "RegisterDriver", {"driver": {
            "driver_id": self.mallory_drives.id, "display_name": "mallory the second", "region_id": "san_francisco",
            "product_ids": ["economy"], "vehicle": {"plate": "PLATE-1", "seats": 4}}}))

    def try_UpdateDriver(self, _):
        self.nothing_in(self.drivers.unary(DRIVER + "UpdateDriver", {"driver": {
            "driver_id": self.mallory_drives.id, "display_name": "mallory the third", "vehicle": {
                "plate": "PLATE-2", "seats": 4}}}))

    def try_GetDriver(self, _):
        self.nothing_in(self.drivers.unary(DRIVER + "GetDriver", {"driver_id": self.mallory_drives.id}))

    def try_GetDriverState(self, _):
        self.nothing_in(self.drivers.unary(DRIVER + "GetDriverState", {"driver_id": self.mallory_drives.id}))

    def try_SetAvailability(self, _):
        self.nothing_in(self.drivers.unary(DRIVER + "SetAvailability", {
            "driver_id": self.mallory_drives.id, "availability": "AVAILABILITY_OFFLINE"}))

    def try_UpdateLocation(self, _):
        grace = self.drivers.unary(DRIVER + "GetDriverState", {"driver_id": self.grace.id})["state"]["session_epoch"]
        position = {"location": {"latitude_deg": 37.76, "longitude_deg": -122.43}, "position_seq": "1"}
        answer = {}
        try:
            # The epoch of another driver's session may be lower or higher than that of Mallory's session.
            answer = self.drivers.unary(DRIVER + "UpdateLocation", {
                "driver_id": self.mallory_drives.id, "session_epoch": grace, "positions": [position]})
        except CallError as error:
            answer = error
            # A higher epoch may belong to a session that this replica does not know yet.
            self.assertEqual(error.reason, "PEER_UNAVAILABLE")
        self.nothing_in(answer)

    def try_RespondToOffer(self, _):
        for response in ("OFFER_RESPONSE_ACCEPT", "OFFER_RESPONSE_DECLINE"):
            self.refused(self.drivers, DRIVER + "RespondToOffer", {
                "driver_id": self.mallory_drives.id, "offer_id": self.offer, "response": response})

    def try_AcknowledgeOffer(self, _):
        # Has no effect: the ride and its offer stay as they are. The answer shows Mallory's own state.
        self.nothing_in(self.drivers.unary(DRIVER + "AcknowledgeOffer", {
            "driver_id": self.mallory_drives.id, "offer_id": self.offer}))

    def try_AdvanceTrip(self, _):
        for step in STEPS:
            for leg in (0, 1):
                self.refused(self.drivers, DRIVER + "AdvanceTrip", {
                    "driver_id": self.mallory_drives.id, "ride_id": self.ride["ride_id"], "epoch": "1", "leg": leg,
                    step: {}})

    def try_ListTrips(self, _):
        answer = self.drivers.unary(DRIVER + "ListTrips", {"driver_id": self.mallory_drives.id})
        self.assertEqual(answer.get("trips", []), [])
        self.refused(self.drivers, DRIVER + "ListTrips", {
            "driver_id": self.mallory_drives.id, "page_token": self.page}, {("INVALID_ARGUMENT", "INVALID_FIELD")})

    def nothing_of_the_ride(self, opening):
        """`opening` holds the messages up to `caught_up` of a session that names the ride in its cursor."""
        self.nothing_in(opening)
        self.assertTrue(any("start_over" in message for message in opening), opening)
        snapshot, = (message["snapshot"] for message in opening if "snapshot" in message)
        self.assertNotIn("ride", snapshot)
        self.assertNotIn("offer", snapshot)
        self.assertFalse(any("event" in message for message in opening), opening)

    def try_WatchDriver(self, _):
        opening = []
        watch = self.drivers.server_stream(DRIVER + "WatchDriver", {
            "driver_id": self.mallory_drives.id, "cursor": {"ride_id": self.ride["ride_id"], "sequence": "1"}},
            timeout=20)
        for message in watch:
            opening.append(message)
            if "caught_up" in message:
                break
        watch.close()
        self.nothing_of_the_ride(opening)

    def try_StreamDriver(self, _):
        stream = Stream(self.drivers, DRIVER + "StreamDriver")
        self.addCleanup(stream.close)
        stream.send({"open": {"driver_id": self.mallory_drives.id, "cursor": {
            "ride_id": self.ride["ride_id"], "sequence": "1"}}})
        self.nothing_of_the_ride(stream.until("caught_up"))

        number = 0

        def command(expected, **message):
            nonlocal number
            number += 1
            stream.send({"command_id": str(number), **message})
            result = stream.until("command_result")[-1]["command_result"]
            self.assertEqual(result["command_id"], str(number))
            self.assertEqual(result["status"]["code"], expected, result)
            self.nothing_in(result)

        not_found, denied = 5, 7
        command(denied, set_availability={"driver_id": self.grace.id, "availability": "AVAILABILITY_OFFLINE"})
        command(denied, location={"driver_id": self.grace.id, "session_epoch": "1", "positions": [
            {"location": a_ride.STAND, "position_seq": "1"}]})
        for response in ("OFFER_RESPONSE_ACCEPT", "OFFER_RESPONSE_DECLINE"):
            command(not_found, respond_to_offer={"offer_id": self.offer, "response": response})
            command(denied, respond_to_offer={
                "driver_id": self.grace.id, "offer_id": self.offer, "response": response})
        for step in STEPS:
            command(not_found, advance_trip={"ride_id": self.ride["ride_id"], "epoch": "1", step: {}})
            command(denied, advance_trip={
                "driver_id": self.grace.id, "ride_id": self.ride["ride_id"], "epoch": "1", step: {}})
        # This message has no answer and no effect.
        stream.send({"offer_received": {"offer_id": self.offer}})
        command(denied, set_availability={"driver_id": self.grace.id, "availability": "AVAILABILITY_OFFLINE"})


if __name__ == "__main__":
    ForeignRide.bin_dir = sys.argv.pop(1)
    unittest.main(verbosity=2)
