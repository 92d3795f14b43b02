"""What the breaker for suspicious outcomes holds of a campaign, as the API tells it, and who lets the campaign go on.

What trips it, and brings back who tripped it, is the dialers' (`dialer/capacity/outcome_breaker.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from campaigns.call_outcomes import CauseCount
from models import rows, rows_as

MOST_RETURNS = 2
"""So often a contact comes back: one whose number is dead for good trips a breaker each time."""
MAY_RING_AGAIN = """
(call.disposition = 'node_fault'
    OR call.progress_at IS NOT NULL AND (call.disposition = 'rejected' OR call.sip_status = 607)) IS NOT TRUE"""
"""Of a call that ended suspiciously: nobody was rung and declined (603; 607, unwanted), or picked up and heard
nothing. The first is a person's answer, whatever was wrong with other calls; neither is rung again for nothing."""
WORD = "breaker"
"""The `blocked_reason` of a campaign that it holds."""

# On its own caller id; by its gateways, or the one its agent is reached by, where it says so, or where calls of it
# tripped it.
_HELD = """
SELECT breaker.gateway_id, breaker.prefix, breaker.caller_id, breaker.held_at, breaker.probe_at, breaker.top_causes
FROM campaign JOIN phone_number ON phone_number.id = campaign.phone_number_id
    JOIN gateway ON gateway.id = phone_number.gateway_id
    JOIN agent ON agent.id = campaign.agent_id
    JOIN breaker ON breaker.released_at IS NULL AND (breaker.caller_id = phone_number.e164
        OR breaker.gateway_id <> ''
            AND (breaker.gateway_id = gateway.id::text OR gateway.failover ? breaker.gateway_id
                OR breaker.gateway_id = btrim(agent.action ->> 'gateway_id'))
            AND (campaign.blocked_reason = 'breaker' OR EXISTS (SELECT FROM breaker_tally AS tally
                WHERE tally.breaker_id = breaker.id AND tally.campaign_id = campaign.id)))
WHERE campaign.id = %s AND campaign.status IN ('running', 'paused') AND campaign.breaker_exempt_at IS NULL
ORDER BY breaker.held_at, breaker.id
"""
_COMING_BACK = f"""
SELECT 1 FROM call JOIN contact ON contact.id = call.contact_id
WHERE call.id = ANY(ARRAY(
        SELECT jsonb_array_elements_text(tally.suspicious_calls)::uuid
        FROM breaker_tally AS tally JOIN breaker ON breaker.id = tally.breaker_id AND breaker.released_at IS NULL
        WHERE tally.campaign_id = %s AND tally.breaker_id IS NOT NULL))
    AND contact.sends = call.seq AND contact.status = 'failed' AND contact.breaker_returns < %s
    AND {MAY_RING_AGAIN}
LIMIT 1
"""
_EXEMPT = """
UPDATE campaign SET breaker_exempt_at = now(), breaker_exempt_by = %s WHERE id = %s AND breaker_exempt_at IS NULL
RETURNING breaker_exempt_at AS at
"""


class HeldCalls(TypedDict):
    """Calls that are held: all by a gateway to one destination, or all of a caller id."""

    gateway_id: str | None
    prefix: str | None
    caller_id: str | None
    held_at: datetime
    probe_at: datetime
    top_causes: Sequence[CauseCount]


def held(campaign_id: uuid.UUID) -> list[HeldCalls]:
    """What is held of a campaign's calls now, on the connection that the caller holds."""
    return [_told(row) for row in rows_as(HeldCalls, _HELD, campaign_id)]


def some_may_come_back(campaign_id: uuid.UUID) -> bool:
    """Whether contacts of a campaign come back once what a breaker holds is released, on the caller's connection."""
    return bool(rows(_COMING_BACK, campaign_id, MOST_RETURNS))


def exempt(campaign_id: uuid.UUID, by: str) -> datetime | None:
    """From now on no breaker holds this campaign, and its calls trip none; what became of them stands. Since when, or
    None where somebody said so before."""
    found = rows(_EXEMPT, by, campaign_id)
    rows("DELETE FROM breaker_tally WHERE campaign_id = %s", campaign_id)
    return found[0]["at"] if found else None


def _told(row: HeldCalls) -> HeldCalls:
    """What is not named is empty in the table."""
    return {
        **row,
        "gateway_id": row["gateway_id"] or None,
        "prefix": row["prefix"] or None,
        "caller_id": row["caller_id"] or None,
    }
