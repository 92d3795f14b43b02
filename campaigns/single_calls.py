"""A call that somebody asks for by itself: `POST /calls/originate`, or a campaign's test call.

It is a campaign of its own with one contact and no retries, which no list of campaigns shows. So it is claimed, sent,
recorded and taken over as every other call is, under the same caps, windows and suppressions, and it is followed,
stopped and hung up on as a campaign is. Where it could not leave within BOUND_SECONDS its contact expires: it is
never placed late. In the caller's transaction. Decision 0077.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import orjson

from campaigns import additions, older_dialers, openings, policy_choice, store
from campaigns.addition_rows import Added
from campaigns.column_names import ListColumn, variable_name
from campaigns.errors import CampaignsError
from campaigns.group_hours import hours_of
from campaigns.import_rows import AcceptedRow
from campaigns.policy_choice import PolicyChoice
from campaigns.row_templates import Template
from campaigns.suppressed_rows import ErasedNumbers
from campaigns.suppression_match import suppressed
from campaigns.window_changes import Window
from models import db, new_id, rows

BOUND_SECONDS = 30
"""A single call that could not leave for so long never does."""
KNOWN = 48
"""The migration of which a dialer has to know for it to keep places for single calls."""

_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('single call ' || %s, 0)) AS taken"
_HALTED = "SELECT 1 FROM halt WHERE scope IN ('*', %s)"
_LIMITS = """
    SELECT concurrent_max, calls_per_minute, daily_calls_max, daily_minutes_max, reserved_concurrency
    FROM call_limits WHERE tenant_id = %s"""
WAITING = """
    SELECT count(*)::int AS n FROM campaign JOIN contact ON contact.campaign_id = campaign.id
    WHERE campaign.tenant_id = %s AND campaign.status = 'running' AND campaign.single_call
        AND contact.status = 'pending' AND contact.expires_at > now()"""
"""How many single calls of a tenant wait."""
_CAMPAIGN = """
    INSERT INTO campaign (id, tenant_id, name, agent_id, phone_number_id, status, started_at, max_concurrent_calls,
        retries_per_contact, retry_delay_seconds, created_by, weight, metadata, import_columns, windows, holidays,
        time_zone, zones_read, single_call, test_of, policy_packs, purpose)
    SELECT %s, %s, %s, %s, %s, 'running', now(), 1, 0, 60, %s, 100, '{}', '[]', of_test.windows, of_test.holidays, %s,
        true, true, %s, %s, %s
    FROM (SELECT %s::jsonb AS windows, %s::jsonb AS holidays) AS of_test"""
_BOUND = f"""
    UPDATE contact SET expires_at = now() + interval '{BOUND_SECONDS} s' WHERE id = %s
    RETURNING created_at, expires_at, status"""
_OPENS = """
    SELECT opens_at, opens_at <= now() AS open FROM opening
    WHERE campaign_id = %s AND closes_at > now() ORDER BY opens_at LIMIT 1"""
_BARRED = f"""
    SELECT {suppressed("%(number)s", tenant="%(tenant)s", campaign="%(campaign)s::uuid", digest="NULL::bytea")}
        AS barred"""
_TESTED = """
    SELECT c.id, c.name, c.agent_id, c.phone_number_id, c.windows, c.holidays, c.time_zone, c.policy_packs,
        c.purpose, p.e164, c.import_columns AS columns, a.variables,
        c.completed_at IS NOT NULL AS over,
        (SELECT custom_fields FROM contact WHERE campaign_id = c.id ORDER BY position LIMIT 1) AS first
    FROM campaign c JOIN phone_number p ON p.id = c.phone_number_id JOIN agent a ON a.id = c.agent_id
    WHERE c.id = %s AND c.tenant_id = %s AND c.deleted_at IS NULL AND NOT c.single_call"""
_TESTS = "SELECT id FROM campaign WHERE test_of = %s AND completed_at IS NULL ORDER BY id"
_PLACED = """
    SELECT c.id AS campaign_id, contact.id AS contact_id, contact.phone_number, p.e164 AS caller_id,
        contact.created_at, contact.disposition, last.id AS call_id,
        contact.status = 'pending' AND contact.expires_at > now() AND c.completed_at IS NULL AS waits,
        contact.status = 'pending' AND contact.expires_at <= now() AS late
    FROM campaign c JOIN contact ON contact.campaign_id = c.id JOIN phone_number p ON p.id = c.phone_number_id
        LEFT JOIN LATERAL (
            SELECT id FROM call WHERE contact_id = contact.id ORDER BY seq DESC LIMIT 1) AS last ON true
    WHERE c.id = %s AND c.tenant_id = %s AND c.single_call"""


class Cap(StrEnum):
    """A cap of the tenant that keeps a single call from being taken; the words are the API's."""

    CONCURRENT = "Concurrent call limit reached"
    RATE = "Call rate limit"
    DAY_CALLS = "Daily call limit reached"
    DAY_MINUTES = "Daily minute budget exhausted"


