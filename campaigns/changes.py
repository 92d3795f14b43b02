"""Changes what a client may change of a campaign until it has ended, and names the version of that.

A field that is one column of the campaign is a line of PATCHABLE; what dialers go by reaches them with the campaign's
row (`dialer.dispatch.plan_rows.VERSION`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

from campaigns import budget, policy_choice, schedule_changes, window_changes
from campaigns.errors import CampaignsError
from campaigns.lifecycle import complete_if_exhausted
from campaigns.lifecycle_errors import CampaignNotFoundError, SingleCallError
from campaigns.schedule_changes import ScheduleChanges
from campaigns.taken_away import Held
from campaigns.window_changes import WindowChanges
from models import CAMPAIGN_ENDED, Campaign, CampaignStatus, rows

Values = Mapping[str, Any]
"""A campaign's fields by name."""


class CampaignEndedError(CampaignsError):
    """What has ended is not changed."""

    def __init__(self, status: str) -> None:
        super().__init__(f"Campaign is {status}; it cannot be changed.")


class StaleError(CampaignsError):
    """The campaign is not as whoever changes it has seen it; `current` is its version."""

    def __init__(self, current: str) -> None:
        super().__init__("The campaign was changed meanwhile; get it again and repeat what is still wanted.")
        self.current = current


def _fits(campaign_id: uuid.UUID, tenant_id: str, before: Values, calls: int) -> None:
    """What runs takes of the tenant's budget; less of it is always free."""
    if before["status"] == CampaignStatus.RUNNING and calls > before["max_concurrent_calls"]:
        budget.check(campaign_id, tenant_id)


def _ends(campaign_id: uuid.UUID, _tenant_id: str, _before: Values, kept: bool) -> None:
    """What is not kept open any more ends at once where nobody is left; dialers see to it that calls end it later."""
    if not kept:
        complete_if_exhausted(campaign_id)


def _has_column(campaign_id: uuid.UUID, _tenant_id: str, _before: Values, column: str | None) -> None:
    policy_choice.check_key_column(campaign_id, column)


Check = Callable[[uuid.UUID, str, Values, Any], None]
"""Refuses a new value, given the campaign, its tenant, its fields before, and that value, written by then."""

PATCHABLE: Mapping[str, Check | None] = {
    "name": None,
    "max_concurrent_calls": _fits,
    "weight": None,
    "slow_start": None,
    "retries_per_contact": None,
    "retry_delay_seconds": None,
    "retry_rules": None,
    "dial_order": None,
    "keep_open": _ends,
    "key_column": _has_column,
    "external_id": None,
    "metadata": None,
}
"""The columns of a campaign that may be changed, each with what else has to hold of a new value."""

SCHEDULE = ("scheduled_at", "end_at", "time_zone")
WINDOW = ("windows", "holidays")
POLICY = ("policy_packs", "purpose")
FIELDS = (*PATCHABLE, *SCHEDULE, *WINDOW, *POLICY)
_LOCK = f"""
    SELECT status, single_call, {", ".join(FIELDS)} FROM campaign
    WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL FOR NO KEY UPDATE"""


def version(fields: Values) -> str:
    """Names what may be changed of a campaign, as it is now: another text where one of FIELDS has another value."""
    told = {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name in FIELDS
        for value in [fields[name]]
    }
    return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def change(
    campaign_id: uuid.UUID,
    tenant_id: str,
    asked: Values,
    now: datetime,
    expected: Collection[str] | None = None,
) -> list[Held]:
    """Change what is `asked` of a campaign that has not ended, in the caller's transaction; what is left out stays.
    All or nothing. `expected` are the versions of which it must be one. Returned is the campaign where calls that
    were claimed by its window of before are to be held back.

    Raises CampaignNotFoundError, SingleCallError, StaleError, CampaignEndedError, BudgetExceededError,
    ScheduleRefusedError, StartFixedError, WindowRefusedError, WindowNotPossibleError, PolicyNotPossibleError or
    KeyColumnError.
    """
    if any(PATCHABLE.get(name) is _fits for name in asked):
        budget.lock(tenant_id)
    found = rows(_LOCK, campaign_id, tenant_id)
    if not found:
        raise CampaignNotFoundError("Campaign not found")
    before = found[0]
    if before["single_call"]:
        raise SingleCallError
    if expected is not None and (current := version(before)) not in expected:
        raise StaleError(current)
    if before["status"] in CAMPAIGN_ENDED:
        raise CampaignEndedError(before["status"])
    policy = _policy(asked)
    if policy:
        policy_choice.check_change(before, policy)
        Campaign.update(policy).where(Campaign.id == campaign_id).execute()
    columns = {name: value for name, value in asked.items() if name in PATCHABLE}
    if columns:
        Campaign.update(columns).where(Campaign.id == campaign_id).execute()
    for name, value in columns.items():
        check = PATCHABLE[name]
        if check is not None:
            check(campaign_id, tenant_id, before, value)
    schedule = _schedule(asked)
    if schedule:
        schedule_changes.change(campaign_id, schedule, now)
    windowed = _window(asked)
    bounded = windowed or policy or "time_zone" in asked
    return window_changes.change(campaign_id, windowed) if bounded else []


def _policy(asked: Values) -> policy_choice.PolicyChanges:
    policy: policy_choice.PolicyChanges = {}
    if "policy_packs" in asked:
        policy["policy_packs"] = asked["policy_packs"]
    if "purpose" in asked:
        policy["purpose"] = asked["purpose"]
    return policy


def _window(asked: Values) -> WindowChanges:
    windowed: WindowChanges = {}
    if "windows" in asked:
        windowed["windows"] = asked["windows"]
    if "holidays" in asked:
        windowed["holidays"] = asked["holidays"]
    return windowed


def _schedule(asked: Values) -> ScheduleChanges:
    schedule: ScheduleChanges = {}
    if "scheduled_at" in asked:
        schedule["scheduled_at"] = asked["scheduled_at"]
    if "end_at" in asked:
        schedule["end_at"] = asked["end_at"]
    if "time_zone" in asked:
        schedule["time_zone"] = asked["time_zone"]
    return schedule
