"""Writes on the openings of calling windows (`campaigns.openings`), so that they are known far enough ahead.

A campaign whose openings cannot be worked out, or whose row somebody has for long, is put off: it keeps no other's
from being written. Contacts whose window is found never to open are cancelled, and retries of a day that was not
known yet, which fall outside, move to its opening.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from campaigns import never_open, openings
from cooperative import let_others_run
from dialer import shut_retries
from dialer.errors import DATABASE_AWAY, note
from server_faults import state_of

log = structlog.get_logger()

AT_ONCE = 200
"""Campaigns that are looked for at once."""
ROUND_SECONDS = 45.0
"""A round looks for no more after so long, and the next one goes on: it is over before somebody else's turn comes."""
FINISHED_AT_ONCE = 1_000
"""Campaigns whose openings are taken away in one statement."""
PUT_OFF_SECONDS = 3_600.0
"""One that failed is tried again after so long: openings are written on days before they end."""
WAIT_SECONDS = 60.0
"""One whose row somebody has, so soon: until then nobody may go by what older tables said of it."""


@dataclass(slots=True)
class OpeningsAhead:
    """One dialer's. `nudge` is called when there are transitions to publish, `exhausted` with each campaign that may
    have nobody left; `now` is monotonic."""

    owner: str
    nudge: Callable[[], object]
    exhausted: Callable[[str], object]
    now: Callable[[], float] = time.monotonic
    _put_off: dict[uuid.UUID, float] = field(default_factory=dict)

    def round(self, at_once: int = AT_ONCE) -> int:
        """Write on those that are due, `at_once` of them after each look until a look finds fewer, and take away
        those of campaigns that are over; of how many campaigns. Raises what a database that is away raises; the next
        round then goes on with the others."""
        started = self.now()
        self._put_off = {name: until for name, until in self._put_off.items() if until > started}
        looked_at: set[uuid.UUID] = set()
        written, more = 0, True
        while more and self.now() < started + ROUND_SECONDS:
            due = openings.due(at_once, [*self._put_off, *looked_at])
            written += sum(map(self._try, due))
            # One of which contacts are still to be cancelled stays due.
            looked_at.update(due)
            more = len(due) == at_once
        return written + self._take_away(started + ROUND_SECONDS)

    def _take_away(self, until: float) -> int:
        taken, more = 0, FINISHED_AT_ONCE
        while more == FINISHED_AT_ONCE and self.now() < until:
            more = openings.take_away_finished(FINISHED_AT_ONCE)
            taken += more
            let_others_run()
        return taken

    def _try(self, campaign_id: uuid.UUID) -> bool:
        try:
            never = openings.write_one(campaign_id)
            self._move_retries(campaign_id)
            self._cancel(campaign_id, never)
        except Exception as error:
            # What is wrong with one campaign must not keep the others' openings from being written.
            waits = isinstance(error, DATABASE_AWAY)
            self._put_off[campaign_id] = self.now() + (WAIT_SECONDS if waits else PUT_OFF_SECONDS)
            if not waits:
                log.exception("openings_failed", campaign_id=str(campaign_id))
            elif note(error) and not state_of(error):
                # No answer at all.
                raise
            else:
                log.warning("openings_wait", campaign_id=str(campaign_id), error=str(error)[:200])
            return False
        finally:
            let_others_run()
        return True

    def _move_retries(self, campaign_id: uuid.UUID) -> None:
        moved = 0
        while more := shut_retries.move_slice(campaign_id):
            moved += more
            let_others_run()
        if moved:
            log.info("retries_moved", campaign_id=str(campaign_id), contacts=moved)

    def _cancel(self, campaign_id: uuid.UUID, never: Sequence[int]) -> None:
        cancelled = 0
        while never and any(done := never_open.cancel_slice(campaign_id, never, self.owner)):
            cancelled += done.cancelled
            self.nudge()
            let_others_run()
        if cancelled:
            never_open.note(campaign_id, cancelled)
            log.info("contacts_never_in_window", campaign_id=str(campaign_id), contacts=cancelled)
            self.exhausted(str(campaign_id))
