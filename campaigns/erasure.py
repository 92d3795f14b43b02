"""Erases a person's data from a tenant's campaigns: number and fields, wherever they are kept. Counts stay.

From the request on the number is suppressed, by its keyed hash alone. The rest is a state that is looked at until
it is done: whoever stores a list at that moment is waited for, who is pending is taken off the lists first, a call
that is up runs to its end, and what is to be published of it is. Then Redis is gone through (`live.erasing`,
`limits.erasing`), and all that PostgreSQL has goes in one transaction, the number of the request itself with it:
rejected rows, stored answers, what is noted at campaigns and their logs before, in slices, since a tenant may have
millions of them and nobody may wait for that one. It locks contacts and no campaign, which others lock before
contacts. Decision 0064.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import phonenumbers

from campaigns import log_bounds
from campaigns.number_hash import ERASED, NumberHash
from campaigns.numbering_plans import may_go_on
from campaigns.suppressed_contacts import Cancelled, cancel_all
from campaigns.suppressions import ANY_CAMPAIGN, NOTE
from cooperative import let_others_run
from models import db, new_id, rows, rows_as, transaction

SOURCE = "erasure"
OPEN = "EXISTS (SELECT FROM erasure WHERE done_at IS NULL)"
"""Whether anything is to be erased: a part of the statement with which a dialer looks for that."""
REJECTS_SLICE = 20_000
"""Rejected rows looked at in one transaction, or a few more."""
ANSWERS_SLICE = 1_000
"""Stored answers looked at in one transaction."""
NOTES_SLICE = 50
"""Campaigns whose notes, and whose logs, are looked through in one transaction: at most half a million entries."""
FEWEST_DIGITS = 6
"""Of a number in its country, by which rows of a list are found that were rejected."""

_HASHED = f"""
WITH entered AS (
    INSERT INTO suppression (id, scope, campaign_id, digest, secret, source, created_by)
    VALUES (%(id)s, %(tenant)s, %(any)s, %(digest)s, %(secret)s, '{SOURCE}', %(by)s)
    ON CONFLICT (digest, scope, campaign_id) WHERE digest IS NOT NULL DO UPDATE SET expires_at = NULL RETURNING id
), noted AS ({NOTE.format(entries="entered")})
DELETE FROM suppression WHERE scope = %(tenant)s AND (number = %(number)s OR prefix = %(whole)s)"""
_ASK = """
INSERT INTO erasure (id, tenant_id, number, created_by) VALUES (%(id)s, %(tenant)s, %(number)s, %(by)s)
ON CONFLICT (tenant_id, number) WHERE done_at IS NULL DO UPDATE SET number = excluded.number RETURNING id"""
_GET = "SELECT id, created_by, created_at, done_at FROM erasure WHERE id = %s AND tenant_id = %s"
_OPEN = "SELECT id, tenant_id, number FROM erasure WHERE done_at IS NULL ORDER BY id LIMIT 100"
_MOMENT = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS moment"
# Those of other databases of the server, and of its own processes, have nothing of ours.
_OLDER = """
SELECT EXISTS (
    SELECT FROM pg_snapshot_xip(pg_current_snapshot()) AS running (id)
    WHERE running.id < %s::xid8 AND NOT EXISTS (
        SELECT FROM pg_stat_activity WHERE backend_xid = running.id::xid
            AND (datname IS DISTINCT FROM current_database() OR backend_type <> 'client backend'))) AS found"""
_CONTACTS = """
SELECT contact.id::text, contact.campaign_id::text, contact.status, contact.numbers FROM campaign
    JOIN contact ON contact.campaign_id = campaign.id AND contact.phone_number = %(number)s
WHERE campaign.tenant_id = %(tenant)s
UNION
SELECT contact.id::text, contact.campaign_id::text, contact.status, contact.numbers FROM contact
    JOIN campaign ON campaign.id = contact.campaign_id
WHERE contact.numbers @> ARRAY[%(number)s] AND campaign.tenant_id = %(tenant)s ORDER BY 1"""
# The first contact of a list lends its columns to the test calls of its campaign.
_LENT = """
SELECT lent.id::text FROM contact AS first JOIN campaign AS trial ON trial.test_of = first.campaign_id
    JOIN contact AS lent ON lent.campaign_id = trial.id
WHERE first.id = ANY(%s::uuid[]) AND NOT EXISTS (
    SELECT FROM contact WHERE campaign_id = first.campaign_id AND position < first.position)
