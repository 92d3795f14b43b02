"""What dialers said of orders that the machine held up between the last check and the write.

A dialer looks at a clock and then writes; whatever takes the processor from it in between makes its order later than
its permit allows, and nobody can look at a clock and write at once. It says so itself, of the calls by their ids, and
only where it computed nothing meanwhile (`Sender._note_hold_up`). Such an order is as old as its check.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_FIELD = re.compile(r"(call_id|checked_at|written_at)=(\S+)")


class HeldUp:
    """Passes on what processes say; `spans` are, by a call's id, when it was checked and when its write was over."""

    def __init__(self, output: Callable[[str, str], None]) -> None:
        self.spans: dict[str, tuple[float, float]] = {}
        self._output = output

    def __call__(self, name: str, line: str) -> None:
        """One line of one process."""
        if "event=originate_held_up" in line:
            found = dict(_FIELD.findall(line))
            self.spans[found["call_id"]] = float(found["checked_at"]), float(found["written_at"])
        self._output(name, line)
