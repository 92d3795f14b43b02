"""Reads how often a tenant's numbers were called, for a limiter that does not know it any more, or not yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dialer.call_rows import COUNTS_FOR_NUMBER
from limits.caps import NumberCall
from models import db, rows

PAGE = 500
"""So many are written at a time: what takes longer keeps the calls of this process waiting past their turns."""
LONGEST_CALL_SECONDS = 5 * 3600
"""A call that ended, or left, so recently as is asked for was claimed at most so much earlier."""

_CALL = f"""
SELECT id::text AS call_id, phone_number AS number,
    greatest(0, extract(epoch FROM now() - coalesce(sent_at, created_at)) * 1000)::int8 AS age_ms,
    CASE WHEN ended_at IS NOT NULL
        THEN greatest(0, extract(epoch FROM now() - ended_at) * 1000)::int8 END AS ended_ms,
    ended_at IS NULL OR {COUNTS_FOR_NUMBER} AS counts"""
_SINCE = f"""
{_CALL}, created_at FROM call
WHERE tenant_id = %(tenant)s AND created_at > now() - make_interval(secs => %(seconds)s)
    AND (created_at, id) > (%(after)s::timestamptz, %(id)s::uuid)
ORDER BY created_at, id LIMIT %(limit)s
"""
_AGAIN = f"{_CALL} FROM call WHERE id = ANY(%s::uuid[])"
FIRST = ("-infinity", "00000000-0000-0000-0000-000000000000")


class NumberRows:
    """The calls of a tenant as their rows have them; raises what a database that is away raises."""

    def since(self, tenant_id: str, seconds: float) -> Iterator[Sequence[NumberCall]]:
        """Those that left, or may have, or ended within so many seconds, PAGE at a time, the oldest first."""
        after, last = FIRST
        while True:
            asked = {
                "tenant": tenant_id,
                "seconds": seconds + LONGEST_CALL_SECONDS,
                "after": after,
                "id": last,
                "limit": PAGE,
            }
            with db.connection_context():
                page = db.execute_sql(_SINCE, asked).fetchall()
            if not page:
                return
            yield [NumberCall(*row[:5]) for row in page]
            after, last = page[-1][5], page[-1][0]

    def again(self, call_ids: Sequence[str]) -> Sequence[NumberCall]:
        """These, as they are now."""
        with db.connection_context():
            return [NumberCall(**row) for row in rows(_AGAIN, list(call_ids))]
