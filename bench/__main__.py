"""`script/bench [--quick] [--write] [NAME ...]`: measures every line below `bench/lines/`, or the named ones.

Prints a table for each subject: what was measured, its bound or goal, what it is compared with, and the verdict.
Exits 1 where a promise falls short, a figure is worse than it had been, or a line could not be measured; a goal that
is not reached yet fails nobody. A run of every line writes the tables to bench/results.md too, any other with
`--write`. `--quick` measures less and for a shorter time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.catalogue import in_pairs, lines, subject
from bench.machine import machine
from bench.table import Row, Unmeasured, all_pass, from_json, goal_at_most, render

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results.md"
NODES = "CARILLON_TEST_FREESWITCH_URLS"
LONGEST_SECONDS = 900.0
"""A line that takes longer hangs."""
QUICK_SECONDS, WHOLE_SECONDS = 360.0, 3_600.0
"""How long all lines together may take on two quiet cores."""


def measured(name: str, module: str, *, quick: bool) -> Sequence[Row]:
    """The figures of one line, measured in a process of its own."""
    command = [sys.executable, "-m", "bench.one", module, *(["--quick"] if quick else [])]
    try:
        run = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return [Unmeasured(name, f"not done within {LONGEST_SECONDS:.0f} s")]
    if run.returncode:
        return [Unmeasured(name, f"ended with status {run.returncode}")]
    return [from_json(json.loads(line)) for line in run.stdout.splitlines()]


def all_measured(wanted: Mapping[str, str], *, quick: bool) -> list[tuple[str, Row]]:
    """The figures of these lines with their subjects, in the order of the lines."""
    found: dict[str, Sequence[Row]] = {}

    def measure(name: str) -> None:
        began = time.monotonic()
        found[name] = measured(name, wanted[name], quick=quick)
        print(f"{name}: measured in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    pairs = [name for name, module in wanted.items() if quick and in_pairs(module)]
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        list(pool.map(measure, pairs))
    for name in wanted:
        if name not in found:
            measure(name)
    return [(subject(module), row) for name, module in wanted.items() for row in found[name]]


def whole_time(seconds: float, *, quick: bool) -> Row:
    """How long all lines together took."""
    name, most = ("script/bench --quick", QUICK_SECONDS) if quick else ("script/bench", WHOLE_SECONDS)
    return goal_at_most(f"the whole of {name}", seconds, most, "two quiet cores", "s")


def document(where: str, rows: Sequence[tuple[str, Row]], *, quick: bool) -> str:
    """The tables of all subjects, under what they were measured on."""
    parts = [f"# script/bench{' --quick' if quick else ''}\n", f"{where}\n"]
    for folder, group in itertools.groupby(rows, key=lambda pair: pair[0]):
        parts.append(f"## {folder}\n\n{render([row for _, row in group])}")
    return "\n".join(parts)


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 where every line is where it has to be."""
    every = lines()
    parser = argparse.ArgumentParser(
        prog="script/bench", description="How fast it is, and how fast it has to be."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these lines: {', '.join(every)}")
    parser.add_argument("--quick", action="store_true", help="less of everything: for a first look")
    parser.add_argument("--write", action="store_true", help="write bench/results.md whatever was run")
    parser.add_argument("--nodes", metavar="URLS", help=f"real nodes, as {NODES} names them")
    found = parser.parse_args(arguments)
    if unknown := sorted(set(found.names) - every.keys()):
        parser.error(f"no such line: {', '.join(unknown)}")
    if found.nodes:
        os.environ[NODES] = found.nodes
    where = machine()
    began = time.monotonic()
    wanted = {name: module for name, module in every.items() if not found.names or name in found.names}
    rows = all_measured(wanted, quick=found.quick)
    if not found.names:
        rows.append(("bench", whole_time(time.monotonic() - began, quick=found.quick)))
    text = document(where, rows, quick=found.quick)
    print(text, end="")
    if found.write or not (found.names or found.quick):
        RESULTS.write_text(text, encoding="utf-8")
    return 0 if all_pass([row for _, row in rows]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
