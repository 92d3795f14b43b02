"""What dialers said of orders that the machine held up between the last check and the write.

A dialer looks at a clock and then writes; whatever takes the processor from it in between makes its order later than
its permit allows, and nobody can look at a clock and write at once. It says so itself, of the calls by their ids, and
only where it computed nothing meanwhile (`Sender._note_hold_up`). Such an order may be as old as its check.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_FIELD = re.compile(r"(call_id|seconds)=(\S+)")


class HeldUp:
    """Passes on what processes say; `seconds` are, by a call's id, how long it was from its check until its write was
    over."""

    def __init__(self, output: Callable[[str, str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._output = output

    def __call__(self, name: str, line: str) -> None:
        """One line of one process."""
        if "event=originate_held_up" in line:
            found = dict(_FIELD.findall(line))
            self.seconds[found["call_id"]] = float(found["seconds"])
        self._output(name, line)
