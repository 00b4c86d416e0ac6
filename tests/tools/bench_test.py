#!/usr/bin/python3
"""How `make bench` handles parts that fail: without services, with the test's own measurements."""

import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
PATH = pathlib.Path(__file__).resolve().parent / "bench"
loader = importlib.machinery.SourceFileLoader("bench", str(PATH))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)
PARTS = ("rides", "on_postgres", "spaced", "positions", "streams", "curve", "road", "index", "matcher", "replicas", "edge", "security")


def broken(*_):
    raise RuntimeError("19 streams ended early")


class BenchTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.out = pathlib.Path(directory.name)
        bench.Pgbench = broken
        self.bench = bench.Bench(argparse.Namespace(bin=self.out, length=1, rounds=3, only="", out=self.out))
        for part in PARTS:
            setattr(self.bench, part, lambda *_, part=part: self.bench.row(part, 1.0, "ms", [("that", 2.0, None)]))

    def finish(self):
        """The exit status, the table and the report."""
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
            try:
                status = bench.finish(self.bench)
            except KeyboardInterrupt:
                status = None
        return status, out.getvalue(), json.loads((self.out / "report.json").read_text())

    def test_all_is_well(self):
        bench.Pgbench = lambda _: argparse.Namespace(stop=lambda: None)
        status, table, report = self.finish()
        self.assertEqual((status, report["broken"]), (0, []))
        self.assertNotIn("missing", table)
        for part in PARTS:
            self.assertIn(part, report["figures"])

    def test_a_part_that_breaks_is_named_and_the_next_goes_on(self):
        def half():
            self.bench.row("half", 1.0, "ms", [("that", 2.0, None)])
            broken()

        self.bench.streams = half
        status, table, report = self.finish()
        self.assertEqual(status, 1)
        self.assertIn("streams: 19 streams ended early", report["broken"])
        self.assertIn("BROKEN: streams: 19 streams ended early", table)
        self.assertIn("half", report["figures"])
        self.assertIsNone(report["figures"]["streams: broke off"]["hail"])
        self.assertRegex(table, r"streams: broke off +\| +missing")
        for part in ("positions", "curve", "replicas"):
            self.assertIn(part, report["figures"])

    def test_a_measurement_that_breaks_leaves_the_others_of_its_line(self):
        rounds = iter((3.0, None, 5.0))
        self.bench.positions = lambda _: type(self.bench).positions(self.bench, 64)

        @contextlib.contextmanager
        def running(*_, **__):
            yield argparse.Namespace(driver="", address="")

        def load(_, *arguments):
            if "--floor" not in arguments:
                return {"per_second": next(rounds) or broken()} if arguments[6] == 1 else broken()
            return {"per_second": 8.0}

        bench.hail_services.running = bench.floor = running
        bench.load = load
        status, table, report = self.finish()
        self.assertEqual(status, 1)
        one, ten = (report["figures"][f"positions, 64 drivers, {many} a message"] for many in ("one", "ten"))
        self.assertEqual((one["hail"], one["ratios"]["bare messages"]["ratio"]), (4.0, 0.5))
        self.assertEqual((ten["hail"], ten["ratios"]["bare messages"]["other"]), (None, 8.0))
        self.assertIn("positions of 64 drivers, round 2, hail: 19 streams ended early", report["broken"])
        self.assertRegex(table, r"ten a message +\| +missing \| bare messages +\| +8.00 /s \| missing")

    def test_the_report_is_written_when_the_run_is_interrupted(self):
        def interrupted():
            raise KeyboardInterrupt

        self.bench.curve = interrupted
        status, _, report = self.finish()
        self.assertIsNone(status)
        self.assertIn("streams", report["figures"])
        self.assertNotIn("road", report["figures"])
        self.assertIn("the run itself: KeyboardInterrupt()", report["broken"])

    def test_postgres_that_is_not_installed_is_no_fault(self):
        def absent(_):
            raise FileNotFoundError("initdb")

        bench.Pgbench = absent
        status, _, report = self.finish()
        self.assertEqual((status, report["broken"]), (0, []))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
