"""What dialers said of orders that the machine held up between the last check and the write.

A dialer looks at a clock and then writes; whatever takes the processor from it in between makes its order later than
its permit allows, and nobody can look at a clock and write at once. It says so itself, of the calls by their ids, and
only where it computed nothing meanwhile (`Sender._note_hold_up`). Such an order may be as old as its check.
"""

from __future__ import annotations

import re
from collections.abc import Callable

STACK_LINES = 30
"""So much of what a process says of where it hung is kept."""
LONGEST_LINE = 260
_FIELD = re.compile(r"(call_id|seconds)=(\S+)")
_TROUBLE = re.compile(r"level=(?:warning|error) event=(\S+)")


class HeldUp:
    """Passes on what processes say; `seconds` are, by a call's id, how long it was from its check until its write was
    over. `hung` is what a process said that ended itself because something in it hung, `trouble` how often each
    warning came, and its last line."""

    def __init__(self, output: Callable[[str, str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self.hung: list[str] = []
        self.trouble: dict[tuple[str, str], tuple[int, str]] = {}
        self._stack: dict[str, int] = {}
        self._output = output

    def __call__(self, name: str, line: str) -> None:
        """One line of one process."""
        if "event=originate_held_up" in line:
            found = dict(_FIELD.findall(line))
            self.seconds[found["call_id"]] = float(found["seconds"])
        if warned := _TROUBLE.search(line):
            # The one that came last stands last.
            times, _ = self.trouble.pop((name, warned[1]), (0, ""))
            self.trouble[name, warned[1]] = (times + 1, line[:LONGEST_LINE])
        if line.endswith(": ending"):
            self._stack[name] = STACK_LINES
        if (left := self._stack.get(name, 0)) > 0:
            self._stack[name] = left - 1
            self.hung.append(f"{name}: {line}")
        self._output(name, line)
