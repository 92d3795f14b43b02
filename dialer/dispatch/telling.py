"""Writes a campaign's `blocked_reason` to its row: the binding constraint of the last decision."""

from __future__ import annotations

import time

import structlog

from dialer.dispatch.plans import Plan
from dialer.errors import DATABASE_AWAY
from models import db

log = structlog.get_logger()

EVERY_SECONDS = 1.0

_TELL = """
UPDATE campaign SET blocked_reason = %(reason)s, next_action_at = %(at)s::timestamptz
WHERE id = %(campaign)s::uuid AND status = 'running'
  AND (blocked_reason IS DISTINCT FROM %(reason)s OR next_action_at IS DISTINCT FROM %(at)s::timestamptz)
  AND (%(reason)s::text IS NULL OR NOT EXISTS (
      SELECT 1 FROM call WHERE campaign_id = %(campaign)s::uuid AND created_at > now() - interval '1.5 s'))
"""


class Telling:
    """Writes `blocked_reason` at most once a second for each campaign, and only where it changed.

    A campaign that any dialer dialled a moment ago is not blocked, whatever this one's last decision was.
    """

    def __init__(self) -> None:
        self._written: dict[str, tuple[float, str | None, str | None]] = {}

    def tell(self, plan: Plan, reason: str | None, next_action_at: str | None) -> None:
        """Note the outcome of one decision."""
        now = time.monotonic()
        last = self._written.get(plan.campaign_id)
        if last is not None and now - last[0] < EVERY_SECONDS:
            return
        self._written[plan.campaign_id] = (now, reason, next_action_at)
        if (plan.blocked_reason, plan.next_action_at) == (reason, next_action_at):
            return
        try:
            with db.connection_context():
                db.execute_sql(_TELL, {"campaign": plan.campaign_id, "reason": reason, "at": next_action_at})
        except DATABASE_AWAY as error:
            log.info("blocked_reason_not_written", error=type(error).__name__)

    def forget(self, campaign_id: str) -> None:
        """The campaign runs no more."""
        self._written.pop(campaign_id, None)
