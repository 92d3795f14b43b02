"""`python -m tests.mutations`: breaks each invariant on purpose and demands that a test notices.

Arguments are words that the names of the mutations to try must contain; `--table` prints the table of
docs/reliability.md instead.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from tests.mutations.run import NotCaughtError, check
from tests.mutations.table import MUTATIONS, shown


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 where every mutation was caught."""
    if "--table" in arguments:
        print(shown())
        return 0
    missed = 0
    chosen = [m for m in MUTATIONS if not arguments or any(word in m.name for word in arguments)]
    for mutation in chosen:
        began = time.monotonic()
        try:
            check(mutation)
            said = "caught"
        except NotCaughtError as error:
            missed += 1
            said = f"NOT CAUGHT: {error}"
        print(f"{mutation.name} ({time.monotonic() - began:.0f} s): {said}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} mutations caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