ORDER BY 1"""
_IN_USE = """
SELECT EXISTS (SELECT FROM contact WHERE id = ANY(%(contacts)s::uuid[])
        AND status IN ('pending', 'originated', 'connected'))
    OR EXISTS (SELECT FROM call WHERE contact_id = ANY(%(contacts)s::uuid[])
        AND (ended_at IS NULL OR slot_until IS NOT NULL))
    OR EXISTS (SELECT FROM cdr_inbox JOIN call ON call.id = cdr_inbox.uuid
        WHERE call.contact_id = ANY(%(contacts)s::uuid[]) AND cdr_inbox.applied_at IS NULL)
    OR EXISTS (SELECT FROM transition WHERE NOT published AND contact_id = ANY(%(contacts)s::uuid[]))
    OR EXISTS (SELECT FROM outbox, unnest(transition_ids) AS named (id)
        JOIN transition ON transition.id = named.id
        WHERE outbox.campaign_id = ANY(%(campaigns)s::uuid[])
            AND transition.contact_id = ANY(%(contacts)s::uuid[])) AS found"""
_ERASE = (
    f"""UPDATE contact SET phone_number = '{ERASED}:' || id, numbers = NULL, zone_groups = NULL, struck = 0,
        custom_fields = '{{}}', metadata = '{{}}', consent_at = NULL, consent_source = NULL, updated_at = now()
    WHERE id = ANY(%(contacts)s::uuid[])""",
    "UPDATE contact SET custom_fields = '{}' WHERE id = ANY(%(lent)s::uuid[])",
    """DELETE FROM cdr_inbox USING call WHERE call.id = cdr_inbox.uuid
        AND call.contact_id = ANY(%(contacts)s::uuid[])""",
    """DELETE FROM recent_outcome WHERE tenant_id = %(tenant)s
        AND (subject = %(number)s OR contact_id = ANY(%(contacts)s::uuid[]))""",
    "DELETE FROM contact_token WHERE contact_id = ANY(%(contacts)s::uuid[])",
    f"UPDATE call SET phone_number = '{ERASED}' WHERE contact_id = ANY(%(contacts)s::uuid[])",
)
# What separates digits in a number, and not what separates numbers; as U+FFFD a refusal quotes what is not visible.
_BETWEEN = " ().+/[]\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00a0\u2007\u2009\u202f\ufffd-"
_WRITTEN = f"translate({{text}}::text, '{_BETWEEN}', '') LIKE '%%' || %(digits)s || '%%'"
# A call that was asked for by itself is a campaign, too, mostly one of a million at which nothing was ever noted; but
# a test call has the name of what it tried.
_WITH_NOTES = """
SELECT id FROM campaign WHERE tenant_id = %s
    AND NOT (single_call AND test_of IS NULL AND metadata = '{}' AND NOT EXISTS (
        SELECT FROM campaign_log WHERE campaign_id = campaign.id AND action = 'changed')) ORDER BY id"""
_ERASE_NOTES = (
    f"""UPDATE campaign SET name = regexp_replace(name, %(written)s, '{ERASED}', 'g'),
        external_id = regexp_replace(external_id, %(written)s, '{ERASED}', 'g')
    WHERE id = ANY(%(campaigns)s::uuid[])
        AND ({_WRITTEN.format(text="name")} OR {_WRITTEN.format(text="external_id")})""",
    f"""UPDATE campaign SET metadata = '{{}}'
    WHERE id = ANY(%(campaigns)s::uuid[]) AND {_WRITTEN.format(text="metadata")}""",
    """UPDATE campaign SET import_warnings = '[]' WHERE id = ANY(%(campaigns)s::uuid[])
        AND regexp_replace(import_warnings::text, '[^0-9]', '', 'g') LIKE '%%' || %(digits)s || '%%'""",
    f"""UPDATE campaign_log SET details = '{{"{ERASED}": true}}'
    WHERE campaign_id = ANY(%(campaigns)s::uuid[]) AND {_WRITTEN.format(text="details")}""",
)
"""What a client calls its campaigns and keeps beside them, what was said of its lists, and their logs, which have
what these were."""
# What a list holds that looks misread is quoted with words of its contacts, whose numbers are not there.
_ERASE_WARNINGS = """
UPDATE campaign SET import_warnings = '[]' WHERE id = ANY(%(campaigns)s::uuid[]) AND import_warnings <> '[]'
    AND EXISTS (SELECT FROM contact WHERE contact.id = ANY(%(contacts)s::uuid[]) AND campaign_id = campaign.id
        AND octet_length(custom_fields::text) > char_length(custom_fields::text))"""
_ERASE_TEST_NUMBER = """
UPDATE tenant SET test_numbers = test_numbers - %(number)s
WHERE id = %(tenant)s AND test_numbers ? %(number)s"""
_WITH_REJECTS = """
SELECT id FROM campaign WHERE tenant_id = %s
    AND EXISTS (SELECT FROM import_reject WHERE campaign_id = campaign.id) ORDER BY id"""
_SLICE_END = (
    "SELECT line FROM import_reject WHERE campaign_id = %s AND line > %s ORDER BY line OFFSET %s LIMIT 1"
)
_ERASE_REJECTS = f"""
UPDATE import_reject SET raw = '{ERASED}', reason = '{ERASED}'
WHERE campaign_id = %s AND line > %s AND line <= %s
    AND regexp_replace(raw || ' ' || reason, '[^0-9]', '', 'g') LIKE '%%' || %s || '%%'"""
_LAST_LINE = 2**31 - 1
_ANSWERS_END = "SELECT key FROM idempotency WHERE tenant_id = %s AND key > %s ORDER BY key OFFSET %s LIMIT 1"
# Whoever sends that request again is told that it was another, and nothing is made of it anew. The warnings of a list
# quote what looks misread in it, a name for instance, without the number beside it.
_ERASE_ANSWERS = f"""
UPDATE idempotency SET body = '', body_hash = '{ERASED}'
WHERE tenant_id = %(tenant)s AND key > %(after)s AND (%(end)s::text IS NULL OR key <= %(end)s)
    AND ({_WRITTEN.format(text="body")} OR body ~ '"warnings": *[[] *"'
        AND EXISTS (SELECT FROM unnest(%(campaigns)s::text[]) AS named (id) WHERE strpos(body, named.id) > 0))"""
_DONE = "UPDATE erasure SET number = NULL, done_at = now() WHERE id = %s AND done_at IS NULL"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was asked for, as it is told: without the number."""

    id: uuid.UUID
    created_by: str
    created_at: datetime
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenErasure:
    """Whose data is to be erased."""

    id: uuid.UUID
    tenant_id: str
    number: str


