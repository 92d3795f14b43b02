"""A contact's further numbers, as parts of the statements that go from one to the next.

`contact.numbers` are all of its numbers in the order of its list, null where it has one; `phone_number` is the one
that is called next, and whatever asks about a contact's number asks about that. `struck` has a bit for each that is
called no more, the lowest for the first. A contact's numbers change by `keep_only` alone, while its list is stored.
Decision 0082.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models import db

SEVERAL = "SELECT EXISTS (SELECT FROM contact WHERE campaign_id = %s AND numbers IS NOT NULL) AS found"
"""Whether anybody of a campaign has more than one."""


def following(contact: str, usable: str = "true") -> str:
    """The place, from 1, of the number that `contact` (a row of the table) is called by next, in turn behind the one
    of now; null where there is no other. `usable` is a condition on `other` (number, place) that it has to meet."""
    return f"""(SELECT other.place FROM unnest({contact}.numbers) WITH ORDINALITY AS other (number, place)
        WHERE other.number <> {contact}.phone_number AND ({contact}.struck >> (other.place - 1)::int) & 1 = 0
            AND {usable}
        ORDER BY other.place < array_position({contact}.numbers, {contact}.phone_number), other.place LIMIT 1)"""


def has_other(contact: str, usable: str = "true") -> str:
    """Whether a contact can go on with another number."""
    return f"({contact}.numbers IS NOT NULL AND {following(contact, usable)} IS NOT NULL)"


def opens_for(contact: str, windows: str) -> str:
    """Whether a number is `usable` as far as the campaign's `windows` are concerned: with one that never opens for it
    its contact would wait for ever."""
    return f"""({windows} IS NULL OR EXISTS (SELECT FROM opening WHERE opening.campaign_id = {contact}.campaign_id
            AND opening.zone_group = {contact}.zone_groups[other.place] AND closes_at > now()))"""


def without_current(contact: str) -> str:
    """`struck` with the number of now among them."""
    place = f"array_position({contact}.numbers, {contact}.phone_number)"
    return f"({contact}.struck::int | (1 << ({place} - 1)))::smallint"


def goes_on(contact: str, usable: str, *, strike: bool) -> str:
    """What an UPDATE of a contact sets, so that it is called by its next `usable` number; with `strike` never again
    by that of now."""
    place = following(contact, usable)
    struck = f", struck = {without_current(contact)}" if strike else ""
    return (
        f"""phone_number = {contact}.numbers[{place}], zone_group = {contact}.zone_groups[{place}]{struck}"""
    )


_KEEP_ONLY = """
WITH judged AS (
    SELECT contact.{key} AS key, array_agg(one.number ORDER BY one.place) AS numbers,
        array_agg(one.zone_group ORDER BY one.place) AS zone_groups, cardinality(contact.numbers) - count(*) AS lost
    FROM {table} AS contact, unnest(contact.numbers, contact.zone_groups) WITH ORDINALITY
        AS one (number, zone_group, place)
    WHERE {among} AND contact.numbers IS NOT NULL
        AND NOT (one.number = ANY(%(gone)s::text[]) OR {barred})
    GROUP BY contact.{key}, contact.numbers
)
UPDATE {table} AS contact SET phone_number = judged.numbers[1], zone_group = judged.zone_groups[1],
    numbers = CASE WHEN cardinality(judged.numbers) > 1 THEN judged.numbers END,
    zone_groups = CASE WHEN cardinality(judged.numbers) > 1 THEN judged.zone_groups END
FROM judged WHERE {among} AND contact.{key} = judged.key AND judged.lost > 0
RETURNING contact.{key}, contact.phone_number, judged.lost::int"""


@dataclass(frozen=True, slots=True)
class Stored:
    """Contacts of a table that is just being filled: those for which the condition `among` holds; `key` is the column
    that tells them apart."""

    table: str
    key: str
    among: str


def keep_only(
    stored: Stored, barred: str, parameters: dict[str, object], gone: Sequence[str]
) -> dict[int, tuple[str, int]]:
    """Take the numbers out of contacts that are `gone`, or for which the condition `barred` on `one.number` holds; by
    their key the number that those have first who lost some, and how many they lost. Who has none left is as he was:
    his first number says so."""
    statement = _KEEP_ONLY.format(table=stored.table, key=stored.key, among=stored.among, barred=barred)
    found = db.execute_sql(statement, parameters | {"gone": list(gone)}).fetchall()
    return {place: (number, lost) for place, number, lost in found}


def told_lost(lost: int) -> str:
    """A sentence about numbers that `keep_only` took out."""
    which = "1 further number is" if lost == 1 else f"{lost} further numbers are"
    return f"{which} left out of contacts that have another: on a do-not-call list"
