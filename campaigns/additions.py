"""Adds contacts to a campaign that was not ended, each at most once, whatever is sent again.

Whoever adds to one campaign has an advisory lock of it, so that places in the list, numbers and tokens are compared
with all that are there: a long list waits for it, of which there are few at once, and a few rows are tried again. The
campaign's own row is locked last: it is then still open, or nothing is kept, and nobody's pause or stop waits for a
long list. Runs in the caller's transaction. Decision 0068.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import orjson
import psycopg
from peewee import OperationalError

from campaigns import allowed_numbers, contact_options, further_numbers, openings, policy_choice, store
from campaigns.addition_rows import (
    ADD_LIST,
    ADD_ROWS,
    BARRED,
    BARRED_AMONG,
    KEEP_REJECTS,
    LATELY,
    NUMBERS,
    STAGE,
    Added,
    as_json,
)
from campaigns.column_names import ListColumn, merged
from campaigns.columns import Limits
from campaigns.copy_rows import REJECT_COLUMNS, STAGED_COLUMNS, CopyRows
from campaigns.duplicates import ONCE, Repeats, called_lately, stage
from campaigns.errors import CampaignsError, ListRefused
from campaigns.further_numbers import Stored
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, ImportCounts
from campaigns.lifecycle_errors import CampaignNotFoundError, SingleCallError
from campaigns.list_policies import ListPolicy
from campaigns.number_rules import ANY_COUNTRY, NumberRules
from campaigns.numbers import region_of
from campaigns.openings import NeverOpen
from campaigns.row_templates import Template
from campaigns.suppressed_rows import ErasedNumbers, look_up_by_index
from campaigns.zone_groups import Group
from models import CampaignStatus, db, rows

WAIT_SECONDS = 15.0
"""For so long a list that is read waits until nobody else adds to its campaign."""
OPEN = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, CampaignStatus.RUNNING, CampaignStatus.PAUSED)


class NotOpenError(CampaignsError):
    """The campaign has ended: nobody is called any more."""

    def __init__(self, status: str) -> None:
        super().__init__(f"Campaign is {status}; no contacts can be added.")


class BusyError(CampaignsError):
    """Somebody else adds to the campaign now."""

    def __init__(self) -> None:
        super().__init__("Another request adds contacts to the campaign; send this one again.")


@dataclass(frozen=True, slots=True)
class Target:
    """What a list that is added is read for: the region of its numbers without a `+`, its agent's templates, what
    policy packs and the tenant's limits ask of each row, and what the campaign does of repeats."""

    campaign_id: uuid.UUID
    region: str | None
    templates: tuple[Template, ...]
    policy: ListPolicy | None = None
    rules: NumberRules = ANY_COUNTRY
    repeats: Repeats = ONCE


@dataclass(frozen=True, slots=True)
class AddedRow:
    """What became of the row on one line, and the contact that it is, or is already. `erased`: nothing is told of the
    number. `never`: why it is cancelled."""

    line: int
    result: Added
    contact_id: uuid.UUID | None
    erased: bool = False
    never: str | None = None


@dataclass(frozen=True, slots=True)
class Addition:
    """What became of a list that was added. `number`: of how many it is the last, where its rejects are kept; `new`:
    how many contacts there are more."""

    counts: Mapping[Added, int]
    invalid: int
    number: int
    warnings: Sequence[str]

    @property
    def new(self) -> int:
        return self.counts.get(Added.ADDED, 0)


_TARGET = """
    SELECT c.import_region, c.agent_id, c.policy_packs, c.purpose, c.duplicates, c.duplicates_hours, p.e164
    FROM campaign c JOIN phone_number p ON p.id = c.phone_number_id
    WHERE c.id = %s AND c.tenant_id = %s AND c.deleted_at IS NULL"""
_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', %s, true)"
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('add ' || %s::text, 0))"
_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('add ' || %s::text, 0)) AS taken"
_LOCK_CAMPAIGN = """
    SELECT status, import_columns, single_call FROM campaign WHERE id = %s AND deleted_at IS NULL
    FOR NO KEY UPDATE"""
_CANCELLED = "SELECT id, zone_group FROM contact WHERE id = ANY(%s::uuid[]) AND status = 'cancelled'"
_COLUMNS = "UPDATE campaign SET import_columns = %s WHERE id = %s"
_NUMBER = "UPDATE campaign SET additions = additions + 1 WHERE id = %s RETURNING additions"
_COUNT = """
    INSERT INTO campaign_count (campaign_id, lane, pending, cancelled) VALUES (%s, %s, %s, %s)
    ON CONFLICT (campaign_id, lane) DO UPDATE SET pending = campaign_count.pending + excluded.pending,
        cancelled = campaign_count.cancelled + excluded.cancelled"""


