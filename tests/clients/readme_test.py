#!/usr/bin/python3
"""Keeps README and docs/ in step with the programs: configuration keys, error reasons, the sandbox's scripts, and the
files, targets and functions they name.

    readme_test.py BIN_DIR SOURCE_DIR
    readme_test.py --write BIN_DIR SOURCE_DIR    puts the tables in
"""

import pathlib
import re
import subprocess
import sys

# The page of each table, by the table's marks.
TABLES = {"reasons": "docs/errors.md", "rider-service": "docs/configuration.md",
          "driver-service": "docs/configuration.md", "ride-scripts": "docs/sandbox.md",
          "rider-scripts": "docs/sandbox.md"}
# The commands that print tables, by the table's marks.
COMMANDS = {"rider-service": ("rider-service", "--help-markdown"),
            "driver-service": ("driver-service", "--help-markdown"),
            "ride-scripts": ("hail-sim", "--scripts-markdown", "rides"),
            "rider-scripts": ("hail-sim", "--scripts-markdown", "riders")}
# `file`: `name`, `Class::Name` …
NAMED = re.compile(r"`([\w./-]+\.(?:cc|h|py|proto))`:\s((?:`[\w:]+`(?:,\s)?)+)")


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


def anchors(text):
    """The anchors of a page's headings."""
    names = set()
    for heading in re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M):
        names.add(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return names


def problems_of(page, text, source, makefile):
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", prose):
        linked = page.parent / target if target else page
        if not linked.exists():
            yield f"{target} is linked and does not exist"
        elif anchor and linked.suffix == ".md" and anchor not in anchors(linked.read_text()):
            yield f"{target}#{anchor} is linked and does not exist"
    for target in sorted(set(re.findall(r"`make ([a-z-]+)`", text))):
        if not re.search(rf"^{target}:", makefile, re.MULTILINE):
            yield f"make {target} is named and does not exist"
    for file, names in NAMED.findall(prose):
        if not (source / file).exists():
            yield f"{file} is named and does not exist"
            continue
        code = (source / file).read_text()
        for name in re.findall(r"`([\w:]+)`", names):
            if not re.search(rf"\b{name.split('::')[-1]}\b", code):
                yield f"{name} is named and is not in {file}"


def main():
    write = "--write" in sys.argv
    bin_dir, source = (pathlib.Path(word) for word in sys.argv[1:] if word != "--write")
    pages = [source / "README.md", *sorted((source / "docs").rglob("*.md"))]
    texts = {page: page.read_text() for page in pages}
    problems = []

    tables = {"reasons": reasons(source)}
    for name, (program, *words) in COMMANDS.items():
        tables[name] = subprocess.run([bin_dir / program, *words], check=True, capture_output=True,
                                      stdin=subprocess.DEVNULL, text=True).stdout
    for name, table in tables.items():
        page = source / TABLES[name]
        pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->\n)", re.DOTALL)
        found = pattern.search(texts[page])
        if found is None:
            problems.append(f"{TABLES[name]}: the table of {name} has lost its marks")
            continue
        wanted = found[1] + "\n" + table.strip() + "\n\n" + found[2]
        if found[0] != wanted:
            problems.append(f"{TABLES[name]}: the table of {name} is out of step; --write renews it")
            texts[page] = texts[page].replace(found[0], wanted)

    makefile = (source / "Makefile").read_text()
    for page, text in texts.items():
        problems += [f"{page.relative_to(source)}: {problem}" for problem in problems_of(page, text, source, makefile)]

    if write:
        for page, text in texts.items():
            page.write_text(text)
    print("\n".join(problems) or "README and docs are in step")
    return 1 if problems and not write else 0


if __name__ == "__main__":
    sys.exit(main())
