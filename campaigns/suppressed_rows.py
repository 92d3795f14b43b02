"""Takes the rows out of a list, while it is imported, whose number is on a do-not-call list.

Looked up where they were just stored: the reader of a list knows no rows but its own. What is entered meanwhile the
claim knows of. In the caller's transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from campaigns.column_names import PHONE_COLUMN
from campaigns.copy_rows import CopyRows, reject_row
from campaigns.number_hash import NumberHash
from campaigns.suppression_match import BINDS, EVERY_CAMPAIGN, EVERYBODY, suppressed
from cooperative import let_others_run
from models import db, rows

CODE = "suppressed"
ERASED = "erased"
"""What stands in the place of a row whose number was erased."""

_MATCHED = suppressed(
    "contact.phone_number", tenant="%(tenant)s", campaign="%(campaign)s::uuid", digest="NULL::bytea"
)
_FOUND = f"""
SELECT position, phone_number FROM {{table}} AS contact
WHERE campaign_id = %(campaign)s::uuid AND position BETWEEN %(first)s AND %(last)s AND {_MATCHED}
ORDER BY position"""
_HASHED = f"""
SELECT entry.digest FROM suppression AS entry WHERE entry.digest = ANY(%s::bytea[])
    AND entry.scope IN ('{EVERYBODY}', %s) AND entry.campaign_id = '{EVERY_CAMPAIGN}' AND {BINDS}"""
_HASHES = f"""
SELECT 1 FROM suppression WHERE digest IS NOT NULL AND scope IN ('{EVERYBODY}', %s) LIMIT 1"""
_NUMBERS = """
SELECT position, phone_number FROM {table} WHERE campaign_id = %s AND position BETWEEN %s AND %s ORDER BY position"""
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

    def among(self, read: Callable[[], Sequence[tuple[int, str]]]) -> list[int]:
        """The places of those that were erased; nothing is read where nobody was."""
        if not rows(_HASHES, self.tenant_id):
            return []
        numbered = read()
        found: list[int] = []
        for start in range(0, len(numbered), _SLICE):
            some = numbered[start : start + _SLICE]
            hashed = {self.number_hash(number): place for place, number in some}
            matches = rows(_HASHED, list(hashed), self.tenant_id)
            found += [hashed[bytes(match["digest"])] for match in matches]
            let_others_run()
        return found


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
    """Those of one list; `count` is how many were taken out. `table` has its contacts."""

    def __init__(
        self, campaign_id: uuid.UUID, tenant_id: str, number_hash: NumberHash, table: str = "contact"
    ) -> None:
        self.count = 0
        self._table = table
        self._campaign_id = campaign_id
        self._erased_numbers = ErasedNumbers(tenant_id, number_hash)
        self._last = 0
        look_up_by_index()

    def take_out(self, piece: CopyRows) -> list[TakenOut]:
        """Delete those of a piece that was just stored; which they were, in their order."""
        if not piece.counts.accepted:
            return []
        first, self._last = self._last + 1, self._last + piece.counts.accepted
        erased = self._erased(first)
        found = self._by_number(first) | erased
        if not found:
            return []
        rows(_TAKE_OUT.format(table=self._table), self._campaign_id, list(found))
        self.count += len(found)
        sources = piece.sources.split(b"\n")
        return [
            TakenOut(
                place,
                number,
                _line(sources[place - first]) if place in erased else sources[place - first],
                CODE,
                f"{PHONE_COLUMN if place in erased else number} is on a do-not-call list",
            )
            for place, number in sorted(found.items())
        ]

    def _by_number(self, first: int) -> dict[int, str]:
        asked = {
            "campaign": self._campaign_id,
            "tenant": self._erased_numbers.tenant_id,
            "first": first,
            "last": self._last,
        }
        return dict(db.execute_sql(_FOUND.format(table=self._table), asked).fetchall())

    def _erased(self, first: int) -> dict[int, str]:
        # Asked for each piece: while a long list is read, somebody may be erased.
        asked = (self._campaign_id, first, self._last)
        read: dict[int, str] = {}

        def numbers() -> list[tuple[int, str]]:
            found = db.execute_sql(_NUMBERS.format(table=self._table), asked).fetchall()
            read.update(found)
            return list(read.items())

        return {place: read[place] for place in self._erased_numbers.among(numbers)}


def _line(source: bytes) -> bytes:
    """Its line alone, of a row whose text is not kept."""
    return source.split(b"\t", 1)[0] + b"\t" + ERASED.encode()
