"""Second legs that their gateway refuses pause it, as first legs do, so that no list is dialled into silence.

Whoever answers while his agent cannot be reached hears the safe-harbour message: five in a row are enough. Of agents
whose number is each contact's own nothing is counted. Called by the process after each commit. Decision 0100.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from campaigns.dispositions import CARRIER_BUSY_STATUS, Disposition, Evidence, dispose
from dialer.capacity.gateway_breaker import GatewayBreaker, Way
from dialer.capacity.suspicion import sign_of_second_leg
from dialer.errors import DATABASE_AWAY
from dialer.live_calls import LiveCall
from dialer.record.commit import Commit

log = structlog.get_logger()


def is_refusal(became: str | None, status: int | None) -> bool:
    """Whether a leg's gateway, and nobody behind it, ended it. What a node itself refuses is the agent's failure."""
    if became is None or status is None:
        return False
    return (
        status in CARRIER_BUSY_STATUS
        or dispose(Evidence(cause=became, sip_status=status)) is Disposition.GATEWAY_FAULT
    )


@dataclass(slots=True)
class SecondLegRefusals:
    """One process' part of it. `way_of`: by which gateway a call's agent is reached, and to which destination of it;
    None where that is not known."""

    gateways: GatewayBreaker
    way_of: Callable[[LiveCall], Way | None]

    def after_commit(self, commit: Commit) -> None:
        """Count how second legs ended. Never raises for a database that is away: the next refusals say it again."""
        for call in commit.over:
            ended = commit.ended[call.call_id]
            way = None if ended.second_leg is None else self.way_of(call)
            if way is None:
                continue
            became, status = ended.second_leg, ended.second_leg_status
            try:
                if is_refusal(became, status):
                    self.gateways.second_leg_refused(way, f"{status} {became}")
                elif sign_of_second_leg(became, status) is not None:
                    self.gateways.second_leg_got_through(way)
            except DATABASE_AWAY as error:
                log.warning("second_leg_not_judged", call_id=call.call_id, error=type(error).__name__)
