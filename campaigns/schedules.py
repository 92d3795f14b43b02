"""When campaigns start and end by themselves: what is due, and doing it, exactly once whoever sees it first.

Everything here goes by the database's clock. A start is `lifecycle.start` under the campaign's row lock, once that
lock has shown that the campaign still waits for it; one that cannot be done leaves the campaign `scheduled`, with the
reason in its row, and is tried again. An end is a mark, as of a stop (`campaigns.stopping`). Decision 0060.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from campaigns import lifecycle
from campaigns.campaign_state import ActionResult, mark_stopped
from campaigns.lifecycle_errors import BudgetExceededError, UnusableError
from models import CampaignStatus, db, rows, transaction

AGAIN_SECONDS = 5
"""A start that could not be done is tried again after so long, whichever dialer does it."""
AT_A_TIME = 100
BUDGET = "budget"
RESTORED = "restored"
"""The `blocked_reason` of a campaign that the clock does not start: it may have been started since the backup."""

_WAITS = "status = 'scheduled' AND deleted_at IS NULL"
_OPEN = "end_at IS NOT NULL AND completed_at IS NULL AND deleted_at IS NULL"
_TO_START = f"""{_WAITS} AND scheduled_at <= now() AND (end_at IS NULL OR end_at > now())
    AND blocked_reason IS DISTINCT FROM '{RESTORED}'"""
_TO_END = f"{_OPEN} AND end_at <= now()"
NEXT_DUE = f"""(
SELECT extract(epoch FROM least(
    (SELECT min(scheduled_at) FROM campaign WHERE {_WAITS} AND scheduled_at > now()),
    (SELECT min(coalesce(next_action_at, scheduled_at)) FROM campaign WHERE {_TO_START}),
    (SELECT min(end_at) FROM campaign WHERE {_OPEN})) - now())::float8
)"""
"""In how many seconds the next start or end is due, 0 or less for one that is; null where there is none: a part of
the statement with which a dialer looks for that."""

_STARTS = f"""
    SELECT id, tenant_id FROM campaign WHERE {_TO_START} AND coalesce(next_action_at, scheduled_at) <= now()
    ORDER BY scheduled_at, id LIMIT %s"""
_ENDS = f"SELECT id FROM campaign WHERE {_TO_END} ORDER BY end_at, id LIMIT %s"
# Who has these locks may keep them for long: it is looked at again soon, and those behind it now.
_LOCK_TENANT = "SELECT 1 FROM tenant WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED"
_LOCK_TO_START = f"""
    SELECT agent.held_at IS NOT NULL AS held FROM agent, (
        SELECT agent_id FROM campaign WHERE id = %s AND {_TO_START} FOR NO KEY UPDATE SKIP LOCKED
    ) AS due WHERE agent.id = due.agent_id"""
_LOCK_TO_END = f"SELECT status FROM campaign WHERE id = %s AND {_TO_END} FOR NO KEY UPDATE"
_BLOCK = f"""
    UPDATE campaign SET blocked_reason = %s, next_action_at = now() + make_interval(secs => {AGAIN_SECONDS}),
        blocked_since = CASE WHEN blocked_reason = %s THEN blocked_since ELSE now() END
    WHERE id = %s AND {_TO_START}"""

_PUT_OFF = f"""
    UPDATE campaign SET next_action_at = now() + make_interval(secs => {AGAIN_SECONDS})
    WHERE id = %s AND {_TO_START}"""
_HOLD_RESTORED = f"""
    UPDATE campaign SET blocked_reason = '{RESTORED}', blocked_since = now(), next_action_at = NULL WHERE {_WAITS}
    RETURNING id"""


@dataclass(frozen=True, slots=True)
class DueStart:
    """A campaign that is to be started."""

    campaign_id: uuid.UUID
    tenant_id: str


def next_due() -> float | None:
    """In how many seconds the next start or end is due; None where there is none."""
    with db.connection_context():
        seconds: float | None = db.execute_sql(f"SELECT {NEXT_DUE}").fetchone()[0]
    return seconds


def starts() -> list[DueStart]:
    """The campaigns that are to be started now, the one that has waited for longest first."""
    with db.connection_context():
        return [DueStart(row["id"], row["tenant_id"]) for row in rows(_STARTS, AT_A_TIME)]


def ends() -> list[uuid.UUID]:
    """The campaigns that are to be ended now, the one that should have been first of all first."""
    with db.connection_context():
        return [row["id"] for row in rows(_ENDS, AT_A_TIME)]


def start(due: DueStart, owner: str) -> ActionResult | None:
    """Start a campaign whose time has come; None where there is nothing left to do, or it cannot be done now, which
    its row then says. In transactions of its own; `owner` names whose transition rows these are."""
    try:
        with transaction():
            # In the order in which every start takes them.
            if not rows(_LOCK_TENANT, due.tenant_id) or not (found := rows(_LOCK_TO_START, due.campaign_id)):
                return None
            if found[0]["held"]:
                raise UnusableError("The campaign's agent is held.")
            return lifecycle.start(due.campaign_id, due.tenant_id, owner)
    except BudgetExceededError:
        block(due.campaign_id, BUDGET)
    except UnusableError as error:
        block(due.campaign_id, error.blocked_reason)
    return None


def block(campaign_id: uuid.UUID, reason: str) -> None:
    """Note why a campaign whose time has come was not started; it is tried again."""
    with transaction():
        rows(_BLOCK, reason, reason, campaign_id)


def put_off(campaign_id: uuid.UUID) -> None:
    """Try a start that failed for what nobody foresaw again later, as `block` does; the reason is in the log."""
    with transaction():
        rows(_PUT_OFF, campaign_id)


def hold_restored() -> list[uuid.UUID]:
    """Let the clock start none of the campaigns that wait for it now, until one's `scheduled_at` is given again or it
    is started by hand. Which they are; in the caller's transaction."""
    return [row["id"] for row in rows(_HOLD_RESTORED)]


def end(campaign_id: uuid.UUID) -> ActionResult | None:
    """Mark a campaign whose deadline has come as ended; None where somebody else has, or the deadline was moved. The
    caller then has the rest of its list cancelled (`campaigns.stopping`). In a transaction of its own."""
    with transaction():
        found = rows(_LOCK_TO_END, campaign_id)
        if not found:
            return None
        return mark_stopped(campaign_id, CampaignStatus(found[0]["status"]), "deadline")
