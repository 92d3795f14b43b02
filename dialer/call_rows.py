"""Rows of open calls to live calls: of those that a dialer did not place itself, or has forgotten.

Used by whoever takes calls over, by the audit, and where the answer to a claim was lost.
"""

from __future__ import annotations

import time
from typing import Any

from campaigns.further_numbers import has_other
from campaigns.retry_rules import retry_rules
from dialer.live_calls import LiveCall, LiveState
from models import CallState, db, rows

TRIED = """ARRAY(
    SELECT earlier.gateway_id::text FROM call AS earlier WHERE earlier.contact_id = {contact} AND earlier.failover
        AND earlier.seq > coalesce((SELECT max(word.seq) FROM call AS word WHERE word.contact_id = {contact}
            AND NOT word.failover AND word.state = 'ended' AND word.sent_at IS NOT NULL), 0))"""
"""The gateways tried for a contact since its last call that no other gateway was to follow, from its call rows."""
REJECTED = """EXISTS (
    SELECT 1 FROM call AS earlier WHERE earlier.contact_id = contact.id AND earlier.attempt IS NOT NULL
        AND earlier.disposition = 'rejected')"""
"""Whether a contact has rejected an attempt before, from its call rows."""
COUNTS_FOR_NUMBER = """(
    progress_at IS NOT NULL OR answered_at IS NOT NULL
    OR coalesce(disposition, '') IN ('outcome_unknown', 'node_fault'))"""
"""Whether a call that is over counts for its number: it rang, was answered, or nobody knows how it ended, or whether
its node failed it before it rang: one without a port for its media was picked up without a ring."""

_LIVE_CALLS = f"""
SELECT taken.id::text AS call_id, taken.contact_id::text, taken.campaign_id::text, taken.tenant_id,
    taken.gateway_id::text, taken.second_leg_gateway_id::text, taken.caller_id, taken.node, taken.core_uuid,
    taken.phone_number, taken.generation,
    taken.sent_by, taken.doubtful, taken.hangup_at IS NOT NULL AS must_end, taken.attempt, taken.state,
    extract(epoch FROM now() - taken.answered_at)::float8 AS answered_ago,
    extract(epoch FROM now() - taken.sent_at)::float8 AS sent_ago,
    extract(epoch FROM now() - taken.created_at)::float8 AS claimed_ago, contact.free_sends,
    contact.carrier_refusals, contact.gateway_faults, contact.disturbed,
    {REJECTED} AS rejected, {has_other("contact")} AS other_number, campaign.retries_per_contact,
    campaign.retry_delay_seconds,
    campaign.retry_rules,
    coalesce(taken.ring_seconds, agent.ring_timeout_seconds) AS ring_seconds,
    coalesce(taken.max_seconds, agent.max_call_seconds) AS max_seconds, {TRIED.format(contact="contact.id")} AS tried
FROM taken JOIN contact ON contact.id = taken.contact_id JOIN campaign ON campaign.id = taken.campaign_id
    JOIN agent ON agent.id = campaign.agent_id
WHERE taken.state <> 'ended'
"""
ADOPT = f"""
WITH mine AS (
    SELECT id FROM call WHERE dialer_id = %s AND (ended_at IS NULL OR slot_until IS NOT NULL)
    ORDER BY id FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE call SET dialer_id = %s FROM mine WHERE call.id = mine.id RETURNING call.*
)
{_LIVE_CALLS}
"""
"""Makes a dead dialer's calls another's, and reads those that are not over. Those of which somebody keeps the row
locked are left: until nothing of a dialer's is left he is looked at each second."""
OPEN_LIVE_CALLS = f"""
WITH taken AS (SELECT * FROM call WHERE dialer_id = %s AND id = ANY(%s::uuid[]))
{_LIVE_CALLS}
"""
"""Those of these calls of a dialer's that are not over."""


def adopt_calls(of: str, dialer_id: str) -> list[LiveCall]:
    """Make `dialer_id` the owner of what `of` owned: its open calls, which are returned, and those that keep slots.

    But for those whose rows somebody keeps locked. Raises what a database that is away raises; nothing was adopted
    then, or all of it.
    """
    with db.connection_context(), db.atomic():
        return [_live_call(row) for row in rows(ADOPT, of, dialer_id)]


def open_calls(dialer_id: str, call_ids: list[str]) -> list[LiveCall]:
    """Those of `call_ids` that are open and this dialer's. Raises what a database that is away raises."""
    with db.connection_context():
        return [_live_call(row) for row in rows(OPEN_LIVE_CALLS, dialer_id, call_ids)]


def _live_call(row: dict[str, Any]) -> LiveCall:
    now = time.monotonic()
    answered = row["state"] == CallState.ANSWERED
    return LiveCall(
        call_id=row["call_id"],
        contact_id=row["contact_id"],
        campaign_id=row["campaign_id"],
        tenant_id=row["tenant_id"],
        gateway_id=row["gateway_id"],
        second_leg_gateway_id=row["second_leg_gateway_id"],
        caller_id=row["caller_id"],
        tried=tuple(row["tried"]),
        node=row["node"],
        core_uuid=row["core_uuid"],
        phone_number=row["phone_number"],
        generation=row["generation"],
        attempt=row["attempt"],
        free_sends=row["free_sends"],
        carrier_refusals=row["carrier_refusals"],
        gateway_faults=row["gateway_faults"],
        disturbed=row["disturbed"],
        rejected=row["rejected"],
        other_number=row["other_number"],
        retries_per_contact=row["retries_per_contact"],
        retry_delay_seconds=row["retry_delay_seconds"],
        retry_rules=retry_rules(row["retry_rules"]),
        ring_seconds=row["ring_seconds"],
        max_seconds=row["max_seconds"],
        sent_by=row["sent_by"],
        claimed_at=now - row["claimed_ago"],
        sent_at=None if row["sent_ago"] is None else now - row["sent_ago"],
        answered_at=now - (row["answered_ago"] or 0.0) if answered else None,
        state=_state(row),
        progress=row["state"] == CallState.RINGING,
        adopted_at=now,
        delivery_unknown=row["doubtful"],
        must_end=row["must_end"],
        unheard=True,
    )


def _state(row: dict[str, Any]) -> LiveState:
    """What the row proves: of a call that was never shown, its sender alone knows whether it was written."""
    match row["state"]:
        case CallState.ANSWERED:
            return LiveState.ANSWERED
        case CallState.RINGING:
            return LiveState.RINGING
        case _:
            return LiveState.CLAIMED if row["sent_ago"] is None else LiveState.SEEN
