"""Has the rows looked at before their time, by this dialer or by every one; and says to all what else has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from gevent.event import Event as Signal

from coordination.topics import Topic


class Refreshes:
    """`notify` says something on the control bus, `spawn` runs work in a greenlet of its own. Who does not hear of it
    looks within a second all the same (`dialer/rounds.py`)."""

    def __init__(
        self,
        notify: Callable[[Topic, Mapping[str, object]], object],
        spawn: Callable[[Callable[[], object]], object],
    ) -> None:
        self._notify = notify
        self._spawn = spawn
        self.wanted = Signal()

    def here(self) -> None:
        """This dialer reads its plans again now."""
        self.wanted.set()

    def everywhere(self) -> None:
        """Every dialer reads its plans again now."""
        self.tell(Topic.WAKE, {})

    def tell(self, topic: Topic, payload: Mapping[str, object]) -> None:
        """Have every process look at something now, this one first."""
        self.here()
        # Whoever says so has a group of outcomes to go on with, and a Redis that hangs is not to hold it up.
        self._spawn(partial(self._notify, topic, payload))
