"""Writes each campaign's `blocked_reason` to its row: the binding constraint of the last decision, and since when.

What the API makes of it: `api/dialer_watch.py`; the board's words: `web/why.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gevent.event import Event as Signal

from dialer.dispatch.node_health import REFUSES
from dialer.dispatch.plans import Plan
from dialer.dispatch.slow_start import WORD as SLOW_START
from models import db

# Nobody is blocked for longer than since its last call, whichever dialer placed that, and nobody right after one.
TELL = f"""
WITH word AS (
    SELECT *, CASE WHEN reason NOT IN ('{SLOW_START}', '{REFUSES}') THEN (
        SELECT created_at FROM call WHERE call.campaign_id = word.id ORDER BY created_at DESC LIMIT 1) END AS last
    FROM unnest(%(campaigns)s::uuid[], %(reasons)s::text[], %(at)s::timestamptz[], %(ages)s::float8[])
        AS word (id, reason, at, age)
), said AS (
    SELECT id, last, now() - age * interval '1 s' AS since, CASE WHEN holds THEN reason END AS reason,
        CASE WHEN holds THEN at END AS at
    FROM word CROSS JOIN LATERAL (SELECT coalesce(last <= now() - interval '1.5 s', true) AS holds) AS moment
)
UPDATE campaign SET blocked_reason = said.reason, next_action_at = said.at,
    blocked_since = CASE WHEN said.reason IS NULL THEN NULL
        WHEN campaign.blocked_reason = said.reason AND campaign.blocked_since >= coalesce(said.last, '-infinity')
            THEN campaign.blocked_since
        ELSE greatest(said.since, said.last) END
FROM said
WHERE campaign.id = said.id AND campaign.status = 'running'
  AND ((campaign.blocked_reason, campaign.next_action_at) IS DISTINCT FROM (said.reason, said.at)
    OR said.reason IS NOT NULL AND campaign.blocked_since < said.last)
RETURNING campaign.id::text, campaign.blocked_reason
"""
"""Writes what binds each campaign into its row, where that is news."""


SAME = timedelta(seconds=1)
"""Of two times that are no farther apart the first is told: each decision names its own."""


def _stands(told: str | None, named: str | None, now: datetime) -> bool:
    """Whether what was told of when it is over still holds beside what a later decision names, if it names any."""
    if told is None or told == named:
        return False
    if named is None:
        return datetime.fromisoformat(told) > now
    return abs(datetime.fromisoformat(told) - datetime.fromisoformat(named)) <= SAME


@dataclass(slots=True)
class Word:
    """What was decided about a campaign, and since when each decision says so."""

    reason: str | None
    next_action_at: str | None
    since: float


@dataclass(slots=True)
class BlockedReasons:
    """Keeps what the last decision about each campaign was; `write` brings the rows to it. `now` is monotonic.

    A campaign that any dialer dialled a moment ago is not blocked, whatever this one's last decision was, but slowed
    down at most. `gone` is set when a row says what holds no more: it is to be written at once.
    """

    now: Callable[[], float] = time.monotonic
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    gone: Signal = field(default_factory=Signal)
    _said: dict[str, Word] = field(default_factory=dict)
    _shown: set[str] = field(default_factory=set)
    """Whose rows say that they are blocked, as far as is known here."""
    _compared: set[str] = field(default_factory=set)
    """Whose rows were looked at since this process decided about them; what others say is of before."""
    _stale: set[str] = field(default_factory=set)
    """Whose rows have been contradicted since they were written, whatever is said now and whenever they were read."""

    def tell(self, campaign_id: str, reason: str | None, next_action_at: str | None = None) -> None:
        """Note the outcome of one decision; None: it is dialled, or has nobody to dial."""
        said = self._said.get(campaign_id)
        if said is not None and said.reason == reason:
            if not _stands(said.next_action_at, next_action_at, self.clock()):
                said.next_action_at = next_action_at
        else:
            self._said[campaign_id] = Word(reason, next_action_at, self.now())
        if reason is None and campaign_id in self._shown:
            self._stale.add(campaign_id)
            self.gone.set()
        elif reason is None and campaign_id not in self._compared:
            self.gone.set()

    def word(self, campaign_id: str) -> str | None:
        """What the last decision about a campaign said."""
        said = self._said.get(campaign_id)
        return None if said is None else said.reason

    def since(self, campaign_id: str) -> float | None:
        """Since when each decision about a campaign has said so; None where there was none."""
        said = self._said.get(campaign_id)
        return None if said is None else said.since

    def news(self, plans: Mapping[str, Plan]) -> list[tuple[str, str | None, str | None]]:
        """(campaign, reason, when) where the rows, as `plans` show them, say something else, or not since when. What
        is not dialled any more is forgotten."""
        self._said = {campaign_id: said for campaign_id, said in self._said.items() if campaign_id in plans}
        told = {campaign_id for campaign_id, said in self._said.items() if said.reason is not None}
        self._shown = (self._shown & plans.keys()) | {
            one for one in told if plans[one].blocked_reason is not None
        }
        self._compared = set(self._said)
        self._stale &= plans.keys()
        return [
            (campaign_id, said.reason, said.next_action_at)
            for campaign_id, said in self._said.items()
            if campaign_id in self._stale
            or (said.reason, said.next_action_at)
            != (plans[campaign_id].blocked_reason, plans[campaign_id].next_action_at)
        ]

    def write(self, plans: Mapping[str, Plan]) -> None:
        """Write what differs from the rows as `plans` show them, which were read a moment ago; what is not right then
        is written with the next. To be called every second, and when `gone` is set; raises what a database that is
        away raises."""
        news = self.news(plans)
        if not news:
            return
        campaigns, reasons, at = map(list, zip(*news, strict=True))
        said = {
            "campaigns": campaigns,
            "reasons": reasons,
            "at": at,
            "ages": [self.now() - self._said[campaign_id].since for campaign_id in campaigns],
        }
        stale, self._stale = self._stale, set()
        try:
            with db.connection_context():
                changed = dict(db.execute_sql(TELL, said).fetchall())
        except BaseException:  # whatever ended it, these are to be written the next time
            self._stale |= stale
            raise
        self.written(dict(zip(campaigns, reasons, strict=True)), changed)

    def written(self, reasons: Mapping[str, str | None], changed: Mapping[str, str | None]) -> None:
        """These reasons were to be in the rows; `changed` is what those rows say now that were changed by that."""
        for campaign_id, reason in reasons.items():
            if changed.get(campaign_id) is not None:
                self._shown.add(campaign_id)
                if self.word(campaign_id) is None:
                    # It was dialled while this was written.
                    self._stale.add(campaign_id)
                    self.gone.set()
            elif campaign_id in changed or reason is None:
                self._shown.discard(campaign_id)
