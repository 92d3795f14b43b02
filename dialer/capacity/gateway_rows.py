"""The rows of a gateway and its destinations, read and written under its lock (`gateway_pauses` decides)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from dialer.capacity.gateway_pauses import Gateway, Standing
from models import db, rows, transaction

_COLUMNS = """faults_in_row, faults_since, refused_calls, silent_calls, silent_since, paused_at, paused_reason,
    probe_at, probes"""
_GATEWAY = f"""
SELECT name, {_COLUMNS}, paused_alone, clock_timestamp() AS now FROM gateway WHERE id = %s FOR NO KEY UPDATE
"""
_PREFIXES = f"SELECT prefix, {_COLUMNS}, works_at FROM gateway_prefix WHERE gateway_id = %s"
_WRITE_GATEWAY = """
UPDATE gateway SET faults_in_row = %(faults)s, faults_since = %(since)s, refused_calls = %(refused)s::jsonb,
    silent_calls = %(silent)s::jsonb, silent_since = %(silent_since)s, paused_at = %(paused_at)s,
    paused_reason = CASE WHEN %(paused_at)s::timestamptz IS NOT NULL THEN %(reason)s END,
    probe_at = %(probe_at)s, probes = %(probes)s, paused_alone = %(alone)s
WHERE id = %(id)s
"""
_WRITE_PREFIX = """
INSERT INTO gateway_prefix (gateway_id, prefix, faults_in_row, faults_since, refused_calls, silent_calls,
    silent_since, works_at, paused_at, paused_reason, probe_at, probes)
VALUES (%(id)s, %(prefix)s, %(faults)s, %(since)s, %(refused)s::jsonb, %(silent)s::jsonb,
    %(silent_since)s, %(works_at)s, %(paused_at)s, %(reason)s, %(probe_at)s, %(probes)s)
ON CONFLICT (gateway_id, prefix) DO UPDATE SET faults_in_row = EXCLUDED.faults_in_row,
    faults_since = EXCLUDED.faults_since, refused_calls = EXCLUDED.refused_calls,
    silent_calls = EXCLUDED.silent_calls, silent_since = EXCLUDED.silent_since, works_at = EXCLUDED.works_at,
    paused_at = EXCLUDED.paused_at, paused_reason = EXCLUDED.paused_reason, probe_at = EXCLUDED.probe_at,
    probes = EXCLUDED.probes
"""
_WORKS = """
INSERT INTO gateway_prefix (gateway_id, prefix, works_at)
SELECT gateway_id, prefix, now() FROM unnest(%s::uuid[], %s::text[]) AS seen (gateway_id, prefix)
ORDER BY gateway_id, prefix
ON CONFLICT (gateway_id, prefix) DO UPDATE SET works_at = EXCLUDED.works_at
"""
# Whom this gateway or another refused before these refusals began was refused while others got through.
_AGAIN = """
SELECT count(*) FILTER (WHERE charges <= (SELECT count(*) FROM call WHERE call.contact_id = again.contact_id
        AND call.ended_at >= %(since)s AND NOT call.id = ANY(%(calls)s::uuid[])
        AND (disposition = 'gateway_fault' OR disposition = 'congestion' AND sip_status IS NOT NULL)))::int,
    count(*) FILTER (WHERE charges <= (SELECT count(*) FROM call WHERE call.contact_id = again.contact_id
        AND call.ended_at >= %(since_there)s AND NOT call.id = ANY(%(calls)s::uuid[])
        AND (disposition = 'gateway_fault' OR disposition = 'congestion' AND sip_status IS NOT NULL)))::int,
    (SELECT min(ended_at) FROM call WHERE id = ANY(%(calls)s::uuid[]))
FROM unnest(%(contacts)s::uuid[], %(charges)s::int[]) AS again (contact_id, charges)
"""
# Of each number one, and none that could not be reached before: at the end of a list those are left whose phones are
# switched off. Of a campaign that is exempt the outcomes are true.
_TELLING = """
SELECT DISTINCT ON (call.phone_number) call.id::text AS call_id
FROM call JOIN campaign ON campaign.id = call.campaign_id
WHERE call.id = ANY(%(calls)s::uuid[]) AND campaign.breaker_exempt_at IS NULL
    AND NOT EXISTS (SELECT FROM call AS before WHERE before.contact_id = call.contact_id AND before.seq < call.seq
        AND before.disposition = 'unreachable')
    AND NOT EXISTS (SELECT FROM call AS known WHERE known.id = ANY(%(known)s::uuid[])
        AND known.phone_number = call.phone_number)
