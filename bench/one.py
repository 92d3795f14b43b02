"""`python -m bench.one NAME [--quick]`: measures one line and writes its figures as JSON, one on a line.

What else is printed meanwhile goes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import sys

from bench.lines import LINES


def main(name: str, *, quick: bool) -> None:
    """Measure it and say what came of it."""
    line = LINES[name]
    if line.patched:
        from gevent import monkey

        monkey.patch_all()
    with contextlib.redirect_stdout(sys.stderr):
        figures = line.measure(quick=quick)
    for figure in figures:
        print(json.dumps(figure.as_json()))


if __name__ == "__main__":
    main(sys.argv[1], quick="--quick" in sys.argv[2:])
