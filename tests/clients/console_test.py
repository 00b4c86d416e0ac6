#!/usr/bin/python3
"""The page (deploy/console) in Chromium, through the edge, with both services: riders and drivers take whole rides, on a
phone and at a desk, while connections break.

    console_test.py BIN_DIR [--screenshots DIRECTORY] [TEST…]

Needs the built page (`make console`), Envoy (`make edge-tools`), Playwright for Python, and Debian's chromium or
CHROMIUM=PATH. `make console-test` sees to all of it. The screenshots go to build/screenshots by default.
"""

import argparse
import os
import pathlib
import re
import sys
import unittest
import uuid

from playwright.sync_api import expect, sync_playwright

from edge_test import ROOT, EdgeTest, await_that, new_id

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
DESK = {"viewport": {"width": 1280, "height": 800}}
WIDE = {"viewport": {"width": 1440, "height": 900}}
# Near the Ferry Building.
STAND = "37.7936, -122.3965"
SECONDS = 1000
OPTIONS = None

expect.set_options(timeout=30 * SECONDS)


class ConsoleTest(EdgeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        playwright = sync_playwright().start()
        cls.addClassCleanup(playwright.stop)
        # A machine without a graphics card draws the map on its processors.
        cls.browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), chromium_sandbox=False,
            args=["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking"])
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        self.problems = []
        self.addCleanup(lambda: self.assertEqual(self.problems, []))

    def page(self, view, size, **people):
        """A page with these people signed in: rider="ada". It must not call anybody but the edge."""
        context = self.browser.new_context(**size, ignore_https_errors=True, locale="en-US")
        self.addCleanup(context.close)
        page = context.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda line: "Content Security Policy" in line.text and self.problems.append(line.text))
        page.on("request", lambda call: call.url.startswith((f"https://{self.edge.tls}/", "blob:", "data:"))
                or self.problems.append(call.url))
        for side, person in people.items():
            self.addCleanup(self.leave, side, person)
        tokens = "".join(f"&token={self.edge.token(side, person)}" for side, person in people.items())
        page.goto(f"https://{self.edge.tls}/console/#{view}{tokens}")
        # The tokens are not in the address any more.
        expect(page).to_have_url(re.compile(f"/console/#{view}$"))
        return page

    def leave(self, side, person):
        """So that no other test gets this rider's offers, or this driver."""
        token = self.edge.token(side, person)
        if side == "driver":
            self.edge.patient_json("POST", f"/v1/drivers/{person}:setAvailability",
                                   {"availability": "AVAILABILITY_OFFLINE"}, token=token)
        elif ride := self.edge.patient_json("GET", f"/v1/riders/{person}/rides:active", token=token).get("ride"):
            self.cancel(person, token, ride)

    def screenshot(self, page, name):
        """Of a page whose map is drawn."""
        expect(page.locator(".map[aria-busy=false]")).to_be_visible()
        OPTIONS.screenshots.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=OPTIONS.screenshots / f"{name}.png")

    def check_accessibility(self, page):
        """axe's rules: names, roles, contrast and more."""
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate((ROOT / "deploy/console/node_modules/axe-core/axe.min.js").read_text())
        found = page.evaluate("() => axe.run({resultTypes: ['violations']})")
        self.assertEqual([(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]], [])

    # --- A rider ---

    def choose(self, page, pickup="Ferry Building", dropoff="Union Square"):
        for label, place in (("Pickup", pickup), ("Drop-off", dropoff)):
            if place:
                page.get_by_label(label, exact=True).fill(place)
                page.get_by_label(label, exact=True).press("Tab")

    def request(self, page):
        page.get_by_role("button", name="Request Economy").click()
        expect(page.get_by_role("heading", name="Looking for a driver")).to_be_visible()

    def expect_history(self, panel, sequences):
        """Waits: the answer to a command may come before its event."""
        expect(panel.locator(".events li")).to_have_count(len(sequences))
        self.assertEqual(self.history(panel), sequences)

    def history(self, panel):
        return [int(each.get_attribute("data-sequence")) for each in panel.locator(".events li").all()]

    # --- A driver ---

    def register(self, page, name, plate):
        page.get_by_label("Name that riders see").fill(name)
        for label, value in (("Colour", "green"), ("Make", "Toyota"), ("Model", "Prius"), ("Plate", plate)):
            page.get_by_label(label, exact=True).fill(value)
        page.get_by_role("button", name="Register").click()

    def go_online(self, page, place=STAND):
        page.get_by_label("My car", exact=True).fill(place)
        page.get_by_label("My car", exact=True).press("Tab")
        page.get_by_role("switch", name="Online").click()
        expect(page.get_by_role("heading", name="Online, waiting for an offer")).to_be_visible()

    def driver(self, view="drive", size=DESK, **people):
        """A page with a driver who is online."""
        page = self.page(view, size, **people)
        self.register(page, "Grace", f"7{uuid.uuid4().hex[:6].upper()}")
        self.go_online(page)
        return page

    def drive(self, page, speed):
        page.get_by_label("Speed").select_option(str(speed))
        page.get_by_role("button", name="Drive along the route").click()