@dataclass(frozen=True, slots=True)
class Found:
    """Where a number is: contacts, and their campaigns; `others` are the other numbers of these contacts."""

    contacts: tuple[str, ...]
    campaigns: tuple[str, ...]
    pending: tuple[str, ...]
    others: tuple[str, ...] = ()


def ask(tenant_id: str, number: str, by: str, number_hash: NumberHash) -> uuid.UUID:
    """Suppress a number for good and have the tenant's data about it erased; the erasure's id. In the caller's
    transaction."""
    asked = {
        "id": new_id(),
        "tenant": tenant_id,
        "any": ANY_CAMPAIGN,
        "digest": number_hash(number),
        "secret": number_hash.mark,
        "number": number,
        # As a prefix it is of nobody else where no other number begins with it.
        "whole": None if may_go_on(number) else number,
        "by": by,
    }
    db.execute_sql(_HASHED, asked)
    found = db.execute_sql(_ASK, asked | {"id": new_id()}).fetchone()
    erasure_id: uuid.UUID = found[0]
    return erasure_id


def get(erasure_id: uuid.UUID, tenant_id: str) -> Erasure | None:
    """An erasure of a tenant."""
    found = rows_as(Erasure, _GET, erasure_id, tenant_id)
    return found[0] if found else None


def still_open() -> list[OpenErasure]:
    """Those that are not done, the oldest first."""
    with db.connection_context():
        return rows_as(OpenErasure, _OPEN)


def moment() -> str:
    """Now, as `older_running` takes it."""
    with db.connection_context():
        (found,) = rows(_MOMENT)
    return str(found["moment"])


def older_running(since: str) -> bool:
    """Whether a transaction is still open that was at that moment: one that stores a list may have looked before the
    erasure was asked for, and what it stores is found once it is over."""
    with db.connection_context():
        (found,) = rows(_OLDER, since)
    return bool(found["found"])


