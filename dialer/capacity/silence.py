"""Calls to which nobody responded, as one dialer hears of them: by gateway and destination, and since when in a row.

A phone that is switched off and a carrier that is gone end a call alike, by a timer. Single ones are the rule, and
nobody is told of them; a run of them is written down, where all dialers' are counted together (`gateway_pauses`).
Called by `gateway_breaker`. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from campaigns.dispositions import Disposition
from campaigns.routing import TIMER_STATUS
from dialer.capacity.far_end import rang, responded
from dialer.live_calls import LiveCall
from dialer.record.outcome_rows import Ended

RUN: Final = 5
"""So many in a row are told; fewer where others have told of some."""
NO_RESPONSE: Final = "no response"
_TIMER_CAUSES: Final = frozenset({"PROGRESS_TIMEOUT", "NO_ANSWER", "RECOVERY_ON_TIMER_EXPIRE"})


def is_silent(call: LiveCall, ended: Ended) -> bool:
    """Whether a timer ended a call that left, before anybody had responded: a node's own, SIP's or somebody's whom
    the carrier asked."""
    if ended.sent_age is None or ended.disposition != Disposition.UNREACHABLE or not call.seen:
        return False
    timer = ended.cause in _TIMER_CAUSES or ended.sip_status in TIMER_STATUS
    return timer and not rang(call, ended) and not responded(ended)


def said(ended: Ended) -> str:
    """What is known of how a silent call ended: the carrier's own word, where it sent one. 408 may be its node's."""
    if ended.sip_status == 504:
        return f"{ended.sip_status} {ended.sip_phrase or ended.cause}"
    return NO_RESPONSE


class Run(NamedTuple):
    """Silent calls to one destination of a gateway that nobody was told of: `calls`, and those of them since the
    gateway last reached anybody."""

    prefix: str
    calls: Sequence[str]
    of_gateway: Sequence[str]


@dataclass(slots=True)
class SilentRuns:
    """One process' part of them."""

    _there: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """By gateway and destination, since a call there got through."""
    _whole: dict[str, set[str]] = field(default_factory=dict)
    """By gateway, since any call by it got through."""

    def add(self, gateway_id: str, prefix: str, call_id: str) -> None:
        """Nobody responded to a call."""
        self._there.setdefault(gateway_id, {}).setdefault(prefix, []).append(call_id)
        self._whole.setdefault(gateway_id, set()).add(call_id)

    def alive(self, gateway_id: str, prefix: str) -> None:
        """Somebody responded to a call."""
        if gateway_id in self._there:
            self._there[gateway_id].pop(prefix, None)
            self._whole.pop(gateway_id, None)

    def untold(self) -> list[str]:
        """The gateways by which there were any."""
        return [gateway_id for gateway_id, found in self._there.items() if found]

    def take(self, gateway_id: str, *, in_doubt: bool) -> list[Run]:
        """What is to be told now: all where the gateway is `in_doubt`, or where there are enough."""
        found, whole = self._there.get(gateway_id, {}), self._whole.get(gateway_id, set())
        if not in_doubt and len(whole) < RUN and all(len(calls) < RUN for calls in found.values()):
            return []
        self._there.pop(gateway_id, None)
        self._whole.pop(gateway_id, None)
        return [
            Run(prefix, tuple(calls), tuple(call for call in calls if call in whole))
            for prefix, calls in found.items()
        ]
