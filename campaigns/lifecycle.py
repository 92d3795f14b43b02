"""What may happen to a campaign, and the transactions in which it does.

The table is pure; the functions below it run in the caller's transaction and take the campaign's row lock
first, so that of any number of simultaneous actions each sees what the one before it left. Each writes the
transition row that the event stream is fed from. Rows are locked in one order: tenant, campaign, contacts.

`owner` names whose transition rows these are: a dialer's id, or WEB for what the API does.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from campaigns.errors import CampaignsError
from models import CampaignStatus, change_campaign, db, rows

WEB = "web"


class Action(StrEnum):
    """What a client can ask of a campaign."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    DELETE = "delete"


class Verdict(StrEnum):
    """What the lifecycle table answers where no state change follows."""

    REFUSED = "refused"
    UNCHANGED = "unchanged"
    DELETED = "deleted"


Answer = CampaignStatus | Verdict

_RUN, _PAUSED, _DONE = CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.COMPLETED
_NO, _SAME, _GONE = Verdict.REFUSED, Verdict.UNCHANGED, Verdict.DELETED
_TERMINAL: Mapping[Action, Answer] = dict(zip(Action, (_NO, _NO, _NO, _SAME, _GONE), strict=True))

LIFECYCLE: Mapping[CampaignStatus, Mapping[Action, Answer]] = {
    CampaignStatus.DRAFT: dict(zip(Action, (_RUN, _NO, _NO, _DONE, _GONE), strict=True)),
    CampaignStatus.SCHEDULED: dict(zip(Action, (_RUN, _NO, _NO, _DONE, _GONE), strict=True)),
    CampaignStatus.RUNNING: dict(zip(Action, (_NO, _PAUSED, _NO, _DONE, _NO), strict=True)),
    CampaignStatus.PAUSED: dict(zip(Action, (_RUN, _NO, _RUN, _DONE, _GONE), strict=True)),
    CampaignStatus.COMPLETED: _TERMINAL,
    CampaignStatus.FAILED: _TERMINAL,
}

_PAST = {
    Action.START: "started",
    Action.PAUSE: "paused",
    Action.RESUME: "resumed",
    Action.STOP: "stopped",
    Action.DELETE: "deleted",
}


class CampaignNotFoundError(CampaignsError):
    """No such campaign of this tenant, or a deleted one."""


class NotAllowedError(CampaignsError):
    """The lifecycle has no such action in the campaign's state."""

    def __init__(self, status: CampaignStatus, action: Action) -> None:
        super().__init__(f"Campaign is {status}; it cannot be {_PAST[action]}.")
        self.status = status
        self.action = action


class CallsInFlightError(CampaignsError):
    """The campaign still has calls in flight; `count` of them."""

    def __init__(self, count: int) -> None:
        super().__init__(f"Campaign has {count} calls in flight; it can be deleted when they have ended.")
        self.count = count


class UnusableError(CampaignsError):
    """What the campaign needs is gone or was taken away."""


class BudgetExceededError(CampaignsError):
    """The tenant's concurrency budget has no room; `holders` are the running campaigns that hold it."""

    def __init__(self, wanted: int, limit: int, holders: list[tuple[uuid.UUID, str, int]]) -> None:
        held = sum(calls for _, _, calls in holders)
        named = ", ".join(f"{name} ({calls}, {campaign_id})" for campaign_id, name, calls in holders[:10])
        more = f" and {len(holders) - 10} more" if len(holders) > 10 else ""
        super().__init__(
            f"The campaign's max_concurrent_calls is {wanted} and running campaigns hold {held} of the tenant's "
            f"concurrent_max of {limit}" + (f": {named}{more}." if holders else ".")
        )
        self.wanted = wanted
        self.limit = limit
        self.holders = holders


@dataclass(frozen=True, slots=True)
class Done:
    """What an action did. `generation` is what the dialers must now go by; `changed` is False for a no-op."""

    status: CampaignStatus
    generation: int
    changed: bool


def start(campaign_id: uuid.UUID, tenant_id: str, owner: str = WEB) -> Done:
    """Set a draft, scheduled or paused campaign running; a schedule is cleared.

    Raises CampaignNotFoundError, NotAllowedError, UnusableError or BudgetExceededError.
    """
    return _run(campaign_id, tenant_id, Action.START, owner)


def resume(campaign_id: uuid.UUID, tenant_id: str, owner: str = WEB) -> Done:
    """Set a paused campaign running again. Raises as `start` does."""
    return _run(campaign_id, tenant_id, Action.RESUME, owner)


