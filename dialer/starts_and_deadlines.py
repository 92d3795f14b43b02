"""Starts campaigns whose time has come, and ends those whose deadline has, to the instant. (Whose call is next
within a running campaign: `dispatch/scheduler`.)

Every dialer looks once a second when the next of them is due (`lookout`) and wakes at that moment by itself, so that
none is late by more than the look. All of them may try: that one start or end comes of it is seen to by
`campaigns.schedules`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import gevent
import structlog
from gevent.event import Event as Signal

from campaigns import schedules
from campaigns.campaign_state import ActionResult
from campaigns.schedules import DueStart
from coordination.topics import Topic
from dialer.errors import UNAVAILABLE, note
from models import CampaignStatus

log = structlog.get_logger()

AHEAD_SECONDS = 2.0
"""What is due later is seen by a later look."""
LEAST_SECONDS = 0.05
"""What is due and was not done, since somebody else is at it, is looked at again after so long."""

Tell = Callable[[Topic, dict[str, object]], object]


@dataclass(slots=True)
class StartsAndDeadlines:
    """One dialer's. `tell` sends a control message to all dialers, this one included; `nudge` is called when there
    are transitions to publish; `cancel_rest` has the rest of an ended campaign's list cancelled, by `spawn`;
    `cannot_run` says of a campaign whether no node can run its agent. `now` is monotonic."""

    owner: str
    tell: Tell
    nudge: Callable[[], object]
    cancel_rest: Callable[[uuid.UUID], object]
    spawn: Callable[[Callable[[], object]], object]
    cannot_run: Callable[[DueStart], bool]
    later: Callable[[float, Callable[[], object]], object] = gevent.spawn_later
    now: Callable[[], float] = time.monotonic
    wake: Signal = field(default_factory=Signal)
    _set_for: float | None = None

    def expect(self, seconds: float | None) -> None:
        """The next start or end is due in so many seconds; 0 or less where it is now, None where there is none."""
        if seconds is None or seconds > AHEAD_SECONDS:
            return
        if seconds <= 0:
            self.wake.set()
            return
        at = self.now() + seconds
        if self._set_for is None or at < self._set_for:
            self._set_for = at
            self.later(seconds, self._ring)

    def round(self) -> None:
        """End and start what is due. Called when `wake` is set. Raises what a database that is away raises; the next
        look then sees what is left."""
        # Of both, so that nothing is started that is to be over.
        done = [self._try(campaign_id, partial(self._end, campaign_id)) for campaign_id in schedules.ends()]
        done += [self._try(due.campaign_id, partial(self._start, due)) for due in schedules.starts()]
        if not all(done):
            # The next look, within a second, sees what is left.
            return
        left = schedules.next_due()
        # By the database's clock it may not be due yet.
        self.expect(None if left is None else max(left, LEAST_SECONDS))

    def _try(self, campaign_id: uuid.UUID, act: Callable[[], object]) -> bool:
        """Whether it could be tried. What is wrong with one campaign, or who has its row, keeps no other waiting."""
        try:
            act()
        except UNAVAILABLE as error:
            if not note(error):
                raise
            log.warning("schedule_waits", campaign_id=str(campaign_id), error=str(error)[:200])
            return False
        except Exception:
            # A fault in one campaign must not keep the others from starting and ending.
            log.exception("schedule_failed", campaign_id=str(campaign_id))
            return False
        return True

    def _start(self, due: DueStart) -> None:
        try:
            if self.cannot_run(due):
                schedules.block(due.campaign_id, "agent")
                return
            started = schedules.start(due, self.owner)
        except UNAVAILABLE:
            raise
        except Exception:
            # Not before those behind it at each look, and not twenty times a second.
            schedules.put_off(due.campaign_id)
            raise
        if started is not None:
            log.info("scheduled_start", campaign_id=str(due.campaign_id), status=started.status)
            if started.status is CampaignStatus.RUNNING:
                self.tell(Topic.WAKE, _said(due.campaign_id, started))
            self.nudge()

    def _end(self, campaign_id: uuid.UUID) -> None:
        ended = schedules.end(campaign_id)
        if ended is not None:
            log.info("deadline", campaign_id=str(campaign_id))
            self.tell(Topic.HOLD, _said(campaign_id, ended))
            self.spawn(lambda: self.cancel_rest(campaign_id))

    def _ring(self) -> None:
        self._set_for = None
        self.wake.set()


def _said(campaign_id: uuid.UUID, result: ActionResult) -> dict[str, object]:
    return {"campaign_id": str(campaign_id), "generation": result.generation}
