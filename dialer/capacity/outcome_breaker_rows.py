"""The rows of the breaker for suspicious outcomes: tallies of the last two minutes, what is held, who comes back.

Every function runs on a connection of its own and in one transaction. What is held and what was counted for it are in
the database, so that every dialer goes by it, and a dialer that dies takes nothing along but what it counted within
the last second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from campaigns.outcome_breakers import MAY_RING_AGAIN, MOST_RETURNS
from campaigns.routing import destination, match_length
from dialer.capacity.suspicion import Suspect, Tally
from dialer.record.outcome_rows import MOVED, Told
from models import db, new_id, rows, transaction

PROBE_SECONDS = 60
TOP = 3

# Of an exempt campaign nothing is counted, whatever a dialer knew of it. What is being released waits for this, or
# this for it: nobody counts for what nobody looks at any more.
_ADD = """
INSERT INTO breaker_tally (campaign_id, gateway_id, prefix, caller_id, calls, suspicious_calls, breaker_id)
SELECT seen.campaign_id, seen.gateway_id, seen.prefix, seen.caller_id, seen.calls, seen.suspicious_calls,
    (SELECT id FROM breaker WHERE released_at IS NULL AND (breaker.caller_id = seen.caller_id
        OR breaker.gateway_id = seen.gateway_id AND breaker.prefix = seen.prefix) LIMIT 1 FOR SHARE)
FROM jsonb_to_recordset(%s::jsonb) AS seen (campaign_id uuid, gateway_id text, prefix text, caller_id text, calls int,
    suspicious_calls jsonb) JOIN campaign ON campaign.id = seen.campaign_id
WHERE campaign.breaker_exempt_at IS NULL
RETURNING breaker_id::text
"""
# Counted by a dialer that did not know yet that it is held.
_CLAIM_TALLIES = """
WITH found AS (
    SELECT tally.id, breaker.id AS breaker_id FROM breaker_tally AS tally JOIN breaker ON breaker.released_at IS NULL
        AND (breaker.caller_id = tally.caller_id
            OR breaker.gateway_id = tally.gateway_id AND breaker.prefix = tally.prefix)
    WHERE tally.breaker_id IS NULL FOR UPDATE OF tally SKIP LOCKED FOR SHARE OF breaker
)
UPDATE breaker_tally SET breaker_id = found.breaker_id FROM found WHERE breaker_tally.id = found.id
"""
_OPEN = """
SELECT date_trunc('second', at) AS at, gateway_id, prefix, caller_id, sum(calls)::int AS calls,
    sum(jsonb_array_length(suspicious_calls))::int AS suspicious
FROM breaker_tally WHERE breaker_id IS NULL AND at > now() - interval '125 s'
GROUP BY 1, 2, 3, 4
"""
_FORGET = "DELETE FROM breaker_tally WHERE breaker_id IS NULL AND at < now() - interval '130 s'"
_HOLD = """
INSERT INTO breaker (id, gateway_id, prefix, caller_id, probe_at)
VALUES (%(id)s, %(gateway_id)s, %(prefix)s, %(caller_id)s, now() + make_interval(secs => %(probe)s))
ON CONFLICT (gateway_id, prefix, caller_id) WHERE released_at IS NULL DO NOTHING RETURNING id
"""
_CAUSES = f"""
UPDATE breaker SET top_causes = coalesce((
    SELECT jsonb_agg(jsonb_build_object('cause', cause, 'sip_status', sip_status, 'calls', calls))
    FROM (
        SELECT cause, sip_status, count(*) AS calls FROM call WHERE id = ANY(ARRAY(
            SELECT jsonb_array_elements_text(suspicious_calls)::uuid FROM breaker_tally WHERE breaker_id = %(id)s))
        GROUP BY cause, sip_status ORDER BY calls DESC, cause, sip_status LIMIT {TOP}
    ) AS top), '[]')
WHERE id = %(id)s RETURNING top_causes
"""
_PROBE = """
UPDATE breaker SET probe_at = now() + make_interval(secs => %s)
WHERE id = %s::uuid AND released_at IS NULL AND probe_at <= now() RETURNING id
"""
_UNPROBED = "UPDATE breaker SET probe_at = now() WHERE id = %s::uuid AND released_at IS NULL"
_RELEASE = "UPDATE breaker SET released_at = now() WHERE id = %s::uuid AND released_at IS NULL RETURNING id"
_TRIPPED = """
SELECT jsonb_array_elements_text(suspicious_calls) AS call_id FROM breaker_tally WHERE breaker_id = %s::uuid
"""
# Campaigns of which nobody is left to call but who is to come back: of each one call of one of them, which probes.
_NOBODY_LEFT = f"""
SELECT DISTINCT ON (call.campaign_id) call.id::text AS call_id
FROM call JOIN contact ON contact.id = call.contact_id JOIN campaign ON campaign.id = call.campaign_id
WHERE call.id = ANY(ARRAY(
        SELECT jsonb_array_elements_text(tally.suspicious_calls)::uuid
        FROM breaker JOIN breaker_tally AS tally ON tally.breaker_id = breaker.id
        WHERE breaker.released_at IS NULL AND breaker.probe_at <= now()))
    AND campaign.status = 'running'
    AND contact.status = 'failed' AND contact.sends = call.seq AND contact.breaker_returns < %s
    AND {MAY_RING_AGAIN}
    AND NOT EXISTS (SELECT 1 FROM contact AS waits WHERE waits.campaign_id = campaign.id AND waits.waiting
        AND waits.status = 'pending')
    AND NOT EXISTS (SELECT 1 FROM call AS up WHERE up.campaign_id = campaign.id AND up.ended_at IS NULL)
