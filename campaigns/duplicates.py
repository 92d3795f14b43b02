"""Whether a number may be in a campaign more than once, and whether whom the tenant called lately is left out: what a
campaign's `duplicates` asks of its lists. In the caller's transaction.

Called is who was sent an originate, or is about to be, by whichever of the tenant's campaigns, single calls among
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from models import db, rows

CODE = "recently_called"
MOST_HOURS = 720
MOST_LOOKUPS = 10_000
"""Numbers, each in so many campaigns: beyond that the tenant's calls of the time are read instead."""
TABLE = "called_lately"


class Duplicates(StrEnum):
    """What becomes of a row with a number that was there before."""

    OFF = "off"
    """It is a contact of its own."""
    LIST = "list"
    """It is a duplicate of the campaign's contact that has the number."""
    RECENT = "recent"
    """Likewise, and whom the tenant called within `duplicates_hours` is left out too."""


DUPLICATES: Mapping[str, str] = {
    Duplicates.OFF: "It is a contact of its own; a number that is there several times is in one call at a time.",
    Duplicates.LIST: "It is left out where another contact of the campaign has one of its numbers.",
    Duplicates.RECENT: "Likewise, and also where any campaign of the tenant, or a single call, called one of its "
    "numbers within duplicates_hours (code recently_called).",
}


@dataclass(frozen=True, slots=True)
class Repeats:
    """A campaign's choice; `hours` of RECENT alone."""

    duplicates: str = Duplicates.LIST
    hours: int | None = None

    @property
    def allowed(self) -> bool:
        """Whether a number may be there more than once."""
        return self.duplicates == Duplicates.OFF

    def reason(self, number: str) -> str:
        """Why a number that was called lately is left out."""
        return f"{number} was called within the last {self.hours} hours"


ONCE = Repeats()
_SENT = "(call.sent_at IS NOT NULL OR call.ended_at IS NULL)"
_STAGE = (
    f"CREATE TEMP TABLE {TABLE} (number text PRIMARY KEY) ON COMMIT DROP",
    f"""INSERT INTO {TABLE} SELECT DISTINCT phone_number FROM call
        WHERE tenant_id = %s AND created_at > now() - make_interval(hours => %s) AND {_SENT}""",
)
_MAY_HAVE_CALLED = """campaign.tenant_id = %(tenant)s
    AND (campaign.completed_at IS NULL OR campaign.completed_at > now() - make_interval(hours => %(hours)s))"""
_CAMPAIGNS = f"SELECT count(*) FROM campaign WHERE {_MAY_HAVE_CALLED}"
# By the number in each campaign that may have called since: calls have no index of their number.
_AMONG = f"""
SELECT DISTINCT wanted.number FROM unnest(%(numbers)s::text[]) AS wanted (number), campaign,
    LATERAL (SELECT id FROM contact WHERE contact.campaign_id = campaign.id AND contact.phone_number = wanted.number
        UNION ALL SELECT id FROM contact WHERE contact.campaign_id = campaign.id
            AND contact.numbers @> ARRAY[wanted.number]) AS named
    JOIN call ON call.contact_id = named.id
WHERE {_MAY_HAVE_CALLED} AND call.phone_number = wanted.number AND {_SENT}
    AND call.created_at > now() - make_interval(hours => %(hours)s)"""
# Each single call is a campaign, and a tenant may have a million of them.
_OF_CALLS = f"""
SELECT DISTINCT phone_number FROM call WHERE tenant_id = %(tenant)s AND phone_number = ANY(%(numbers)s::text[])
    AND created_at > now() - make_interval(hours => %(hours)s) AND {_SENT}"""


def stage(tenant_id: str, repeats: Repeats) -> bool:
    """Put down whom the tenant called lately, in the temporary table TABLE, for statements of the transaction about
    a list of any length; False where that is not asked for."""
    if repeats.hours is None:
        return False
    rows(_STAGE[0])
    rows(_STAGE[1], tenant_id, repeats.hours)
    return True


def lately(contact: str) -> str:
    """Whether one of a contact's numbers is in TABLE."""
    return f"""EXISTS (SELECT FROM {TABLE} AS called
        WHERE called.number = ANY(coalesce({contact}.numbers, ARRAY[{contact}.phone_number])))"""


def called_lately(tenant_id: str, repeats: Repeats, numbers: Sequence[str]) -> frozenset[str]:
    """Those of a few numbers that the tenant called lately, as far as that is asked for."""
    if repeats.hours is None or not numbers:
        return frozenset()
    asked = {"tenant": tenant_id, "hours": repeats.hours, "numbers": list(numbers)}
    ((campaigns,),) = db.execute_sql(_CAMPAIGNS, asked).fetchall()
    statement = _AMONG if campaigns * len(numbers) <= MOST_LOOKUPS else _OF_CALLS
    return frozenset(number for (number,) in db.execute_sql(statement, asked).fetchall())
