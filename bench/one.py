"""`python -m bench.one MODULE [--quick]`: measures one line and writes its figures as JSON, one on a line.

What else is printed meanwhile goes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import sys

from gevent import monkey

from bench.catalogue import measure_of
from bench.table import as_json


def main(module: str, *, quick: bool) -> None:
    """Measure it and say what came of it. The line's own imports come after the patch."""
    monkey.patch_all()
    with contextlib.redirect_stdout(sys.stderr):
        rows = measure_of(module)(quick)
    for row in rows:
        print(json.dumps(as_json(row)))


if __name__ == "__main__":
    main(sys.argv[1], quick="--quick" in sys.argv[2:])
