"""How the calls of the last hour ended that each gateway was given: counted by dialers as calls end, five minutes by
five minutes, so that no row of a call is read for it. On the connection that the caller holds.

A dialer that dies takes along what it counted within some seconds, and a late record corrects nothing here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from models import rows


class How(NamedTuple):
    """How calls by a gateway ended: what was said where they were refused, else no status and no cause. The status
    is 0 where a refusal had none."""

    gateway_id: str
    sip_status: int = 0
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Calls that were refused with the same words."""

    sip_status: int | None
    cause: str
    calls: int


@dataclass(frozen=True, slots=True)
class LastHour:
    """The calls that a gateway was given, and those of them that were refused, by what was said; the most first."""

    calls: int = 0
    refusals: Sequence[Refusal] = ()

    @property
    def refused(self) -> int:
        return sum(one.calls for one in self.refusals)


_ADD = """
INSERT INTO gateway_count AS kept (since, gateway_id, lane, sip_status, cause, calls)
SELECT date_bin('5 minutes', now(), 'epoch'), gateway_id, %s, sip_status, cause, calls
FROM json_to_recordset(%s::json) AS counted (gateway_id uuid, sip_status smallint, cause text, calls int)
ON CONFLICT (since, gateway_id, lane, sip_status, cause) DO UPDATE SET calls = kept.calls + EXCLUDED.calls
"""
LAST_HOUR = """
SELECT gateway_id::text AS gateway_id, sip_status, cause, sum(calls)::int AS calls FROM gateway_count
WHERE since > now() - interval '1 hour' AND gateway_id = ANY(%s::uuid[])
GROUP BY gateway_id, sip_status, cause ORDER BY calls DESC, sip_status, cause
"""
"""What was counted of these gateways in the last hour, by how their calls ended."""


def add(lane: str, counted: Mapping[How, int]) -> None:
    """Add what a dialer counted to its lane."""
    found = [how._asdict() | {"calls": calls} for how, calls in counted.items()]
    rows(_ADD, lane, orjson.dumps(found).decode())


def last_hour(gateway_ids: Iterable[uuid.UUID]) -> dict[str, LastHour]:
    """Of each of these gateways by which a call ended since."""
    calls: dict[str, int] = {}
    refusals: dict[str, list[Refusal]] = {}
    for row in rows(LAST_HOUR, [*gateway_ids]):
        gateway_id = row["gateway_id"]
        calls[gateway_id] = calls.get(gateway_id, 0) + row["calls"]
        if row["cause"]:
            one = Refusal(row["sip_status"] or None, row["cause"], row["calls"])
            refusals.setdefault(gateway_id, []).append(one)
    return {gateway_id: LastHour(n, refusals.get(gateway_id, ())) for gateway_id, n in calls.items()}
