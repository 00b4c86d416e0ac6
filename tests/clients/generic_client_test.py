#!/usr/bin/python3
"""Checks that a client in another language can use reflection, take a ride, and read error details.

    generic_client_test.py BIN_DIR
"""

import pathlib
import sys
import tempfile
import unittest

import grpc

import hail_services
from a_ride import CITY_HALL, FERRY_BUILDING, take_a_ride
from grpc_reflection import CallError, Client


class GenericClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._running = hail_services.running(cls.bin_dir)
        cls.services = cls._running.__enter__()
        cls.addClassCleanup(cls._running.__exit__, None, None, None)

    def test_reflection_tells_what_there_is(self):
        for address, service, methods in (
                (self.services.rider, "hail.rider.v1.RiderService", {"RequestRide", "WatchRide", "StreamRide"}),
                (self.services.driver, "hail.driver.v1.DriverService", {"RespondToOffer", "StreamDriver"})):
            client = Client(address)
            self.addCleanup(client.close)
            self.assertIn(service, client.services())
            self.assertIn("grpc.health.v1.Health", client.services())
            self.assertLessEqual(methods, set(client.methods(service)))

    def test_internal_services_are_not_on_the_public_port(self):
        for address, method in (
                (self.services.rider, "hail.internal.v1.AssignmentService/ResolveRide"),
                (self.services.driver, "hail.internal.v1.DispatchService/SearchDrivers")):
            client = Client(address)
            self.addCleanup(client.close)
            self.assertNotIn(method.split("/")[0], client.services())
            # The method is called with an empty message.
            call = client.channel.unary_unary("/" + method)
            with self.assertRaises(Exception) as raised:
                call(b"", timeout=10)
            self.assertEqual(raised.exception.code().name, "UNIMPLEMENTED")

    def test_both_versions_of_reflection_describe_all_that_they_list(self):
        for address in (self.services.rider, self.services.driver):
            channel = grpc.insecure_channel(address)
            self.addCleanup(channel.close)
            for version in ("v1", "v1alpha"):
                call = channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")

                def ask(field, text, call=call):
                    return next(iter(call(iter([bytes([field << 3 | 2, len(text)]) + text.encode()]), timeout=10)))

                client = Client(address)
                self.addCleanup(client.close)
                for service in client.services():
                    self.assertIn(service.encode(), ask(7, "*"))
                    self.assertNotIn(b"not found", ask(4, service), service)

    def test_health_is_asked_by_name(self):
        for address, service in ((self.services.rider, "hail.rider.v1.RiderService"),
                                 (self.services.driver, "hail.driver.v1.DriverService")):
            client = Client(address)
            self.addCleanup(client.close)
            self.assertEqual(client.unary("grpc.health.v1.Health/Check", {"service": service}), {"status": "SERVING"})
            with self.assertRaises(CallError) as raised:
                client.unary("grpc.health.v1.Health/Check", {"service": "nobody"})
            self.assertEqual(raised.exception.code, "NOT_FOUND")

    def test_only_the_user_reads_what_the_services_write(self):
        for service in (self.services.rider_service, self.services.driver_service):
            data = service.port_file.parent / service.name.removesuffix("-service")
            self.assertEqual(data.stat().st_mode & 0o777, 0o700)
            files = [service.port_file, *data.iterdir()]
            self.assertGreater(len(files), 3)
            for file in files:
                self.assertEqual(file.stat().st_mode & 0o777, 0o600, file)

    def test_a_ride(self):
        rider_events, driver_events = take_a_ride(self.services.rider, self.services.driver)
        self.assertEqual([event["type"].removeprefix("RIDE_EVENT_TYPE_") for event in rider_events], [
            "REQUESTED", "ASSIGNED", "ASSIGNMENT_SEEN", "ARRIVED_AT_PICKUP", "STARTED", "COMPLETED"])
        self.assertEqual([int(event["sequence"]) for event in rider_events], [1, 2, 3, 4, 5, 6])
        self.assertEqual([int(event["sequence"]) for event in driver_events], [2, 3, 4, 5, 6])
        ended = rider_events[-1]["ride"]
        self.assertEqual(ended["state"], "RIDE_STATE_COMPLETED")
        self.assertGreater(int(ended["fare"]["final"]["micros"]), 0)
        # Each side gets only the fields meant for it.
        self.assertEqual(ended["driver"]["display_name"], "Grace")
        self.assertNotIn("rider_id", driver_events[-1]["ride"])

    def test_errors_carry_their_details(self):
        client = Client(self.services.rider)
        self.addCleanup(client.close)

        def refused(method, request):
            with self.assertRaises(CallError) as raised:
                client.unary("hail.rider.v1.RiderService/" + method, request)
            return raised.exception

        nan = {"position": {"latitude_deg": "NaN", "longitude_deg": -122.4}}
        error = refused("QuoteRide", {"rider_id": "ada", "pickup": nan, "dropoff": CITY_HALL})
        self.assertEqual((error.code, error.reason), ("INVALID_ARGUMENT", "INVALID_FIELD"))
        self.assertEqual(error.field, "pickup.position.latitude_deg")

        paris = {"position": {"latitude_deg": 48.8566, "longitude_deg": 2.3522}}
        error = refused("QuoteRide", {"rider_id": "ada", "pickup": paris, "dropoff": CITY_HALL})
        self.assertEqual((error.code, error.reason), ("FAILED_PRECONDITION", "OUTSIDE_SERVICE_AREA"))

        error = refused("GetRide", {"rider_id": "ada", "ride_id": "none"})
        self.assertEqual((error.code, error.reason), ("NOT_FOUND", "RIDE_NOT_FOUND"))

        request = {"rider_id": "blaise", "request_id": "1", "pickup": FERRY_BUILDING, "dropoff": CITY_HALL,
                   "product_id": "economy"}
        ride = client.unary("hail.rider.v1.RiderService/RequestRide", request)["ride"]
        error = refused("RequestRide", {**request, "request_id": "2"})
        self.assertEqual((error.code, error.reason), ("FAILED_PRECONDITION", "RIDER_BUSY"))
        self.assertEqual(error.metadata, {"ride_id": ride["ride_id"]})


