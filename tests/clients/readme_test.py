#!/usr/bin/python3
"""Keeps the README's tables in step with the programs: configuration keys, error reasons, and what files it names.

    readme_test.py BIN_DIR SOURCE_DIR
    readme_test.py --write BIN_DIR SOURCE_DIR    puts the tables in
"""

import pathlib
import re
import subprocess
import sys


def upper_snake(enumerator):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", enumerator.removeprefix("k")).upper()


def reasons(source):
    """The enumerators of reason.h with the comment above each: "CODE: meaning"."""
    lines = ["| reason | code | meaning |", "|---|---|---|"]
    comment = ""
    header = (source / "common/errors/reason.h").read_text()
    for line in header.split("enum class Reason {")[1].split("};")[0].splitlines():
        line = line.strip()
        if line.startswith("//"):
            comment += " " + line.removeprefix("//").strip()
        elif line:
            code, meaning = comment.strip().split(": ", 1)
            lines.append(f"| `{upper_snake(line.rstrip(','))}` | {code} | {meaning} |")
            comment = ""
    return "\n".join(lines) + "\n"


def main():
    write = "--write" in sys.argv
    bin_dir, source = (pathlib.Path(word) for word in sys.argv[1:] if word != "--write")
    readme = source / "README.md"
    text = readme.read_text()
    problems = []

    tables = {"reasons": reasons(source)}
    for service in ("rider-service", "driver-service"):
        tables[service] = subprocess.run([bin_dir / service, "--help-markdown"], check=True, capture_output=True,
                                         stdin=subprocess.DEVNULL, text=True).stdout
    for name, table in tables.items():
        pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->\n)", re.DOTALL)
        found = pattern.search(text)
        if found is None:
            problems.append(f"the table of {name} has lost its marks")
            continue
        wanted = found[1] + "\n" + table.strip() + "\n\n" + found[2]
        if found[0] != wanted:
            problems.append(f"the table of {name} is out of step; --write renews it")
            text = text.replace(found[0], wanted)

    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        if not (source / target).exists():
            problems.append(f"{target} is linked and does not exist")
    makefile = (source / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)`", text)):
        if not re.search(rf"^{target}:", makefile, re.MULTILINE):
            problems.append(f"make {target} is named and does not exist")

    if write:
        readme.write_text(text)
    print("\n".join(problems) or "the README is in step")
    return 1 if problems and not write else 0


if __name__ == "__main__":
    sys.exit(main())
