#!/usr/bin/python3
"""One ride from the quote to the drop-off, by a client without Hail's generated code.

    tests/clients/a_ride.py --rider 127.0.0.1:50051 --driver 127.0.0.1:50052

Prints each message. The driver's app is a thread with a StreamDriver stream; the rider's app is the main thread.
"""

import argparse
import queue
import re
import sys
import threading
import time
import uuid

import hail_errors
from grpc_reflection import CallError, Client

FERRY_BUILDING = {"position": {"latitude_deg": 37.7955, "longitude_deg": -122.3937}, "address": "Ferry Building"}
CITY_HALL = {"position": {"latitude_deg": 37.7793, "longitude_deg": -122.4193}, "address": "City Hall"}
STAND = {"latitude_deg": 37.7936, "longitude_deg": -122.3965}


# Reasons in the answer to a response: the offer can no longer be accepted, and the driver is still available.
OFFER_IS_OVER = ("OFFER_EXPIRED", "OFFER_REVOKED")

# The fields of a message that show() prints.
SHOWN = ("driver_id", "sequence", "epoch", "state", "status", "availability", "remaining", "pickup_eta")


def show(who, what, message):
    """One line: the message's own values of SHOWN, its ride's state, and a price if there is one."""
    ride = message.get("ride", message)
    shown = {key: value for key, value in message.items() if key in SHOWN and not isinstance(value, dict)}
    if "state" in ride:
        shown["state"] = ride["state"]
    fare = ride.get("fare", {})
    price = fare.get("final") or fare.get("quoted") or fare
    if "micros" in price:
        shown["fare"] = f"{int(price['micros']) / 1e6:.2f} {price['currency_code']}"
    prefix = re.compile("^(RIDE_STATE|DRIVER_STATUS|OFFER_STATUS|AVAILABILITY)_")
    words = (f"{key}={prefix.sub('', str(value))}" for key, value in shown.items())
    # In one call, because two threads write.
    sys.stdout.write(f"{who:>6}  {what:<18} {' '.join(words)}".rstrip() + "\n")
    sys.stdout.flush()


def ask(client, method, request):
    """A unary call's answer; repeats the call by the rules of docs/clients.md."""
    return hail_errors.patiently(lambda timeout: client.unary(method, request, timeout), error=CallError)


