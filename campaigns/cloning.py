"""Repeats a campaign for some of its contacts: a new draft with its settings, and who ended as it is asked for.

Whatever is a setting is copied, also one of a later release (when and whom not to call is among them): the
columns that are no settings are named instead. Contacts that are being called are never copied, and those that
wait only where that is asked for, since they would be called by both; those who are on a do-not-call list never. The
entries that are of the campaign alone are copied, too: who is not to be called for it is not for what repeats it.
Runs in the caller's transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from campaigns import allowed_numbers, further_numbers, openings, store
from campaigns.errors import CampaignsError, NumberRefused
from campaigns.further_numbers import Stored
from campaigns.lifecycle_errors import CampaignNotFoundError, SingleCallError
from campaigns.number_hash import NumberHash
from campaigns.number_rules import NumberRules
from campaigns.numbers import phone_number
from campaigns.store import UnknownReferenceError
from campaigns.suppressed_rows import ErasedNumbers, look_up_by_index
from campaigns.suppression_match import BINDS, EVERY_CAMPAIGN, suppressed
from campaigns.time_slice import TimeSlice
from cooperative import let_others_run
from models import CampaignStatus, ContactStatus, db, new_id, rows

OVER = (ContactStatus.COMPLETED, ContactStatus.FAILED, ContactStatus.CANCELLED)
"""Who is copied where nothing is said."""
COPIED = (*OVER, ContactStatus.PENDING)
LONGEST_NAME = 200


class NotCloneableError(CampaignsError):
    """The campaign cannot be repeated now, or not for these contacts."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom a clone is for: contacts in one of `statuses`, and where there are any with one of `dispositions`."""

    statuses: Sequence[str] = OVER
    dispositions: Sequence[str] = ()


_SOURCE = """
    SELECT name, agent_id, phone_number_id, single_call, stopping_at IS NOT NULL AS stopping,
        purged_at IS NOT NULL AS purged,
        coalesce(family_id, id) AS family_id,
        (SELECT count(*) FROM campaign AS one WHERE one.family_id = coalesce(campaign.family_id, campaign.id)) AS n
    FROM campaign WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL"""
_USABLE = """
    SELECT EXISTS (SELECT FROM agent WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL) AS agent,
        EXISTS (SELECT FROM phone_number WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL) AS number"""
_CAMPAIGN = """
    INSERT INTO campaign SELECT (jsonb_populate_record(NULL::campaign, to_jsonb(source) || %s::jsonb
        || jsonb_build_object('created_at', now()))).* FROM campaign AS source WHERE id = %s"""
# An id that sorts by age, as `ids.new_id` makes it.
_NEW_ID = """
    encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING substring(
        int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1),
        'hex')::uuid"""
# Whoever is not to be called for a campaign is not to be called for one that repeats it. Those that bind everybody
# everywhere bind the clone as they are.
_ENTRIES = f"""
    INSERT INTO suppression (id, scope, campaign_id, number, prefix, digest, secret, source, reason, created_by,
        created_at, expires_at)
    SELECT {_NEW_ID}, scope, %s, number, prefix, digest, secret, source, reason, created_by, created_at, expires_at
    FROM suppression AS entry
    WHERE campaign_id = %s AND campaign_id <> '{EVERY_CAMPAIGN}' AND {BINDS} ORDER BY id"""
_SUPPRESSED = suppressed(
    "contact.phone_number", tenant="campaign.tenant_id", campaign="campaign.id", digest="NULL::bytea"
)
_BARRED = suppressed("one.number", tenant="%(tenant)s", campaign="%(campaign)s", digest="NULL::bytea")
# Who had several numbers begins with the first again.
_CONTACTS = f"""
    WITH copied AS (
        INSERT INTO contact (id, campaign_id, position, phone_number, custom_fields, metadata, expires_at, priority,
            consent_at, consent_source, zone_group, numbers, zone_groups, repeats)
        SELECT {_NEW_ID}, campaign.id, row_number() OVER (ORDER BY position),
            coalesce(numbers[1], phone_number), custom_fields, contact.metadata, expires_at, priority, consent_at,
            consent_source, coalesce(zone_groups[1], zone_group), numbers, zone_groups,
            CASE WHEN repeats = 0 THEN 0 ELSE row_number() OVER (ORDER BY position) END
        FROM campaign JOIN contact ON contact.campaign_id = %s
        WHERE campaign.id = %s AND contact.status = ANY(%s) AND (%s OR disposition = ANY(%s))
            AND (expires_at IS NULL OR expires_at > now())
            AND (numbers IS NOT NULL OR NOT {_SUPPRESSED})
        ORDER BY position RETURNING 1
    )
    SELECT count(*) AS n FROM copied"""
_NUMBERS = """
    SELECT DISTINCT one.number FROM contact, unnest(coalesce(numbers, ARRAY[phone_number])) AS one (number)
    WHERE campaign_id = %s"""
_TAKE_OUT = f"""
    DELETE FROM contact USING campaign WHERE campaign.id = contact.campaign_id AND campaign.id = %(campaign)s
        AND (contact.phone_number = ANY(%(gone)s::text[]) OR contact.numbers IS NOT NULL AND {_SUPPRESSED})
    RETURNING 1"""
_IMPORTED = "UPDATE campaign SET import_rows = %s, import_accepted = %s WHERE id = %s"
_ZONES = """
    INSERT INTO campaign_zone (campaign_id, zone_group, zones, places, consented)
    SELECT %s, zone_group, zones, places, consented FROM campaign_zone WHERE campaign_id = %s"""
_COUNT = "INSERT INTO campaign_count (campaign_id, lane, pending, cancelled) VALUES (%s, %s, %s, %s)"

