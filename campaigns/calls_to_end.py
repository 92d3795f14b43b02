"""Marks the calls that have to end: those that were up or on their way when a halt, or `stop?hangup=true`, was asked
for.

That is a state of each call's row (`hangup_at`), set by compare-and-set and read every second by whoever owns the
call, until it is over: a message may be lost, a node away, a dialer not started yet. It stands when the halt is
lifted meanwhile. The API sets it when it is asked and once more when every dialer holds; each dialer sets it for its
own calls while a halt stands, since a claim may be committed beside. A call that is closed for its contact and may be
up all the same (`slot_until`, `dialer/recovery/maybe_live.py`) has to end as well. Decision 0038.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from models import rows

EVERYBODY = "*"
"""The scope of a halt over everybody; every other is a tenant's id."""

_MAY_BE_UP = "(ended_at IS NULL OR slot_until IS NOT NULL)"
# In the order of their ids, as everybody locks calls; and as an array, so that no table is read, whatever the planner
# takes their number for.
MARK_TENANT = f"""
    UPDATE call SET hangup_at = now() WHERE id = ANY(ARRAY(
        SELECT id FROM call WHERE {_MAY_BE_UP} AND hangup_at IS NULL AND %s IN ('{EVERYBODY}', tenant_id)
        ORDER BY id FOR UPDATE))"""
"""Marks the calls of a halt's scope that may be up."""
MARK_CAMPAIGN = f"""
    UPDATE call SET hangup_at = now() WHERE id = ANY(ARRAY(
        SELECT id FROM call WHERE {_MAY_BE_UP} AND hangup_at IS NULL AND campaign_id = %s ORDER BY id FOR UPDATE))"""
"""Marks the calls of a campaign that may be up."""
# No call lasts for a day.
_STOPPED = "SELECT id FROM campaign WHERE hangup_at > now() - interval '1 day'"
_IN_FORCE = f"EXISTS (SELECT FROM halt) OR EXISTS ({_STOPPED})"
WANTED = f"""
    {_IN_FORCE} OR EXISTS (SELECT FROM call WHERE hangup_at IS NOT NULL AND {_MAY_BE_UP})"""
"""Whether there is anything to mark or to end: a part of the statement with which a dialer looks for that."""
MARK_DIALER = f"""
    UPDATE call SET hangup_at = now() WHERE id = ANY(ARRAY(
        SELECT id FROM call WHERE dialer_id = %s AND {_MAY_BE_UP} AND hangup_at IS NULL AND (
            EXISTS (SELECT FROM halt WHERE scope IN ('{EVERYBODY}', call.tenant_id))
            OR campaign_id IN ({_STOPPED}))
        ORDER BY id FOR UPDATE SKIP LOCKED))"""
"""Marks those of a dialer's calls that a halt or a stop concerns; it looks each second, and waits for no row."""
TO_END = f"""
    SELECT id::text AS call_id, node, core_uuid FROM call
    WHERE hangup_at IS NOT NULL AND {_MAY_BE_UP} AND %s IN ('{EVERYBODY}', dialer_id)"""
"""The marked calls of a dialer, or of everybody, that may be up."""
STILL_UP = f"""
    SELECT node, count(*)::int AS calls FROM call
    WHERE hangup_at IS NOT NULL AND {_MAY_BE_UP} AND %s IN ('{EVERYBODY}', tenant_id)
        AND coalesce(%s, campaign_id) = campaign_id
    GROUP BY node ORDER BY node"""
"""How many marked calls may be up on each node, of a scope and perhaps one campaign."""


@dataclass(frozen=True, slots=True)
class CallToEnd:
    """A call that has to end, the node that has it, and which run of that was to place it."""

    call_id: str
    node: str
    core_uuid: str | None


@dataclass(frozen=True, slots=True)
class StillUp:
    """Calls that have to end and are not known to be over, by the node that has them."""

    node: str
    calls: int


def mark_tenant(scope: str) -> None:
    """Every call of a tenant, or of EVERYBODY, has to end."""
    rows(MARK_TENANT, scope)


def mark_campaign(campaign_id: uuid.UUID | str) -> None:
    """Every call of a campaign has to end. Takes locks of calls: not in a transaction that holds a campaign's."""
    rows(MARK_CAMPAIGN, str(campaign_id))


def in_force() -> bool:
    """Whether there is a halt, or a stop of today, by which calls have to end."""
    found: bool = rows(f"SELECT {_IN_FORCE} AS in_force")[0]["in_force"]
    return found


def mark_dialer(dialer_id: str) -> None:
    """Every call that this dialer owns has to end whose tenant is halted, or whose campaign was stopped so."""
    rows(MARK_DIALER, dialer_id)


def to_end(dialer_id: str) -> list[CallToEnd]:
    """The calls that have to end, of those that a dialer, or EVERYBODY, owns."""
    return [CallToEnd(**row) for row in rows(TO_END, dialer_id)]


def still_up(scope: str, campaign_id: uuid.UUID | None = None) -> list[StillUp]:
    """How many calls have yet to end, by node: of a tenant, of EVERYBODY, or of one campaign of theirs."""
    return [StillUp(**row) for row in rows(STILL_UP, scope, campaign_id)]
