"""Claims contacts with their call rows in one statement: `pending` to `originated`. A contact that another dialer is
taking is skipped (SKIP LOCKED).

The call row is committed before its originate leaves, so that whoever comes after a crash knows which call to
ask the switch about. Called by the scheduler; every function runs one short transaction of its own, the claim one
that is a single statement: the turn of a call is as far ahead as its claim takes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

from campaigns.further_numbers import has_other
from campaigns.number_hash import NumberHash
from campaigns.opening_tables import as_new
from campaigns.suppression_match import suppressed
from dialer.call_rows import REJECTED
from dialer.calling_hours_sql import closes_in, is_open, not_expired
from dialer.dispatch.due import Due, NextDue, due, next_due
from dialer.dispatch.postponing import RESTING, Postponed, postpone, postpone_resting
from dialer.record.outcome_rows import AT, OUTBOX_ID, TO_OUTBOX
from models import Pool, db, open_pool, plain_array

CLAIM_SECONDS = 1.0
LOCK_SECONDS = 0.1
"""A claim that takes longer, or waits for a row for longer, is ended by the server: its turns are over, and nothing
behind it could be claimed meanwhile."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A contact with a permit: the call to be, the node it goes to and the gateway it leaves by.

    `generation` is that of the plan by which it was chosen, `sends` how often it had been sent when its gateway was;
    the times and the second leg are its agent's at that time. `rests`: after which calls its number, or who shares
    its key column, is left alone (`Policy.rests_of`); None is never. `phone_number` is the number that all of it was
    judged for.
    """

    campaign_id: str
    generation: int
    contact_id: str
    call_id: str
    node: str
    core_uuid: str | None
    gateway_id: str
    sends: int
    ring_seconds: int | None = None
    max_seconds: int | None = None
    second_leg_gateway_id: str | None = None
    rests: str | None = None
    _: KW_ONLY
    phone_number: str


class Claimed(NamedTuple):
    """A contact that is ours to call, as the claim left it; in the order of the columns of `CLAIM`."""

    call_id: str
    contact_id: str
    campaign_id: str
    node: str
    gateway_id: str
    caller_id: str
    phone_number: str
    generation: int
    seq: int
    attempt: int
    free_sends: int
    carrier_refusals: int
    gateway_faults: int
    disturbed: int
    rejected: bool
    custom_fields: dict[str, str]
    version: int
    transition_id: int
    at: str
    outbox_id: int | None = None
    closes_in: float | None = None
    """In how many seconds its calling window closes or it expires, from the claim on; None where neither will."""
    other_number: bool = False
    """Whether the contact has another number to go on with."""


_NOT_EXPIRED = not_expired("contact")
# `least` passes over nulls.
_CLOSES_IN = """least(extract(epoch FROM {contact}.expires_at - now())::float8,
        CASE WHEN {windowed} THEN {window} END) AS closes_in"""

SUPPRESSED = suppressed(
    "contact.phone_number",
    tenant="campaign_now.tenant_id",
    campaign="campaign_now.list_of",
    digest="wanted.digest",
)
"""Whether the contact's number may not be called: a condition of the claim."""
# While that is to be done, whoever is erased has the erased number among others by which nobody would know him.
BEING_ERASED = """(contact.numbers IS NOT NULL AND EXISTS (SELECT FROM erasure
        WHERE erasure.tenant_id = {tenant} AND done_at IS NULL AND erasure.number = ANY(contact.numbers)))"""
TRIED_GOES_ON = """(campaign.test_of IS NULL OR EXISTS (
        SELECT FROM campaign AS tested WHERE tested.id = campaign.test_of AND tested.completed_at IS NULL))"""
