"""Pauses campaigns that abandon more of their calls than policy packs allow (`campaigns.abandon_rates`).

One dialer looks for all, every LOOK_SECONDS; what was claimed by then is held as for a pause.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from campaigns import abandon_rates
from coordination.topics import Topic
from dialer.errors import UNAVAILABLE

log = structlog.get_logger()

LOOK_SECONDS = 5.0


@dataclass(slots=True)
class AbandonGuard:
    """One dialer's. `turn`: whether it is this dialer that looks now; `tell` sends a control message to all dialers;
    `nudge` is called when there are transitions to publish."""

    owner: str
    turn: Callable[[], bool]
    tell: Callable[[Topic, dict[str, object]], object]
    nudge: Callable[[], object]

    def round(self) -> None:
        """Called every LOOK_SECONDS. Raises what a database that is away raises; the next round looks again."""
        if not self.turn():
            return
        unavailable: list[Exception] = []
        for campaign_id in self._over():
            try:
                self._pause(campaign_id)
            except UNAVAILABLE as error:
                # One that somebody has locked must not keep those behind it from being paused.
                unavailable.append(error)
            except Exception:
                # A fault in one must not keep those behind it from being paused.
                log.exception("abandon_rate_not_heeded", campaign_id=str(campaign_id))
        if unavailable:
            raise unavailable[0]

    def _over(self) -> list[uuid.UUID]:
        """Those that are over, looked at without a lock: these are all that call, every few seconds."""
        over: list[uuid.UUID] = []
        for campaign_id in abandon_rates.may_be_over():
            try:
                if abandon_rates.is_over(campaign_id):
                    over.append(campaign_id)
            except UNAVAILABLE:
                raise
            except Exception:
                # A fault in one must not hide the others.
                log.exception("abandon_rate_not_judged", campaign_id=str(campaign_id))
        return over

    def _pause(self, campaign_id: uuid.UUID) -> None:
        paused = abandon_rates.pause_over(campaign_id, self.owner)
        if paused is None:
            return
        log.warning("abandon_rate", campaign_id=str(campaign_id), reason=str(paused.exceeded))
        self.tell(Topic.HOLD, {"campaign_id": str(campaign_id), "generation": paused.result.generation})
        self.nudge()