def target(campaign_id: uuid.UUID, tenant_id: str) -> Target:
    """What a list is read for that is to be added to this campaign. Raises CampaignNotFoundError."""
    found = rows(_TARGET, campaign_id, tenant_id)
    if not found:
        raise CampaignNotFoundError("Campaign not found")
    region = found[0]["import_region"] or region_of(found[0]["e164"])
    policy = policy_choice.of_row(found[0]).of_list(found[0]["e164"])
    rules = allowed_numbers.of_tenant(tenant_id)
    repeats = Repeats(found[0]["duplicates"], found[0]["duplicates_hours"])
    return Target(campaign_id, region, store.agent_templates(found[0]["agent_id"]), policy, rules, repeats)


def take_turn(campaign_id: uuid.UUID) -> None:
    """Be the only one who adds to this campaign until the transaction ends. Raises BusyError where another is: who
    waited here would keep a connection from everybody else."""
    (turn,) = rows(_TAKE_TURN, campaign_id)
    if not turn["taken"]:
        raise BusyError


def add_rows(
    campaign_id: uuid.UUID,
    accepted: Sequence[AcceptedRow],
    columns: Sequence[ListColumn],
    erased_numbers: ErasedNumbers,
    metadata: Mapping[int, Mapping[str, str]] = MappingProxyType({}),
    *,
    repeats: Repeats = ONCE,
    single: bool = False,
    warn: Callable[[str], None] | None = None,
) -> list[AddedRow]:
    """Add a few rows, with `metadata` by their lines, after `take_turn`; what became of each. `single`: it
    is the one contact of a single call, to which nobody else adds (SingleCallError); `warn` is told of numbers that
    are left out of contacts which have another, and of contacts that are cancelled at once. Raises NotOpenError where
    there is something to add to what has ended, and ListRefused (too_many_columns)."""
    groups: dict[int, Group] = {}
    numbers = [number for row in accepted for number in (row.phone_number, *row.further)]
    asked = _asked(campaign_id, erased_numbers, repeats, lambda: numbers)
    called = called_lately(erased_numbers.tenant_id, repeats, numbers)
    recent = [row.line for row in accepted if called.intersection((row.phone_number, *row.further))]
    kept = _only_callable(accepted, asked, warn)
    asked |= {"rows": as_json(kept, metadata, groups), "recent": recent, "several": True}
    found = db.execute_sql(ADD_ROWS, asked).fetchall()
    first = {row.line: row.phone_number for row in kept}
    told = [
        AddedRow(
            line,
            Added(result),
            contact_id,
            result == Added.SUPPRESSED and first[line] in asked["erased"],
        )
        for line, result, contact_id in found
    ]
    new = Counter(row.result for row in told)[Added.ADDED]
    never = _open(campaign_id, new, columns, groups, single=single)
    for group in never:
        if warn is not None:
            warn(str(group))
    return _with_cancelled(told, never)


def _with_cancelled(told: Sequence[AddedRow], never: Sequence[NeverOpen]) -> list[AddedRow]:
    """What became of the rows, where the contacts of these groups were cancelled."""
    if not never:
        return list(told)
    why = {group.zone_group: group.why for group in never}
    new = [row.contact_id for row in told if row.result is Added.ADDED]
    gone = {row["id"]: why[row["zone_group"]] for row in rows(_CANCELLED, new)}
    return [
        replace(row, result=Added.CANCELLED, never=gone[row.contact_id]) if row.contact_id in gone else row
        for row in told
    ]


def _only_callable(
    accepted: Sequence[AcceptedRow], asked: Mapping[str, Any], warn: Callable[[str], None] | None
) -> list[AcceptedRow]:
    """The rows without numbers that must not be called, as far as they have another."""
    several = [number for row in accepted if row.further for number in (row.phone_number, *row.further)]
    if not several:
        return list(accepted)
    found = db.execute_sql(BARRED_AMONG, {**asked, "numbers": several}).fetchall()
    barred = {*asked["erased"], *(number for (number,) in found)}
    kept, lost = [], 0
    for row in accepted:
        numbers = (row.phone_number, *row.further)
        left = [number for number in numbers if number not in barred]
        if row.further and left:
            lost += len(numbers) - len(left)
            kept.append(replace(row, phone_number=left[0], further=tuple(left[1:])))
        else:
            kept.append(row)
    if lost and warn is not None:
        warn(further_numbers.told_lost(lost))
    return kept


