"""What keeps a call from leaving by a gateway now, and whether one may leave all the same to probe it. Pure.

A pause is of the gateway, or of one destination of it; a breaker holds a gateway's destination or a caller id. Read
with the plans once a second, and asked for each contact.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HoldKind(StrEnum):
    """What is held; the value is how a campaign that waits for it says so in its `blocked_reason`."""

    PAUSE = "gateway_paused"
    BREAKER = "breaker"


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why calls to one destination do not leave. `subject` is the id of the gateway that is paused, or of
    the breaker; `probe_at` is when the next call may probe it, in RFC 3339, and `probe_due` that it may now.
    `gateway_id` is the gateway of which a breaker holds the destination; empty for one that holds a caller id."""

    kind: HoldKind
    subject: str
    prefix: str
    probe_due: bool
    probe_at: str | None = None
    gateway_id: str = ""


@dataclass(frozen=True, slots=True)
class PrefixPause:
    """A destination for which a gateway is paused."""

    prefix: str
    probe_due: bool
    probe_at: str | None = None
