"""What was decided of a contact beside its calls: who took it out or brought it back, who wants it to be called when,
and why it is not called any more. Kept in its transitions, for as long as those (decision 0093)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from campaigns.contact_queries import told_time
from campaigns.dispositions import EXPIRED, SUPPRESSED
from models import rows

REASONS: Mapping[str, str] = {
    "asked": "Somebody asked for it.",
    "suppressed": "Its number is on a do-not-call list.",
    "expired": "Its expires_at had come.",
    "campaign_ended": "The campaign was stopped, or its time had come.",
    "never_open": "The campaign's window never opens where it is, or a rule of a policy pack bars calls to it.",
}
"""Why something was decided."""
ORDERS = {"oldest": "id", "newest": "id DESC"}
"""How decisions may be asked for."""

# Once a campaign has ended nobody is cancelled for anything else, whatever his disposition still says.
_REASON = f"""CASE WHEN by IS NOT NULL THEN 'asked' WHEN status <> 'cancelled' THEN NULL
        WHEN at >= c.completed_at THEN 'campaign_ended'
        WHEN disposition IN ('{SUPPRESSED}', '{EXPIRED}') THEN disposition
        WHEN owner <> 'web' THEN 'never_open' END"""
_STOPPED_BY = """(SELECT stopped.by FROM campaign_log AS stopped
        WHERE stopped.campaign_id = c.id AND stopped.action = 'stopped' ORDER BY stopped.id DESC LIMIT 1)"""
_OF_CONTACT = "FROM transition WHERE contact_id = contact.id AND call_id IS NULL"
_DECISIONS = """
    SELECT (SELECT count(*) {of_contact}) AS total, (
        SELECT coalesce(json_agg(json_build_object('at', {at}, 'status', status, 'reason', reason,
            'by', CASE WHEN reason = 'campaign_ended' THEN {stopped_by} ELSE by END,
            'next_attempt_at', {next_attempt_at}) ORDER BY {order}), '[]')::text
        FROM (SELECT id, at, status, by, next_attempt_at, {reason} AS reason {of_contact}
            ORDER BY {order} LIMIT %s OFFSET %s) AS page
    ) AS decisions
    FROM campaign c JOIN contact ON contact.campaign_id = c.id
    WHERE c.tenant_id = %s AND c.id = %s AND contact.id = %s AND c.deleted_at IS NULL AND c.purged_at IS NULL"""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Some of a contact's as the JSON that tells of them, and how many there are."""

    decisions: str
    total: int


def page(
    campaign_id: uuid.UUID, tenant_id: str, contact_id: uuid.UUID, *, limit: int, offset: int, order: str
) -> Decisions | None:
    """A page of what was decided of a contact, in one of ORDERS; None where this tenant's campaign has no such."""
    sql = _DECISIONS.format(
        of_contact=_OF_CONTACT,
        at=told_time("at"),
        next_attempt_at=told_time("next_attempt_at"),
        stopped_by=_STOPPED_BY,
        reason=_REASON,
        order=ORDERS[order],
    )
    found = rows(sql, limit, offset, tenant_id, campaign_id, contact_id)
    return Decisions(found[0]["decisions"], found[0]["total"]) if found else None