class SingleCallRefusedError(CampaignsError):
    """The call cannot be placed now. `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class BusyError(CampaignsError):
    """Another single call of the tenant is being taken now."""

    def __init__(self) -> None:
        super().__init__("Other calls of the tenant are being taken; this one was not.")


class CapReachedError(CampaignsError):
    """The tenant has no call left. `unsure`: single calls that wait were counted, one of which may have left just now
    and be counted twice."""

    def __init__(self, cap: Cap, *, unsure: bool) -> None:
        super().__init__(cap)
        self.cap = cap
        self.unsure = unsure


@dataclass(frozen=True, slots=True)
class Used:
    """What a tenant uses now: calls in progress, of the last minute and of the UTC day, and the day's seconds."""

    concurrent: int
    last_minute: int
    day_calls: int
    day_seconds: int


@dataclass(frozen=True, slots=True)
class Limits:
    """A tenant's four caps; None is unlimited. `reserved_concurrency`: so many of its places are single calls'."""

    concurrent_max: int | None = None
    calls_per_minute: int | None = None
    daily_calls_max: int | None = None
    daily_minutes_max: int | None = None
    reserved_concurrency: int = 0

    @classmethod
    def of(cls, tenant_id: str) -> Self:
        """Those of a tenant, within a transaction."""
        found = rows(_LIMITS, tenant_id)
        return cls(**found[0]) if found else cls()

    def reached(self, used: Used, waiting: int) -> Cap | None:
        """The first of them that leaves no room for one call more than those in use and `waiting` single ones."""
        caps = (
            (Cap.CONCURRENT, self.concurrent_max, used.concurrent + waiting),
            (Cap.RATE, self.calls_per_minute, used.last_minute + waiting),
            (Cap.DAY_CALLS, self.daily_calls_max, used.day_calls + waiting),
            (Cap.DAY_MINUTES, self.daily_minutes_max, used.day_seconds / 60),
        )
        return next((cap for cap, limit, taken in caps if limit is not None and taken >= limit), None)


@dataclass(frozen=True, slots=True)
class SingleCall:
    """A call as it was asked for: its references have been checked. `row` has its number and its columns."""

    tenant_id: str
    created_by: str
    agent_id: uuid.UUID
    phone_number_id: uuid.UUID
    caller_id: str
    row: AcceptedRow
    columns: Sequence[ListColumn]
    window: Window
    policy: PolicyChoice
    name: str = "Single call"
    test_of: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """A campaign that a test call tries, and of the first contact of its list the columns that its agent needs."""

    campaign_id: uuid.UUID
    name: str
    agent_id: uuid.UUID
    phone_number_id: uuid.UUID
    caller_id: str
    window: Window
    policy: PolicyChoice
    templates: tuple[Template, ...]
    first: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Taken:
    """A single call that was taken. By `id` it is found, as a call and as a campaign."""

    id: uuid.UUID
    contact_id: uuid.UUID
    phone_number: str
    caller_id: str
    created_at: datetime
    expires_at: datetime
    state: str = field(default="queued")


@dataclass(frozen=True, slots=True)
class Placed:
    """How far a single call has come: the id of its last call; where there is none, whether it `waits`."""

    campaign_id: uuid.UUID
    contact_id: uuid.UUID
    phone_number: str
    caller_id: str
    created_at: datetime
    disposition: str | None
    call_id: uuid.UUID | None
    waits: bool
    late: bool


def refuse_where_nobody_may(tenant_id: str) -> None:
    """Raise SingleCallRefusedError where the tenant is halted, or a dialer runs that knows nothing of single calls;
    else be the only one who takes a single call of the tenant until the transaction ends. Raises BusyError where
    another is: who waited here would keep a connection from everybody else."""
    if older_dialers.may_run(KNOWN):
        raise SingleCallRefusedError(
            "older_dialer",
            "A dialer of an older release, which keeps no place for single calls, is still running.",
        )
    (turn,) = rows(_TAKE_TURN, tenant_id)
    if not turn["taken"]:
        raise BusyError
    if rows(_HALTED, tenant_id):
        raise SingleCallRefusedError("halted", "Calls are halted; none starts until the halt is lifted.")


def refuse_over_caps(tenant_id: str, used: Used) -> None:
    """Raise CapReachedError where the tenant's caps leave no room beside what is `used` and what waits to leave. What
    a cap allows exactly the limiter says when the call leaves."""
    (waiting,) = rows(WAITING, tenant_id)
    cap = Limits.of(tenant_id).reached(used, waiting["n"])
    if cap is not None:
        raise CapReachedError(cap, unsure=waiting["n"] > 0)


