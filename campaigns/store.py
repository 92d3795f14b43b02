"""Stores a new campaign with its list, all or nothing, and reads what was rejected.

Runs in the caller's transaction. The rows go in by COPY, piece by piece as they are read, so that a list of any size
takes little memory.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import orjson

from campaigns import further_numbers, openings, policy_choice
from campaigns.copy_rows import CONTACT_COLUMNS, REJECT_COLUMNS, CopyRows
from campaigns.duplicates import ONCE, Repeats
from campaigns.errors import CampaignsError, ListRefused
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import ImportCounts
from campaigns.number_hash import NumberHash
from campaigns.policy_choice import NO_PACKS, PolicyChoice
from campaigns.row_templates import Template, templates
from campaigns.schedule_changes import Schedule
from campaigns.suppressed_rows import SuppressedRows, TakenOut
from campaigns.window_changes import NO_WINDOW, Window
from models import CampaignStatus, DialOrder, db, new_id, rows, rows_as

IMPORT_LANE = "import"
COPY_CONTACTS = f"COPY contact ({CONTACT_COLUMNS}) FROM STDIN"
COPY_REJECTS = f"COPY import_reject ({REJECT_COLUMNS}) FROM STDIN"

ReadRows = Callable[[uuid.UUID], Generator[CopyRows]]
"""Reads a list for the campaign of this id."""


class UnknownReferenceError(CampaignsError):
    """An agent or phone number that is not the tenant's, or may not be used; `field` names it."""

    def __init__(self, field: str, value: str, rule: str) -> None:
        super().__init__(f"{field} is {value!r}; {rule}.")
        self.field = field


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """A campaign as it was asked for, its single fields valid."""

    tenant_id: str
    name: str
    agent_id: uuid.UUID | None
    phone_number_id: uuid.UUID | None
    max_concurrent_calls: int
    retries_per_contact: int
    retry_delay_seconds: int
    schedule: Schedule
    created_by: str
    weight: int = 1
    slow_start: bool = False
    keep_open: bool = False
    external_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    default_region: str | None = None
    retry_rules: Mapping[str, object] = field(default_factory=dict)
    dial_order: str = DialOrder.RETRIES_FIRST
    window: Window = NO_WINDOW
    policy: PolicyChoice = NO_PACKS
    key_column: str | None = None
    repeats: Repeats = ONCE


@dataclass(frozen=True, slots=True)
class RejectRow:
    """A row of a list that was not accepted, as it is kept."""

    line: int
    raw: str
    code: str
    reason: str
    column: str | None


def check_references(new: NewCampaign, agent_id: str, phone_number_id: str) -> str:
    """Hold on to the agent and the number until the transaction ends; the two texts are what was asked for.

    Returns the number, in E.164. Raises UnknownReferenceError.
    """
    check_agent(new.tenant_id, new.agent_id, agent_id)
    return check_number(new.tenant_id, new.phone_number_id, phone_number_id)


def check_agent(tenant_id: str, agent: uuid.UUID | None, agent_id: str) -> None:
    """Hold on to an agent as `check_references` does."""
    if not rows(
        "SELECT id FROM agent WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL FOR SHARE",
        agent,
        tenant_id,
    ):
        raise UnknownReferenceError("agent_id", agent_id, "it must be the id of an agent of yours")


def check_number(tenant_id: str, number: uuid.UUID | None, phone_number_id: str) -> str:
    """Hold on to a number as `check_references` does, which it returns."""
    numbers = rows(
        "SELECT e164, outbound_enabled FROM phone_number"
        " WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL FOR SHARE",
        number,
        tenant_id,
    )
    if not numbers:
        raise UnknownReferenceError(
            "phone_number_id", phone_number_id, "it must be the id of a phone number of yours"
        )
    if not numbers[0]["outbound_enabled"]:
        raise UnknownReferenceError(
            "phone_number_id", phone_number_id, "that number is not enabled for outbound calls"
        )
    e164: str = numbers[0]["e164"]
    return e164


def agent_templates(agent_id: uuid.UUID | None) -> tuple[Template, ...]:
    """What of a campaign's agent depends on the columns of its list. That there is this agent has been checked."""
    (agent,) = rows("SELECT action, safe_harbour FROM agent WHERE id = %s", agent_id)
    gateways = rows(
        "SELECT id::text, prefixes FROM gateway WHERE id::text = %s AND deleted_at IS NULL",
        str(agent["action"].get("gateway_id")),
    )
    prefixes = {row["id"]: row["prefixes"] for row in gateways}
    return templates(agent["action"], agent["safe_harbour"], prefixes)


def create(new: NewCampaign, read: ReadRows, number_hash: NumberHash) -> uuid.UUID:
    """Store the campaign and everything its list holds but who is suppressed; its id. The references have been
    checked. By `number_hash` the numbers are known that were erased.

    Raises whatever reading the list raises, PolicyRefusedError, KeyColumnError, and ListRefused (no_good_row) where
    all are suppressed; the caller's transaction then keeps nothing.
    """
    campaign_id = _insert_campaign(new)
    suppressed = SuppressedRows(campaign_id, new.tenant_id, number_hash, "contact", new.repeats)

    def keep(piece: CopyRows, taken: Sequence[TakenOut]) -> None:
        copy(COPY_REJECTS, piece.rejects + b"".join(row.reject_row(campaign_id) for row in taken))

    counts, notes = take_in(read(campaign_id), suppressed, COPY_CONTACTS, keep)
    if not counts.accepted and counts.suppressed + counts.recent:
        raise nobody_left(counts)
    _warn_of_numbers(new.retries_per_contact, notes)
    cancelled = _keep_groups(campaign_id, notes)
    policy_choice.check(campaign_id)
    _write_counts(campaign_id, counts, cancelled, notes)
    policy_choice.check_key_column(campaign_id, new.key_column)
    return campaign_id