class DriverApp:
    """Goes online, takes the first offer and drives it. `ready` is set once offers can come."""

    def __init__(self, address, driver_id):
        self._client = Client(address)
        self._id = driver_id
        self._stream = None
        self._commands = 0
        # By command_id: the command, the time it was first sent, and the back-off of its repeats.
        self._unanswered = {}
        self._positions = 0
        self.ready = threading.Event()
        self.finished = queue.Queue()
        self.events = []

    def register(self):
        return ask(self._client, "hail.driver.v1.DriverService/RegisterDriver", {"driver": {
            "driver_id": self._id, "display_name": "Grace", "region_id": "san_francisco", "product_ids": ["economy"],
            "vehicle": {"make": "Toyota", "model": "Prius", "color": "green", "plate": self._id[-32:], "seats": 4}}})

    def start(self):
        self._stream = self._client.bidi("hail.driver.v1.DriverService/StreamDriver")
        self._stream.send({"open": {"driver_id": self._id}})
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self):
        self._stream.close()
        self._client.close()

    def _run(self):
        try:
            for message in self._stream:
                self._on_message(message)
        except Exception as error:  # The main thread must get any error.
            self.finished.put(error)
            self.ready.set()

    def _command(self, **command):
        self._commands += 1
        message = {"command_id": str(self._commands), **command}
        self._unanswered[message["command_id"]] = (message, time.monotonic(), hail_errors.Backoff())
        self._stream.send(message)

    def _answered(self, result):
        """Repeats a refused command unchanged, if docs/clients.md allows a repeat, for as long as it allows."""
        # Messages without a command_id, such as positions, are not repeated.
        message, sent, backoff = self._unanswered.pop(result.get("command_id"), (None, 0, None))
        status = result.get("status", {})
        reason, retry_after = hail_errors.details_of(status)
        if not status.get("code"):
            return
        give_up = hail_errors.ANSWER_GIVE_UP if message and "respond_to_offer" in message else hail_errors.GIVE_UP
        late = time.monotonic() - sent > give_up
        if message and "respond_to_offer" in message and reason in OFFER_IS_OVER:
            # The response came too late, as on a slow phone. The ride is offered again, to this driver or another.
            show("driver", "too late", message)
            return
        if message is None or late or hail_errors.is_answer(status["code"], reason):
            raise RuntimeError(f"refused: {result}")
        show("driver", "repeats", message)
        self._unanswered[message["command_id"]] = (message, sent, backoff)
        again = threading.Timer(backoff.next(retry_after), self._stream.send, [message])
        again.daemon = True
        again.start()

    def _position(self, location):
        self._positions += 1
        self._stream.send({"location": {"positions": [
            {"location": location, "age": "0s", "position_seq": str(self._positions)}]}})

    def _step(self, ride, step):
        self._command(advance_trip={
            "ride_id": ride["ride_id"], "epoch": ride["epoch"], "leg": ride.get("leg", 0), step: {}})

    def _on_message(self, message):
        (what, body), = message.items()
        if what == "event":
            show("driver", body["type"].removeprefix("RIDE_EVENT_TYPE_").lower(), body)
        elif what != "heartbeat":
            show("driver", what, body.get("state", body) if what == "command_result" else body)
        if what in ("caught_up", "heartbeat"):
            # A heartbeat comes every 5 s. A driver whose position is over 30 s old gets no offers.
            self._position(STAND)
        if what == "caught_up":
            self._command(set_availability={"availability": "AVAILABILITY_ONLINE"})
        elif what == "command_result":
            self._answered(body)
            if body.get("state", {}).get("availability") == "AVAILABILITY_ONLINE":
                self.ready.set()
        elif what == "offer":
            self._stream.send({"offer_received": {"offer_id": body["offer_id"]}})
            self._command(respond_to_offer={"offer_id": body["offer_id"], "response": "OFFER_RESPONSE_ACCEPT"})
        elif what == "event":
            self.events.append(body)
            ride = body["ride"]
            step = {"RIDE_EVENT_TYPE_ASSIGNED": "seen", "RIDE_EVENT_TYPE_ASSIGNMENT_SEEN": "arrive",
                    "RIDE_EVENT_TYPE_ARRIVED_AT_PICKUP": "start", "RIDE_EVENT_TYPE_STARTED": "complete"}
            if body["type"] in step:
                self._step(ride, step[body["type"]])
            elif body["type"] == "RIDE_EVENT_TYPE_COMPLETED":
                self.finished.put(ride)


def take_a_ride(rider_address, driver_address):
    """The ride's events as the rider saw them, and as the driver did."""
    rider = Client(rider_address)
    rider_id = f"ada-{uuid.uuid4().hex[:8]}"
    driver = DriverApp(driver_address, f"grace-{uuid.uuid4().hex[:8]}")
    try:
        show("driver", "registered", driver.register()["driver"])
        driver.start()
        if not driver.ready.wait(15):
            raise RuntimeError("the driver did not get online")
        if not driver.finished.empty():
            raise driver.finished.get()

        trip = {"rider_id": rider_id, "pickup": FERRY_BUILDING, "dropoff": CITY_HALL, "product_id": "economy"}
        quote = ask(rider, "hail.rider.v1.RiderService/QuoteRide", trip)["quotes"][0]
        show("rider", "quote", quote)
        ride = ask(rider, "hail.rider.v1.RiderService/RequestRide", {
            **trip, "request_id": str(uuid.uuid4()), "quote_token": quote["quote_token"]})["ride"]
        show("rider", "ride", ride)

        # after_sequence 0 watches from the beginning.
        events = []
        for message in rider.server_stream("hail.rider.v1.RiderService/WatchRide", {
                "rider_id": rider_id, "ride_id": ride["ride_id"], "after_sequence": "0"}, timeout=60):
            (what, body), = message.items()
            if what == "event":
                events.append(body)
                show("rider", body["type"].removeprefix("RIDE_EVENT_TYPE_").lower(), body)
        ended = driver.finished.get(timeout=15)
        if isinstance(ended, Exception):
            raise ended
        return events, driver.events
    finally:
        driver.stop()
        rider.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rider", default="127.0.0.1:50051", help="rider-service's public address")
    parser.add_argument("--driver", default="127.0.0.1:50052", help="driver-service's public address")
    arguments = parser.parse_args()
    events, _ = take_a_ride(arguments.rider, arguments.driver)
    print(f"{len(events)} events; the ride is {events[-1]['ride']['state'].removeprefix('RIDE_STATE_').lower()}")


if __name__ == "__main__":
    main()