def tested(campaign_id: uuid.UUID, tenant_id: str) -> Tested | None:
    """The campaign that a test call is to try; None where this tenant has no such. Raises SingleCallRefusedError for
    one that has ended."""
    found = rows(_TESTED, campaign_id, tenant_id)
    if not found:
        return None
    one = found[0]
    if one["over"]:
        raise SingleCallRefusedError("ended", "The campaign has ended; no test call of it can be placed.")
    window = Window(one["windows"], one["holidays"], one["time_zone"])
    templates = store.agent_templates(one["agent_id"])
    variables = {column["column"]: column["variable"] for column in one["columns"] or ()}
    return Tested(
        one["id"],
        one["name"],
        one["agent_id"],
        one["phone_number_id"],
        one["e164"],
        window,
        policy_choice.of_row(one),
        templates,
        needed(one["first"] or {}, templates, one["variables"], variables),
    )


def needed(
    fields: Mapping[str, str],
    templates: Sequence[Template],
    travels: Sequence[str] | None,
    variables: Mapping[str, str],
) -> dict[str, str]:
    """Those of a contact's columns that an agent with these templates says or dials, and those that travel with its
    calls: all of them where that is None. `variables` are the columns' own, where their list names them. Pure."""
    if travels is None:
        return dict(fields)
    wanted = {name for template in templates for name in template.columns}
    carried = {variable_name(name) for name in wanted}
    wanted.update(travels)
    return {
        name: value
        for name, value in fields.items()
        if name in wanted or (variables.get(name) or variable_name(name)) in carried
    }


def open_tests(campaign_id: uuid.UUID) -> list[uuid.UUID]:
    """The test calls of a campaign, as campaigns, that are not over: what concerns it concerns them."""
    return [row["id"] for row in rows(_TESTS, campaign_id)]


def take(call: SingleCall, erased_numbers: ErasedNumbers) -> Taken:
    """Write the call, for a dialer to place at once. Raises SingleCallRefusedError where its number is on a
    do-not-call list or its window is not open, and PolicyRefusedError; the caller's transaction then keeps
    nothing."""
    campaign_id = new_id()
    if call.test_of is not None and _barred(call, call.test_of):
        raise _suppressed()
    rows(
        _CAMPAIGN,
        campaign_id,
        call.tenant_id,
        call.name,
        call.agent_id,
        call.phone_number_id,
        call.created_by,
        call.window.time_zone,
        call.test_of,
        policy_choice.ON if call.policy.on else policy_choice.OFF,
        call.policy.purpose,
        _json(call.window.windows),
        _json(call.window.holidays),
    )
    (added,) = additions.add_rows(campaign_id, [call.row], call.columns, erased_numbers, single=True)
    if added.result is Added.SUPPRESSED or added.contact_id is None:
        raise _suppressed()
    if call.window.windows is not None:
        _refuse_outside(campaign_id, added.contact_id)
    policy_choice.check(campaign_id)
    (contact,) = rows(_BOUND, added.contact_id)
    return Taken(
        campaign_id,
        added.contact_id,
        call.row.phone_number,
        call.caller_id,
        contact["created_at"],
        contact["expires_at"],
    )


def placed(call_id: uuid.UUID, tenant_id: str) -> Placed | None:
    """How far the single call of this id has come; None where the tenant has no such."""
    found = rows(_PLACED, call_id, tenant_id)
    return Placed(**found[0]) if found else None


def _refuse_outside(campaign_id: uuid.UUID, contact_id: uuid.UUID) -> None:
    openings.write(campaign_id)
    found = rows(_OPENS, campaign_id)
    if found and found[0]["open"]:
        return
    hours, now = openings.hours_of_contact(campaign_id, contact_id)
    if not found:
        raise SingleCallRefusedError("window", f"The number can never be called: {hours.why_never(now)}.")
    opens_at = found[0]["opens_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
    shut, rules = hours.shut_by(now)
    if not rules:
        told = f"the calling window, which opens at {opens_at}"
    elif shut:
        told = f"the calling window and {hours_of(rules)}; both are open at {opens_at}"
    else:
        told = f"{hours_of(rules)}, which begin at {opens_at}"
    raise SingleCallRefusedError("window", f"It is outside {told}.")


def _barred(call: SingleCall, campaign_id: uuid.UUID) -> bool:
    asked = {"number": call.row.phone_number, "tenant": call.tenant_id, "campaign": campaign_id}
    (barred,) = db.execute_sql(_BARRED, asked).fetchone()
    return bool(barred)


def _suppressed() -> SingleCallRefusedError:
    return SingleCallRefusedError("suppressed", "The number is on a do-not-call list.")


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
