"""What somebody may ask of the contacts of a campaign: a callback, taking one out or back in, and calling again all
who ended so. In the caller's transaction, each of which is short.

A contact in a call is left alone: what becomes of it the call decides. Who is brought back has the attempts that he
had, and is called once at least; what counted against the platform is forgotten.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

from campaigns import openings
from campaigns.campaign_state import WEB
from campaigns.errors import CampaignsError
from campaigns.lifecycle_errors import CampaignNotFoundError, SingleCallError
from models import CAMPAIGN_ENDED, CONTACT_REQUESTS, ContactStatus, db, rows

SLICE = 5_000
"""Places of a list that one transaction goes through: while it lasts, a stop of the campaign waits."""
LANE = f"{WEB}:contacts"

# Shared: whoever records calls goes on, and who would end the campaign waits.
_LOCK = """
    SELECT status, single_call FROM campaign WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL FOR SHARE"""
_CONTACT = """
    SELECT status, zone_group, next_attempt_at, left(phone_number, 1) <> '+' AS erased
    FROM contact WHERE campaign_id = %s AND id = %s FOR UPDATE"""
# The last part only has what moved told: a contact that stays pending has no new state, and nobody hears of it.
_CHANGE = """
    WITH was AS (
        SELECT id, status, next_attempt_at FROM contact
        WHERE campaign_id = %(campaign)s AND status = ANY(%(among)s) AND {which}
        ORDER BY id FOR UPDATE
    ), changed AS (
        UPDATE contact SET status = %(to)s, next_attempt_at = %(at)s, callback = %(callback)s, wait_reason = NULL,
            free_sends = CASE WHEN %(to)s = 'pending' THEN 0 ELSE free_sends END,
            carrier_refusals = CASE WHEN %(to)s = 'pending' THEN 0 ELSE carrier_refusals END,
            gateway_faults = CASE WHEN %(to)s = 'pending' THEN 0 ELSE gateway_faults END,
            disturbed = CASE WHEN %(to)s = 'pending' THEN 0 ELSE disturbed END,
            version = version + (was.status <> %(to)s)::int, updated_at = now()
        FROM was WHERE contact.id = was.id
        RETURNING contact.id, contact.version, contact.disposition, contact.attempts, contact.last_cause,
            was.status AS was, was.next_attempt_at IS DISTINCT FROM %(at)s AS otherwise
    ), written AS (
        INSERT INTO transition (campaign_id, contact_id, version, status, disposition, attempt, cause, owner,
            published, by, next_attempt_at)
        SELECT %(campaign)s, id, version, %(to)s, disposition, NULLIF(attempts, 0), last_cause, %(owner)s,
            was = %(to)s, %(by)s, %(at)s FROM changed WHERE was <> %(to)s OR otherwise
    ), counted AS (
        INSERT INTO campaign_count (campaign_id, lane, pending, completed, failed, cancelled)
        SELECT %(campaign)s, %(lane)s,
            (count(*) FILTER (WHERE %(to)s = 'pending') - count(*) FILTER (WHERE was = 'pending'))::int,
            -(count(*) FILTER (WHERE was = 'completed'))::int, -(count(*) FILTER (WHERE was = 'failed'))::int,
            (count(*) FILTER (WHERE %(to)s = 'cancelled') - count(*) FILTER (WHERE was = 'cancelled'))::int
        FROM changed HAVING count(*) FILTER (WHERE was <> %(to)s) > 0
        ON CONFLICT (campaign_id, lane) DO UPDATE SET pending = campaign_count.pending + excluded.pending,
            completed = campaign_count.completed + excluded.completed,
            failed = campaign_count.failed + excluded.failed,
            cancelled = campaign_count.cancelled + excluded.cancelled
    )
    SELECT count(*) AS n FROM changed"""
_ONE = _CHANGE.format(which="id = %(contact)s")
_SOME = _CHANGE.format(
    which="position > %(after)s AND position <= %(until)s AND disposition = ANY(%(dispositions)s)"
    " AND left(phone_number, 1) = '+'"
)
_LAST = "SELECT coalesce(max(position), 0) AS last FROM contact WHERE campaign_id = %s"
# Written, so that dialers look at the campaign at once: they know a campaign by its row.
_TELL = "UPDATE campaign SET next_action_at = next_action_at WHERE id = %s"


class ContactNotFoundError(CampaignsError):
    """No such contact in the campaign."""


class ContactRefusedError(CampaignsError):
    """What is asked for cannot be done with the contact, or the campaign, as it is now."""


class TimeRefusedError(CampaignsError):
    """A time that cannot be."""


class ContactChanges(TypedDict, total=False):
    """What is asked of one contact; what is left out stays."""

    status: str
    next_attempt_at: datetime | None


Changed = Mapping[str, tuple[object, object]]
"""What of a contact was changed: what it was before, and what it is now."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a contact is to go: `at` is when it is called next, None for its place in the list."""

    to: ContactStatus
    at: datetime | None
    callback: bool


