"""Makes contacts wait whose number may not be called yet: by a cap on called numbers, or for a rest after a call.

Who was judged by what holds no more, or is not due, is left as he is. Called by each batch and by the scheduler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from campaigns.number_waits import NUMBER_CAP
from models import db


@dataclass(frozen=True, slots=True)
class Postponed:
    """Whose number may not be called for `seconds`, as was judged by this generation of its campaign and by this
    version of its tenant's `limits`."""

    contact_id: str
    seconds: float
    tenant_id: str
    generation: int
    limits: str


# By caps that hold no more nobody is made to wait: who was let go when they changed would wait again, for as long as
# the old ones say. The lock keeps a change from being committed in between; what it lets go is then looked for.
POSTPONE = """
WITH late AS (
    SELECT * FROM unnest(%(contacts)s::uuid[], %(seconds)s::float8[], %(generations)s::int[], %(limits)s::text[])
        AS late (id, seconds, generation, limits)
), limits_now AS MATERIALIZED (
    SELECT tenant_id, xmin::text AS version FROM call_limits WHERE tenant_id = ANY(%(tenants)s::text[])
    ORDER BY tenant_id FOR SHARE
), held AS (
    SELECT contact.id, late.seconds FROM late JOIN contact ON contact.id = late.id
        JOIN campaign ON campaign.id = contact.campaign_id AND campaign.generation = late.generation
        LEFT JOIN limits_now ON limits_now.tenant_id = campaign.tenant_id
    WHERE contact.id = ANY(%(contacts)s::uuid[]) AND contact.status = 'pending'
        AND (contact.next_attempt_at IS NULL OR contact.next_attempt_at <= now())
        AND coalesce(limits_now.version, '') = late.limits
    ORDER BY contact.id FOR NO KEY UPDATE OF contact SKIP LOCKED
)
UPDATE contact SET next_attempt_at = now() + make_interval(secs => held.seconds), wait_reason = %(reason)s
FROM held WHERE contact.id = held.id AND contact.id = ANY(%(contacts)s::uuid[])
"""
"""Has contacts wait for a cap on their numbers, where it still holds."""

# Of each rest its calls, for whatever purpose that is among its own or was not named.
RESTING = """
    FROM jsonb_to_recordset({rests}) AS rest (after text, seconds float8, purposes jsonb)
        JOIN recent_outcome AS earlier ON earlier.tenant_id = {tenant} AND earlier.disposition = rest.after
            AND earlier.subject IN (contact.phone_number, contact_key(contact.custom_fields, {key_column}))
    WHERE (earlier.purpose = '' OR rest.purposes @> to_jsonb(earlier.purpose))
        AND earlier.at > now() - make_interval(secs => rest.seconds)"""
POSTPONE_RESTING = f"""
WITH held AS (
    SELECT contact.id, resting.until FROM unnest(%(contacts)s::uuid[], %(rests)s::jsonb[]) AS named (id, rests)
        JOIN contact ON contact.id = named.id JOIN campaign ON campaign.id = contact.campaign_id,
        LATERAL (SELECT max(earlier.at + make_interval(secs => rest.seconds)) AS until
            {RESTING.format(rests="named.rests", tenant="campaign.tenant_id", key_column="campaign.key_column")}
        ) AS resting
    WHERE contact.id = ANY(%(contacts)s::uuid[]) AND contact.status = 'pending' AND resting.until IS NOT NULL
        AND (contact.next_attempt_at IS NULL OR contact.next_attempt_at <= now())
    ORDER BY contact.id FOR NO KEY UPDATE OF contact SKIP LOCKED
)
UPDATE contact SET next_attempt_at = held.until, wait_reason = '{NUMBER_CAP}'
FROM held WHERE contact.id = held.id AND contact.id = ANY(%(contacts)s::uuid[])
"""
"""Has contacts wait whose last calls a policy pack leaves alone for a while."""


def postpone(late: Sequence[Postponed], reason: str) -> None:
    """These contacts, which are due, may not be called before so many seconds from now, for this `blocked_reason`.
    One that was judged by what holds no more is left as it is."""
    parameters = {
        "contacts": [one.contact_id for one in late],
        "seconds": [one.seconds for one in late],
        "generations": [one.generation for one in late],
        "limits": [one.limits for one in late],
        "tenants": sorted({one.tenant_id for one in late}),
        "reason": reason,
    }
    with db.connection_context():
        db.execute_sql(POSTPONE, parameters)


def postpone_resting(resting: Mapping[str, str]) -> None:
    """Of these contacts, each with its rests, those whose number is to be left alone may not be called before that is
    over."""
    parameters = {"contacts": list(resting), "rests": list(resting.values())}
    with db.connection_context():
        db.execute_sql(POSTPONE_RESTING, parameters)
