"""Chooses the node of the next call: by weight times free capacity, at random. Pure but for the random numbers.

The dice keep dialers, which all know the same, from sending to the same node at the same moment: what a node says of
itself is up to 20 s old.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

UNKNOWN_FREE: Final = 1_000
"""The free capacity of a node while neither it nor anybody else has named a limit, before its calls of ours."""


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
    def free(self) -> int:
        """How many more calls it can take; 0 when it is full."""
        limits = []
        if self.channels is not None:
            limits.append(self.channels - self.in_flight)
        if self.max_sessions:
            limits.append(self.max_sessions - (self.sessions or 0))
        return max(0, min(limits)) if limits else max(1, UNKNOWN_FREE - self.in_flight)


def sessions_now(reported: int, in_flight_then: int, in_flight: int) -> int:
    """A node's sessions, from what it reported and how many calls of ours it had then and has now."""
    return max(in_flight, reported + in_flight - in_flight_then)


def weighted_order(loads: Iterable[NodeLoad], draw: Callable[[], float] = random.random) -> list[str]:
    """The names of those that are not full, in an order drawn by lot: each is first with the share that its weight
    times its free capacity has of all. `draw` gives numbers from 0 up to 1."""
    # The least of exponential times whose rates are the lots is each one's as often as its lots say.
    turns = [
        (-math.log(1.0 - draw()) / (load.weight * load.free), load.name) for load in loads if load.free > 0
    ]
    return [name for _, name in sorted(turns)]
