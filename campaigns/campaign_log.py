"""What happened to a campaign, when, by whom and why: read, and who is acting.

The rows are written by a trigger on the campaign (`migrations/0038_campaign_log.py`), which finds in the session who
acts. What is no change of that row is noted here. How much is kept: `campaigns/log_bounds.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from models import rows, rows_as

ACTIONS: Mapping[str, str] = {
    "created": "It was made, with its list.",
    "scheduled": "It is to start by itself; `changes` say when.",
    "unscheduled": "It is not to start by itself any more.",
    "started": "It runs; `reason` is schedule where the clock started it.",
    "resumed": "It runs again.",
    "paused": "It was paused; `reason` says why, where nobody asked for it.",
    "stopped": "Somebody ended it.",
    "completed": "It is over: `reason` is exhausted or deadline.",
    "failed": "It can never go on.",
    "changed": "`changes` have each setting with what it was before and what it is now.",
    "contacts_added": "`added` contacts were added to its list.",
    "contact_changed": "Somebody changed one contact: `contact_id`; `changes` have what it was before and is now.",
    "called_again": "Somebody had `contacts` called again whose last calls had ended with one of `dispositions`.",
    "contacts_cancelled": "`cancelled` contacts are not called any more: `reason` is never_open, where neither its "
    "window nor the law leaves an hour for them, suppressed, where they are on a do-not-call list or were erased, or "
    "expired, where their expires_at has come.",
    "held": "Nothing of it is dialled until that is over: `reason` is the blocked_reason.",
    "let_go": "What held it is over.",
    "taken_away": "Something that it uses was changed or taken away; calls that were claimed before do not leave.",
    "hung_up": "Its calls in progress were to end.",
    "exempted": "No breaker holds it any more.",
    "deleted": "It was deleted.",
    "purged": "Its contacts and calls were deleted after retention_days.",
    "thinned": "So many `entries` went that were the oldest of too many; what became of the campaign is kept.",
}
"""What each action means to who reads the log."""
THINNED = "thinned"
LASTING = ("created", "started", "stopped", "completed", "failed", "deleted", "purged")
"""What a campaign became: each happens to it a few times at most, and stays in its log for good."""

NOTE_CANCELLED = """
    INSERT INTO campaign_log (campaign_id, action, reason, details)
    SELECT campaign_id, 'contacts_cancelled', '{reason}', jsonb_build_object('cancelled', count(*))
    FROM {cancelled} GROUP BY campaign_id ORDER BY campaign_id"""
"""A step of a statement that cancels contacts by itself: notes at each campaign how many of its were."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One thing that happened. `by` is the name of a key, None for what the service did by itself."""

    id: str
    at: datetime
    by: str | None
    action: str
    reason: str | None
    details: Mapping[str, Any]


def acting(by: str) -> None:
    """Whatever this transaction changes of campaigns is said to be done by the key of this name."""
    rows("SELECT set_config('carillon.by', %s, true)", by)


def note(
    campaign_id: uuid.UUID,
    action: str,
    by: str | None,
    details: Mapping[str, object],
    reason: str | None = None,
) -> None:
    """Note something that is no change of the campaign's own row, in the caller's transaction."""
    rows(
        "INSERT INTO campaign_log (campaign_id, by, action, reason, details) VALUES (%s, %s, %s, %s, %s)",
        campaign_id,
        by,
        action,
        reason,
        orjson.dumps(details).decode(),
    )


ORDERS = {"oldest": "campaign_log.id", "newest": "campaign_log.id DESC"}
"""How its entries may be asked for."""


def page(
    campaign_id: uuid.UUID, limit: int, offset: int, order: str = "oldest"
) -> tuple[list[LogEntry], int]:
    """A page of what happened to a campaign, in one of ORDERS, and how much there is in all."""
    found = rows_as(
        LogEntry,
        "SELECT id::text, at, by, action, reason, details FROM campaign_log WHERE campaign_id = %s"
        f" ORDER BY {ORDERS[order]} LIMIT %s OFFSET %s",
        campaign_id,
        limit,
        offset,
    )
    (total,) = rows("SELECT count(*) AS n FROM campaign_log WHERE campaign_id = %s", campaign_id)
    return found, total["n"]
