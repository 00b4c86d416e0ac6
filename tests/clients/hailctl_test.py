#!/usr/bin/python3
"""Runs hailctl as people and scripts do, with both services; checks its output and exit codes.

    hailctl_test.py BIN_DIR
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import hail_services

FERRY_BUILDING = "37.7955,-122.3937,Ferry Building"
CITY_HALL = "37.7793,-122.4193,City Hall"
# Near, so that the drive does not make the test long.
EMBARCADERO = "37.7929,-122.3968,Embarcadero"
OK, USAGE, NOT_FOUND, REFUSED, UNAVAILABLE, RIDE_FAILED = 0, 2, 3, 4, 5, 6


class Hailctl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._running = hail_services.running(cls.bin_dir)
        cls.services = cls._running.__enter__()
        cls.addClassCleanup(cls._running.__exit__, None, None, None)

    def command(self, *words):
        return [str(pathlib.Path(self.bin_dir) / "hailctl"), "--rider", self.services.rider,
                "--driver", self.services.driver, "--rider-internal", self.services.rider_internal,
                "--driver-internal", self.services.driver_internal, *words]

    def run_it(self, *words, expect=OK):
        done = subprocess.run(
            self.command(*words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
        self.assertEqual(done.returncode, expect, f"{words}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *words, expect=OK):
        done = self.run_it("--json", *words, expect=expect)
        return json.loads(done.stdout if expect == OK else done.stderr)

    def request(self, rider_id, *words):
        return self.json("ride", "request", "--rider-id", rider_id, "--from", FERRY_BUILDING, "--to", CITY_HALL,
                         "--product", "economy", *words)["ride"]

    def test_products_and_quotes(self):
        table = self.run_it("ride", "products", "--at", "37.7955,-122.3937").stdout.splitlines()
        self.assertTrue(table[0].startswith("PRODUCT"))
        self.assertTrue(table[1].startswith("economy"))
        output = self.run_it("ride", "quote", "--rider-id", "q", "--from", FERRY_BUILDING, "--to", CITY_HALL,
                             "--product", "economy").stdout
        self.assertRegex(output, r"(?m)^economy  v1\.\S{100,}$")
        quotes = self.json("ride", "quote", "--rider-id", "q", "--from", FERRY_BUILDING, "--to", CITY_HALL)["quotes"]
        self.assertEqual(quotes[0]["product_id"], "economy")
        ride = self.request("q", "--quote-token", quotes[0]["quote_token"])
        self.assertEqual(ride["fare"]["quoted"], quotes[0]["fare"])

    def test_a_ride_is_requested_once_shown_and_canceled(self):
        ride = self.request("r1", "--request-id", "same", "--label", "trip=7")
        self.assertEqual(ride["labels"], {"trip": "7"})
        self.assertEqual(self.request("r1", "--request-id", "same", "--label", "trip=7")["ride_id"], ride["ride_id"])
        self.assertEqual(self.json("ride", "get", "--rider-id", "r1")["ride"]["ride_id"], ride["ride_id"])
        self.assertIn("matching", self.run_it("ride", "get", ride["ride_id"], "--rider-id", "r1").stdout)

        refused = self.json("ride", "request", "--rider-id", "r1", "--from", FERRY_BUILDING, "--to", CITY_HALL,
                            "--product", "economy", expect=REFUSED)["error"]
        self.assertEqual((refused["code"], refused["reason"]), ("FAILED_PRECONDITION", "RIDER_BUSY"))
        self.assertEqual(refused["metadata"], {"ride_id": ride["ride_id"]})
        output = self.run_it("ride", "request", "--rider-id", "r1", "--from", FERRY_BUILDING, "--to", CITY_HALL,
                             "--product", "economy", expect=REFUSED).stderr
        self.assertIn(f"hailctl ride cancel {ride['ride_id']}", output)

        canceled = self.json("ride", "cancel", ride["ride_id"], "--rider-id", "r1", "--reason", "changed_plans")["ride"]
        self.assertEqual(canceled["cancellation"]["reason"], "CANCEL_REASON_CHANGED_PLANS")
        # Watching an ended ride prints its end, and the exit code shows it to scripts.
        self.assertIn("canceled", self.run_it("ride", "watch", ride["ride_id"], "--rider-id", "r1",
                                              expect=RIDE_FAILED).stdout)
        self.run_it("ride", "watch", ride["ride_id"], "--rider-id", "r1", "--after", canceled["sequence"],
                    expect=RIDE_FAILED)
        self.json("ride", "get", "--rider-id", "r1", expect=NOT_FOUND)

        for number in range(3):
            another = self.request("r1", "--request-id", f"another-{number}")
            self.run_it("ride", "cancel", another["ride_id"], "--rider-id", "r1")
        listed = self.json("ride", "list", "--rider-id", "r1", "--limit", "3")
        self.assertEqual(len(listed["rides"]), 3)
        self.assertEqual(listed["rides"][0]["request_id"], "another-2")
        self.assertEqual(self.json("ride", "list", "--rider-id", "r1", "--state", "completed"), {})

    def test_a_driver_drives_a_ride(self):
        self.run_it("driver", "register", "d1", "--plate", "OTHER")
        # A second registration replaces the profile.
        self.run_it("driver", "register", "d1", "--plate", "7ABC123", "--name", "Grace", "--color", "green")
        with subprocess.Popen(
                self.command("driver", "drive", "d1", "--at", "37.7950,-122.3940", "--accept", "--speed", "85",
                             "--boarding", "0", "--rides", "1"),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as driver:
            self.addCleanup(driver.kill)
            for line in driver.stdout:
                if line.startswith("now: available"):
                    break
            watched = self.run_it("ride", "request", "--rider-id", "r2", "--from", FERRY_BUILDING, "--to", EMBARCADERO,
                                  "--product", "economy", "--watch").stdout
            output = driver.stdout.read()
            self.assertEqual(driver.wait(30), OK, output)
        for word in ("assigned", "assignment_seen", "arrived_at_pickup", "started", "completed"):
            self.assertIn(word, watched)
            self.assertIn(word, output)
        self.assertIn("Grace [d1], green 7ABC123", watched)
        self.assertEqual(self.json("driver", "show", "d1")["state"]["availability"], "AVAILABILITY_OFFLINE")
        trips = self.json("driver", "trips", "d1")["trips"]
        self.assertEqual([trip["state"] for trip in trips], ["RIDE_STATE_COMPLETED"])

    def test_a_ride_step_by_step_without_a_stream(self):
        self.run_it("driver", "register", "d2", "--plate", "8XYZ", "--product", "xl", "--seats", "6")
        self.run_it("driver", "online", "d2", "--at", "37.7950,-122.3940")
        ride = self.json("ride", "request", "--rider-id", "r3", "--from", FERRY_BUILDING, "--to", CITY_HALL,
                         "--product", "xl", "--seats", "6")["ride"]
        state = {}
        for _ in range(100):
            state = self.json("driver", "show", "d2")["state"]
            if "offer" in state:
                break
        self.assertEqual(state["offer"]["ride_id"], ride["ride_id"])
        won = self.json("driver", "respond", "d2", state["offer"]["offer_id"], "accept")
        self.assertEqual(won["offer"]["status"], "OFFER_STATUS_ACCEPTED")
        self.run_it("driver", "step", "d2", ride["ride_id"], "start", expect=REFUSED)
        for step in ("seen", "arrive", "start", "complete"):
            self.run_it("driver", "step", "d2", ride["ride_id"], step)
        self.assertIn("completed", self.run_it("ride", "get", ride["ride_id"], "--rider-id", "r3").stdout)

    def test_cars_are_shown(self):
        self.run_it("driver", "register", "d3", "--region", "new_york", "--plate", "CAR", "--product", "comfort")
        self.run_it("driver", "online", "d3", "--at", "40.7580,-73.9855", expect=OK)
        for _ in range(100):
            cars = self.json("cars", "--at", "40.7580,-73.9855", "--product", "comfort").get("cars", [])
            if cars:
                break
        self.assertEqual(len(cars), 1)
        self.assertNotIn("d3", json.dumps(cars))

    def test_an_operator_exports_and_erases_people(self):
        ride = self.request("p1", "--name", "Quux", "--label", "for=waldo")
        busy = self.json("rider", "erase", "p1", "--note", "case 1", expect=REFUSED)["error"]
        self.assertEqual((busy["reason"], busy["metadata"]), ("RIDER_BUSY", {"ride_id": ride["ride_id"]}))
        self.run_it("ride", "cancel", ride["ride_id"], "--rider-id", "p1")
        exported = self.json("rider", "export", "p1")
        self.assertEqual(exported["rides"][0]["ride"]["rider_display_name"], "Quux")
        self.assertEqual([event["sequence"] for event in exported["rides"][0]["events"]], ["1", "2"])
        self.run_it("rider", "erase", "p1", expect=USAGE)
        self.assertEqual(self.run_it("rider", "erase", "p1", "--note", "case 1").stdout, "erased from 1 rides\n")
        self.assertEqual(self.json("rider", "export", "p1"), {})
        self.assertIn("no rides", self.run_it("ride", "list", "--rider-id", "p1").stdout)

        self.run_it("driver", "register", "p2", "--name", "Grault", "--plate", "P2P2")
        exported = self.run_it("driver", "export", "p2").stdout.splitlines()
        self.assertEqual(json.loads(exported[0])["driver"]["display_name"], "Grault")
        self.assertEqual(json.loads(exported[1]), {})
        self.run_it("driver", "online", "p2")
        busy = self.json("driver", "erase", "p2", "--note", "case 2", expect=REFUSED)["error"]
        self.assertEqual(busy["reason"], "DRIVER_BUSY")
        self.run_it("driver", "offline", "p2")
        self.assertEqual(self.json("driver", "erase", "p2", "--note", "case 2"), {"profile": True})
        self.run_it("driver", "show", "p2", expect=NOT_FOUND)

    def test_health(self):
        self.assertEqual(self.run_it("health").stdout.count(" serving"), 2)
        nobody = f"127.0.0.1:{hail_services.free_port()}"
        self.run_it("--timeout", "5", "health", nobody, expect=UNAVAILABLE)

    def test_tokens_for_development(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = pathlib.Path(folder) / "made/keys"

            def claims(*words):
                token = self.run_it("token", *words, "--token-key", str(keys)).stdout.strip()
                header, payload, signature = token.split(".")
                self.assertEqual(len(signature), 86)
                return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

            ada = claims("rider", "ada")
            self.assertEqual((ada["aud"], ada["sub"], ada["role"]), ("hail-rider", "ada", "rider"))
            self.assertEqual(ada["exp"] - ada["iat"], 3600)
            self.assertNotIn("authorization", ada)
            self.assertEqual((keys / "token.key").stat().st_mode & 0o777, 0o600)
            self.assertNotIn('"d"', (keys / "jwks.json").read_text())
            server = claims("server", "backend", "--rider-id", "*", "--seconds", "60")
            self.assertEqual(server["authorization"], {"rider_id": "*"})
            self.assertEqual(server["aud"], ["hail-rider", "hail-driver"])
            self.assertEqual(server["exp"] - server["iat"], 60)

            # With a key or a token in a file the commands work as without; whether it counts is the services' business.
            self.run_it("--token-key", str(keys), "ride", "products", "--at", "37.7955,-122.3937")
            file = pathlib.Path(folder) / "token"
            file.write_text("x")
            self.run_it("--token-file", str(file), "ride", "products", "--at", "37.7955,-122.3937")
            self.run_it("--token-file", str(file), "--token-key", str(keys), "cars", "--at", "37.7,-122.3", expect=USAGE)
            self.run_it("--token-file", str(keys / "none"), "cars", "--at", "37.7,-122.3", expect=USAGE)
            self.run_it("token", "admin", "ada", expect=USAGE)

    def test_wrong_usage(self):
        self.run_it(expect=USAGE)
        self.run_it("ride", "fly", expect=USAGE)
        self.run_it("ride", "products", "--at", "somewhere", expect=USAGE)
        error = self.json("ride", "products", "--at", "95,0", expect=USAGE)["error"]
        self.assertEqual((error["reason"], error["field"]), ("INVALID_FIELD", "position.latitude_deg"))
        self.run_it("ride", "get", "nobody-knows", "--rider-id", "r", expect=NOT_FOUND)
        self.run_it("driver", "show", "nobody", expect=NOT_FOUND)
        output = self.run_it("--rider", f"127.0.0.1:{hail_services.free_port()}", "ride", "get", "--rider-id", "r",
                             expect=UNAVAILABLE).stderr
        self.assertIn("HAILCTL_RIDER", output)

    def test_version_and_help(self):
        self.assertRegex(self.run_it("--version").stdout, r"^hailctl \d+\.\d+\.\d+\n$")
        self.assertIn("Exit codes", self.run_it("--help").stdout)


if __name__ == "__main__":
    Hailctl.bin_dir = sys.argv.pop(1)
    unittest.main(verbosity=2)