class Rides(ConsoleTest):
    def test_a_ride_in_two_pages(self):
        driver = self.page("drive", PHONE)
        self.addCleanup(self.leave, "driver", "grace")
        driver.get_by_label("Token").fill(self.edge.token("driver", "grace"))
        self.check_accessibility(driver)
        driver.get_by_role("button", name="Sign in").click()
        self.register(driver, "Grace", "7ABC123")
        self.go_online(driver)

        rider = self.page("ride", DESK, rider="ada")
        self.choose(rider)
        rider.get_by_text("Name and note for the driver").click()
        rider.get_by_label("Your name").fill("Ada")
        rider.get_by_label("Note about the pickup").fill("At the clock tower")
        expect(rider.get_by_role("radio")).to_have_count(3)
        expect(rider.locator(".car.nearby")).to_have_count(1)
        self.check_accessibility(rider)
        self.request(rider)

        expect(driver.get_by_role("heading", name="Ada needs a ride")).to_be_visible()
        expect(driver.get_by_text("At the clock tower")).to_be_visible()
        self.check_accessibility(driver)
        self.screenshot(driver, "driver-phone")
        left = int(driver.get_by_role("timer").inner_text())
        await_that(lambda: int(driver.get_by_role("timer").inner_text()) < left, "the countdown runs")
        driver.get_by_role("button", name="Accept").click()

        expect(driver.get_by_role("heading", name="Pick up Ada")).to_be_visible()
        expect(rider.get_by_role("heading", name="Grace is on the way")).to_be_visible()
        expect(rider.locator(".driver")).to_contain_text("green Toyota Prius")
        expect(rider.locator(".driver .plate")).to_have_text("7ABC123")
        car = rider.get_by_role("img", name="Grace, 7ABC123")
        expect(car).to_be_visible()
        expect(rider.locator(".eta strong")).to_be_visible()
        before = car.bounding_box()
        self.drive(driver, 15)
        await_that(lambda: car.bounding_box() != before, "the rider sees the car come")
        self.screenshot(rider, "rider-desk")
        self.check_accessibility(rider)

        driver.get_by_role("button", name="I am at the pickup").click()
        expect(rider.get_by_role("heading", name="Grace is here")).to_be_visible()
        driver.get_by_role("button", name="I wait").click()
        expect(rider.get_by_text("The driver waits: the rider is not there yet")).to_be_visible()
        driver.get_by_role("button", name="The rider is on board").click()
        expect(rider.get_by_role("heading", name="On the way to your drop-off")).to_be_visible()
        # A page that is loaded again has the ride and all of its history.
        rider.reload()
        expect(rider.get_by_role("heading", name="On the way to your drop-off")).to_be_visible()
        self.drive(driver, 60)
        driver.get_by_role("button", name="Complete the ride").click()
        expect(driver.get_by_role("heading", name="Ride completed")).to_be_visible()
        expect(rider.get_by_role("heading", name="You have arrived")).to_be_visible()
        expect(rider.get_by_text(re.compile(r"\$[0-9.]+ paid"))).to_be_visible()
        self.expect_history(rider, list(range(1, 8)))
        self.expect_history(driver, list(range(2, 8)))
        rider.get_by_role("button", name="Next ride").click()
        expect(rider.get_by_role("heading", name="Where to?")).to_be_visible()

    def test_a_ride_side_by_side(self):
        page = self.driver("both", WIDE, rider=new_id("ada"), driver=new_id("grace"))
        riders, drivers = page.get_by_label("Rider", exact=True), page.get_by_label("Driver", exact=True)
        self.choose(page)
        self.request(page)
        drivers.get_by_role("button", name="Accept").click()
        expect(riders.get_by_role("heading", name="Grace is on the way")).to_be_visible()
        drivers.get_by_role("button", name="I am at the pickup").click()
        drivers.get_by_role("button", name="The rider is on board").click()
        expect(riders.get_by_role("heading", name="On the way to your drop-off")).to_be_visible()
        car = page.get_by_role("img", name="My car")
        before = car.bounding_box()
        self.drive(drivers, 30)
        await_that(lambda: abs(car.bounding_box()["x"] - before["x"]) > 60, "the car is on its way")
        self.check_accessibility(page)
        self.screenshot(page, "side-by-side")
        drivers.get_by_role("button", name="Complete the ride").click()
        expect(riders.get_by_role("heading", name="You have arrived")).to_be_visible()

    def test_a_phone_whose_rider_cancels(self):
        driver = self.driver(driver=new_id("grace"))
        rider = self.page("ride", PHONE, rider=new_id("ada"))
        self.choose(rider, dropoff=None)
        # The drop-off by a tap on the map.
        box = rider.locator(".map").bounding_box()
        rider.touchscreen.tap(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.7)
        expect(rider.get_by_label("Drop-off", exact=True)).to_have_value(re.compile(r"^37\.\d{5}, -122\.\d{5}$|^[A-Z]"))
        expect(rider.get_by_role("radio")).to_have_count(3)
        self.check_accessibility(rider)
        self.screenshot(rider, "rider-phone")
        self.request(rider)
        expect(driver.get_by_role("button", name="Accept")).to_be_visible()
        rider.get_by_text("Cancel this ride").click()
        rider.get_by_label("Reason").select_option("the wait is too long")
        rider.get_by_role("button", name="Cancel the ride").click()
        expect(rider.get_by_role("heading", name="You canceled the ride")).to_be_visible()
        expect(rider.get_by_text("Canceled: the wait is too long")).to_be_visible()
        expect(driver.get_by_text("The rider canceled.")).to_be_visible()
        driver.get_by_role("switch", name="Online").click()
        expect(driver.get_by_role("heading", name="Offline")).to_be_visible()

    def test_a_driver_who_declines_and_gives_up(self):
        driver = self.driver(driver=new_id("grace"))
        first, second = (self.page("ride", DESK, rider=new_id("ada")) for _ in range(2))
        self.choose(first)
        self.request(first)
        driver.get_by_role("button", name="Decline").click()
        expect(driver.get_by_text("You declined the offer.")).to_be_visible()
        self.choose(second, "Coit Tower", "City Hall")
        self.request(second)
        driver.get_by_role("button", name="Accept").click()
        expect(second.get_by_role("heading", name="Grace is on the way")).to_be_visible()
        driver.get_by_text("Give this ride up").click()
        driver.get_by_role("button", name="Give the ride up").click()
        expect(second.get_by_role("heading", name="Looking for a driver")).to_be_visible()
        expect(second.get_by_text("The driver gave the ride up")).to_be_visible()
        expect(driver.get_by_role("heading", name="The ride is no longer yours")).to_be_visible()

    def test_a_driver_in_two_pages(self):
        name = new_id("grace")
        first = self.driver(driver=name)
        second = self.page("drive", DESK, driver=name)
        expect(second.get_by_role("switch", name="Online")).to_be_checked()
        expect(first.get_by_role("heading", name="You drive elsewhere")).to_be_visible()
        first.get_by_role("button", name="Drive here").click()
        expect(first.get_by_role("switch", name="Online")).to_be_checked()
        expect(second.get_by_role("heading", name="You drive elsewhere")).to_be_visible()

    def test_what_is_refused(self):
        page = self.page("ride", DESK)
        page.get_by_label("Token").fill("nonsense")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("This is not a token.")).to_be_visible()
        page.get_by_label("Token").fill(self.edge.token("rider", new_id("ada"), seconds=-3600))
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Your token has expired.")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Token").fill(self.edge.token("rider", new_id("ada")))
        page.get_by_role("button", name="Sign in").click()
        self.choose(page, "nowhere", "0.5, 0.5")
        expect(page.get_by_text("Neither a place of the list")).to_be_visible()
        self.choose(page)
        self.choose(page, "0.4, 0.5", "0.5, 0.5")
        expect(page.get_by_text("There is no service at this place")).to_be_visible()
        self.check_accessibility(page)

    def test_the_places_of_a_trip_by_keyboard(self):
        page = self.page("ride", DESK, rider=new_id("ada"))
        page.get_by_role("button", name="Pickup: choose on the map").press("Enter")
        page.get_by_role("button", name="Take its centre").press("Enter")
        expect(page.get_by_role("img", name=re.compile("^Pickup"))).to_be_visible()
        self.assertTrue(page.get_by_label("Pickup", exact=True).input_value())

    def test_files_and_headers(self):
        code, headers, _ = self.edge.raw("GET", "/console")
        self.assertEqual((code, headers["location"].endswith("/console/")), (301, True))
        code, headers, body = self.edge.raw("GET", "/console/")
        self.assertEqual((code, headers["content-type"]), (200, "text/html"))
        self.assertIn(b"<title>Hail</title>", body)
        self.assertIn("default-src 'none'", headers["content-security-policy"])
        self.assertEqual((headers["x-content-type-options"], headers["referrer-policy"]), ("nosniff", "no-referrer"))
        for path in ("nothing", "assets/", "../deploy/edge/files.py", "%2e%2e/console_test.py"):
            self.assertEqual(self.edge.raw("GET", f"/console/{path}")[0], 404, path)


