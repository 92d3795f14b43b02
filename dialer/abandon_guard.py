"""Pauses campaigns that abandon more of their calls than policy packs allow (`campaigns.abandon_rates`).

One dialer looks for all, every LOOK_SECONDS; what was claimed by then is held as for a pause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from campaigns import abandon_rates
from coordination.topics import Topic

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
        for paused in abandon_rates.pause_over(self.owner):
            log.warning("abandon_rate", campaign_id=str(paused.campaign_id), reason=str(paused.exceeded))
            self.tell(
                Topic.HOLD,
                {"campaign_id": str(paused.campaign_id), "generation": paused.result.generation},
            )
            self.nudge()
