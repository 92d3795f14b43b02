"""What the living dialers say of themselves and of the nodes, as they put it into Redis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, cast

from api.services import services


class NodeReport(TypedDict, total=False):
    """A node as one dialer sees it. An older dialer leaves out what it does not know."""

    name: str
    source: str
    address: str
    connected: bool
    core_uuid: str | None
    calls: int
    calls_per_second: float
    lag_ms: int | None
    sessions: int | None
    max_sessions: int | None
    idle_cpu: float | None
    last_error: str | None
    error_since: str | None
    unanswered: int


class NeedsReport(TypedDict):
    """When a node was asked for what agents need, in seconds of the epoch, and what it lacks of that."""

    at: float
    lacks: list[str]


class DialerReport(TypedDict, total=False):
    """A living dialer; more is in it than is shown."""

    nodes: list[NodeReport]
    cannot_run: Mapping[str, str]
    """By campaign, what keeps this dialer from running it."""
    needs: dict[str, NeedsReport]


Dialers = Mapping[str, DialerReport]
"""The living dialers by id."""


def living_dialers() -> Dialers:
    """Those whose lease has not lapsed. Raises CoordinationError."""
    return cast("Dialers", services().membership.alive())
