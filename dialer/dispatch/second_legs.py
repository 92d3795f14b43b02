"""A second leg is the call by which a node connects a person who has answered to an agent, by a gateway of its own.
How many calls a second of that gateway second legs have, each node's share of them, and whether it is paused. Pure.

A second leg leaves when the person has answered, long after its permit, and at a moment that no dialer chooses: the
limiter cannot count it. So its gateway's rate is divided beforehand, between the first legs that leave by it and the
second ones, and what the second ones have among the nodes, each of which keeps its part by itself
(`freeswitch.leg_rates`). Decision 0050.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from campaigns.action_values import TEMPLATE
from campaigns.errors import NumberRefused
from campaigns.numbers import phone_number
from dialer.holds import Hold, HoldKind, PrefixPause, pauses_of
from freeswitch.leg_rates import LegRate


@dataclass(frozen=True, slots=True)
class BridgeGateway:
    """A gateway that agents are reached by. `cps` is what second legs have of its calls a second; None is no bound.

    `prefixes` are of the numbers that it carries, none for all. `paused` to `pauses` are as of a gateway that calls
    leave by, but that a probe is due for second legs a while later. `faulty`: its last calls were at fault. `off`: an
    operator switched it off.
    """

    gateway_id: str
    dial_string: str
    prefixes: tuple[str, ...] = ()
    channels: int | None = None
    cps: int | None = None
    paused: bool = False
    probe_due: bool = False
    probe_at: str | None = None
    paused_alone: str | None = None
    pauses: tuple[PrefixPause, ...] = ()
    faulty: bool = False
    off: bool = False

    @property
    def shut(self) -> list[Hold]:
        """What keeps every agent from being reached by it, whatever his number, even as a probe. A call to another
        destination than it was paused for may probe it at once; of agents that nobody knows yet it is not looked for:
        that would be a claim of each contact, and there may be none."""
        if self.off:
            return [Hold(HoldKind.PAUSE, self.gateway_id, "", False, second_leg=True, off=True)]
        if not self.paused or self.probe_due:
            return []
        return [Hold(HoldKind.PAUSE, self.gateway_id, "", False, self.probe_at, second_leg=True)]

    def unanswered(self) -> BridgeGateway:
        """It, while nobody answers its pings: when it may be probed is not known."""
        pauses = tuple(PrefixPause(one.prefix, probe_due=False) for one in self.pauses)
        return replace(self, probe_due=False, probe_at=None, paused_alone=None, pauses=pauses)

    def holds(self, number: str) -> list[Hold]:
        """What keeps an agent at this number from being reached by it."""
        return pauses_of(self, number, second_leg=True)

    def rate(self, nodes: Iterable[str], node: str) -> LegRate | None:
        """What one of all the nodes there are may send of second legs; None for a node without a share. To be asked
        for only where there is a bound."""
        if self.cps is None:
            return None
        part = shares(self.gateway_id, self.cps, frozenset(nodes)).get(node)
        return None if part is None else LegRate(self.gateway_id, *part)


@lru_cache(maxsize=1024)
def agent_number(written: str) -> str | None:
    """The number that all of an agent's calls go to; None where it is each contact's own."""
    if TEMPLATE.search(written):
        return None
    try:
        return phone_number(written, None)
    except NumberRefused:
        return None


def divided(cps: int | None, *, dialled: bool, bridged: bool) -> tuple[int | None, int | None]:
    """A gateway's calls a second, for first legs and for second ones.

    `dialled`: calls leave by it, as some caller id's gateway or one that it fails over to; then second legs have
    half, rounded down, and otherwise all. `bridged`: second legs leave by it now; first legs have what those leave.
    """
    if cps is None:
        return None, None
    second = cps // 2 if dialled else cps
    return cps - second if dialled and bridged else cps, second


@lru_cache(maxsize=1024)
def shares(gateway_id: str, cps: int, nodes: frozenset[str]) -> Mapping[str, tuple[int, int]]:
    """For each node that has a share: so many second legs within so many seconds of the clock.

    A node counts from one whole second to the next, so N in each may be 2 N in one second across the two: that uses
    up 2 N of the gateway's calls a second. Of one in two whole seconds no two lie within one second: that uses up 1.
    The sum over the nodes is never more than `cps`. Which of them have more than others, where it cannot be the same,
    is drawn by their names, for each gateway anew.
    """
    order = sorted(nodes, key=lambda node: (zlib.crc32(f"{gateway_id} {node}".encode()), node))
    if not order:
        return {}
    if cps >= 2 * len(order):
        pairs, more = divmod(cps // 2, len(order))
        return {node: (pairs + (place < more), 1) for place, node in enumerate(order)}
    twice = max(0, cps - len(order))
    return {node: (1, 1 if place < twice else 2) for place, node in enumerate(order[:cps])}