def take_in(
    pieces: Generator[CopyRows],
    suppressed: SuppressedRows,
    copy_contacts: str,
    keep: Callable[[CopyRows, Sequence[TakenOut]], None],
) -> tuple[ImportCounts, ImportNotes]:
    """Store the contacts of a list, as it is read, by the COPY `copy_contacts`, and take out again who must not be
    called. Each piece is then to `keep`, with whom it lost so. Raises whatever reading the list raises."""
    counts, notes = ImportCounts(), ImportNotes()
    with closing(pieces) as read:
        for piece in read:
            if not piece.counts.rows:
                # A transaction that says nothing for IDLE_SECONDS is undone.
                rows("SELECT 1")
            copy(copy_contacts, piece.contacts)
            keep(piece, suppressed.take_out(piece))
            counts.add(piece.counts)
            notes = piece.notes or notes
    counts.accepted -= suppressed.count + suppressed.recent
    counts.suppressed += suppressed.count
    counts.recent += suppressed.recent
    if suppressed.lost:
        notes.warn(further_numbers.told_lost(suppressed.lost))
    return counts, notes


def nobody_left(counts: ImportCounts) -> ListRefused:
    """Why a list is refused of which nobody is left."""
    if not counts.recent:
        why = "is on a do-not-call list"
    else:
        why = "was called lately, or is on a do-not-call list" if counts.suppressed else "was called lately"
    return ListRefused("no_good_row", f"contacts has no good row: every number in it {why}")


def _warn_of_numbers(retries: int, notes: ImportNotes) -> None:
    if notes.most_numbers > retries + 1:
        notes.warn(
            f"contacts have up to {notes.most_numbers} numbers, and each attempt is to one of them: with "
            f"retries_per_contact {retries} no more than {retries + 1} of them are called"
        )


def _keep_groups(campaign_id: uuid.UUID, notes: ImportNotes) -> int:
    """Keep in which zones the contacts are, and when these may be called; how many never may, and are cancelled."""
    openings.note_groups(campaign_id, notes.groups)
    never = openings.cancel_never_open(campaign_id, openings.write(campaign_id))
    for group in never:
        notes.warn(str(group))
    return sum(group.contacts for group in never)


def _insert_campaign(new: NewCampaign) -> uuid.UUID:
    campaign_id = new_id()
    status = CampaignStatus.SCHEDULED if new.schedule.scheduled_at else CampaignStatus.DRAFT
    rows(
        """
        INSERT INTO campaign (id, tenant_id, name, agent_id, phone_number_id, status, max_concurrent_calls,
            retries_per_contact, retry_delay_seconds, scheduled_at, next_action_at, end_at, time_zone, created_by,
            weight, slow_start, keep_open, external_id, metadata, import_region, retry_rules, dial_order, windows,
            holidays, policy_packs, purpose, key_column, duplicates, duplicates_hours, zones_read)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
            %s, %s, %s, %s, %s, true)""",
        campaign_id,
        new.tenant_id,
        new.name,
        new.agent_id,
        new.phone_number_id,
        status,
        new.max_concurrent_calls,
        new.retries_per_contact,
        new.retry_delay_seconds,
        new.schedule.scheduled_at,
        new.schedule.scheduled_at,
        new.schedule.end_at,
        new.window.time_zone or new.schedule.time_zone,
        new.created_by,
        new.weight,
        new.slow_start,
        new.keep_open,
        new.external_id,
        orjson.dumps(dict(new.metadata)).decode(),
        new.default_region,
        orjson.dumps(new.retry_rules).decode(),
        new.dial_order,
        _json(new.window.windows),
        _json(new.window.holidays),
        policy_choice.ON if new.policy.on else policy_choice.OFF,
        new.policy.purpose,
        new.key_column,
        new.repeats.duplicates,
        new.repeats.hours,
    )
    return campaign_id


def _json(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _write_counts(campaign_id: uuid.UUID, counts: ImportCounts, cancelled: int, notes: ImportNotes) -> None:
    rows(
        """
        UPDATE campaign SET import_rows = %s, import_accepted = %s, import_duplicates = %s, import_invalid = %s,
            import_suppressed = %s, import_recent = %s, import_columns = %s, import_warnings = %s WHERE id = %s""",
        counts.rows,
        counts.accepted,
        counts.duplicates,
        counts.invalid,
        counts.suppressed,
        counts.recent,
        orjson.dumps(notes.told_columns()).decode(),
        orjson.dumps(notes.warnings).decode(),
        campaign_id,
    )
    rows(
        "INSERT INTO campaign_count (campaign_id, lane, pending, cancelled) VALUES (%s, %s, %s, %s)",
        campaign_id,
        IMPORT_LANE,
        counts.accepted - cancelled,
        cancelled,
    )


def rejects(campaign_id: uuid.UUID, after_line: int, limit: int, addition: int = 0) -> list[RejectRow]:
    """The rejected rows past line `after_line`, in order; about `limit` of them, and never half of a line's. Of the
    list that the campaign was made with, or of an `addition`, from 1."""
    return rows_as(
        RejectRow,
        """
        SELECT line, raw, code, reason, column_name AS "column" FROM import_reject
        WHERE campaign_id = %s AND line > %s AND addition = %s
        ORDER BY line FETCH FIRST %s ROWS WITH TIES""",
        campaign_id,
        after_line,
        addition,
        limit,
    )


def copy(statement: str, lines: bytes) -> None:
    """Run a COPY … FROM STDIN with these lines, where there are any."""
    if lines:
        with _cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(lines)


def _cursor() -> Any:
    return db.connection().cursor()
