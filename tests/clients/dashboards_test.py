#!/usr/bin/python3
"""Checks the series that dashboards, alerts and the autoscaling of deploy/ name: the services export each of them, and
use each of their labels.

    dashboards_test.py SOURCE_DIR
"""

import json
import pathlib
import re
import sys

# Labels that Prometheus, its histograms and kubernetes_sd add.
ADDED_LABELS = {"instance", "job", "le", "namespace", "pod"}
REGISTERED = re.compile(r'\b(Counters|Gauges|Histograms)\(\s*"([a-z_]+)"')
NAMED = re.compile(r"\bhail_(?:rider|driver)_[a-z_]+[a-z]")
LABELS_OF = re.compile(r"(hail_(?:rider|driver)_[a-z_]+)\{([^}]*)\}")
GROUPED_BY = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


def exported(source):
    """The names of all series, with the parts of histograms; and the names of all labels of any series."""
    series, labels = set(), set(ADDED_LABELS)
    for folder, prefixes in (("common", ("hail_rider", "hail_driver")), ("rider-service", ("hail_rider",)),
                             ("driver-service", ("hail_driver",))):
        for file in (source / folder).rglob("*.cc"):
            text = file.read_text()
            for kind, name in REGISTERED.findall(text):
                parts = ("_bucket", "_sum", "_count") if kind == "Histograms" else ("",)
                series.update(f"{prefix}_{name}{part}" for prefix in prefixes for part in parts)
            for given in re.findall(r"\bOf\((\{\{.*?\}\})\)", text, re.DOTALL):
                labels.update(re.findall(r'\{\s*"([a-z_]+)",', given))
    return series, labels


def expressions(file):
    """The PromQL in a dashboard; the whole text of other files, without comments."""
    if file.suffix == ".json":
        found = []

        def walk(node):
            for key, value in node.items() if isinstance(node, dict) else enumerate(node):
                if key in ("expr", "query", "definition") and isinstance(value, str):
                    found.append(value)
                elif isinstance(value, (dict, list)):
                    walk(value)

        walk(json.loads(file.read_text()))
        return found
    return [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]


def problems_of(name, text, series, labels):
    """The series and labels that `text` names and that do not exist."""
    for named in sorted(set(NAMED.findall(text))):
        if named not in series:
            yield f"{name}: no service exports {named}"
    used = {word for group in GROUPED_BY.findall(text) for word in re.split(r"[,\s]+", group)}
    for _, matchers in LABELS_OF.findall(text):
        used.update(re.findall(r"([a-zA-Z_]+)\s*(?:=~|!~|!=|=)", matchers))
    for label in sorted(used - labels - {""}):
        if "<<" not in label:
            yield f"{name}: nothing has the label {label}"


def main():
    source = pathlib.Path(sys.argv[1])
    series, labels = exported(source)

    # The check must find planted faults.
    for text in ('sum(hail_rider_ride{state="MATCHING"})', "hail_driver_match_seconds", "hail_driver_rides",
                 'hail_rider_rides{grade="high"}', "sum by (method, grade) (hail_rider_streams)"):
        if not list(problems_of("planted", text, series, labels)):
            raise SystemExit(f"found no fault in {text}")

    files = [*sorted((source / "deploy/dashboards").glob("*.*")),
             *sorted((source / "deploy/kubernetes").rglob("*.yaml"))]
    problems, named = [], set()
    for file in files:
        for text in expressions(file):
            named.update(NAMED.findall(text))
            problems += problems_of(file.relative_to(source), text, series, labels)
    if len(named) < 20:
        problems.append("the dashboards are gone, or are not read")
    print("\n".join(problems) or f"{len(named)} series are named, and all are exported")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