"""Whether the campaign that a test call tries is not over: a condition on the row of the test call's own."""
# No step is joined with another where both may be long, as in `outcomes`: what a later one needs is handed on.
CLAIM = f"""
WITH campaign_now AS (
    SELECT campaign.id, campaign.tenant_id, campaign.generation, campaign.key_column, phone_number.e164,
        campaign.windows IS NOT NULL AS windowed, coalesce(campaign.test_of, campaign.id) AS list_of
    FROM campaign JOIN phone_number ON phone_number.id = campaign.phone_number_id
        JOIN unnest(%(campaigns)s::uuid[], %(generations)s::int[]) AS planned (id, generation)
            ON planned.id = campaign.id AND planned.generation = campaign.generation
    WHERE campaign.status = 'running' AND campaign.deleted_at IS NULL
      AND (campaign.end_at IS NULL OR campaign.end_at > now())
      AND NOT EXISTS (SELECT 1 FROM halt WHERE scope IN ('*', campaign.tenant_id))
      AND {TRIED_GOES_ON}
      AND (campaign.windows IS NULL OR {as_new("campaign")})
), wanted AS (
    SELECT * FROM unnest(%(contacts)s::uuid[], %(calls)s::uuid[], %(nodes)s::text[], %(cores)s::text[],
        %(gateways)s::uuid[], %(sends)s::int[], %(ring)s::int[], %(longest)s::int[], %(seconds)s::uuid[],
        %(digests)s::bytea[], %(rests)s::jsonb[], %(numbers)s::text[])
        AS wanted (contact_id, call_id, node, core_uuid, gateway_id, sends, ring_seconds, max_seconds, second_leg,
            digest, rests, number)
), free AS (
    SELECT contact.id, wanted.call_id, wanted.node, wanted.core_uuid, wanted.gateway_id,
        wanted.ring_seconds, wanted.max_seconds, wanted.second_leg, contact.attempts > 0 AND {
    REJECTED
} AS rejected,
        campaign_now.tenant_id, campaign_now.generation, campaign_now.e164 AS caller_id, campaign_now.windowed
    FROM contact JOIN wanted ON wanted.contact_id = contact.id
        JOIN campaign_now ON campaign_now.id = contact.campaign_id
    WHERE contact.status = 'pending' AND contact.sends = wanted.sends AND contact.phone_number = wanted.number
        AND (contact.next_attempt_at IS NULL OR contact.next_attempt_at <= now())
        AND NOT {SUPPRESSED}
        AND NOT {BEING_ERASED.format(tenant="campaign_now.tenant_id")}
        AND (NOT campaign_now.windowed OR {is_open("contact.campaign_id", "contact.zone_group")})
        AND (wanted.rests IS NULL OR NOT EXISTS (SELECT {
    RESTING.format(
        rests="wanted.rests", tenant="campaign_now.tenant_id", key_column="campaign_now.key_column"
    )
}))
        AND {_NOT_EXPIRED}
    ORDER BY contact.id FOR UPDATE OF contact SKIP LOCKED
), taken AS (
    UPDATE contact SET status = 'originated', attempts = attempts + 1, sends = sends + 1, version = version + 1,
        call_id = free.call_id, next_attempt_at = NULL, updated_at = now(), waiting = false, wait_reason = NULL
    FROM free WHERE contact.id = free.id
    RETURNING nextval('transition_id_seq') AS transition_id, contact.campaign_id, contact.phone_number,
        contact.sends, contact.attempts, contact.free_sends, contact.carrier_refusals, contact.gateway_faults,
        contact.disturbed, contact.custom_fields, contact.version, contact.zone_group, contact.expires_at,
        {has_other("contact")} AS other_number, free.*
), placed AS (
    INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, generation, phone_number, caller_id,
        gateway_id, node, core_uuid, dialer_id, sent_by, ring_seconds, max_seconds, second_leg_gateway_id)
    SELECT call_id, tenant_id, campaign_id, id, sends, attempts, generation, phone_number, caller_id,
        gateway_id, node, core_uuid, %(dialer)s, %(dialer)s, ring_seconds, max_seconds, second_leg
    FROM taken
), counted AS (
    INSERT INTO campaign_count (campaign_id, lane, pending, originated)
    SELECT campaign_id, %(lane)s, -count(*), count(*) FROM taken GROUP BY campaign_id ORDER BY campaign_id
    ON CONFLICT (campaign_id, lane) DO UPDATE SET pending = campaign_count.pending + EXCLUDED.pending,
        originated = campaign_count.originated + EXCLUDED.originated
), told AS (
    INSERT INTO transition (id, campaign_id, contact_id, call_id, version, status, attempt, owner, published)
    SELECT transition_id, campaign_id, id, call_id, version, 'originated', attempts, %(dialer)s, outbox_rows()
    FROM taken
), noted AS ({TO_OUTBOX.format(owner="%(dialer)s", moved="taken")})
SELECT call_id::text, id::text AS contact_id, campaign_id::text, node, gateway_id::text, caller_id, phone_number,
    generation, sends AS seq, attempts AS attempt, free_sends, carrier_refusals, gateway_faults, disturbed,
    rejected, custom_fields, version, transition_id, (SELECT {AT.format("now()")}) AS at, {OUTBOX_ID},
    {
    _CLOSES_IN.format(
        contact="taken", windowed="windowed", window=closes_in("taken.campaign_id", "taken.zone_group")
    )
}, other_number
FROM taken
"""
"""Claims those of the wanted contacts that are ours to call, and tells of it."""

