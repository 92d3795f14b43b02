"""Ends streams whose listener's key or session was revoked, or whose campaign was deleted. No HTTP and no SQL."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from socket import SHUT_RDWR

import gevent
import structlog

from live.admission import Look
from live.campaign_feed import CampaignFeed

log = structlog.get_logger()


class AdmissionWatch:
    """Looks every `every` seconds whether the listeners of `feeds` may still listen, for as long as there are any.

    While the database cannot be asked, everybody stays: nobody could be let in again.
    """

    def __init__(self, feeds: Mapping[str, CampaignFeed], look: Look, every: float) -> None:
        self._feeds = feeds
        self._look = look
        self._every = every
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Somebody listens; harmless when repeated."""
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        while self._feeds:
            gevent.sleep(self._every)
            self.check()
        self._greenlet = None

    def check(self) -> None:
        """Let out whoever may not listen any more, and end the streams of campaigns that are gone."""
        listening = [listener for feed in self._feeds.values() for listener in feed.listeners]
        shown = {listener.admission for listener in listening if listener.admission is not None}
        for listener in listening:
            if listener.revoked and listener.sock is not None:
                # It was told at the last look and is stuck in a write, which only this ends.
                with suppress(OSError):
                    listener.sock.shutdown(SHUT_RDWR)
        try:
            taken = self._look(shown, list(self._feeds))
        except Exception as error:
            # It is the app's, and may raise whatever a database does.
            log.warning("admissions_not_checked", error=repr(error))
            return
        for listener in listening:
            if listener.admission in taken.admissions:
                listener.revoke()
        for campaign_id in taken.campaigns:
            if (feed := self._feeds.get(campaign_id)) is not None:
                feed.delete()
