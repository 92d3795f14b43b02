"""Which node the next call goes to: by weight, and by how much of each is free. Pure but for the dice.

The dice keep dialers, which all know the same, from sending to the same node at the same moment: what a node says of
itself is up to 20 s old.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

UNKNOWN_ROOM: Final = 1_000
"""What a node is taken to have room for while neither it nor anybody else has named a limit."""


@dataclass(frozen=True, slots=True)
class NodeLoad:
    """How full a node is, as one dialer sees it.

    `in_flight` are this dialer's calls there and `channels` their bound. `sessions` are the node's own count, every
    leg and strangers' calls included, and `max_sessions` its bound. None: not known, or no bound.
    """

    name: str
    weight: int
    in_flight: int
    channels: int | None
    sessions: int | None
    max_sessions: int | None

    @property
    def full(self) -> bool:
        """Whether the node itself has no session left, which no cap of ours knows of."""
        return bool(self.max_sessions) and (self.sessions or 0) >= (self.max_sessions or 0)

    @property
    def room(self) -> int:
        """How many more calls it has room for; 0 when it is full."""
        rooms = []
        if self.channels is not None:
            rooms.append(self.channels - self.in_flight)
        if self.max_sessions:
            rooms.append(self.max_sessions - (self.sessions or 0))
        return max(0, min(rooms)) if rooms else max(1, UNKNOWN_ROOM - self.in_flight)


def sessions_now(reported: int, in_flight_then: int, in_flight: int) -> int:
    """A node's sessions, from what it reported and how many calls of ours it had then and has now."""
    return max(in_flight, reported + in_flight - in_flight_then)


def weighted_order(loads: Iterable[NodeLoad], draw: Callable[[], float] = random.random) -> list[str]:
    """The names of those that have room, in an order drawn by lot: each is first with the share that its weight times
    its room has of all. `draw` gives numbers from 0 up to 1."""
    # The least of exponential times whose rates are the lots is each one's as often as its lots say.
    turns = [
        (-math.log(1.0 - draw()) / (load.weight * load.room), load.name) for load in loads if load.room > 0
    ]
    return [name for _, name in sorted(turns)]
