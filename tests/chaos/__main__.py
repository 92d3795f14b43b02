"""`script/chaos`: the whole system under fire, and four independent records of what it did, compared."""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dialer.fault_points import FaultPoint
from tests.chaos.faults import SIMULATED, Kind, Size
from tests.chaos.report import report
from tests.chaos.run import perform
from tests.chaos.stage import Stage
from tests.chaos.verdict import compare

# To settle only ends a hang: a call whose owner is not proven dead is told after 120 s, and then keeps its channels,
# which may be all that a small gateway has, for 170 s more.
SHORT = Size(contacts=400, faults=36, spacing=1.4, longest=10.0, settle=420.0)
LONG = Size(contacts=10_000, faults=2_000, spacing=1.2, longest=60.0, settle=540.0)
POINTS = tuple(point for point in FaultPoint if point is not FaultPoint.SLICE_CANCELLED)
"""Its play stops no campaign: that point is struck in tests/integration/dialer/test_leftover_stops.py."""
CLOCKS = {"dialer.2": 45.0, "dialer.3": -45.0}
"""Seconds by which the wall clocks of two dialers are wrong."""


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 where every column that must be 0 is."""
    parser = argparse.ArgumentParser(prog="script/chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few dozen faults, within five minutes")
    parser.add_argument("--seed", type=int, help="of the schedule; default: a new one, printed")
    parser.add_argument("--faults", type=int, help=f"how many ({LONG.faults:,}, short {SHORT.faults})")
    parser.add_argument("--contacts", type=int, help=f"how many ({LONG.contacts:,}, short {SHORT.contacts})")
    parser.add_argument("--spacing", type=float, help="seconds between two faults, on average")
    parser.add_argument(
        "--only", action="append", choices=[kind.value for kind in Kind], help="this kind; may be repeated"
    )
    parser.add_argument("--real", action="store_true", help="on real nodes, with SIPp's count of INVITEs")
    parser.add_argument("--log", type=Path, help="file for what every process writes")
    options = parser.parse_args(arguments)
    chosen = SHORT if options.short else LONG
    size = Size(
        contacts=options.contacts or chosen.contacts,
        faults=options.faults or chosen.faults,
        spacing=options.spacing or chosen.spacing,
        longest=chosen.longest,
        settle=chosen.settle,
    )
    seed = secrets.randbits(31) if options.seed is None else options.seed
    kinds = tuple(Kind(name) for name in options.only) if options.only else tuple(Kind)
    if options.real:
        kinds = tuple(kind for kind in kinds if kind not in SIMULATED)
    print(f"seed {seed}: {size.contacts} contacts, {size.faults} faults", flush=True)
    home = Path(tempfile.mkdtemp(prefix="carillon-chaos-"))
    home.chmod(0o711)
    log = (options.log or home / "log").open("w", encoding="utf-8")
    began = time.monotonic()
    try:
        result = perform(
            home / "home",
            size,
            seed,
            lambda text: print(f"{time.monotonic() - began:7.1f}  {text}", flush=True),
            lambda name, line: print(f"{time.time():.3f} {name}: {line}", file=log, flush=True),
            points=POINTS,
            kinds=kinds,
            clocks=CLOCKS,
            on=_real_stage() if options.real else Stage,
        )
    finally:
        log.close()
    verdict = compare(result.records)
    print(report(seed, size, result, verdict))
    # Others took over from what hung; that it did is a fault of ours all the same.
    holds = verdict.holds and not result.records.struck.hung
    if holds:
        shutil.rmtree(home, ignore_errors=True)
    else:
        print(f"what is left of it: {home}")
    return 0 if holds else 1


def _real_stage() -> type[Stage]:
    # What it imports needs pytest's and SIPp's side of the tests, which no other run does.
    from tests.chaos.real import RealStage

    return RealStage


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