def add_list(
    campaign_id: uuid.UUID,
    pieces: Generator[CopyRows],
    erased_numbers: ErasedNumbers,
    repeats: Repeats = ONCE,
) -> Addition:
    """Add a list of any length, as it is read; its rejected rows are kept. Raises as `add_rows`, and whatever reading
    the list raises, and BusyError where others add to the campaign for WAIT_SECONDS once it is read."""
    for statement in STAGE:
        rows(statement)
    counts, notes, further = ImportCounts(), ImportNotes(), False
    with closing(pieces) as read:
        for piece in read:
            if not piece.counts.rows:
                # A transaction that says nothing for IDLE_SECONDS is undone.
                rows("SELECT 1")
            store.copy(f"COPY staged_contact ({STAGED_COLUMNS}) FROM STDIN", piece.contacts)
            store.copy(f"COPY staged_reject ({REJECT_COLUMNS}) FROM STDIN", piece.rejects)
            counts.add(piece.counts)
            notes, further = piece.notes or notes, further or piece.further
    _wait_for_turn(campaign_id)
    asked = _asked(campaign_id, erased_numbers, repeats, _staged_numbers)
    asked |= {"recent": [], "several": further or rows(further_numbers.SEVERAL, campaign_id)[0]["found"]}
    if stage(erased_numbers.tenant_id, repeats):
        asked["recent"] = [line for (line,) in db.execute_sql(LATELY).fetchall()]
    if further:
        stored = Stored("staged_contact", "line", "true")
        kept = further_numbers.keep_only(stored, BARRED, asked, asked["erased"])
        if lost := sum(number for _, number in kept.values()):
            notes.warn(further_numbers.told_lost(lost))
    found = db.execute_sql(ADD_LIST, asked).fetchall()
    told = Counter({Added(result): number for result, number in found})
    for group in _open(campaign_id, told[Added.ADDED], notes.custom, notes.groups):
        notes.warn(str(group))
    told[Added.DUPLICATE] += counts.duplicates
    (numbered,) = rows(_NUMBER, campaign_id)
    rows(KEEP_REJECTS, numbered["additions"])
    return Addition(told, counts.invalid, numbered["additions"], notes.warnings)


def _wait_for_turn(campaign_id: uuid.UUID) -> None:
    """Be the only one who adds to this campaign until the transaction ends. Raises BusyError after WAIT_SECONDS: the
    transaction can do nothing more then."""
    rows(_LOCK_TIMEOUT, f"{round(WAIT_SECONDS * 1000)}ms")
    try:
        rows(_ONE_AT_A_TIME, campaign_id)
    except OperationalError as error:
        if isinstance(getattr(error, "orig", None), psycopg.errors.LockNotAvailable):
            raise BusyError from error
        raise
    rows(_LOCK_TIMEOUT, "0")


def _staged_numbers() -> list[str]:
    return [number for (number,) in db.execute_sql(NUMBERS).fetchall()]


def _asked(
    campaign_id: uuid.UUID,
    erased_numbers: ErasedNumbers,
    repeats: Repeats,
    read: Callable[[], Sequence[str]],
) -> dict[str, Any]:
    look_up_by_index()
    return {
        "campaign": campaign_id,
        "tenant": erased_numbers.tenant_id,
        "once": not repeats.allowed,
        "erased": list(erased_numbers.among(read)),
    }


def _open(
    campaign_id: uuid.UUID,
    new: int,
    columns: Sequence[ListColumn],
    groups: Mapping[int, Group],
    *,
    single: bool = False,
) -> Sequence[NeverOpen]:
    """Lock the campaign, which must be open for new contacts, count them, and write when they may be called; those
    who never may are cancelled, and returned."""
    found = rows(_LOCK_CAMPAIGN, campaign_id)
    if found and found[0]["single_call"] and not single:
        raise SingleCallError
    if not new:
        return ()
    if not found or found[0]["status"] not in OPEN:
        raise NotOpenError(found[0]["status"] if found else "deleted")
    never = openings.add_groups(campaign_id, groups)
    cancelled = sum(group.contacts for group in never)
    rows(_COUNT, campaign_id, store.IMPORT_LANE, new - cancelled, cancelled)
    if found[0]["import_columns"] is None:
        # Of a list that an older release imported: its variables are called as their columns.
        return never
    known = [ListColumn(one["header"], one["column"], one["variable"]) for one in found[0]["import_columns"]]
    now = merged(known, [column for column in columns if column.name not in contact_options.NAMES])
    if len(now) > Limits().max_columns:
        raise ListRefused(
            "too_many_columns",
            f"contacts makes {len(now)} columns of the campaign's {len(known)}; at most {Limits().max_columns} are "
            f"allowed: leave out some",
        )
    if len(now) > len(known):
        rows(_COLUMNS, orjson.dumps(ImportNotes(now).told_columns()).decode(), campaign_id)
    return never