def pause(campaign_id: uuid.UUID, tenant_id: str, owner: str = WEB) -> Done:
    """Let a running campaign place no further call. The caller then waits for the dialers to say so.

    Raises CampaignNotFoundError or NotAllowedError.
    """
    status, _ = _ask(campaign_id, tenant_id, Action.PAUSE)
    return _change(
        campaign_id, status, CampaignStatus.PAUSED, owner, blocked_reason="paused", next_action_at=None
    )


def stop(campaign_id: uuid.UUID, tenant_id: str, owner: str = WEB) -> Done:
    """End a campaign for good: every contact still pending becomes cancelled. Nothing changes in an ended one.

    Raises CampaignNotFoundError.
    """
    status, answer = _ask(campaign_id, tenant_id, Action.STOP)
    if answer is Verdict.UNCHANGED:
        return Done(status, _generation(campaign_id), changed=False)
    # The contacts first: transitions are published in this order, and the campaign's ends the stream.
    cancel_pending(campaign_id, owner)
    return _end(campaign_id, status, CampaignStatus.COMPLETED, "stopped", owner)


def delete(campaign_id: uuid.UUID, tenant_id: str) -> None:
    """Hide a campaign for good; its calls stay counted.

    Raises CampaignNotFoundError, NotAllowedError or CallsInFlightError.
    """
    _ask(campaign_id, tenant_id, Action.DELETE)
    (found,) = rows(
        "SELECT count(*) AS n FROM contact WHERE campaign_id = %s AND status IN ('originated', 'connected')",
        campaign_id,
    )
    if found["n"]:
        raise CallsInFlightError(found["n"])
    rows("UPDATE campaign SET deleted_at = now() WHERE id = %s", campaign_id)


def complete_if_exhausted(campaign_id: uuid.UUID, owner: str = WEB) -> bool:
    """Complete a running campaign whose contacts are all terminal; True when this caller did.

    Call it after the transaction that ended a contact has committed: two that each end one of the last two
    contacts do not see each other's. Takes a connection and a transaction of its own where the caller has none.
    """
    with _transaction():
        found = rows(
            """
            SELECT status FROM campaign c WHERE id = %s AND status = 'running' AND deleted_at IS NULL
                AND NOT EXISTS (SELECT FROM contact WHERE campaign_id = c.id AND status = 'pending')
                AND NOT EXISTS (SELECT FROM contact WHERE campaign_id = c.id
                                AND status IN ('originated', 'connected'))
            FOR NO KEY UPDATE""",
            campaign_id,
        )
        if not found:
            return False
        _end(campaign_id, CampaignStatus.RUNNING, CampaignStatus.COMPLETED, "exhausted", owner)
        return True


def fail(campaign_id: uuid.UUID, owner: str) -> bool:
    """End a running or paused campaign that cannot go on (`end_reason` error); True when this caller did.

    Contacts still pending become cancelled. The caller logs what was missing. Takes a connection and a transaction
    of its own where the caller has none.
    """
    with _transaction():
        found = rows(
            "SELECT status FROM campaign WHERE id = %s AND status IN ('running', 'paused') FOR NO KEY UPDATE",
            campaign_id,
        )
        if not found:
            return False
        cancel_pending(campaign_id, owner)
        _end(campaign_id, CampaignStatus(found[0]["status"]), CampaignStatus.FAILED, "error", owner)
        return True


CANCEL = """
    WITH cancelled AS (
        UPDATE contact SET status = 'cancelled', next_attempt_at = NULL, version = version + 1, updated_at = now()
        WHERE campaign_id = %s AND status = 'pending'
        RETURNING id, version, disposition, attempts, last_cause
    ), told AS (
        INSERT INTO transition (campaign_id, contact_id, version, status, disposition, attempt, cause, owner)
        SELECT %s, id, version, 'cancelled', disposition, NULLIF(attempts, 0), last_cause, %s FROM cancelled
    )
    SELECT count(*) AS n FROM cancelled"""


def cancel_pending(campaign_id: uuid.UUID, owner: str = WEB) -> int:
    """Cancel every pending contact of an ended campaign, those that wait for a retry included; how many."""
    (found,) = rows(CANCEL, campaign_id, campaign_id, owner)
    count: int = found["n"]
    if count:
        rows(
            """
            INSERT INTO campaign_count (campaign_id, lane, pending, cancelled) VALUES (%s, %s, %s, %s)
            ON CONFLICT (campaign_id, lane) DO UPDATE SET
                pending = campaign_count.pending + excluded.pending,
                cancelled = campaign_count.cancelled + excluded.cancelled""",
            campaign_id,
            owner,
            -count,
            count,
        )
    return count


@contextmanager
def _transaction() -> Iterator[None]:
    if not db.is_closed():
        with db.atomic():
            yield
        return
    with db.connection_context(), db.atomic():
        yield


