"""The end of a trial of services under a city: wait until all rides end, judge, clean up."""
import json
import pathlib
import shutil
import subprocess
import tempfile


class Failure(Exception):
    """The trial deviates from the plan."""


def come_to_rest(sim, services, directory, patience):
    """Waits for hail-sim, `patience` seconds at most, and then stops the services. Its report (report.json), and what is
    wrong, in words."""
    wrong = []
    try:
        status = sim.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        raise Failure("hail-sim does not end") from None
    if status != 0:
        wrong.append(f"hail-sim: exit {status}")
    for service in services:
        status, took = service.stop()
        if status != 0:
            wrong.append(f"{service.name} did not drain: exit {status} after {took:.1f} s")
    report = json.loads((directory / "report.json").read_text())
    if report["in_progress"] != 0 or report["lost"] != 0:
        wrong.append(f"{report['in_progress']} rides in progress, {report['lost']} lost")
    return report, wrong


def judge(binaries, directory, stores):
    """hail-check's verdict on the ledger and the stores ({"rider": path, "driver": path}), and the faults found."""
    judged = subprocess.run(
        [str(binaries / "hail-check"), str(directory / "ledger"), "--rider-db", str(stores["rider"]), "--driver-db",
         str(stores["driver"])],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return judged.stdout, [f"hail-check: exit {judged.returncode}"] if judged.returncode != 0 else []


def print_verdict(report, verdict):
    print("\nhail-check:\n" + verdict.rstrip())
    print("\nhail-sim: " + ", ".join(f"{key} {report[key]}" for key in (
        "requested", "completed", "canceled", "unfulfilled", "in_progress", "lost", "double_booked", "missed_events",
        "duplicate_events", "out_of_order_events", "redispatched", "offers", "declined", "expired")))


def run(name, keep, make):
    """Runs the trial make(directory) and returns its exit status. A trial has start(); carry_out(); come_to_rest(), which
    returns the faults in words; and end(), which ends all processes. `keep`: the directory; None: a temporary one, which
    is removed if all holds."""
    directory = keep or pathlib.Path(tempfile.mkdtemp(prefix=f"hail-{name}-"))
    directory.mkdir(parents=True, exist_ok=True)
    trial = make(directory)
    wrong = ["interrupted"]
    try:
        trial.start()
        trial.carry_out()
        wrong = trial.come_to_rest()
    except Failure as failure:
        wrong = [str(failure)]
    finally:
        trial.end()
        if not wrong and not keep:
            shutil.rmtree(directory, ignore_errors=True)
    for line in wrong:
        print(f"WRONG: {line}")
    print(f"{name} test: all holds" if not wrong else f"{name} test: failed; everything is in {directory}")
    return 1 if wrong else 0
