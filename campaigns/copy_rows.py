"""From batches of a list to what PostgreSQL's COPY reads: whoever reads the list does the work of writing it, too.

COPY's text format: a row a line, a tab between columns, a backslash before what would end either.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

import orjson

from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, Batch, ImportCounts, RejectedRow, kept_text
from campaigns.number_zones import zones_of_number
from campaigns.zone_groups import Group, group_of
from ids import new_ids

_CONSENT = "consent_at, consent_source"
CONTACT_COLUMNS = f"id, campaign_id, position, phone_number, zone_group, custom_fields, {_CONSENT}"
STAGED_COLUMNS = (
    f"id, line, phone_number, zone_group, custom_fields, client_token, expires_at, priority, {_CONSENT}"
)
REJECT_COLUMNS = "campaign_id, line, raw, code, reason, column_name"
ENOUGH_BYTES = 768 * 1024

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
"""What would end a column or a row."""
NULL = "\\N"
_NO_CONSENT = b"\t\\N\t\\N\n"


@dataclass(frozen=True, slots=True)
class CopyRows:
    """A piece of a list: its contacts and its rejected rows, each as COPY reads them, and what they count for.

    `sources` has for each contact the line of its list and that line's text, as they begin a rejected row: for those
    that are rejected by what the database says. `notes` are there with the last piece, which has no rows. `corrected`
    are a doctor's (`list_doctor`).
    """

    contacts: bytes = b""
    rejects: bytes = b""
    counts: ImportCounts = field(default_factory=ImportCounts)
    notes: ImportNotes | None = None
    sources: bytes = b""
    corrected: bytes = b""


def copy_rows(
    batches: Iterable[Batch],
    campaign_id: uuid.UUID,
    enough: int = ENOUGH_BYTES,
    notes: ImportNotes | None = None,
    *,
    staged: bool = False,
) -> Generator[CopyRows]:
    """The rows of these batches, in pieces of `enough` bytes or a little more: each COPY has its own round trips.

    `notes`, which reading the batches fills, are told at the end, with the groups of all of them. With `staged` the
    contacts have STAGED_COLUMNS: where they stand in a campaign is seen later.
    """
    contacts, rejects, sources, counts = bytearray(), bytearray(), bytearray(), ImportCounts()
    groups: dict[int, Group] = {}
    position = 0
    campaign = str(campaign_id)
    for batch in batches:
        for new, row in zip(new_ids(len(batch.accepted)), batch.accepted, strict=True):
            position += 1
            group = note_group(row, groups)
            contacts += _staged(new, row, group) if staged else _contact(new, campaign, position, row, group)
            sources += f"{row.line}\t{kept_text(row.raw).translate(ESCAPES)}\n".encode()
        for refused in batch.rejected:
            rejects += _reject(campaign, refused)
        counts.add(batch.counts())
        if len(contacts) + len(rejects) >= enough:
            yield CopyRows(bytes(contacts), bytes(rejects), counts, sources=bytes(sources))
            contacts, rejects, sources, counts = bytearray(), bytearray(), bytearray(), ImportCounts()
    if counts.rows:
        yield CopyRows(bytes(contacts), bytes(rejects), counts, sources=bytes(sources))
    if notes is not None:
        notes.groups = groups
        yield CopyRows(notes=notes)


def note_group(row: AcceptedRow, seen: dict[int, Group]) -> int:
    """The group of a contact, its zones by its list's word or else by its number; it is noted in `seen`."""
    zones = zones_of_number(row.phone_number) if row.time_zone is None else (row.time_zone,)
    group = Group(zones, row.places, row.consent[0] is not None) if row.places else Group(zones)
    known = group_of(group)
    seen.setdefault(known, group)
    return known


def _contact(new: uuid.UUID, campaign: str, position: int, row: AcceptedRow, group: int) -> bytes:
    return f"{new}\t{campaign}\t{position}\t{row.phone_number}\t{group}\t".encode() + _fields(row) + _end(row)


def _staged(new: uuid.UUID, row: AcceptedRow, group: int) -> bytes:
    options = row.options
    token = "\\N" if options.client_token is None else options.client_token.translate(ESCAPES)
    expires = "\\N" if options.expires_at is None else options.expires_at.isoformat()
    return (
        f"{new}\t{row.line}\t{row.phone_number}\t{group}\t".encode()
        + _fields(row)
        + f"\t{token}\t{expires}\t{options.priority}".encode()
        + _end(row)
    )


def _fields(row: AcceptedRow) -> bytes:
    # orjson escapes tabs and line ends itself; of COPY's own, only the backslash is left.
    return orjson.dumps(row.custom_fields).replace(b"\\", b"\\\\")


def _end(row: AcceptedRow) -> bytes:
    return _NO_CONSENT if row.consent == (None, None) else _consent(*row.consent)


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
