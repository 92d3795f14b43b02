"""Takes the rows out of a list, while it is imported, whose number is on a do-not-call list, or, where the campaign
asks for that, was called lately. Of several numbers those on such a list are taken out, and the contact
where none is left.

Looked up where they were just stored: the reader of a list knows no rows but its own. What is entered meanwhile the
claim knows of. In the caller's transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from campaigns import further_numbers
from campaigns.column_names import PHONE_COLUMN
from campaigns.copy_rows import CopyRows, reject_row
from campaigns.duplicates import CODE as RECENT_CODE
from campaigns.duplicates import ONCE, Repeats, lately, stage
from campaigns.further_numbers import Stored
from campaigns.number_hash import ERASED, NumberHash
from campaigns.suppression_match import BINDS, EVERY_CAMPAIGN, EVERYBODY, suppressed
from cooperative import let_others_run
from models import db, rows

CODE = "suppressed"

_ONE = {"tenant": "%(tenant)s", "campaign": "%(campaign)s::uuid", "digest": "NULL::bytea"}
_AMONG = "campaign_id = %(campaign)s::uuid AND position BETWEEN %(first)s AND %(last)s"
_BARRED = suppressed("one.number", **_ONE)
_FOUND = f"""
SELECT position, phone_number FROM {{table}} AS contact
WHERE {_AMONG} AND ({suppressed("contact.phone_number", **_ONE)} OR phone_number = ANY(%(gone)s::text[]))
ORDER BY position"""
_LATELY = f"""
SELECT position, phone_number FROM {{table}} AS contact WHERE {_AMONG} AND {lately("contact")} ORDER BY position"""
_HASHED = f"""
SELECT entry.digest FROM suppression AS entry WHERE entry.digest = ANY(%s::bytea[])
    AND entry.scope IN ('{EVERYBODY}', %s) AND entry.campaign_id = '{EVERY_CAMPAIGN}' AND {BINDS}"""
_HASHES = f"""
SELECT 1 FROM suppression WHERE digest IS NOT NULL AND scope IN ('{EVERYBODY}', %s) LIMIT 1"""
_NUMBERS = f"""
SELECT DISTINCT one.number FROM {{table}} AS contact,
    unnest(coalesce(contact.numbers, ARRAY[contact.phone_number])) AS one (number) WHERE {_AMONG}"""
_TAKE_OUT = "DELETE FROM {table} WHERE campaign_id = %s AND position = ANY(%s)"
# However many there are by now: a plan that was made for a few would read them all for each contact.
# With an id: an erasure waits for whoever may have looked before it (`erasure.older_running`).
_BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true), pg_current_xact_id()"
_SLICE = 1_000


class ErasedNumbers:
    """Which numbers a tenant may not call since they were erased: known by their keyed hashes alone."""

    def __init__(self, tenant_id: str, number_hash: NumberHash) -> None:
        self.tenant_id = tenant_id
        self.number_hash = number_hash

    def among(self, read: Callable[[], Iterable[str]]) -> frozenset[str]:
        """Those of the numbers that were erased; nothing is read where nobody was."""
        if not rows(_HASHES, self.tenant_id):
            return frozenset()
        numbers = list(read())
        found: set[str] = set()
        for start in range(0, len(numbers), _SLICE):
            hashed = {self.number_hash(number): number for number in numbers[start : start + _SLICE]}
            matches = rows(_HASHED, list(hashed), self.tenant_id)
            found.update(hashed[bytes(match["digest"])] for match in matches)
            let_others_run()
        return frozenset(found)


def look_up_by_index() -> None:
    """For the rest of the transaction."""
    rows(_BY_INDEX)


@dataclass(frozen=True, slots=True)
class TakenOut:
    """A row that is rejected after all: its place among those accepted and its number; `source` is its line and text,
    as they begin a rejected row, without the text of one whose number was erased."""

    place: int
    number: str
    source: bytes
    code: str
    reason: str

    def reject_row(self, campaign_id: uuid.UUID) -> bytes:
        """As COPY reads it."""
        return reject_row(campaign_id, self.source, self.code, self.reason, PHONE_COLUMN)


class SuppressedRows:
    """Those of one list; `count` is how many were taken out, `recent` how many since they were called lately, as
    `repeats` asks for. `lost`: how many numbers contacts lost that have another; `first` are the numbers that these
    have first now, by their places. `table` has the list's contacts."""

    def __init__(
        self,
        campaign_id: uuid.UUID,
        tenant_id: str,
        number_hash: NumberHash,
        table: str = "contact",
        repeats: Repeats = ONCE,
    ) -> None:
        self.count = self.recent = self.lost = 0
        self.first: dict[int, str] = {}
        self._repeats = repeats
        self._table = table
        self._campaign_id = campaign_id
        self._erased_numbers = ErasedNumbers(tenant_id, number_hash)
        self._last = 0
        look_up_by_index()
        self._lately = stage(tenant_id, repeats)

    def take_out(self, piece: CopyRows) -> list[TakenOut]:
        """Delete those of a piece that was just stored; which they were, in their order."""
        if not piece.counts.accepted:
            return []
        first, self._last = self._last + 1, self._last + piece.counts.accepted
        asked: dict[str, object] = {
            "campaign": self._campaign_id,
            "tenant": self._erased_numbers.tenant_id,
            "first": first,
            "last": self._last,
        }
        # Asked for each piece: while a long list is read, somebody may be erased.
        gone = self._erased_numbers.among(lambda: self._numbers(asked))
        # Before numbers are taken out of contacts: whoever was called by one of them is left out.
        recent = dict(self._read(_LATELY, asked)) if self._lately else {}
        if piece.further:
            self._keep_only(asked, list(gone))
        found = dict(self._read(_FOUND, asked | {"gone": list(gone)}))
        recent = {place: number for place, number in recent.items() if place not in found}
        if not found and not recent:
            return []
        rows(_TAKE_OUT.format(table=self._table), self._campaign_id, [*found, *recent])
        self.count += len(found)
        self.recent += len(recent)
        sources = piece.sources.split(b"\n")
        taken = [
            self._suppressed(place, number, sources[place - first], erased=number in gone)
            for place, number in found.items()
        ]
        taken += [
            TakenOut(place, number, sources[place - first], RECENT_CODE, self._repeats.reason(number))
            for place, number in recent.items()
        ]
        return sorted(taken, key=lambda row: row.place)

    def _suppressed(self, place: int, number: str, source: bytes, *, erased: bool) -> TakenOut:
        named = PHONE_COLUMN if erased else number
        reason = f"{named} is on a do-not-call list"
        return TakenOut(place, number, _line(source) if erased else source, CODE, reason)

    def _keep_only(self, asked: dict[str, object], gone: Sequence[str]) -> None:
        kept = further_numbers.keep_only(Stored(self._table, "position", _AMONG), _BARRED, asked, gone)
        for place, (number, lost) in kept.items():
            self.first[place] = number
            self.lost += lost

    def _numbers(self, asked: dict[str, object]) -> list[str]:
        return [number for (number,) in self._read(_NUMBERS, asked)]

    def _read(self, statement: str, asked: dict[str, object]) -> list[Any]:
        found: list[Any] = db.execute_sql(statement.format(table=self._table), asked).fetchall()
        return found


def _line(source: bytes) -> bytes:
    """Its line alone, of a row whose text is not kept."""
    return source.split(b"\t", 1)[0] + b"\t" + ERASED.encode()