class WithoutStore(unittest.TestCase):
    def test_whoever_calls_while_a_service_waits_for_its_database_is_to_try_again(self):
        for name, method in (("rider", "hail.rider.v1.RiderService/RequestRide"),
                             ("driver", "hail.driver.v1.DriverService/GetDriver")):
            with tempfile.TemporaryDirectory(prefix="hail-test-") as directory:
                public, internal, nobody = (hail_services.free_port() for _ in range(3))
                service = hail_services.Service(
                    pathlib.Path(GenericClient.bin_dir) / f"{name}-service", pathlib.Path(directory),
                    {"listen": f"127.0.0.1:{public}", "internal_listen": f"127.0.0.1:{internal}",
                     "metrics_listen": "127.0.0.1:0", "store.url": f"postgres://hail@127.0.0.1:{nobody}/hail"})
                service.start()
                self.addCleanup(service.stop)
                for port in (public, internal):
                    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                        grpc.channel_ready_future(channel).result(30)
                        for path in (method, "hail.internal.v1.DispatchService/SearchDrivers", "a/b"):
                            with self.assertRaises(grpc.RpcError) as raised:
                                channel.unary_unary("/" + path)(b"", timeout=10)
                            error = raised.exception
                            self.assertEqual(error.code().name, "UNAVAILABLE", path)
                            details = dict(error.trailing_metadata())["grpc-status-details-bin"]
                            for word in (b"STORE_UNAVAILABLE", b"google.rpc.RetryInfo"):
                                self.assertIn(word, details, path)
                        health = channel.unary_unary("/grpc.health.v1.Health/Check")
                        self.assertEqual(health(b"", timeout=10), b"\x08\x02")
                self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    GenericClient.bin_dir = sys.argv.pop(1)
    unittest.main(verbosity=2)
