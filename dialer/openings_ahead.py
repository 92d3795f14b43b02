"""Writes on the openings of calling windows (`campaigns.openings`), so that they are known far enough ahead.

A campaign whose openings cannot be worked out, or whose row somebody has for long, is put off: it keeps no other's
from being written. Contacts whose window is found never to open are cancelled.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from campaigns import never_open, openings
from cooperative import let_others_run
from dialer.errors import DATABASE_AWAY, note
from server_faults import state_of

log = structlog.get_logger()

AT_ONCE = 200
"""Campaigns looked at in one round."""
PUT_OFF_SECONDS = 3_600.0
"""One that failed is tried again after so long: openings are written on days before they end."""


@dataclass(slots=True)
class OpeningsAhead:
    """One dialer's. `nudge` is called when there are transitions to publish, `exhausted` with each campaign that may
    have nobody left; `now` is monotonic."""

    owner: str
    nudge: Callable[[], object]
    exhausted: Callable[[str], object]
    now: Callable[[], float] = time.monotonic
    _put_off: dict[uuid.UUID, float] = field(default_factory=dict)

    def round(self, limit: int = AT_ONCE) -> int:
        """Write on those that are due, `limit` at most; how many were written. Raises what a database that is away
        raises; the next round then goes on with the others."""
        now = self.now()
        self._put_off = {name: until for name, until in self._put_off.items() if until > now}
        return sum(map(self._try, openings.due(limit, list(self._put_off))))

    def _try(self, campaign_id: uuid.UUID) -> bool:
        try:
            self._cancel(campaign_id, openings.write_one(campaign_id))
        except Exception as error:
            self._put_off[campaign_id] = self.now() + PUT_OFF_SECONDS
            if not isinstance(error, DATABASE_AWAY):
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

    def _cancel(self, campaign_id: uuid.UUID, never: Sequence[int]) -> None:
        cancelled = 0
        while never and (more := never_open.cancel_slice(campaign_id, never, self.owner)):
            cancelled += more
            self.nudge()
            let_others_run()
        if cancelled:
            log.info("contacts_never_in_window", campaign_id=str(campaign_id), contacts=cancelled)
            self.exhausted(str(campaign_id))
