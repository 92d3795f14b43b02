"""Goes on with stops that whoever began them has left: the rest of a campaign's list, slice by slice.

One dialer in turn does it for all (decision 0023); that two never cancel the same contacts is seen to by
`campaigns.stopping`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from campaigns.stopping import cancel_slice, left_over
from dialer.fault_points import FaultPoint, hit
from models import db

log = structlog.get_logger()

LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class LeftoverStops:
    """`turn`: whether it is this process' turn. `nudge` is called when there are transitions to publish."""

    owner: str
    turn: Callable[[], bool]
    nudge: Callable[[], None]

    def round(self) -> None:
        """Finish what others left. Called every second while anything is left. Raises what a database that is away
        raises, and what `turn` raises; the next round goes on."""
        with db.connection_context():
            left = left_over()
        if not left or not self.turn():
            return
        for campaign_id in left:
            log.info("stop_taken_up", campaign_id=str(campaign_id))
            self.go_on(campaign_id)

    def go_on(self, campaign_id: uuid.UUID) -> None:
        """Cancel the rest of one marked campaign's list, as far as nobody else is at it. Raises what a database
        that is away raises."""
        while (done := cancel_slice(campaign_id, self.owner)) is not None:
            hit(FaultPoint.SLICE_CANCELLED)
            self.nudge()
            # Without progress somebody is in the way of the last of them.
            if done.over or not done.cancelled:
                return
