"""Every line of the bench, in the order in which they are measured.

To add one: write a function that takes `quick` (whether to be done within seconds, and not with the whole load) and
returns its figures, in the module of this folder that it fits or in a new one; name it in LINES. What it is compared
with should be measured in the same run, so that the verdict says something about the code and not about the machine:
a peer, a second setting, a smaller load. CPU time says more than the clock's on a machine that has other work. Each
line runs in a process of its own, so it may take memory, patch the standard library or be killed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.table import Figure


@dataclass(frozen=True, slots=True)
class Line:
    """Where a line is measured: a function of a module. `patched`: as the processes of Carillon run, whose standard
    library is gevent's."""

    module: str
    function: str
    patched: bool = False

    def measure(self, *, quick: bool) -> Sequence[Figure]:
        """Measure it, in this process."""
        function: Callable[[bool], Sequence[Figure]] = getattr(
            importlib.import_module(self.module), self.function
        )
        return function(quick)


LINES: dict[str, Line] = {
    "list": Line("bench.lists", "full_list"),
    "beside-a-list": Line("bench.lists", "held_up"),
    "hostile-lists": Line("bench.lists", "hostile"),
    "uploads": Line("bench.api", "imports", patched=True),
    "stop": Line("bench.api", "stop", patched=True),
    "yielding": Line("bench.breath", "yielding"),
    "decoding": Line("bench.events", "decoding"),
    "single-bytes": Line("bench.events", "single_bytes"),
    "flood": Line("bench.events", "flood", patched=True),
    "collector": Line("bench.events", "collecting", patched=True),
    "shared-rates": Line("bench.caps", "shared_rates"),
    "receiving": Line("bench.nodes", "receiving"),
    "simulated-node": Line("bench.nodes", "simulated_node"),
}