ORDER BY call.phone_number, call.id
"""
_GIVE_BACK = """
WITH charged AS (
    SELECT contact_id, count(*) FILTER (WHERE disposition = 'congestion') AS carrier,
        count(*) FILTER (WHERE disposition = 'gateway_fault') AS gateway
    FROM call WHERE attempt IS NULL AND id = ANY(%s::uuid[]) GROUP BY contact_id
), owed AS (
    SELECT contact.id, charged.* FROM contact JOIN charged ON charged.contact_id = contact.id
    WHERE carrier_refusals + gateway_faults > 0 ORDER BY contact.id FOR UPDATE OF contact
)
UPDATE contact SET carrier_refusals = greatest(0, carrier_refusals - owed.carrier),
    gateway_faults = greatest(0, gateway_faults - owed.gateway)
FROM owed WHERE contact.id = owed.id
"""


@dataclass(frozen=True, slots=True)
class Changed:
    """A gateway before and after a change that was committed."""

    name: str
    before: Gateway
    after: Gateway


Decide = Callable[[Gateway, datetime], Gateway | None]
"""What a gateway, as it is at a time, is to be; None: as it is."""
Change = Callable[[str, Decide], Changed | None]


def change(gateway_id: str, decide: Decide) -> Changed | None:
    """Change a gateway by what `decide` makes of it now; None where that is nothing, or it is gone. Raises what a
    database that is away raises."""
    key = uuid.UUID(gateway_id)
    with db.connection_context(), db.atomic():
        found = rows(_GATEWAY, key)
        if not found:
            return None
        row = found[0]
        prefixes = {one["prefix"]: _standing(one) for one in rows(_PREFIXES, key)}
        before = Gateway(_standing(row), prefixes, row["paused_alone"])
        after = decide(before, row["now"])
        if after is None:
            return None
        if (after.whole, after.alone) != (before.whole, before.alone):
            db.execute_sql(_WRITE_GATEWAY, _values(after.whole) | {"id": key, "alone": after.alone})
        for name, standing in sorted(after.prefixes.items()):
            if standing != before.prefixes.get(name):
                db.execute_sql(_WRITE_PREFIX, _values(standing) | {"id": key, "prefix": name})
    return Changed(row["name"], before, after)


def work(keys: Collection[tuple[str, str]]) -> None:
    """Calls by these gateways to these destinations got through."""
    gateways, prefixes = zip(*keys, strict=True)
    with transaction():
        rows(_WORKS, list(gateways), list(prefixes))


def refused_anew(
    contacts: Sequence[tuple[str, int]],
    calls: Sequence[str],
    since: datetime | None,
    since_there: datetime | None,
) -> tuple[int, int, datetime | None]:
    """How many of these contacts, each charged so often before, were charged for refusals since the gateway's began,
    and since those of its destination did; and when the first of `calls` ended."""
    parameters = {
        "contacts": [contact_id for contact_id, _ in contacts],
        "charges": [charges for _, charges in contacts],
        "calls": list(calls),
        "since": since,
        "since_there": since_there,
    }
    ((anew, anew_there, began),) = db.execute_sql(_AGAIN, parameters).fetchall()
    return anew, anew_there, began


def telling(calls: Sequence[str], known: Sequence[str]) -> list[str]:
    """Which of these calls, to which nobody responded, say something of their gateway beside those that are known."""
    found = db.execute_sql(_TELLING, {"calls": list(calls), "known": list(known)}).fetchall()
    return [call_id for (call_id,) in found]


def give_back(calls: Sequence[str]) -> None:
    """The contacts of these calls were not to blame: what they were charged is given back."""
    db.execute_sql(_GIVE_BACK, (list(calls),))


def _standing(row: dict[str, object]) -> Standing:
    values: dict[str, object] = {
        "faults": row["faults_in_row"],
        "since": row["faults_since"],
        "refused": tuple(row["refused_calls"]),  # type: ignore[arg-type]
        "silent": tuple(row["silent_calls"]),  # type: ignore[arg-type]
        "silent_since": row["silent_since"],
        "works_at": row.get("works_at"),
        "paused_at": row["paused_at"],
        "reason": row["paused_reason"],
        "probe_at": row["probe_at"],
        "probes": row["probes"],
    }
    return Standing(**values)  # type: ignore[arg-type]


def _values(standing: Standing) -> dict[str, object]:
    return {
        "faults": standing.faults,
        "since": standing.since,
        "refused": orjson.dumps(standing.refused).decode(),
        "silent": orjson.dumps(standing.silent).decode(),
        "silent_since": standing.silent_since,
        "works_at": standing.works_at,
        "paused_at": standing.paused_at,
        "reason": standing.reason,
        "probe_at": standing.probe_at,
        "probes": standing.probes,
    }