class Interruptions(ConsoleTest):
    # So that streams end with `draining` time and again.
    settings = {"connection.age": "6s"}

    def test_no_event_is_missed(self):
        driver = self.driver(driver=new_id("grace"))
        rider = self.page("ride", DESK, rider=new_id("ada"))
        self.choose(rider)
        self.request(rider)
        driver.get_by_role("button", name="Accept").click()
        expect(rider.get_by_role("heading", name="Grace is on the way")).to_be_visible()
        # The driver's page has acknowledged the assignment: that is an event, too.
        self.expect_history(rider, [1, 2, 3])
        self.edge.stop()
        expect(rider.locator(".link.resuming")).to_be_visible()
        expect(driver.locator(".link.resuming")).to_be_visible()
        self.edge.start().await_services()
        driver.get_by_role("button", name="I am at the pickup").click()
        expect(rider.get_by_role("heading", name="Grace is here")).to_be_visible()
        for service, step, state in (
                (self.services.rider_service, "The rider is on board", "On the way to your drop-off"),
                (self.services.driver_service, "Complete the ride", "You have arrived")):
            service.kill()
            service.start()
            driver.get_by_role("button", name=step).click()
            expect(rider.get_by_role("heading", name=state)).to_be_visible()
        expect(driver.get_by_role("heading", name="Ride completed")).to_be_visible()
        self.expect_history(rider, list(range(1, 7)))
        self.expect_history(driver, list(range(2, 7)))
        for page in (rider, driver):
            expect(page.get_by_text(re.compile("^Connected again "))).to_be_visible()


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_dir", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path, default=ROOT / "build/screenshots")
    OPTIONS, tests = parser.parse_known_args()
    EdgeTest.bin_dir = OPTIONS.bin_dir.resolve()
    if not (ROOT / "build/console/index.html").exists():
        sys.exit("console: there is no page; `make console` builds it")
    result = unittest.main(argv=[sys.argv[0], *tests], verbosity=2, exit=False).result
    failed = len({case for case, _ in result.failures + result.errors})
    print(f"console: {max(result.testsRun - failed, 0)} passed, {failed} failed")
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
