"""`script/bench [--quick] [--write] [NAME ...]`: measures every line of `bench/lines.py`, or the named ones.

Prints one table: what was measured, its bound, what it is compared with, PASS or FALLS SHORT. Exits 1 where a line
falls short or could not be measured. `--quick` measures less and for a shorter time; `--write` keeps the table as
bench/results.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.lines import LINES
from bench.table import Figure, Unmeasured, all_pass, render

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results.md"
LONGEST_SECONDS = 300.0
"""A line that takes longer hangs."""


def measured(name: str, *, quick: bool) -> Sequence[Figure | Unmeasured]:
    """The figures of one line, measured in a process of its own."""
    command = [sys.executable, "-m", "bench.one", name, *(["--quick"] if quick else [])]
    try:
        run = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return [Unmeasured(name, f"not done within {LONGEST_SECONDS:.0f} s")]
    if run.returncode:
        return [Unmeasured(name, f"ended with status {run.returncode}")]
    return [Figure.from_json(json.loads(line)) for line in run.stdout.splitlines()]


def machine() -> str:
    """What these figures were measured on."""
    load, *_ = os.getloadavg()
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f} at the start"


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 where every line is where it has to be."""
    parser = argparse.ArgumentParser(
        prog="script/bench", description="How fast it is, and how fast it has to be."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these lines: {', '.join(LINES)}")
    parser.add_argument("--quick", action="store_true", help="less of everything: for a first look")
    parser.add_argument("--write", action="store_true", help="keep the table as bench/results.md")
    found = parser.parse_args(arguments)
    if unknown := sorted(set(found.names) - LINES.keys()):
        parser.error(f"no such line: {', '.join(unknown)}")
    where = machine()
    rows: list[Figure | Unmeasured] = []
    for name in found.names or LINES:
        began = time.monotonic()
        rows += measured(name, quick=found.quick)
        print(f"{name}: measured in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    table = f"{where}\n\n{render(rows)}"
    print(table, end="")
    if found.write:
        RESULTS.write_text(f"# script/bench{' --quick' if found.quick else ''}\n\n{table}", encoding="utf-8")
    return 0 if all_pass(rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
