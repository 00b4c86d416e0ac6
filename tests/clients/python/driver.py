"""A driver's app in Python: it registers, goes online, accepts the first offer and drives the ride to its end on
StreamDriver, by the rules of docs/clients.md.

Install and generate as in rider.py. With the services on this machine:

    venv/bin/python driver.py --address 127.0.0.1:50052 --insecure --id guido

Through an edge with TLS and tokens, where the id must be the token's subject:

    venv/bin/python driver.py --address localhost:8443 --ca ca.crt --token-file guido.jwt --id guido

It prints one line of JSON for each message. rules.py has what every client needs: which errors are answers, how often
to repeat, the channel. This file has the driver.

The snapshot of a stream shows the work that is left: go online, answer the offer, take the ride's next step. So nothing
that a broken stream took with it is lost. A command that was carried out already is safe to repeat.
"""

import argparse
import asyncio
import itertools
import sys
import time
import uuid
from dataclasses import dataclass, field

import grpc
from hail.driver.v1 import driver_service_pb2 as driver_pb2
from hail.driver.v1 import driver_service_pb2_grpc
from hail.type.v1 import geo_pb2, ride_pb2, stream_pb2

from rules import (COMMAND, GIVE_UP, GIVE_UP_RESPONSE, HEARTBEAT, Backoff, Failure, add_options, connect, emit,
                   emit_error, messages_of, name, retry)

STAND = geo_pb2.LatLng(latitude_deg=37.7936, longitude_deg=-122.3965)
# The car stands still. One that moves reports its position every few seconds.
POSITION_EVERY = 10.0


@dataclass
class Driver:
    """What outlives a stream."""
    stub: driver_service_pb2_grpc.DriverServiceStub
    id: str
    pace: float
    incarnation: str = field(default_factory=lambda: str(uuid.uuid4()))
    openings: itertools.count = field(default_factory=lambda: itertools.count(1))
    commands: itertools.count = field(default_factory=lambda: itertools.count(1))
    positions: itertools.count = field(default_factory=lambda: itertools.count(1))
    wait: Backoff = field(default_factory=Backoff)
    cursor: stream_pb2.Cursor | None = None

    async def run(self):
        """Works on as many streams as it takes. Returns the exit status."""
        while True:
            session, failure = Session(self), Failure()
            try:
                await session.run()
            except grpc.aio.AioRpcError as error:
                failure = Failure.of(error)
                if failure.is_answer():
                    raise
            if session.exit_status is not None:
                return session.exit_status
            emit("resume", after=self.cursor.sequence if self.cursor else 0, code=failure.code.name)
            await asyncio.sleep(session.draining.retry_after.ToTimedelta().total_seconds() if session.draining
                                else self.wait.next(failure.retry_after))


class Command:
    """A command without its result."""

    def __init__(self, request):
        self.request = request
        self.first = time.monotonic()
        self.due = self.first + COMMAND
        self.wait = Backoff()

    def is_hopeless(self):
        give_up = GIVE_UP_RESPONSE if self.request.HasField("respond_to_offer") else GIVE_UP
        return time.monotonic() - self.first > give_up