NO_SETTINGS: Mapping[str, object] = {
    "status": CampaignStatus.DRAFT,
    "generation": 0,
    "version": 0,
    "single_call": False,
    "additions": 0,
    "import_rows": 0,
    "import_accepted": 0,
    "import_duplicates": 0,
    "import_invalid": 0,
    "import_suppressed": 0,
    "import_recent": 0,
    "import_warnings": [],
} | dict.fromkeys(
    (
        "scheduled_at",
        "end_at",
        "started_at",
        "completed_at",
        "stopping_at",
        "hangup_at",
        "end_reason",
        "blocked_reason",
        "blocked_since",
        "next_action_at",
        "breaker_exempt_at",
        "breaker_exempt_by",
        "purging_at",
        "purged_at",
        "kept_outcomes",
        "external_id",
        "deleted_at",
        "openings_until",
        "openings_by",
        "test_of",
    )
)
"""Of a campaign's columns those that a clone does not have from it, and what they are in a new one."""


def clone(
    campaign_id: uuid.UUID,
    tenant_id: str,
    wanted: Wanted,
    by: str,
    name: str | None = None,
    *,
    number_hash: NumberHash,
) -> uuid.UUID:
    """A new draft for these contacts of a campaign; its id. `by` names who asks; without a `name` it is called as
    the campaign, with a number behind; by `number_hash` the numbers are known that were erased. Raises
    CampaignNotFoundError, SingleCallError, UnknownReferenceError or NotCloneableError."""
    source = _source(campaign_id, tenant_id)
    made = new_id()
    changes: dict[str, Any] = dict(NO_SETTINGS) | {
        "id": str(made),
        "name": name if name is not None else _numbered(source["name"], source["n"] + 2),
        "created_by": by,
        "cloned_from": str(campaign_id),
        "family_id": str(source["family_id"]),
    }
    rows(_CAMPAIGN, orjson.dumps(changes).decode(), campaign_id)
    rows(_ENTRIES, made, campaign_id)
    look_up_by_index()
    (copied,) = rows(
        _CONTACTS,
        campaign_id,
        made,
        list(wanted.statuses),
        not wanted.dispositions,
        list(wanted.dispositions),
    )
    erased = ErasedNumbers(tenant_id, number_hash).among(lambda: _numbers(made))
    gone = {*erased, *_not_allowed(made, allowed_numbers.of_tenant(tenant_id))}
    left = copied["n"] - _take_out(made, tenant_id, list(gone))
    rows(_ZONES, made, campaign_id)
    never = openings.cancel_never_open(made, openings.write(made))
    cancelled = sum(group.contacts for group in never)
    if left == cancelled:
        raise NotCloneableError("No contact of the campaign is as asked for; there is nobody to call again.")
    rows(_IMPORTED, left, left, made)
    rows(_COUNT, made, store.IMPORT_LANE, left - cancelled, cancelled)
    return made


def _numbers(made: uuid.UUID) -> list[str]:
    return [number for (number,) in db.execute_sql(_NUMBERS, (made,)).fetchall()]


def _take_out(made: uuid.UUID, tenant_id: str, gone: Sequence[str]) -> int:
    """Take out who must not be called by any number, and of others' numbers those that must not be; how many of the
    first."""
    asked: dict[str, object] = {"campaign": made, "tenant": tenant_id, "gone": list(gone)}
    several = rows(further_numbers.SEVERAL, made)[0]["found"]
    if several:
        stored = Stored("contact", "position", "contact.campaign_id = %(campaign)s")
        further_numbers.keep_only(stored, _BARRED, asked, gone)
    if not several and not gone:
        return 0
    return len(db.execute_sql(_TAKE_OUT, asked).fetchall())


def _not_allowed(made: uuid.UUID, rules: NumberRules) -> list[str]:
    """The numbers whose country, or premium-rate number, the tenant may not call any more."""
    if rules.countries is None and rules.premium:
        return []
    time_slice = TimeSlice(let_others_run)
    found: list[str] = []
    for number in _numbers(made):
        time_slice.check()
        # What stands in the place of an erased number is none, and taken out as that.
        if number.startswith("+") and not _allowed(number, rules):
            found.append(number)
    return found


def _allowed(number: str, rules: NumberRules) -> bool:
    if not rules.allow(number):
        return False
    try:
        phone_number(number, None, premium=rules.premium)
    except NumberRefused as refused:
        # Whatever else is said of it now was not said when it was listed.
        return refused.code != "premium"
    return True


def _source(campaign_id: uuid.UUID, tenant_id: str) -> dict[str, Any]:
    found = rows(_SOURCE, campaign_id, tenant_id)
    if not found:
        raise CampaignNotFoundError("Campaign not found")
    source = found[0]
    if source["single_call"]:
        raise SingleCallError
    if source["stopping"]:
        raise NotCloneableError(
            "Campaign is being stopped; it can be cloned when the rest of its list is cancelled."
        )
    if source["purged"]:
        raise NotCloneableError("Campaign has no contacts any more; they were deleted after retention_days.")
    (usable,) = rows(_USABLE, source["agent_id"], tenant_id, source["phone_number_id"], tenant_id)
    if not usable["agent"]:
        raise UnknownReferenceError(
            "agent_id", str(source["agent_id"]), "the campaign's agent has been deleted"
        )
    if not usable["number"]:
        rule = "the campaign's phone number has been deleted"
        raise UnknownReferenceError("phone_number_id", str(source["phone_number_id"]), rule)
    return source


def _numbered(name: str, number: int) -> str:
    """The name with a number behind, in place of the one that it may have already."""
    plain, bracket, ending = name.rpartition(" (")
    if not bracket or not ending.removesuffix(")").isdigit():
        plain = name
    suffix = f" ({number})"
    return plain[: LONGEST_NAME - len(suffix)] + suffix
