"""Riders and drivers by unary calls; the caller says to which replica. Without generated code, so that they work with
every release."""
import itertools
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))
from a_ride import CITY_HALL, FERRY_BUILDING, STAND, ask  # noqa: E402
from grpc_reflection import CallError, Client  # noqa: E402, F401

RIDER = "hail.rider.v1.RiderService/"
DRIVER = "hail.driver.v1.DriverService/"
# The driver's next step, by the ride's state.
NEXT_STEP = {"RIDE_STATE_ENROUTE_TO_PICKUP": "arrive", "RIDE_STATE_ARRIVED_AT_PICKUP": "start",
             "RIDE_STATE_ENROUTE_TO_DROPOFF": "complete"}
# Time limit in seconds for events that only the services delay.
PATIENCE = 60


def eventually(holds, what):
    """Waits until holds() is true of something, and returns that."""
    give_up = time.monotonic() + PATIENCE
    while not (found := holds()):
        if time.monotonic() > give_up:
            raise AssertionError(f"{what} did not happen")
        time.sleep(0.1)
    return found


def events_until(stream, end):
    """The events of a stream, up to its end or the first message of kind `end`."""
    events = []
    for message in stream:
        (kind, body), = message.items()
        if kind == "event":
            events.append(body)
        if kind == end:
            break
    return events


def sequences(events):
    return [int(event["sequence"]) for event in events]


class Rider:
    def __init__(self, rider_id, pickup=FERRY_BUILDING, dropoff=CITY_HALL, **more):
        self.id = rider_id
        self.trip = {"rider_id": rider_id, "pickup": pickup, "dropoff": dropoff, "product_id": "economy", **more}

    def quote(self, client):
        trip = {key: value for key, value in self.trip.items() if key != "labels"}
        return ask(client, RIDER + "QuoteRide", trip)["quotes"][0]

    def body(self, request_id, **more):
        """RequestRide. `more`: further fields, such as quote_token."""
        return {**self.trip, "request_id": request_id, **more}

    def request(self, client, request_id, **more):
        return ask(client, RIDER + "RequestRide", self.body(request_id, **more))["ride"]

    def ride(self, client, ride_id):
        return ask(client, RIDER + "GetRide", {"rider_id": self.id, "ride_id": ride_id})["ride"]

    def rides(self, client):
        return ask(client, RIDER + "ListRides", {"rider_id": self.id, "page_size": 100}).get("rides", [])

    def cancel(self, client, ride, **more):
        return ask(client, RIDER + "CancelRide", {"rider_id": self.id, "ride_id": ride["ride_id"], **more})["ride"]

    def events(self, client, ride_id, after=0):
        """The events so far."""
        return events_until(client.server_stream(RIDER + "WatchRide", {
            "rider_id": self.id, "ride_id": ride_id, "after_sequence": str(after)}, timeout=PATIENCE), "caught_up")


class Driver:
    def __init__(self, driver_id, stand=STAND, region="san_francisco"):
        self.id = driver_id
        self.stand = stand
        self.region = region
        self.epoch = "0"
        self.positions = itertools.count(1)

    def register(self, client):
        return ask(client, DRIVER + "RegisterDriver", {"driver": {
            "driver_id": self.id, "display_name": self.id.capitalize(), "region_id": self.region,
            "product_ids": ["economy"],
            "vehicle": {"make": "Toyota", "model": "Prius", "color": "green", "plate": self.id[:32], "seats": 4}}})

    def profile(self, client):
        return ask(client, DRIVER + "GetDriver", {"driver_id": self.id})["driver"]

    def trips(self, client):
        return ask(client, DRIVER + "ListTrips", {"driver_id": self.id, "page_size": 100}).get("trips", [])

    def state(self, client):
        """Also keeps the session alive: an offer in the answer counts as received."""
        state = ask(client, DRIVER + "GetDriverState", {"driver_id": self.id, "session_epoch": self.epoch})["state"]
        self.epoch = state.get("session_epoch", "0")
        return state

    def report_position(self, client):
        ask(client, DRIVER + "UpdateLocation", {"driver_id": self.id, "positions": [
            {"location": self.stand, "age": "0s", "position_seq": str(next(self.positions))}]})

    def want_rides(self, client, wish=True):
        state = ask(client, DRIVER + "SetAvailability", {
            "driver_id": self.id, "availability": "AVAILABILITY_ONLINE" if wish else "AVAILABILITY_OFFLINE"})["state"]
        self.epoch = state.get("session_epoch", "0")

    def await_state(self, client, holds, what):
        """The first state of which `holds` is true. The phone reports its position meanwhile."""
        def look():
            self.report_position(client)
            state = self.state(client)
            return state if holds(state) else None

        return eventually(look, f"{what} of {self.id}")

    def go_online(self, client):
        self.want_rides(client)
        # A ride that waits is offered at once.
        self.await_state(client, lambda state: state["status"] in ("DRIVER_STATUS_AVAILABLE", "DRIVER_STATUS_OFFERED"),
                         "AVAILABLE or OFFERED")

    def await_offer(self, client):
        return self.await_state(client, lambda state: "offer" in state, "an offer")["offer"]

    def answer(self, client, offer, response="ACCEPT"):
        """The driver's state after it."""
        return ask(client, DRIVER + "RespondToOffer", {
            "driver_id": self.id, "offer_id": offer["offer_id"], "response": f"OFFER_RESPONSE_{response}"})["state"]

    def take_a_ride(self, client):
        return self.answer(client, self.await_offer(client))["ride"]

    def step(self, client, ride, step, **data):
        return ask(client, DRIVER + "AdvanceTrip", {
            "driver_id": self.id, "ride_id": ride["ride_id"], "epoch": ride["epoch"], "leg": ride.get("leg", 0),
            step: data})["ride"]

    def drive(self, clients, ride, until="RIDE_STATE_COMPLETED"):
        """From where the ride is to the state `until`; each step at the next of `clients`, in turns."""
        clients = itertools.cycle(clients)
        if "seen_time" not in ride:
            ride = self.step(next(clients), ride, "seen")
        while ride["state"] != until:
            ride = self.step(next(clients), ride, NEXT_STEP[ride["state"]])
        return ride

    def events(self, client, cursor):
        """The events since `cursor`, {"ride_id", "sequence"}."""
        stream = client.bidi(DRIVER + "StreamDriver", timeout=PATIENCE)
        stream.send({"open": {"driver_id": self.id, "cursor": cursor}})
        try:
            return events_until(stream, "caught_up")
        finally:
            stream.cancel()
