"""Goes through what is to be erased, until nothing is. One dialer in turn does it for all (decision 0023); every step
can be done again."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from gevent.event import Event as Signal

from campaigns import erasure
from campaigns.erasure import OpenErasure
from dialer.errors import UNAVAILABLE

log = structlog.get_logger()

LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Erasures:
    """One dialer's. `turn`: whether it is this process' turn; `nudge` is called when there are transitions to
    publish, `looked_at` with each campaign that lost contacts; `erase_events` takes the events of contacts out of the
    streams of campaigns, `forget_number` what the limiter keeps of a tenant's number."""

    owner: str
    turn: Callable[[], bool]
    nudge: Callable[[], object]
    looked_at: Callable[[str], object]
    erase_events: Callable[[Sequence[str], Sequence[str]], None]
    forget_number: Callable[[str, str], None]
    wake: Signal = field(default_factory=Signal)
    _since: dict[uuid.UUID, str] = field(default_factory=dict)
    """Of each that is open the moment when it was first seen."""

    def round(self) -> None:
        """Called when `wake` is set, every second while anything is to be erased. Raises what a server that is away
        raises; the next round goes on."""
        if not self.turn():
            return
        still_open = erasure.still_open()
        now = erasure.moment() if still_open else ""
        self._since = {one.id: self._since.get(one.id, now) for one in still_open}
        for one in still_open:
            try:
                self._erase(one)
            except UNAVAILABLE:
                raise
            except Exception:
                # A fault in one must not keep the others from being erased.
                log.exception("not_erased", erasure_id=str(one.id))

    def _erase(self, one: OpenErasure) -> None:
        # Asked before: who is over by then has stored what is found.
        waits = erasure.older_running(self._since[one.id])
        found = erasure.find(one)
        if found.pending:
            cancelled = erasure.cancel(found, self.owner)
            if cancelled.campaigns:
                self.nudge()
            for campaign_id in cancelled.campaigns:
                self.looked_at(campaign_id)
        if waits or erasure.in_use(found):
            return
        # Before the rows, by which they are found.
        self.erase_events(found.campaigns, found.contacts)
        self.forget_number(one.tenant_id, one.number)
        erasure.erase_rejects(one)
        erasure.erase_notes(one, found)
        erasure.erase_answers(one, found)
        if erasure.erase(one, found):
            log.info("erased", erasure_id=str(one.id), contacts=len(found.contacts))