def find(erasure: OpenErasure) -> Found:
    """Where the number is now."""
    with db.connection_context():
        asked = {"number": erasure.number, "tenant": erasure.tenant_id}
        cursor = db.execute_sql(_CONTACTS, asked)
        names = [column.name for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return Found(
        tuple(row["id"] for row in found),
        tuple(dict.fromkeys(row["campaign_id"] for row in found)),
        tuple(row["id"] for row in found if row["status"] == "pending"),
        tuple({number: None for row in found for number in row["numbers"] or () if number != erasure.number}),
    )


def cancel(found: Found, owner: str) -> Cancelled:
    """Take those off the lists that are pending, whatever other numbers they have."""
    return cancel_all(owner, found.pending)


def in_use(found: Found) -> bool:
    """Whether somebody of these may still be called, is in a call, or has something that is still to be told."""
    with transaction():
        # A test call goes on with what it was lent.
        asked = {"contacts": [*found.contacts, *_lent(found)], "campaigns": list(found.campaigns)}
        used: bool = db.execute_sql(_IN_USE, asked).fetchone()[0]
    return used


def _lent(found: Found) -> list[str]:
    """The contacts of test calls that have the columns of one of these."""
    return [row["id"] for row in rows(_LENT, list(found.contacts))]


def erase_rejects(erasure: OpenErasure) -> None:
    """Erase the rows of its lists that were rejected: however many a tenant has, a slice in a transaction of its
    own."""
    with db.connection_context():
        campaigns = [row["id"] for row in rows(_WITH_REJECTS, erasure.tenant_id)]
    for campaign_id in campaigns:
        after = -1
        while after < _LAST_LINE:
            with transaction():
                found = rows(_SLICE_END, campaign_id, after, REJECTS_SLICE - 1)
                end = found[0]["line"] if found else _LAST_LINE
                rows(_ERASE_REJECTS, campaign_id, after, end, _digits(erasure.number))
            after = end


def erase_notes(erasure: OpenErasure, found: Found) -> None:
    """Erase what is noted at its campaigns, and their logs: however many a tenant has, each statement over a few of
    them in a transaction of its own, so that no campaign is locked while logs are read. A number that test calls may
    go to is none any more."""
    digits = _digits(erasure.number)
    with transaction():
        db.execute_sql(_ERASE_TEST_NUMBER, {"number": erasure.number, "tenant": erasure.tenant_id})
    for one in found.campaigns:
        with transaction():
            db.execute_sql(_ERASE_WARNINGS, {"campaigns": [one], "contacts": list(found.contacts)})
    for campaigns in with_notes(erasure.tenant_id):
        asked = {"campaigns": campaigns, "digits": digits, "written": _as_written(digits)}
        for statement in _ERASE_NOTES:
            with transaction():
                log_bounds.allow_forgetting()
                db.execute_sql(statement, asked)
        let_others_run()


def with_notes(tenant_id: str) -> list[list[uuid.UUID]]:
    """The campaigns of a tenant at which something may be noted, in slices."""
    with db.connection_context():
        found = [row["id"] for row in rows(_WITH_NOTES, tenant_id)]
    return [found[start : start + NOTES_SLICE] for start in range(0, len(found), NOTES_SLICE)]


def erase_answers(erasure: OpenErasure, found: Found) -> None:
    """Erase the stored answers that have its number, or another of its contacts, or quote from a list that has one of
    these, a slice in a transaction of its own."""
    for number in (erasure.number, *found.others):
        after: str | None = ""
        while after is not None:
            with transaction():
                ends = rows(_ANSWERS_END, erasure.tenant_id, after, ANSWERS_SLICE - 1)
                end = ends[0]["key"] if ends else None
                asked = {"tenant": erasure.tenant_id, "digits": _digits(number), "after": after, "end": end}
                db.execute_sql(_ERASE_ANSWERS, asked | {"campaigns": list(found.campaigns)})
            after = end
            let_others_run()


def erase(erasure: OpenErasure, found: Found) -> bool:
    """Erase all that is left in PostgreSQL once rejects, notes and answers are erased, the request's own number with
    it; False where it is in use again: nothing is done then. In a transaction of its own."""
    with transaction():
        if in_use(found):
            return False
        asked = {
            "tenant": erasure.tenant_id,
            "contacts": list(found.contacts),
            "lent": _lent(found),
            "number": erasure.number,
        }
        for statement in _ERASE:
            db.execute_sql(statement, asked)
        rows(_DONE, erasure.id)
    return True


def _as_written(digits: str) -> str:
    """A pattern of PostgreSQL for all that `_WRITTEN` finds, and what of a country's code stands before it."""
    between = _BETWEEN.replace("[]", r"\[\]")
    return rf"(\+[0-9{between}]*|0*){f'[{between}]*'.join(digits)}"


def _digits(number: str) -> str:
    """By which a number is found however it was written: its digits within its country, where they are enough."""
    national = phonenumbers.national_significant_number(phonenumbers.parse(number))
    return national if len(national) >= FEWEST_DIGITS else number.removeprefix("+")