_SUPPRESSED_SINCE = suppressed(
    "call.phone_number",
    tenant="call.tenant_id",
    campaign="coalesce(campaign.test_of, call.campaign_id)",
    digest="%(digest)s::bytea",
)
_CLAIM_AGAIN = f"""
UPDATE call SET sent_by = %(dialer)s, doubtful = false FROM contact JOIN campaign ON campaign.id = contact.campaign_id
WHERE call.id = %(call)s::uuid AND call.dialer_id = %(dialer)s AND call.state = 'dispatching'
    AND contact.id = call.contact_id AND {_NOT_EXPIRED} AND NOT {_SUPPRESSED_SINCE} AND {TRIED_GOES_ON}
    AND NOT {BEING_ERASED.format(tenant="call.tenant_id")}
    AND (campaign.windows IS NULL OR {is_open("contact.campaign_id", "contact.zone_group")})
    AND (campaign.windows IS NULL OR {as_new("campaign")})
RETURNING contact.custom_fields, {
    _CLOSES_IN.format(
        contact="contact",
        windowed="campaign.windows IS NOT NULL",
        window=closes_in("contact.campaign_id", "contact.zone_group"),
    )
}
"""


def claim(
    dialer_id: str,
    wanted: Sequence[ClaimRequest],
    through: Pool | None = None,
    number_hash: NumberHash | None = None,
) -> list[Claimed]:
    """Claim those of `wanted` that are still free, whichever campaigns they are of, in one statement, which is
    committed by itself: one round trip. By a connection of `through`, or of the pool that all share.

    One that was sent since its gateway was chosen is not: that gateway may have had its turn; nor one that is to be
    called by another number since. Nor is one whose number is on a do-not-call list, who is being erased by another,
    or whose number has to be left alone after an earlier call (`rests`); by `number_hash` those that were erased are
    known. Nothing is claimed of a campaign that is not running or whose tenant is halted, nor under a plan of an
    earlier generation: whatever is taken from a campaign raises it; nor outside a contact's calling window, as tables
    say that are as new as ours. The answer is in the order of `wanted`.
    """
    generations = {item.campaign_id: item.generation for item in wanted}
    pool = db if through is None else through
    parameters: dict[str, Any] = {
        "campaigns": plain_array(generations),
        "generations": plain_array(generations.values()),
        "contacts": plain_array([item.contact_id for item in wanted]),
        "calls": plain_array([item.call_id for item in wanted]),
        "nodes": [item.node for item in wanted],
        "cores": [item.core_uuid for item in wanted],
        "gateways": plain_array([item.gateway_id for item in wanted]),
        "sends": plain_array([item.sends for item in wanted]),
        "ring": plain_array([item.ring_seconds for item in wanted]),
        "longest": plain_array([item.max_seconds for item in wanted]),
        "seconds": plain_array([item.second_leg_gateway_id for item in wanted]),
        "digests": [None if number_hash is None else number_hash(item.phone_number) for item in wanted],
        "rests": [item.rests for item in wanted],
        "numbers": [item.phone_number for item in wanted],
        "dialer": dialer_id,
        "lane": f"{dialer_id}:claim",
    }
    with pool.connection_context():
        claimed = {row[0]: Claimed(*row) for row in pool.execute_sql(CLAIM, parameters).fetchall()}
    return [claimed[item.call_id] for item in wanted if item.call_id in claimed]


@dataclass(frozen=True, slots=True)
class ClaimedAgain:
    """A call that is ours to send once more: what its contact's columns are, and in how many seconds its calling
    window closes or it expires, None where neither will."""

    custom_fields: dict[str, str]
    closes_in: float | None = None


def claim_again(
    call_id: str, dialer_id: str, phone_number: str = "", number_hash: NumberHash | None = None
) -> ClaimedAgain | None:
    """Note that a call which the switch never saw is to be sent by this dialer.

    None where the call is not this dialer's any more, or has shown a sign of life, or its contact has expired or is
    outside its calling window, or its number is on a do-not-call list: `phone_number`, of which `number_hash` knows
    those that were erased.
    """
    digest = None if number_hash is None else number_hash(phone_number)
    asked = {"dialer": dialer_id, "call": call_id, "digest": digest}
    with db.connection_context(), db.atomic():
        found = db.execute_sql(_CLAIM_AGAIN, asked).fetchone()
    return ClaimedAgain(*found) if found else None


def claim_pool(url: str) -> Pool:
    """The one connection that only claims go by, and the look for halts: work of others, which can be long, holds up
    neither."""
    return open_pool(url, 1, CLAIM_SECONDS, LOCK_SECONDS, by_id=True)


@dataclass(frozen=True, slots=True)
class Statements:
    """What dispatch asks of the database: the functions above, or what stands in for them."""

    due: Callable[[Mapping[str, int], tuple[int, int], Collection[str]], dict[str, list[Due]]] = due
    next_due: Callable[[Sequence[str]], dict[str, NextDue]] = next_due
    claim: Callable[[str, Sequence[ClaimRequest]], list[Claimed]] = claim
    claim_again: Callable[[str, str, str], ClaimedAgain | None] = claim_again
    postpone: Callable[[Sequence[Postponed], str], None] = postpone
    postpone_resting: Callable[[Mapping[str, str]], None] = postpone_resting