def _ask(campaign_id: uuid.UUID, tenant_id: str, action: Action) -> tuple[CampaignStatus, Answer]:
    """Lock the campaign and look its state up in the table."""
    found = rows(
        "SELECT status FROM campaign WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL FOR NO KEY UPDATE",
        campaign_id,
        tenant_id,
    )
    if not found:
        raise CampaignNotFoundError("Campaign not found")
    status = CampaignStatus(found[0]["status"])
    answer = LIFECYCLE[status][action]
    if answer is Verdict.REFUSED:
        raise NotAllowedError(status, action)
    return status, answer


def _run(campaign_id: uuid.UUID, tenant_id: str, action: Action, owner: str) -> Done:
    # Not FOR UPDATE: that would wait for every claim and import of the tenant, which hold the key's share lock.
    rows("SELECT id FROM tenant WHERE id = %s FOR NO KEY UPDATE", tenant_id)
    status, _ = _ask(campaign_id, tenant_id, action)
    _check_needs(campaign_id)
    _check_budget(campaign_id, tenant_id)
    cleared = {"scheduled_at": None, "next_action_at": None, "blocked_reason": None}
    done = _change(campaign_id, status, CampaignStatus.RUNNING, owner, **cleared)
    rows("UPDATE campaign SET started_at = coalesce(started_at, now()) WHERE id = %s", campaign_id)
    if complete_if_exhausted(campaign_id, owner):
        return Done(CampaignStatus.COMPLETED, _generation(campaign_id), changed=True)
    return done


def _check_needs(campaign_id: uuid.UUID) -> None:
    (found,) = rows(
        """
        SELECT a.deleted_at IS NOT NULL AS no_agent, p.outbound_enabled,
            p.deleted_at IS NOT NULL OR p.tenant_id <> c.tenant_id AS no_number
        FROM campaign c JOIN agent a ON a.id = c.agent_id JOIN phone_number p ON p.id = c.phone_number_id
        WHERE c.id = %s FOR SHARE OF a, p""",
        campaign_id,
    )
    if found["no_agent"]:
        raise UnusableError("The campaign's agent has been deleted.")
    if found["no_number"]:
        raise UnusableError("The campaign's phone number has been deleted.")
    if not found["outbound_enabled"]:
        raise UnusableError("The campaign's phone number is not enabled for outbound calls.")


def _check_budget(campaign_id: uuid.UUID, tenant_id: str) -> None:
    limits = rows("SELECT concurrent_max FROM call_limits WHERE tenant_id = %s", tenant_id)
    limit = limits[0]["concurrent_max"] if limits else None
    if limit is None:
        return
    found = rows(
        """
        SELECT id, name, max_concurrent_calls AS calls, id = %s AS asks FROM campaign
        WHERE tenant_id = %s AND (status = 'running' OR id = %s) AND deleted_at IS NULL ORDER BY created_at, id""",
        campaign_id,
        tenant_id,
        campaign_id,
    )
    if sum(row["calls"] for row in found) <= limit:
        return
    (wanted,) = (row["calls"] for row in found if row["asks"])
    holders = [(row["id"], row["name"], row["calls"]) for row in found if not row["asks"]]
    raise BudgetExceededError(wanted, limit, holders)


def _end(
    campaign_id: uuid.UUID, status: CampaignStatus, to: CampaignStatus, end_reason: str, owner: str
) -> Done:
    (now,) = rows("SELECT now()")
    return _change(
        campaign_id,
        status,
        to,
        owner,
        end_reason=end_reason,
        completed_at=now["now"],
        blocked_reason=None,
        next_action_at=None,
    )


def _change(
    campaign_id: uuid.UUID, status: CampaignStatus, to: CampaignStatus, owner: str, **columns: Any
) -> Done:
    """Compare-and-set, and the transition row. The row lock is held, so only a bug can make it fail."""
    if not change_campaign(campaign_id, frozenset({status}), to, **columns):
        raise RuntimeError(f"campaign {campaign_id} was not {status} under its lock")
    (found,) = rows(
        """
        WITH told AS (
            INSERT INTO transition (campaign_id, version, status, cause, owner)
            SELECT id, version, status, end_reason, %s FROM campaign WHERE id = %s)
        SELECT generation FROM campaign WHERE id = %s""",
        owner,
        campaign_id,
        campaign_id,
    )
    return Done(to, found["generation"], changed=True)


def _generation(campaign_id: uuid.UUID) -> int:
    (found,) = rows("SELECT generation FROM campaign WHERE id = %s", campaign_id)
    generation: int = found["generation"]
    return generation
