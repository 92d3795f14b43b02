"""Do-not-call entries: entered, read and deleted. What they do is in `suppression_match` and `suppressed_contacts`.

Of two words on one number the stricter stands: an entry that is there keeps its end, its source and its reason unless
the new one lasts longer. So a list that is uploaded again, or a shorter one, never lets somebody be called.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.number_hash import NumberHash
from campaigns.numbers import phone_number
from campaigns.suppression_match import (
    EVERY_CAMPAIGN,
    EVERYBODY,
)
from ids import new_id
from models import db, rows

ANY_CAMPAIGN = uuid.UUID(EVERY_CAMPAIGN)
KEEP_STRICTER = """
    DO UPDATE SET source = excluded.source, reason = excluded.reason, created_by = excluded.created_by,
        expires_at = excluded.expires_at
    WHERE suppression.expires_at IS NOT NULL
        AND (excluded.expires_at IS NULL OR excluded.expires_at > suppression.expires_at)"""
ON_CONFLICT = {
    kind: f"ON CONFLICT ({kind}, scope, campaign_id) WHERE {kind} IS NOT NULL {KEEP_STRICTER}"
    for kind in ("number", "prefix", "digest")
}
NOTE = "INSERT INTO suppression_news (suppression_id) SELECT id FROM {entries} ON CONFLICT DO NOTHING"
"""Has the dialers look whom new entries concern."""
_INSERT = """
WITH entered AS (
    INSERT INTO suppression (id, scope, campaign_id, {kind}, source, reason, created_by, expires_at)
    VALUES (%(id)s, %(scope)s, %(campaign)s, %(what)s, %(source)s, %(reason)s, %(by)s, %(expires)s)
    {on_conflict} RETURNING id
), noted AS ({note})
SELECT id FROM entered"""
_STAGE = """
CREATE TEMPORARY TABLE suppression_upload (
    id uuid, number text, prefix text, source text, reason text, expires_at timestamptz) ON COMMIT DROP"""
# In one order, so that two uploads of the same numbers do not wait for each other.
_ENTER = """
WITH entered AS (
    INSERT INTO suppression (id, scope, campaign_id, {kind}, source, reason, created_by, expires_at)
    SELECT DISTINCT ON ({kind}) id, %(scope)s, %(campaign)s, {kind}, coalesce(source, %(source)s),
        coalesce(reason, %(reason)s), %(by)s, coalesce(expires_at, %(expires)s::timestamptz)
    FROM suppression_upload WHERE {kind} IS NOT NULL
    ORDER BY {kind}, coalesce(expires_at, %(expires)s::timestamptz) DESC NULLS FIRST
    {on_conflict} RETURNING id
), noted AS ({note})
SELECT count(*) FROM entered"""
_ANALYZE = "ANALYZE suppression"
_THERE = (
    "SELECT id FROM suppression WHERE {kind} = %(what)s AND scope = %(scope)s AND campaign_id = %(campaign)s"
)
_COLUMNS = """
    id, scope, NULLIF(campaign_id, %(any)s) AS campaign_id, number, prefix, digest IS NOT NULL AS erased, source,
    reason, created_by, created_at, expires_at"""
_ONE = f"SELECT {_COLUMNS} FROM suppression WHERE id = %(id)s AND scope = ANY(%(scopes)s)"
# Within the part of an index that a scope is: with `scope = …` the planner may read all scopes in the order of their
# ids until it has found enough of one, a million of the others first.
_PAGES = {
    newest: f"""
SELECT {_COLUMNS} FROM suppression WHERE (scope, id) {behind} (%(scope)s, %(after)s) AND scope {within} %(scope)s
ORDER BY scope {order}, id {order} LIMIT %(limit)s OFFSET %(offset)s"""
    for newest, behind, within, order in ((False, ">", "<=", "ASC"), (True, "<", ">=", "DESC"))
}
_ENDS = {False: uuid.UUID(int=0), True: uuid.UUID(int=2**128 - 1)}
"""Where pages begin."""
_TOTAL = """
SELECT count(*) FROM (
    SELECT FROM suppression WHERE scope >= %(scope)s AND scope <= %(scope)s ORDER BY scope, id LIMIT %(most)s
) AS counted"""
_OF_NUMBER = f"""
SELECT {_COLUMNS} FROM suppression WHERE scope IN ('{EVERYBODY}', %(scope)s)
    AND (number = %(number)s OR digest = %(digest)s OR prefix = ANY(%(beginnings)s))
