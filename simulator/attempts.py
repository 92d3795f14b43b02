"""One `originate`: its groups of legs tried in order, and the answer its job gets."""

from __future__ import annotations

from collections.abc import Callable

from simulator.calls import Call
from simulator.dialstring import Originate
from simulator.scheduler import Timer

Done = Callable[[str], None]


class Attempt:
    """The progress of an originate; `done` is called once, with the reply of the job."""

    __slots__ = ("_done", "cause", "group", "legs", "spec", "timer")

    def __init__(self, spec: Originate, done: Done) -> None:
        self.spec = spec
        self._done: Done | None = done
        self.group = 0
        self.legs: list[Call] = []
        self.timer: Timer | None = None
        self.cause = "DESTINATION_OUT_OF_ORDER"

    @property
    def open(self) -> bool:
        """Whether the job still waits for its answer."""
        return self._done is not None

    @property
    def has_next_group(self) -> bool:
        """Whether another `|` alternative is left."""
        return self.group + 1 < len(self.spec.groups)

    def finish(self, text: str) -> None:
        """Answer the job; only the first answer counts."""
        done, self._done = self._done, None
        if done is not None:
            done(text)
