"""Writes each campaign's `blocked_reason` to its row: the binding constraint of the last decision."""

from __future__ import annotations

from collections.abc import Mapping

from dialer.dispatch.plans import Plan
from models import db

_TELL = """
UPDATE campaign SET blocked_reason = said.reason, next_action_at = said.at
FROM unnest(%(campaigns)s::uuid[], %(reasons)s::text[], %(at)s::timestamptz[]) AS said (id, reason, at)
WHERE campaign.id = said.id AND campaign.status = 'running'
  AND (campaign.blocked_reason, campaign.next_action_at) IS DISTINCT FROM (said.reason, said.at)
  AND (said.reason IS NULL OR NOT EXISTS (
      SELECT 1 FROM call WHERE call.campaign_id = said.id AND call.created_at > now() - interval '1.5 s'))
"""


class BlockedReasons:
    """Keeps what the last decision about each campaign was; `write` brings the rows to it.

    A campaign that any dialer dialled a moment ago is not blocked, whatever this one's last decision was.
    """

    def __init__(self) -> None:
        self._said: dict[str, tuple[str | None, str | None]] = {}

    def tell(self, campaign_id: str, reason: str | None, next_action_at: str | None = None) -> None:
        """Note the outcome of one decision; None: it is dialled, or has nobody to dial."""
        self._said[campaign_id] = reason, next_action_at

    def news(self, plans: Mapping[str, Plan]) -> list[tuple[str, str | None, str | None]]:
        """(campaign, reason, when) where the rows, as `plans` show them, say something else. What is not dialled any
        more is forgotten."""
        self._said = {campaign_id: said for campaign_id, said in self._said.items() if campaign_id in plans}
        return [
            (campaign_id, *said)
            for campaign_id, said in self._said.items()
            if said != (plans[campaign_id].blocked_reason, plans[campaign_id].next_action_at)
        ]

    def write(self, plans: Mapping[str, Plan]) -> None:
        """Write what differs from the rows as `plans` show them, which were read a moment ago; what is not right then
        is written with the next. To be called every second; raises what a database that is away raises."""
        news = self.news(plans)
        if not news:
            return
        campaigns, reasons, at = map(list, zip(*news, strict=True))
        with db.connection_context():
            db.execute_sql(_TELL, {"campaigns": campaigns, "reasons": reasons, "at": at})
