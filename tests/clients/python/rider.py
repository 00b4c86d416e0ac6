"""A rider's app in Python: it quotes a ride, requests it and watches it to its end, by the rules of docs/clients.md.

Install, and generate the code of the contract into gen/:

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    mkdir gen && venv/bin/python -m grpc_tools.protoc -I ../../../proto -I ../../../proto/third_party \\
        --python_out=gen --grpc_python_out=gen $(cd ../../../proto && ls hail/{driver,rider,type}/v1/*.proto)
    export PYTHONPATH=gen

With the services on this machine, and a driver online:

    venv/bin/python rider.py --address 127.0.0.1:50051 --insecure --id ada

Through an edge with TLS and tokens, where the id must be the token's subject:

    venv/bin/python rider.py --address localhost:8443 --ca ca.crt --token-file ada.jwt --id ada

It prints one line of JSON for each message. rules.py has what every client needs: which errors are answers, how often
to repeat, the channel. This file has the ride. A watch that breaks resumes after the last event received, so each event
is printed once.
"""

import argparse
import asyncio
import sys
import uuid

import grpc
from hail.rider.v1 import rider_service_pb2 as rider_pb2
from hail.rider.v1 import rider_service_pb2_grpc
from hail.type.v1 import geo_pb2, ride_pb2

from rules import Backoff, Failure, add_options, connect, emit, emit_error, messages_of, name, retry

FERRY_BUILDING = geo_pb2.Place(
    position=geo_pb2.LatLng(latitude_deg=37.7955, longitude_deg=-122.3937), address="Ferry Building")
UNION_SQUARE = geo_pb2.Place(
    position=geo_pb2.LatLng(latitude_deg=37.7879, longitude_deg=-122.4075), address="Union Square")


async def request(stub, rider_id):
    """Takes the first price offered for the trip."""
    quotes = await retry(stub.QuoteRide, rider_pb2.QuoteRideRequest(
        rider_id=rider_id, pickup=FERRY_BUILDING, dropoff=UNION_SQUARE, product_id="economy"))
    quote = quotes.quotes[0]
    emit("quote", product=quote.product_id, micros=quote.fare.micros, currency=quote.fare.currency_code)

    # All attempts have the same request_id, so there is at most one ride.
    response = await retry(stub.RequestRide, rider_pb2.RequestRideRequest(
        rider_id=rider_id, request_id=str(uuid.uuid4()), pickup=FERRY_BUILDING, dropoff=UNION_SQUARE,
        product_id=quote.product_id, quote_token=quote.quote_token))
    ride = response.ride
    emit("ride", ride_id=ride.ride_id, sequence=ride.sequence, state=name(ride_pb2.RideState, ride.state))
    return ride


async def watch(stub, rider_id, ride):
    """Follows the ride to its end, on as many streams as it takes, and returns the ride as it ended."""
    after = ride.sequence  # the cursor; None asks for a snapshot
    wait = Backoff()
    while True:
        draining, failure = None, Failure()
        try:
            async for message in messages_of(stub.WatchRide(rider_pb2.WatchRideRequest(
                    rider_id=rider_id, ride_id=ride.ride_id, after_sequence=after))):
                wait.reset()
                kind = message.WhichOneof("message")
                if kind == "snapshot":
                    ride = message.snapshot
                    after = ride.sequence
                    emit(kind, sequence=after, state=name(ride_pb2.RideState, ride.state))
                elif kind == "event":
                    ride = message.event.ride
                    after = message.event.sequence
                    emit(kind, sequence=after, type=name(ride_pb2.RideEventType, message.event.type),
                         state=name(ride_pb2.RideState, ride.state))
                elif kind == "telemetry":
                    # With missing_since, the car's position is the last known one, or unset.
                    at = message.telemetry.position.location
                    emit(kind, latitude=at.latitude_deg, longitude=at.longitude_deg,
                         missing=message.telemetry.HasField("missing_since"))
                elif kind == "start_over":
                    after = None
                elif kind == "draining":
                    draining = message.draining
                # Heartbeats and caught_up call for nothing. Messages of a later version are skipped.
        except grpc.aio.AioRpcError as error:
            failure = Failure.of(error)
            if failure.is_answer():
                raise
        if ride.HasField("end_time"):
            return ride
        emit("resume", after=after, code=failure.code.name)
        await asyncio.sleep(draining.retry_after.ToTimedelta().total_seconds() if draining
                            else wait.next(failure.retry_after))


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, "rider-service")
    parser.add_argument("--id", default=f"ada-{uuid.uuid4().hex[:6]}", help="the rider")
    options = parser.parse_args()
    async with connect(options.address, options.ca, options.token_file, options.insecure) as channel:
        stub = rider_service_pb2_grpc.RiderServiceStub(channel)
        try:
            ride = await watch(stub, options.id, await request(stub, options.id))
        except grpc.aio.AioRpcError as error:
            emit_error(error)
            return 1
        emit("end", state=name(ride_pb2.RideState, ride.state), micros=ride.fare.final.micros)
        return 0


sys.exit(asyncio.run(main()))
