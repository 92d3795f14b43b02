"""Tells what is wrong with a node, and stops nothing: not connected, orders unanswered, every call refused.

Which nodes are offered calls is decided in `dialer/dispatch/dispatch.py`. Hears how calls ended (from the recorder).
The heartbeat tells of it in `/nodes`, the scheduler as `blocked_reason`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from dialer.capacity.backpressure import refused_by
from dialer.record.commit import Commit
from limits.rate_cuts import Kind

REFUSES = "node_refuses"
"""The `blocked_reason` where every node that could take a call refuses them."""
STALLED = "node_stalled"
"""The `blocked_reason` where every node that has room leaves its orders unanswered."""
REFUSALS_IN_ROW = 3
"""A node that refuses single calls is only slowed down."""


class Orders(Protocol):
    """What is known of the orders that nodes were given."""

    def stalled(self, node: str) -> bool: ...
    def owed(self, node: str) -> int: ...
    def waits(self, node: str) -> float: ...


def told(at: datetime) -> str:
    """A moment as rows and reports tell it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a node and since when; `unanswered`: orders it owes, alone no trouble."""

    error: str | None
    since: datetime | None
    unanswered: int


@dataclass(slots=True)
class Refusals:
    """A node's refusals in a row."""

    since: datetime
    cause: str
    count: int = 0


@dataclass(slots=True)
class NodeHealth:
    """One process' part of it. `clock` is the time of day."""

    orders: Orders
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _refusals: dict[str, Refusals] = field(default_factory=dict)
    _down_since: dict[str, datetime] = field(default_factory=dict)

    def after_commit(self, commit: Commit) -> None:
        """Hear which nodes refused calls, and which took one."""
        for call in commit.over:
            ended = commit.ended[call.call_id]
            target = refused_by(call, ended)
            if target == (Kind.NODE, call.node):
                found = self._refusals.setdefault(call.node, Refusals(self.clock(), ended.cause))
                found.cause, found.count = ended.cause, found.count + 1
            elif call.seen:
                self._refusals.pop(call.node, None)

    def refuses(self, node: str) -> bool:
        """Whether its last calls were all refused by the node itself."""
        found = self._refusals.get(node)
        return found is not None and found.count >= REFUSALS_IN_ROW

    def refusing(self) -> set[str]:
        """The nodes of which that holds."""
        return {node for node in self._refusals if self.refuses(node)}

    def trouble(self, node: str, connected: bool, link_error: str | None) -> Trouble:
        """What is wrong with a node now; `link_error` is why its connection ended. To be asked every second."""
        unanswered = self.orders.owed(node)
        if not connected:
            return Trouble(link_error, self._down_since.setdefault(node, self.clock()), unanswered)
        self._down_since.pop(node, None)
        if self.orders.stalled(node):
            since = self.clock() - timedelta(seconds=self.orders.waits(node))
            return Trouble(f"{unanswered} orders unanswered", since, unanswered)
        if self.refuses(node):
            found = self._refusals[node]
            return Trouble(f"refuses calls: {found.cause}", found.since, unanswered)
        return Trouble(None, None, unanswered)
