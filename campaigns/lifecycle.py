"""The actions on a campaign, each in the caller's transaction: start, resume, pause, stop, delete, complete.

Each takes the campaign's row lock first, so that of any number of simultaneous actions each sees what the one before
it left. `complete_if_exhausted` alone looks first and locks then, and has its own transaction where the caller has
none. Rows are locked in one order: tenant, campaign, contacts.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from campaigns import abandon_rates, agent_holds, budget, outcome_breakers, policy_choice
from campaigns.campaign_state import (
    WEB,
    ActionResult,
    CampaignColumns,
    end,
    generation,
    mark_stopped,
    set_status,
)
from campaigns.column_names import variable_name
from campaigns.errors import ListRefused
from campaigns.lifecycle_errors import (
    CallsInFlightError,
    CampaignNotFoundError,
    NotAllowedError,
    SingleCallError,
    StoppingError,
    UnusableError,
)
from campaigns.lifecycle_table import LIFECYCLE, Action, Answer, Verdict
from campaigns.row_templates import refuse_missing, templates
from models import CampaignStatus, db, rows, transaction

# A contact is in flight exactly for as long as its call is open: both change in one statement.
IN_FLIGHT = "SELECT count(*) AS n FROM call WHERE campaign_id = %s AND ended_at IS NULL"
"""How many calls of a campaign are under way."""
_OPEN = "status = 'running' AND deleted_at IS NULL AND NOT keep_open"
_MAY_COMPLETE = f"id = %s AND {_OPEN}"
_NOBODY = """
        NOT EXISTS (SELECT FROM contact WHERE campaign_id = c.id AND waiting AND status = 'pending')
        AND NOT EXISTS (SELECT FROM call WHERE campaign_id = c.id AND ended_at IS NULL)
