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
from collections.abc import Sequence
from pathlib import Path

from bench.catalogue import lines, subject
from bench.machine import machine
from bench.table import Row, Unmeasured, all_pass, from_json, render

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results.md"
NODES = "CARILLON_TEST_FREESWITCH_URLS"
LONGEST_SECONDS = 900.0
"""A line that takes longer hangs."""


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
    rows: list[tuple[str, Row]] = []
    for name, module in every.items():
        if found.names and name not in found.names:
            continue
        began = time.monotonic()
        rows += [(subject(module), row) for row in measured(name, module, quick=found.quick)]
        print(f"{name}: measured in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    text = document(where, rows, quick=found.quick)
    print(text, end="")
    if found.write or not (found.names or found.quick):
        RESULTS.write_text(text, encoding="utf-8")
    return 0 if all_pass([row for _, row in rows]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
