"""From batches of a list to what PostgreSQL's COPY reads: whoever reads the list does the work of writing it, too.

COPY's text format: a row a line, a tab between columns, a backslash before what would end either.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, Batch, ImportCounts, RejectedRow, kept_text
from campaigns.number_zones import zones_of_number
from campaigns.places import Places, places_of
from campaigns.zone_groups import Group, group_of
from ids import new_ids

_CONSENT = "consent_at, consent_source"
_NUMBERS = "numbers, zone_groups"
CONTACT_COLUMNS = (
    f"id, campaign_id, position, phone_number, zone_group, repeats, custom_fields, {_NUMBERS}, {_CONSENT}"
)
STAGED_COLUMNS = (
    "id, line, phone_number, zone_group, custom_fields, client_token, expires_at, priority,"
    f" {_NUMBERS}, {_CONSENT}"
)
REJECT_COLUMNS = "campaign_id, line, raw, code, reason, column_name"
ENOUGH_BYTES = 768 * 1024

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
"""What would end a column or a row."""
NULL = "\\N"
_NO_CONSENT = b"\t\\N\t\\N\n"
_ONE_NUMBER = b"\t\\N\t\\N"
_PLAIN = _ONE_NUMBER + _NO_CONSENT


@dataclass(frozen=True, slots=True)
class CopyRows:
    """A piece of a list: its contacts and its rejected rows, each as COPY reads them, and what they count for.

    `sources` has for each contact the line of its list and that line's text, as they begin a rejected row: for those
    that are rejected by what the database says. `notes` are there with the last piece, which has no rows. `corrected`
    are a doctor's (`list_doctor`). `further`: some of its contacts have more than one number.
    """

    contacts: bytes = b""
    rejects: bytes = b""
    counts: ImportCounts = field(default_factory=ImportCounts)
    notes: ImportNotes | None = None
    sources: bytes = b""
    corrected: bytes = b""
    further: bool = False


def copy_rows(
    batches: Iterable[Batch],
    campaign_id: uuid.UUID,
    enough: int = ENOUGH_BYTES,
    notes: ImportNotes | None = None,
    *,
    staged: bool = False,
    repeats: bool = False,
) -> Generator[CopyRows]:
    """The rows of these batches, in pieces of `enough` bytes or a little more: each COPY has its own round trips.

    `notes`, which reading the batches fills, are told at the end, with the groups of all of them. With `staged` the
    contacts have STAGED_COLUMNS: where they stand in a campaign is seen later. With `repeats` a number may be there
    more than once.
    """
    contacts, rejects, sources, counts = bytearray(), bytearray(), bytearray(), ImportCounts()
    groups: dict[int, Group] = {}
    position, most_numbers, further = 0, 1, False
    campaign = str(campaign_id)
    for batch in batches:
        for new, row in zip(new_ids(len(batch.accepted)), batch.accepted, strict=True):
            position += 1
            among = note_groups(row, groups)
            if row.further:
                most_numbers, further = max(most_numbers, len(among)), True
            place = position, position if repeats or row.further else 0
            contacts += _staged(new, row, among) if staged else _contact(new, campaign, place, row, among)
            sources += f"{row.line}\t{kept_text(row.raw).translate(ESCAPES)}\n".encode()
        for refused in batch.rejected:
            rejects += _reject(campaign, refused)
        counts.add(batch.counts())
        if len(contacts) + len(rejects) >= enough:
            yield CopyRows(bytes(contacts), bytes(rejects), counts, sources=bytes(sources), further=further)
            contacts, rejects, sources, counts = bytearray(), bytearray(), bytearray(), ImportCounts()
            further = False
    if counts.rows:
        yield CopyRows(bytes(contacts), bytes(rejects), counts, sources=bytes(sources), further=further)
    if notes is not None:
        notes.groups, notes.most_numbers = groups, most_numbers
        yield CopyRows(notes=notes)


def note_groups(row: AcceptedRow, seen: dict[int, Group]) -> tuple[int, ...]:
    """The group of each of a contact's numbers, its zones by its list's word or else by the number; they are noted in
    `seen`."""
    first = _note_group(row, row.phone_number, row.places, seen)
    if not row.further:
        return (first,)
    return (
        first,
        *(_note_group(row, number, places_of(number) if row.places else (), seen) for number in row.further),
    )


def _note_group(row: AcceptedRow, number: str, places: Places, seen: dict[int, Group]) -> int:
    zones = zones_of_number(number) if row.time_zone is None else (row.time_zone,)
    group = Group(zones, places, row.consent[0] is not None) if places else Group(zones)
    known = group_of(group)
    seen.setdefault(known, group)
    return known


def _contact(
    new: uuid.UUID, campaign: str, place: tuple[int, int], row: AcceptedRow, groups: Sequence[int]
) -> bytes:
    position, repeats = place
    return (
        f"{new}\t{campaign}\t{position}\t{row.phone_number}\t{groups[0]}\t{repeats}\t".encode()
        + _fields(row)
        + _end(row, groups)
    )


def _staged(new: uuid.UUID, row: AcceptedRow, groups: Sequence[int]) -> bytes:
    options = row.options
    token = "\\N" if options.client_token is None else options.client_token.translate(ESCAPES)
    expires = "\\N" if options.expires_at is None else options.expires_at.isoformat()
    return (
        f"{new}\t{row.line}\t{row.phone_number}\t{groups[0]}\t".encode()
        + _fields(row)
        + f"\t{token}\t{expires}\t{options.priority}".encode()
        + _end(row, groups)
    )


def _fields(row: AcceptedRow) -> bytes:
    # orjson escapes tabs and line ends itself; of COPY's own, only the backslash is left.
    return orjson.dumps(row.custom_fields).replace(b"\\", b"\\\\")


def _end(row: AcceptedRow, groups: Sequence[int]) -> bytes:
    if not row.further and row.consent == (None, None):
        return _PLAIN
    numbers = _several(row, groups) if row.further else _ONE_NUMBER
    return numbers + (_NO_CONSENT if row.consent == (None, None) else _consent(*row.consent))


def _several(row: AcceptedRow, groups: Sequence[int]) -> bytes:
    # Of digits and signs alone: nothing in either array has to be quoted.
    numbers = ",".join((row.phone_number, *row.further))
    return f"\t{{{numbers}}}\t{{{','.join(map(str, groups))}}}".encode()


def _consent(at: str | None, source: str | None) -> bytes:
    return f"\t{at or NULL}\t{NULL if source is None else source.translate(ESCAPES)}\n".encode()


def reject_row(campaign: uuid.UUID, source: bytes, code: str, reason: str, column: str) -> bytes:
    """A row that is rejected after all, as COPY reads it; `source` is its line of a piece's `sources`."""
    texts = "\t".join(text.translate(ESCAPES) for text in (code, reason, column))
    return f"{campaign}\t".encode() + source + f"\t{texts}\n".encode()


def _reject(campaign: str, row: RejectedRow) -> bytes:
    texts = "\t".join(text.translate(ESCAPES) for text in (row.raw, row.code, row.reason))
    column = NULL if row.column is None else row.column.translate(ESCAPES)
    return f"{campaign}\t{row.line}\t{texts}\t{column}\n".encode()