ORDER BY id"""
_DELETE = "DELETE FROM suppression WHERE id = %s AND scope = ANY(%s) AND (digest IS NULL OR %s) RETURNING id"


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry as it was asked for: a `number` in E.164 or a `prefix`, valid. `scope` is a tenant or `*`;
    `campaign_id` None is all campaigns."""

    scope: str
    source: str
    created_by: str
    number: str | None = None
    prefix: str | None = None
    campaign_id: uuid.UUID | None = None
    reason: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is kept. `erased`: it is known by the keyed hash of its number alone."""

    id: uuid.UUID
    scope: str
    campaign_id: uuid.UUID | None
    number: str | None
    prefix: str | None
    erased: bool
    source: str
    reason: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None


def number_of(text: str, region: str | None = None) -> str:
    """A number in E.164. Raises NumberRefused."""
    return phone_number(text, region)


def add(new: NewEntry) -> uuid.UUID:
    """Enter it, or have the entry that is there stand for it; its id. In the caller's transaction."""
    kind = "number" if new.number is not None else "prefix"
    asked = {"id": new_id(), "what": new.number or new.prefix, **_asked(new)}
    statement = _INSERT.format(kind=kind, on_conflict=ON_CONFLICT[kind], note=NOTE.format(entries="entered"))
    found = db.execute_sql(statement, asked).fetchone()
    if found is None:
        found = db.execute_sql(_THERE.format(kind=kind), asked).fetchone()
        # Whoever asks again may ask since he never heard whether the first time was acted on.
        rows("INSERT INTO suppression_news (suppression_id) VALUES (%s) ON CONFLICT DO NOTHING", found[0])
    entry_id: uuid.UUID = found[0]
    return entry_id


def add_all(entries: bytes, columns: str, defaults: NewEntry) -> int:
    """Enter a piece of an uploaded list, as COPY reads it (`suppression_list`), where its rows say nothing else as
    `defaults`; how many entries are new or last longer. In the caller's transaction, which locks no table."""
    asked = _asked(defaults)
    rows(_STAGE)
    with db.cursor() as cursor, cursor.copy(f"COPY suppression_upload ({columns}) FROM STDIN") as copy:
        copy.write(entries)
    entered = 0
    for kind in ("number", "prefix"):
        statement = _ENTER.format(
            kind=kind, on_conflict=ON_CONFLICT[kind], note=NOTE.format(entries="entered")
        )
        entered += db.execute_sql(statement, asked).fetchone()[0]
    return entered


def analyze() -> None:
    """Let the planner know how many entries there are: it reads all of a table that it believes to be small."""
    rows(_ANALYZE)


def get(entry_id: uuid.UUID, scopes: Iterable[str]) -> Entry | None:
    """An entry of one of these scopes."""
    found = _entries(_ONE, {"id": entry_id, "scopes": list(scopes)})
    return found[0] if found else None


def page(
    scope: str, *, limit: int, offset: int = 0, after: uuid.UUID | None = None, newest: bool = False
) -> list[Entry]:
    """Entries of a scope in the order of their ids, which is that in which they were entered, past `after`."""
    asked = {"scope": scope, "after": after or _ENDS[newest], "limit": limit, "offset": offset}
    return _entries(_PAGES[newest], asked)


def total(scope: str, most: int) -> int | None:
    """How many entries a scope has; None where there are more than `most`: an upload may have brought a million."""
    found = db.execute_sql(_TOTAL, {"scope": scope, "most": most + 1}).fetchone()
    return int(found[0]) if found[0] <= most else None


def of_number(scope: str, number: str, number_hash: NumberHash) -> list[Entry]:
    """All entries that are about a number, of a tenant and the platform, also those that have expired; the oldest
    first."""
    asked: dict[str, Any] = {
        "scope": scope,
        "number": number,
        "beginnings": [number[:length] for length in range(2, len(number) + 1)],
        "digest": number_hash(number),
    }
    return _entries(_OF_NUMBER, asked)


def delete(entry_id: uuid.UUID, scopes: Iterable[str], *, erased: bool) -> bool:
    """Delete an entry of one of these scopes, with `erased` also what is left of a person whose data was erased;
    False where there is none. In the caller's transaction."""
    return bool(rows(_DELETE, entry_id, list(scopes), erased))


def _asked(new: NewEntry) -> dict[str, Any]:
    return {
        "scope": new.scope,
        "campaign": new.campaign_id or ANY_CAMPAIGN,
        "source": new.source,
        "reason": new.reason,
        "by": new.created_by,
        "expires": new.expires_at,
    }


def _entries(statement: str, asked: dict[str, Any]) -> list[Entry]:
    return [Entry(*row) for row in db.execute_sql(statement, asked | {"any": ANY_CAMPAIGN}).fetchall()]