"""
_EXHAUSTED = f"SELECT 1 FROM campaign c WHERE {_MAY_COMPLETE} AND {_NOBODY}"
NOBODY_LEFT = f"SELECT id::text FROM campaign c WHERE id = ANY(%s::uuid[]) AND {_OPEN} AND {_NOBODY}"
"""Those of these running campaigns in which nobody waits and no call is under way."""
_LOCK_TO_COMPLETE = f"SELECT 1 FROM campaign WHERE {_MAY_COMPLETE} FOR NO KEY UPDATE"


_LOCK = """
    SELECT status, single_call FROM campaign WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL
    FOR NO KEY UPDATE"""
_HELD = """
    SELECT 1 FROM campaign JOIN agent ON agent.id = campaign.agent_id
    WHERE campaign.id = %s AND campaign.tenant_id = %s AND campaign.status = 'running'
        AND campaign.deleted_at IS NULL AND agent.held_at IS NOT NULL AND NOT campaign.single_call
    FOR NO KEY UPDATE OF campaign"""


def start(campaign_id: uuid.UUID, tenant_id: str, owner: str = WEB) -> ActionResult:
    """Set a draft, scheduled or paused campaign running; a schedule is cleared.

    Raises CampaignNotFoundError, SingleCallError, NotAllowedError, UnusableError or BudgetExceededError.
    """
    return _run(campaign_id, tenant_id, Action.START, owner)


def resume(campaign_id: uuid.UUID, tenant_id: str, owner: str = WEB) -> ActionResult:
    """Set a paused campaign running again, or let the held agent of a running one go. Raises as `start` does."""
    held = rows(_HELD, campaign_id, tenant_id)
    if held and agent_holds.release(campaign_id):
        return ActionResult(CampaignStatus.RUNNING, generation(campaign_id), changed=False)
    return _run(campaign_id, tenant_id, Action.RESUME, owner)


def pause(campaign_id: uuid.UUID, tenant_id: str, owner: str = WEB) -> ActionResult:
    """Let a running campaign place no further call. The caller then waits for the dialers to say so.

    Raises CampaignNotFoundError, SingleCallError or NotAllowedError.
    """
    status, _ = _lock_and_check(campaign_id, tenant_id, Action.PAUSE)
    (now,) = rows("SELECT now()")
    return set_status(
        campaign_id,
        status,
        CampaignStatus.PAUSED,
        owner,
        blocked_reason="paused",
        blocked_since=now["now"],
        next_action_at=None,
    )


def stop(campaign_id: uuid.UUID, tenant_id: str, *, hangup: bool = False) -> ActionResult:
    """End a campaign for good. Nothing changes in an ended one, but that with `hangup` its calls have to end.

    Whoever still waits counts as cancelled from now on; the caller then has them cancelled (`campaigns.stopping`),
    and the calls marked (`calls_to_end.mark_campaign`). Raises CampaignNotFoundError.
    """
    status, answer = _lock_and_check(campaign_id, tenant_id, Action.STOP)
    if hangup:
        rows("UPDATE campaign SET hangup_at = now() WHERE id = %s", campaign_id)
    if answer is Verdict.UNCHANGED:
        return ActionResult(status, generation(campaign_id), changed=False)
    return mark_stopped(campaign_id, status)


def delete(campaign_id: uuid.UUID, tenant_id: str) -> None:
    """Hide a campaign for good; its calls stay counted.

    Raises CampaignNotFoundError, NotAllowedError, StoppingError or CallsInFlightError.
    """
    _lock_and_check(campaign_id, tenant_id, Action.DELETE)
    if rows("SELECT 1 FROM campaign WHERE id = %s AND stopping_at IS NOT NULL", campaign_id):
        raise StoppingError
    (found,) = rows(IN_FLIGHT, campaign_id)
    if found["n"]:
        raise CallsInFlightError(found["n"])
    rows("UPDATE campaign SET deleted_at = now() WHERE id = %s", campaign_id)


def pause_all(reason: str, owner: str) -> list[uuid.UUID]:
    """Pause every running campaign of every tenant, in the caller's transaction, and end single calls: nobody resumes
    one, and it is never placed late. Which they were. Nobody waits for the dialers: the caller sees that none of them
    claims."""
    found = rows(
        "SELECT id, single_call FROM campaign WHERE status = 'running' AND deleted_at IS NULL"
        " ORDER BY id FOR NO KEY UPDATE"
    )
    for row in found:
        if row["single_call"]:
            mark_stopped(row["id"], CampaignStatus.RUNNING)
            continue
        set_status(
            row["id"],
            CampaignStatus.RUNNING,
            CampaignStatus.PAUSED,
            owner,
            blocked_reason=reason,
            next_action_at=None,
        )
    return [row["id"] for row in found]


def nobody_left(campaign_ids: Collection[str]) -> list[str]:
    """Those of these campaigns that may be over: running ones whose contacts are all terminal, as far as one
    statement sees. Takes a connection of its own where the caller has none."""
    with db.connection_context():
        return [row["id"] for row in rows(NOBODY_LEFT, list(campaign_ids))]


def complete_if_exhausted(campaign_id: uuid.UUID, owner: str = WEB) -> bool:
    """Complete a running campaign whose contacts are all terminal, and none of which may come back from a breaker,
    unless it is kept open; True when this caller did.

    Call it after the transaction that ended a contact has committed: two that each end one of the last two
    contacts do not see each other's. Takes a connection and a transaction of its own where the caller has none.
    """
    with transaction():
        if not rows(_EXHAUSTED, campaign_id) or outcome_breakers.some_may_come_back(campaign_id):
            return False
        # Who adds contacts, or brings one back, holds the lock when they become visible: looked at before it, they
        # could be missed.
        if not rows(_LOCK_TO_COMPLETE, campaign_id) or not rows(_EXHAUSTED, campaign_id):
            return False
        end(campaign_id, CampaignStatus.RUNNING, CampaignStatus.COMPLETED, "exhausted", owner)
        return True


def _lock_and_check(campaign_id: uuid.UUID, tenant_id: str, action: Action) -> tuple[CampaignStatus, Answer]:
    """Lock the campaign and look its state up in the table. A single call began by itself, and is only ended."""
    found = rows(_LOCK, campaign_id, tenant_id)
    if not found:
        raise CampaignNotFoundError("Campaign not found")
    if found[0]["single_call"] and action not in (Action.STOP, Action.DELETE):
        raise SingleCallError
    status = CampaignStatus(found[0]["status"])
    answer = LIFECYCLE[status][action]
    if answer is Verdict.REFUSED:
        raise NotAllowedError(status, action)
    return status, answer


def _run(campaign_id: uuid.UUID, tenant_id: str, action: Action, owner: str) -> ActionResult:
    budget.lock(tenant_id)
    status, _ = _lock_and_check(campaign_id, tenant_id, action)
    _check_needs(campaign_id)
    _check_abandoned(campaign_id)
    agent_holds.release(campaign_id)
    budget.check(campaign_id, tenant_id)
    cleared: CampaignColumns = {
        "scheduled_at": None,
        "next_action_at": None,
        "blocked_reason": None,
        "blocked_since": None,
    }
    result = set_status(campaign_id, status, CampaignStatus.RUNNING, owner, **cleared)
    rows("UPDATE campaign SET started_at = coalesce(started_at, now()) WHERE id = %s", campaign_id)
    if complete_if_exhausted(campaign_id, owner):
        return ActionResult(CampaignStatus.COMPLETED, generation(campaign_id), changed=True)
    return result


def _check_needs(campaign_id: uuid.UUID) -> None:
    (found,) = rows(
        """
        SELECT a.deleted_at IS NOT NULL AS no_agent, a.action, a.safe_harbour, p.outbound_enabled,
            p.deleted_at IS NOT NULL OR p.tenant_id <> c.tenant_id AS no_number
        FROM campaign c JOIN agent a ON a.id = c.agent_id JOIN phone_number p ON p.id = c.phone_number_id
        WHERE c.id = %s FOR SHARE OF a, p""",
        campaign_id,
    )
    if found["no_agent"]:
        raise UnusableError("The campaign's agent has been deleted.")
    if found["no_number"]:
        raise UnusableError("The campaign's phone number has been deleted.", "caller_id")
    if not found["outbound_enabled"]:
        raise UnusableError("The campaign's phone number is not enabled for outbound calls.", "caller_id")
    _check_columns(campaign_id, found["action"], found["safe_harbour"])
    try:
        policy_choice.check(campaign_id)
    except policy_choice.PolicyRefusedError as refused:
        raise UnusableError(str(refused), "caller_id" if refused.of_caller_id else "agent") from refused


def _check_abandoned(campaign_id: uuid.UUID) -> None:
    """Raise UnusableError where more of its calls were abandoned than packs allow: it would be paused again."""
    (found,) = rows("SELECT policy_packs, purpose FROM campaign WHERE id = %s", campaign_id)
    policy = policy_choice.of_row(found).policy
    over = None if policy is None else abandon_rates.exceeded(campaign_id, policy)
    if over is not None:
        raise UnusableError(f"{over}.", abandon_rates.WORD)


def _check_columns(
    campaign_id: uuid.UUID, action: Mapping[str, Any], harbour: Mapping[str, Any] | None
) -> None:
    """Raise UnusableError where the agent, as it is now, needs a column that the list lacks."""
    wanted = templates(action, harbour, {})
    if not wanted:
        return
    (found,) = rows(
        """
        SELECT import_columns AS columns, (SELECT custom_fields FROM contact
            WHERE campaign_id = campaign.id ORDER BY position LIMIT 1) AS first
        FROM campaign WHERE id = %s""",
        campaign_id,
    )
    if found["columns"] is None:
        # A list that an older release imported: each of its contacts has all columns.
        names = list(found["first"] or {})
        variables = [variable_name(name) for name in names]
    else:
        names = [column["column"] for column in found["columns"]]
        variables = [column["variable"] for column in found["columns"]]
    try:
        refuse_missing(wanted, names, variables)
    except ListRefused as refused:
        raise UnusableError(f"{refused.message[0].upper()}{refused.message[1:]}.") from refused
