"""Ends contacts that have expired before anybody called them: one dialer in turn does it for all."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from campaigns.expiry import expire_slice

log = structlog.get_logger()

LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Expiry:
    """`turn`: whether it is this process' turn. `nudge` is called when there are transitions to publish, `exhausted`
    with each campaign that may have nobody left."""

    owner: str
    turn: Callable[[], bool]
    nudge: Callable[[], object]
    exhausted: Callable[[str], object]

    def round(self) -> None:
        """Cancel who has expired. Called every second while there is anybody. Raises what a database that is away
        raises, and what `turn` raises; the next round goes on."""
        if not self.turn():
            return
        ended: set[uuid.UUID] = set()
        while expired := expire_slice(self.owner):
            ended |= expired.keys()
            self.nudge()
            log.info("contacts_expired", contacts=sum(expired.values()), campaigns=len(expired))
        for campaign_id in ended:
            self.exhausted(str(campaign_id))