def asked_for(changes: ContactChanges, status: ContactStatus, now: datetime) -> Asked | None:
    """Where `changes` lead from `status`; None where nothing is asked for.

    Raises TimeRefusedError, and ContactRefusedError where that state does not allow it. Pure.
    """
    at = changes.get("next_attempt_at")
    to = ContactStatus(changes.get("status", ContactStatus.PENDING))
    if not changes:
        return None
    if at is not None and at < now:
        told = at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        raise TimeRefusedError(f"next_attempt_at is {told}; it must not be in the past.")
    if at is not None and to is ContactStatus.CANCELLED:
        raise TimeRefusedError("next_attempt_at cannot be given with the status cancelled.")
    if status in (ContactStatus.ORIGINATED, ContactStatus.CONNECTED):
        raise ContactRefusedError("Contact is in a call; it can be changed when that is over.")
    if to not in CONTACT_REQUESTS[status]:
        raise ContactRefusedError(f"Contact is {status}; there is nothing to be taken out.")
    if to is ContactStatus.PENDING and at is None and status is ContactStatus.COMPLETED:
        raise ContactRefusedError("Contact is completed; give next_attempt_at to have it called again.")
    if "status" not in changes and at is None and status is not ContactStatus.PENDING:
        raise ContactRefusedError(f"Contact is {status}; give the status pending to have it called again.")
    return Asked(to, at, callback=at is not None)


def change(
    campaign_id: uuid.UUID,
    tenant_id: str,
    contact_id: uuid.UUID,
    changes: ContactChanges,
    now: datetime,
    *,
    by: str,
) -> Changed:
    """Do what the key of the name `by` asks of one contact; what of it is another than before. Raises
    CampaignNotFoundError, SingleCallError, ContactNotFoundError, ContactRefusedError or TimeRefusedError."""
    _lock(campaign_id, tenant_id)
    found = rows(_CONTACT, campaign_id, contact_id)
    if not found:
        raise ContactNotFoundError("Contact not found")
    status = ContactStatus(found[0]["status"])
    asked = asked_for(changes, status, now)
    if asked is None:
        return {}
    if asked.to is status and "next_attempt_at" not in changes:
        # It is so already: what was said of its time stands.
        return {}
    if asked.to is ContactStatus.PENDING:
        if found[0]["erased"]:
            raise ContactRefusedError("Contact was erased; nobody knows its number any more.")
        never = openings.why_never(campaign_id, found[0]["zone_group"])
        if never is not None:
            raise ContactRefusedError(f"Contact can never be called: {never}.")
    _change(_ONE, _parameters(campaign_id, asked, by) | {"among": [status], "contact": contact_id})
    before: dict[str, object] = {"status": status, "next_attempt_at": found[0]["next_attempt_at"]}
    is_now: dict[str, object] = {"status": asked.to, "next_attempt_at": asked.at}
    return {name: (was, is_now[name]) for name, was in before.items() if was != is_now[name]}


def call_again(
    campaign_id: uuid.UUID, tenant_id: str, dispositions: Sequence[str], after: int, *, by: str
) -> tuple[int, int | None]:
    """Bring back who of the places from `after` on, SLICE of them, failed and last ended so; the key of the
    name `by` asks for it.

    Returns how many, and the place to go on after; None at the end of the list. Raises CampaignNotFoundError,
    SingleCallError or ContactRefusedError.
    """
    _lock(campaign_id, tenant_id)
    (found,) = rows(_LAST, campaign_id)
    until = after + SLICE
    some = {
        "among": [ContactStatus.FAILED],
        "after": after,
        "until": until,
        "dispositions": list(dispositions),
    }
    asked = Asked(ContactStatus.PENDING, None, callback=False)
    changed = _change(_SOME, _parameters(campaign_id, asked, by) | some)
    return changed, until if until < found["last"] else None


def tell_dialers(campaign_id: uuid.UUID) -> None:
    """Have the dialers look at the campaign: in a transaction of its own, which waits for nobody's slice."""
    rows(_TELL, campaign_id)
    openings.look_soon(campaign_id)


def _lock(campaign_id: uuid.UUID, tenant_id: str) -> None:
    found = rows(_LOCK, campaign_id, tenant_id)
    if not found:
        raise CampaignNotFoundError("Campaign not found")
    if found[0]["single_call"]:
        raise SingleCallError
    if found[0]["status"] in CAMPAIGN_ENDED:
        raise ContactRefusedError(f"Campaign is {found[0]['status']}; its contacts cannot be changed.")


def _change(sql: str, parameters: dict[str, object]) -> int:
    (changed,) = db.execute_sql(sql, parameters).fetchone()
    number: int = changed
    return number


def _parameters(campaign_id: uuid.UUID, asked: Asked, by: str) -> dict[str, object]:
    return {
        "campaign": campaign_id,
        "to": asked.to,
        "at": asked.at,
        "callback": asked.callback,
        "owner": WEB,
        "by": by,
        "lane": LANE,
    }
