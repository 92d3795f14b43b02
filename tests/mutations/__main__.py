"""`python -m tests.mutations`: breaks each invariant on purpose and demands that a test notices.

Arguments are words that the names of the mutations to try must contain; `--table` prints the table of
docs/reliability.md instead.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import closing

from tests.mutations.mutation import Mutation
from tests.mutations.run import Tried, processors, try_all
from tests.mutations.table import MUTATIONS, shown


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 where every mutation was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="a part of a name; without any: all mutations"
    )
    parser.add_argument("--table", action="store_true", help="print the table instead")
    parser.add_argument(
        "--at-once",
        type=int,
        default=processors(),
        metavar="N",
        help="try so many side by side (%(default)s)",
    )
    chosen = parser.parse_args(arguments)
    if chosen.table:
        print(shown())
        return 0
    if chosen.at_once < 1:
        parser.error("--at-once must be 1 or more")
    names = [m for m in MUTATIONS if not chosen.words or any(word in m.name for word in chosen.words)]
    return _tell(names, chosen.at_once)


def _tell(mutations: Sequence[Mutation], at_once: int) -> int:
    """Try them, each told as soon as it is known; the exit status."""
    began = time.monotonic()
    missed = 0
    with closing(try_all(mutations, at_once)) as all_tried:
        for number, tried in enumerate(all_tried, start=1):
            missed += bool(tried.missed)
            print(f"{number}/{len(mutations)} {_line(tried)}", flush=True)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(one.ru_utime + one.ru_stime for one in used)
    took = f"in {time.monotonic() - began:.0f} s, by {processor:.0f} s of a processor"
    print(f"{len(mutations) - missed} of {len(mutations)} mutations caught, {took}")
    return 1 if missed else 0


def _line(tried: Tried) -> str:
    said = "NOT CAUGHT: " + "\n".join(tried.missed) if tried.missed else "caught"
    return f"{tried.mutation.name} ({tried.seconds:.1f} s, {tried.processor_seconds:.1f} s of a processor): {said}"


if __name__ == "__main__":
    # As Ctrl-C, by which everything that was started ends.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.exit(main(sys.argv[1:]))
