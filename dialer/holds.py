"""What keeps a call from leaving by a gateway now, and whether one may leave all the same to probe it. Pure.

A pause is of the gateway, or of one destination of it; a breaker holds a gateway's destination or a caller id. A
gateway that an operator switched off is held as a paused one that nothing probes (decision 0101). Read with the plans
once a second, and asked for each contact. Either may be of the gateway that calls leave by, or of the one by which
their agent is reached (decision 0096).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from campaigns.routing import destination

SECOND_LEG_SECONDS: Final = 5
"""For so long what is held is left to first legs to probe, which disturb nobody where they fail: a second leg is
called once somebody has answered."""


class HoldKind(StrEnum):
    """What is held; the value is how a campaign that waits for it says so in its `blocked_reason`."""

    PAUSE = "gateway_paused"
    BREAKER = "breaker"


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why calls to one destination do not leave. `subject` is the id of the gateway that is paused, or of
    the breaker; `probe_at` is when the next call may probe it, in RFC 3339, and `probe_due` that it may now.
    `gateway_id` is the gateway of which a breaker holds the destination; empty for one that holds a caller id.
    `second_leg`: it keeps the call's agent from being reached. `off`: an operator switched the gateway off, which no
    call probes."""

    kind: HoldKind
    subject: str
    prefix: str
    probe_due: bool
    probe_at: str | None = None
    gateway_id: str = ""
    second_leg: bool = False
    off: bool = False


@dataclass(frozen=True, slots=True)
class PrefixPause:
    """A destination for which a gateway is paused."""

    prefix: str
    probe_due: bool
    probe_at: str | None = None


class MayPause(Protocol):
    """What of a gateway says whether it is switched off or paused, and for which of its destinations."""

    @property
    def gateway_id(self) -> str: ...
    @property
    def prefixes(self) -> Sequence[str]: ...
    @property
    def off(self) -> bool: ...
    @property
    def paused(self) -> bool: ...
    @property
    def probe_due(self) -> bool: ...
    @property
    def probe_at(self) -> str | None: ...
    @property
    def paused_alone(self) -> str | None: ...
    @property
    def pauses(self) -> Sequence[PrefixPause]: ...


def pauses_of(gateway: MayPause, number: str, *, second_leg: bool = False) -> list[Hold]:
    """What keeps a call to a number from leaving by a gateway; nothing where it is on, and none is paused."""
    if gateway.off:
        where = destination(number, gateway.prefixes)
        return [Hold(HoldKind.PAUSE, gateway.gateway_id, where, False, second_leg=second_leg, off=True)]
    if not gateway.paused and not gateway.pauses:
        return []
    where = destination(number, gateway.prefixes)
    found: list[tuple[bool, str | None]] = []
    if gateway.paused:
        found.append((gateway.probe_due or gateway.paused_alone not in (None, where), gateway.probe_at))
    found += [(one.probe_due, one.probe_at) for one in gateway.pauses if one.prefix == where]
    return [
        Hold(HoldKind.PAUSE, gateway.gateway_id, where, due, at, second_leg=second_leg) for due, at in found
    ]