ORDER BY call.campaign_id, contact.breaker_returns, contact.position
"""
_HOLDING = """
SELECT breaker.id::text AS breaker_id, breaker.prefix, breaker.gateway_id = '' AS of_caller, gateway.prefixes,
    CASE WHEN breaker.gateway_id = '' THEN EXISTS (
            SELECT FROM phone_number WHERE e164 = breaker.caller_id AND deleted_at IS NULL)
        ELSE gateway.id IS NOT NULL END AS there
FROM breaker LEFT JOIN gateway ON gateway.id::text = breaker.gateway_id AND gateway.deleted_at IS NULL
WHERE breaker.released_at IS NULL
"""
_LOCK_CALLS = "SELECT 1 FROM call WHERE id = ANY(%(calls)s::uuid[]) ORDER BY id FOR UPDATE"
_LOCK_CAMPAIGNS = """
SELECT 1 FROM campaign WHERE id IN (SELECT campaign_id FROM call WHERE id = ANY(%(calls)s::uuid[]))
ORDER BY id FOR SHARE
"""
# Whom nobody called since, and who neither picked up (that contact is completed) nor declined. A phone that rang, or
# may have unheard, does so again not before the campaign's own delay. A time that somebody asked for, or that a cap
# sets, stays. Of several numbers it is that of the call again, which may be good after all.
_BRING_BACK = f"""
WITH held AS (
    SELECT contact.id, contact.status AS was, call.id AS call_id, call.attempt IS NOT NULL AS counted,
        array_position(contact.numbers, call.phone_number) AS place,
        CASE WHEN call.progress_at IS NOT NULL OR %(unheard)s
            THEN greatest(now(), call.ended_at + make_interval(secs => campaign.retry_delay_seconds)) END AS due
    FROM call JOIN contact ON contact.id = call.contact_id JOIN campaign ON campaign.id = contact.campaign_id
    WHERE call.id = ANY(%(calls)s::uuid[]) AND contact.sends = call.seq
        AND contact.status IN ('failed', 'pending') AND contact.breaker_returns < %(most)s
        AND {MAY_RING_AGAIN}
        AND campaign.status IN ('running', 'paused') AND campaign.breaker_exempt_at IS NULL
    ORDER BY contact.id FOR UPDATE OF contact
), uncounted AS (
    UPDATE call SET attempt = NULL FROM held WHERE call.id = held.call_id AND held.counted
), back AS (
    UPDATE contact SET status = 'pending', attempts = attempts - held.counted::int,
        breaker_returns = breaker_returns + 1, updated_at = now(),
        phone_number = coalesce(contact.numbers[held.place], contact.phone_number),
        zone_group = coalesce(contact.zone_groups[held.place], contact.zone_group),
        struck = CASE WHEN held.place IS NULL THEN contact.struck
            ELSE (contact.struck::int & ~(1 << (held.place - 1)))::smallint END,
        next_attempt_at = CASE WHEN held.was = 'failed' THEN held.due
            WHEN contact.callback THEN contact.next_attempt_at
            WHEN contact.wait_reason IS NOT NULL THEN greatest(contact.next_attempt_at, held.due) ELSE held.due END,
        version = version + (held.was = 'failed')::int
    FROM held WHERE contact.id = held.id
    RETURNING contact.campaign_id, contact.id, contact.phone_number, contact.status, contact.disposition,
        NULL::int AS attempt, held.call_id, contact.last_cause AS cause, contact.version, held.was
), moved AS (
    SELECT nextval('transition_id_seq') AS transition_id, back.* FROM back WHERE was = 'failed'
), counted AS (
    INSERT INTO campaign_count (campaign_id, lane, pending, failed)
    SELECT campaign_id, %(lane)s, count(*), -count(*) FROM moved GROUP BY campaign_id
    ON CONFLICT (campaign_id, lane) DO UPDATE SET pending = campaign_count.pending + EXCLUDED.pending,
        failed = campaign_count.failed + EXCLUDED.failed
), told AS (
    INSERT INTO transition (id, campaign_id, contact_id, call_id, version, status, disposition, attempt, cause, owner)
    SELECT transition_id, campaign_id, id, call_id, version, status, disposition, attempt, cause, %(owner)s FROM moved
)
{MOVED}
"""


@dataclass(slots=True)
class Count:
    """How many calls of a campaign by one way rang, or ended so that it says something, and the ids of those that
    ended suspiciously, which may have been counted when they rang."""

    calls: int = 0
    suspicious: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Key:
    """Whose calls are counted together."""

    campaign_id: str
    gateway_id: str
    prefix: str
    caller_id: str

    @property
    def suspects(self) -> tuple[Suspect, Suspect]:
        return Suspect(self.gateway_id, self.prefix), Suspect(caller_id=self.caller_id)


@dataclass(frozen=True, slots=True)
class NewHold:
    """What has just been held, and the most frequent causes of the calls that tripped it."""

    breaker_id: str
    suspect: Suspect
    top_causes: Sequence[Mapping[str, object]]


def add(counts: Mapping[Key, Count]) -> set[str]:
    """Note what was counted since the last time; the breakers that hold such calls."""
    given = [
        {
            "campaign_id": key.campaign_id,
            "gateway_id": key.gateway_id,
            "prefix": key.prefix,
            "caller_id": key.caller_id,
            "calls": count.calls,
            "suspicious_calls": count.suspicious,
        }
        for key, count in counts.items()
    ]
    with transaction():
        found = rows(_ADD, orjson.dumps(given).decode())
    return {row["breaker_id"] for row in found if row["breaker_id"] is not None}


def open_tallies() -> tuple[list[Tally], datetime]:
    """What was counted of late of all that is not held, and the time by which."""
    with transaction():
        rows(_CLAIM_TALLIES)
        found = [Tally(**row) for row in rows(_OPEN)]
        (now,) = rows("SELECT now() AS now")
    return found, now["now"]


def forget() -> None:
    """What was counted long ago trips nothing any more."""
    with transaction():
        rows(_FORGET)


def hold(suspect: Suspect) -> NewHold | None:
    """Hold calls of this kind from now on; None where they are held."""
    with transaction():
        parameters = {
            "id": new_id(),
            "gateway_id": suspect.gateway_id,
            "prefix": suspect.prefix,
            "caller_id": suspect.caller_id,
            "probe": PROBE_SECONDS,
        }
        found = db.execute_sql(_HOLD, parameters).fetchall()
        if not found:
            return None
        rows(_CLAIM_TALLIES)
        ((causes,),) = db.execute_sql(_CAUSES, {"id": found[0][0]}).fetchall()
    return NewHold(str(found[0][0]), suspect, causes)


def take_probe(breaker_id: str) -> bool:
    """Whether the next call may leave as a probe; of all dialers one gets the answer yes."""
    with transaction():
        return bool(rows(_PROBE, PROBE_SECONDS, breaker_id))


def return_probe(breaker_id: str) -> None:
    """No call left with the probe that was taken."""
    with transaction():
        rows(_UNPROBED, breaker_id)


def release(breaker_id: str, owner: str) -> list[Told] | None:
    """A probe got through, or nothing can be held any more: calls leave again, and the contacts that tripped it come
    back uncounted. The transitions to publish; None where somebody else released it."""
    with transaction():
        rows(_CLAIM_TALLIES)
        if not rows(_RELEASE, breaker_id):
            return None
        # After the row is locked nobody counts for it any more but who counted before.
        tripped = [row["call_id"] for row in rows(_TRIPPED, breaker_id)]
        told = _bring_back(tripped, owner)
        rows("DELETE FROM breaker_tally WHERE breaker_id = %s::uuid", breaker_id)
    return told


def holding_nothing() -> list[str]:
    """The breakers that no call can be of any more: their gateway or caller id was deleted, or the gateway has got
    other prefixes since, so that the destination is part of another one, or is not carried."""
    with transaction():
        return [row["breaker_id"] for row in rows(_HOLDING) if not _can_hold(row)]


def _can_hold(row: Mapping[str, Any]) -> bool:
    if not row["there"] or row["of_caller"]:
        return bool(row["there"])
    prefix, prefixes = row["prefix"], row["prefixes"]
    return match_length(prefixes, prefix) is not None and destination(prefix, prefixes) == prefix


def bring_probers_back(owner: str) -> list[Told]:
    """Where a probe is due and a campaign has nobody left but those who are to come back, one of them does, to be
    called as the probe."""
    with transaction():
        found = [row["call_id"] for row in rows(_NOBODY_LEFT, MOST_RETURNS)]
        return _bring_back(found, owner) if found else []


def bring_unanswered_back(calls: Sequence[str], owner: str) -> list[Told]:
    """Nobody responded to these calls, nor to any other by their gateway: their contacts come back as well. The
    transitions to publish."""
    with transaction():
        return _bring_back(calls, owner, unheard=True)


def _bring_back(calls: Sequence[str], owner: str, *, unheard: bool = False) -> list[Told]:
    parameters = {
        "calls": list(calls),
        "most": MOST_RETURNS,
        "owner": owner,
        "lane": f"{owner}:record",
        "unheard": unheard,
    }
    db.execute_sql(_LOCK_CALLS, parameters)
    db.execute_sql(_LOCK_CAMPAIGNS, parameters)
    return [Told(*row) for row in db.execute_sql(_BRING_BACK, parameters).fetchall()]
