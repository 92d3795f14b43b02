"""Counts how calls end that gateways were given, and which of them were refused with what words, for the operator.

What was counted is written every few seconds in one statement. Nothing is decided by it: who pauses a gateway, or
slows it down, counts for himself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from campaigns import gateway_counts
from campaigns.dispositions import Disposition
from campaigns.gateway_counts import How
from dialer.capacity.far_end import rang
from dialer.live_calls import LiveCall
from dialer.record.commit import Commit
from dialer.record.outcome_rows import Ended
from freeswitch.causes import HANGUP_CAUSES
from models import db

WRITE_SECONDS: Final = 5.0
HUNG_UP: Final = "MANAGER_REQUEST"
"""The cause of a call that a halt or a stop ended."""
_REFUSED: Final = frozenset(
    {
        Disposition.BUSY,
        Disposition.REJECTED,
        Disposition.NETWORK_BLOCKED,
        Disposition.INVALID,
        Disposition.REDIRECTED,
        Disposition.UNREACHABLE,
        Disposition.CONGESTION,
        Disposition.GATEWAY_FAULT,
    }
)


def how_it_ended(call: LiveCall, ended: Ended) -> How | None:
    """How a call ended that its gateway was given; None where it never was: it did not leave, or its node refused it.
    It was refused where it ended before any ring, and not by us."""
    given = call.seen or ended.disposition == Disposition.GATEWAY_FAULT
    if ended.sent_age is None or not given:
        return None
    if rang(call, ended) or ended.disposition not in _REFUSED or ended.cause == HUNG_UP:
        return How(call.gateway_id)
    # That of our own CANCEL is nothing that anybody said.
    status = 0 if ended.hung_up_by == "us" else ended.sip_status or 0
    return How(call.gateway_id, status, ended.cause if ended.cause in HANGUP_CAUSES else "UNKNOWN")


@dataclass(slots=True)
class GatewayEnds:
    """One dialer's part of it."""

    dialer_id: str
    _counted: Counter[How] = field(default_factory=Counter)

    def after_commit(self, commit: Commit) -> None:
        """Count how calls ended; never waits."""
        found = (how_it_ended(call, commit.ended[call.call_id]) for call in commit.over)
        self._counted.update(how for how in found if how is not None)

    def round(self) -> None:
        """Write what was counted. Raises what a database that is away raises, and keeps it for the next time."""
        counted = self._counted.copy()
        if not counted:
            return
        with db.connection_context():
            gateway_counts.add(self.dialer_id, counted)
        self._counted -= counted