class Session:
    """One stream."""

    def __init__(self, driver):
        self._driver = driver
        self._outbox = asyncio.Queue()
        self._unanswered = {}
        self._steps = set()
        self._caught_up = False
        self._state = None
        self.draining = None
        self.exit_status = None

    async def run(self):
        stream = self._driver.stub.StreamDriver()
        self._send(open=driver_pb2.OpenSession(
            driver_id=self._driver.id, incarnation_id=self._driver.incarnation, opening=next(self._driver.openings),
            cursor=self._driver.cursor))
        tasks = [asyncio.create_task(self._write(stream)), asyncio.create_task(self._report_positions()),
                 asyncio.create_task(self._repeat_commands())]
        try:
            async for message in messages_of(stream):
                self._driver.wait.reset()
                self._on_message(message)
                if self.exit_status is not None:
                    return
        finally:
            for task in (*tasks, *self._steps):
                task.cancel()

    def _send(self, **message):
        self._outbox.put_nowait(driver_pb2.StreamDriverRequest(**message))

    def _command(self, **message):
        request = driver_pb2.StreamDriverRequest(command_id=str(next(self._driver.commands)), **message)
        self._unanswered[request.command_id] = Command(request)
        self._outbox.put_nowait(request)

    async def _write(self, stream):
        heartbeat = driver_pb2.StreamDriverRequest(heartbeat=stream_pb2.Heartbeat())
        try:
            while True:
                try:
                    request = await asyncio.wait_for(self._outbox.get(), HEARTBEAT)
                except asyncio.TimeoutError:
                    request = heartbeat
                await stream.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # The stream is over: its reader gets the error.

    async def _report_positions(self):
        while True:
            await asyncio.sleep(POSITION_EVERY)
            self._send_position()

    async def _repeat_commands(self):
        while True:
            await asyncio.sleep(0.1)
            for command_id, command in list(self._unanswered.items()):
                if command.is_hopeless():
                    del self._unanswered[command_id]
                elif time.monotonic() >= command.due:
                    command.due = time.monotonic() + COMMAND
                    self._outbox.put_nowait(command.request)

    def _send_position(self):
        position = geo_pb2.Position(location=STAND, position_seq=next(self._driver.positions))
        position.age.FromSeconds(0)
        self._send(location=driver_pb2.UpdateLocationRequest(positions=[position]))

    def _on_message(self, message):
        kind = message.WhichOneof("message")
        if kind == "event":
            self._on_event(message.event)
        elif kind == "start_over":
            self._driver.cursor = None
        elif kind == "snapshot":
            self._on_snapshot(message.snapshot)
        elif kind == "caught_up":
            self._on_caught_up()
        elif kind == "offer":
            self._on_offer(message.offer)
        elif kind == "offer_update":
            emit(kind, offer_id=message.offer_update.offer_id,
                 status=name(driver_pb2.OfferStatus, message.offer_update.status))
        elif kind == "state":
            emit(kind, status=name(driver_pb2.DriverStatus, message.state.status))
        elif kind == "command_result":
            self._on_result(message.command_result)
        elif kind == "draining":
            self.draining = message.draining
        elif kind == "replaced":
            emit(kind)
            self.exit_status = 3
        # Heartbeats and location_result call for nothing. Messages of a later version are skipped.

    def _on_event(self, event):
        self._driver.cursor = stream_pb2.Cursor(ride_id=event.ride_id, sequence=event.sequence)
        emit("event", sequence=event.sequence, type=name(ride_pb2.RideEventType, event.type),
             state=name(ride_pb2.RideState, event.ride.state))
        if event.ride.HasField("end_time"):
            emit("end", state=name(ride_pb2.RideState, event.ride.state))
            self.exit_status = 0
        elif self._caught_up and not event.ended:
            self._drive(event.ride)

    def _on_snapshot(self, snapshot):
        self._state = snapshot
        if snapshot.HasField("ride"):
            self._driver.cursor = stream_pb2.Cursor(ride_id=snapshot.ride.ride_id, sequence=snapshot.ride.sequence)
        emit("snapshot", status=name(driver_pb2.DriverStatus, snapshot.status), sequence=snapshot.ride.sequence)
        if self._caught_up:  # Another snapshot on this stream.
            self._on_caught_up()

    def _on_caught_up(self):
        self._caught_up = True
        self._send_position()
        if self._state.availability != driver_pb2.AVAILABILITY_ONLINE:
            self._command(set_availability=driver_pb2.SetAvailabilityRequest(
                availability=driver_pb2.AVAILABILITY_ONLINE))
        if self._state.HasField("offer"):
            self._on_offer(self._state.offer)
        if self._state.HasField("ride"):
            self._drive(self._state.ride)

    def _on_offer(self, offer):
        emit("offer", offer_id=offer.offer_id, status=name(driver_pb2.OfferStatus, offer.status))
        if offer.status != driver_pb2.OFFER_STATUS_PENDING:
            return  # Accepted already: its update follows.
        self._send(offer_received=driver_pb2.OfferReceived(offer_id=offer.offer_id))
        self._command(respond_to_offer=driver_pb2.RespondToOfferRequest(
            offer_id=offer.offer_id, response=driver_pb2.OFFER_RESPONSE_ACCEPT))

    def _on_result(self, result):
        failure = Failure.of_status(result.status)
        if failure.is_answer():
            self._unanswered.pop(result.command_id, None)
            emit("result", code=failure.code.name, reason=failure.reason,
                 status=name(driver_pb2.DriverStatus, result.state.status))
        elif result.command_id in self._unanswered:
            command = self._unanswered[result.command_id]
            command.due = time.monotonic() + command.wait.next(failure.retry_after)

    def _drive(self, ride):
        """Takes the ride's next step: at once if the app takes it, after the time that it takes a car otherwise."""
        if ride.state == ride_pb2.RIDE_STATE_ENROUTE_TO_PICKUP:
            step = "arrive" if ride.HasField("seen_time") else "seen"
        elif ride.state == ride_pb2.RIDE_STATE_ARRIVED_AT_PICKUP:
            step = "start"
        elif ride.state == ride_pb2.RIDE_STATE_ENROUTE_TO_DROPOFF:
            step = "complete"
        else:
            return
        advance = driver_pb2.AdvanceTripRequest(ride_id=ride.ride_id, epoch=ride.epoch, leg=ride.leg)
        getattr(advance, step).SetInParent()  # An empty message has no field whose assignment would set it.

        async def take():
            await asyncio.sleep(0 if step == "seen" else self._driver.pace)
            self._command(advance_trip=advance)

        task = asyncio.create_task(take())
        self._steps.add(task)
        task.add_done_callback(self._steps.discard)


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, "driver-service")
    parser.add_argument("--id", required=True, help="the driver")
    parser.add_argument("--pace", type=int, default=1000, help="milliseconds that each drive takes")
    options = parser.parse_args()
    async with connect(options.address, options.ca, options.token_file, options.insecure) as channel:
        stub = driver_service_pb2_grpc.DriverServiceStub(channel)
        try:
            await retry(stub.RegisterDriver, driver_pb2.RegisterDriverRequest(driver=driver_pb2.Driver(
                driver_id=options.id, display_name="Guido", region_id="san_francisco", product_ids=["economy"],
                vehicle=ride_pb2.Vehicle(make="VW", model="Golf", color="blue", plate=options.id, seats=4))))
            emit("registered", driver_id=options.id)
            return await Driver(stub, options.id, options.pace / 1000).run()
        except grpc.aio.AioRpcError as error:
            emit_error(error)
            return 1


sys.exit(asyncio.run(main()))
