"""Writes how calls went into their rows, in groups: one statement for each kind of change, one round trip, one
commit. Decides nothing: what became of a call is `call_end`.

Every change is a compare-and-set, so that late, repeated or reordered events change nothing. A contact moves with its
call, in the same transaction as its transition row and the campaign's counts. Called by the recorder and by recovery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from campaigns.further_numbers import following, has_other, opens_for, without_current
from dialer.calling_hours_sql import within
from live.stream_events import StreamEvent, contact_event
from models import Pool, db, open_pool, plain_array

RECORD_SECONDS = 60.0
"""Statements here are small; one that takes so long is lost, and its work done again."""
LOCK_SECONDS = 2.0
"""Who keeps a row for longer than that is no writer of ours, which needs it for milliseconds; PostgreSQL has told of
a deadlock within one second."""
COMMIT_SECONDS = 6.0
"""A process that is stopped between two writes of one commit keeps its rows locked for no longer, so that who pauses
a campaign gets an answer. Its server counts no such transaction as idle: its end has not come."""

AT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
"""A moment as listeners get it, to the millisecond: whoever publishes a transition tells it in the same bytes."""


class Seen(NamedTuple):
    """The switch has shown a call to be on its way; `age` is seconds since then, `sent_age` since the send.

    `progress` is any 18x, `ring` a 180.
    """

    call_id: str
    age: float
    sent_age: float | None
    progress: bool
    ring: bool = False


class Answered(NamedTuple):
    """A call was answered `age` seconds ago. `progress_age` and `ring_age` are seconds since a 18x and a 180 were
    heard, None where none was."""

    call_id: str
    age: float
    sent_age: float | None
    progress_age: float | None = None
    ring_age: float | None = None


class Ended(NamedTuple):
    """A call is over. `status` is where its contact goes, `delay` seconds until it may be called again.

    `age` and `sent_age` are seconds since the end and since the send; the latter is None for a call that never left
    us: it keeps its row, and counts for nothing. `free` says which bound a call that does not count is counted
    against, `failover` that another gateway is tried next. `owner_only`: not a fact that the switch reported but a
    decision, and so void once the call is somebody else's, or was seen although it is said never to have left.
    `may_live`: it may be up all the same, and keeps its slots for so many seconds from its end at the most.
    `progress_ms` and `alert_ms` run from the send to the first 18x and to the first 180. `recovered`: its node died
    in it and took it up again, so that `billsec` may count time in which nobody was there; `certain_billsec` counts
    none. `billmsec`, `second_leg` and `second_leg_status` are kept in no row; the first is None where a record does
    not say it. `next_number`: the contact is called by its next number from now on, and with `no_good` never again by
    this one; `failed` where it has no other.
    """

    call_id: str
    status: str
    counts: bool
    delay: float | None
    age: float
    sent_age: float | None
    disposition: str | None
    cause: str
    q850: int | None = None
    sip_status: int | None = None
    sip_phrase: str | None = None
    sip_603plus_reason: str | None = None
    hung_up_by: str | None = None
    billsec: int | None = None
    duration_ms: int | None = None
    pdd_ms: int | None = None
    ring_ms: int | None = None
    progress_ms: int | None = None
    alert_ms: int | None = None
    answered: bool = False
    owner_only: bool = False
    free: str | None = None
    failover: bool = False
    may_live: float | None = None
    recovered: bool = False
    certain_billsec: int | None = None
    billmsec: int | None = None
    second_leg: str | None = None
    second_leg_status: int | None = None
    next_number: bool = False
    no_good: bool = False


class Told(NamedTuple):
    """A transition of a contact that was just committed, and its row's id; in the order of the columns of `MOVED`.
    `outbox_id` is the row of the outbox that names it, None where its own row is flagged."""

    campaign_id: str
    contact_id: str
    phone_number: str
    status: str
    disposition: str | None
    attempt: int | None
    call_id: str | None
    cause: str | None
    version: int
    at: str
    transition_id: int
    outbox_id: int | None = None

    def event(self) -> StreamEvent:
        """As listeners get it."""
        return contact_event(*self[:10])


# Of each call of a group its row, which the transaction has locked, and so by its place: no step of a plan can be one
# that compares each call with all others, or is planned by how long a list is taken to be.
_LOCKED = "LATERAL (SELECT ctid, * FROM call WHERE id = seen.call_id OFFSET 0) AS before"

SEEN = f"""
UPDATE call SET state = CASE WHEN seen.progress AND call.state = 'dispatching' THEN 'ringing' ELSE call.state END,
    sent_at = coalesce(call.sent_at, now() - make_interval(secs => coalesce(seen.sent_age, seen.age))),
    progress_at = CASE WHEN seen.progress THEN coalesce(call.progress_at, now() - make_interval(secs => seen.age))
        ELSE call.progress_at END,
    ring_at = CASE WHEN seen.ring THEN coalesce(call.ring_at, now() - make_interval(secs => seen.age))
        ELSE call.ring_at END
FROM json_to_recordset(%(items)s::json)
    AS seen (call_id uuid, age float8, sent_age float8, progress bool, ring bool), {_LOCKED}
WHERE call.ctid = before.ctid AND call.state <> 'ended'
    -- What says nothing new writes no row.
    AND (call.sent_at IS NULL OR seen.progress AND (call.state = 'dispatching' OR call.progress_at IS NULL)
        OR seen.ring AND call.ring_at IS NULL)
"""
"""Writes that calls were seen on their way to an answer."""

# No step of a statement is joined with another: PostgreSQL takes their results for a row or two, and compares each
# row of one with each of the other. What a later step needs is handed on by RETURNING, a transition's id included.
# Nor is a row looked up by one id and a list of them at once: the list is sorted anew for each.
_COLUMNS = f"""campaign_id::text, id::text AS contact_id, phone_number, status, disposition, attempt, call_id::text,
    cause, version, (SELECT {AT.format("now()")}) AS at, transition_id"""
MOVED = f"SELECT {_COLUMNS} FROM moved"

# A transition is either named in the outbox or flagged as not published: `outbox_rows()` is one answer for all of a
# statement.
TO_OUTBOX = """
    INSERT INTO outbox (owner, id, campaign_id, transition_ids)
    SELECT {owner}, min(transition_id), campaign_id, array_agg(transition_id) FROM {moved}
    WHERE outbox_rows() GROUP BY campaign_id
"""
OUTBOX_ID = "CASE WHEN outbox_rows() THEN min(transition_id) OVER (PARTITION BY campaign_id) END AS outbox_id"
_NOTED = TO_OUTBOX.format(owner="%(owner)s", moved="moved")
_MOVED = f"SELECT {_COLUMNS}, {OUTBOX_ID} FROM moved"

ANSWERED = f"""
WITH answered AS (
    UPDATE call SET state = 'answered', answered_at = now() - make_interval(secs => seen.age),
        sent_at = coalesce(call.sent_at, now() - make_interval(secs => coalesce(seen.sent_age, seen.age))),
        progress_at = coalesce(call.progress_at, now() - make_interval(secs => seen.progress_age)),
        ring_at = coalesce(call.ring_at, now() - make_interval(secs => seen.ring_age))
    FROM json_to_recordset(%(items)s::json)
        AS seen (call_id uuid, age float8, sent_age float8, progress_age float8, ring_age float8), {_LOCKED}
    WHERE call.ctid = before.ctid AND call.state IN ('dispatching', 'ringing')
    RETURNING call.id, call.contact_id, call.attempt
), moved AS (
    UPDATE contact SET status = 'connected', version = version + 1, updated_at = now()
    FROM answered WHERE contact.id = answered.contact_id AND contact.call_id = answered.id
        AND contact.status = 'originated'
    RETURNING nextval('transition_id_seq') AS transition_id, contact.campaign_id, contact.id, contact.phone_number,
        contact.status, NULL AS disposition, answered.attempt, contact.call_id, NULL AS cause, contact.version
), counted AS (
    INSERT INTO campaign_count (campaign_id, lane, originated, connected)
    SELECT campaign_id, %(lane)s, -count(*), count(*) FROM moved GROUP BY campaign_id
    ON CONFLICT (campaign_id, lane) DO UPDATE SET originated = campaign_count.originated + EXCLUDED.originated,
        connected = campaign_count.connected + EXCLUDED.connected
), told AS (
    INSERT INTO transition (id, campaign_id, contact_id, call_id, version, status, attempt, owner, published)
    SELECT transition_id, campaign_id, id, call_id, version, status, attempt, %(owner)s, outbox_rows() FROM moved
), noted AS ({_NOTED})
{_MOVED}
"""
"""Writes that calls were answered, and tells of it."""

# Rows are locked in one order, calls, campaigns, contacts, so that two processes that both hear of a call do not
# wait for each other. The campaigns are locked so that a stop that runs meanwhile either sees these contacts in
# flight, and then this write sees it stopped, or waits until they are pending and cancels them.
LOCK_CALLS = "SELECT 1 FROM call WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE"
LOCK_FREE_CALLS = (
    "SELECT id::text AS id FROM call WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED"
)
"""Locks those of these calls whose rows nobody else keeps locked."""
LOCK_CAMPAIGNS = """
SELECT 1 FROM campaign WHERE id = ANY(ARRAY(SELECT campaign_id FROM call WHERE id = ANY(%(calls)s::uuid[])))
ORDER BY id FOR SHARE
"""
"""Locks the campaigns of calls that end."""
OVER = "SELECT id::text AS id FROM call WHERE id = ANY(%s::uuid[]) AND state = 'ended'"
"""Those of these calls that are over."""

_USABLE = opens_for("contact", "campaign.windows")
_HAS_OTHER, _NEXT_PLACE = has_other("contact", _USABLE), following("contact", _USABLE)
_DELAYED = "now() + make_interval(secs => coalesce(held.delay, 0))"
_NEXT_GROUP = "coalesce(held.zone_groups[held.next_place], held.zone_group)"
_RETRY_AT = f"""CASE WHEN held.windowed THEN {within(_DELAYED, "held.campaign_id", _NEXT_GROUP)}
                ELSE {_DELAYED} END"""
ENDED = f"""
WITH ended AS (
    UPDATE call SET state = 'ended', ended_at = now() - make_interval(secs => due.age),
        attempt = CASE WHEN due.was_answered OR due.counts AND NOT due.hung_up THEN call.attempt END,
        sent_at = CASE WHEN due.sent_age IS NULL THEN call.sent_at
            ELSE coalesce(call.sent_at, now() - make_interval(secs => due.sent_age)) END,
        progress_at = coalesce(call.progress_at, coalesce(call.sent_at, now() - make_interval(secs => due.sent_age))
            + make_interval(secs => due.progress_ms / 1000.0)),
        ring_at = coalesce(call.ring_at, coalesce(call.sent_at, now() - make_interval(secs => due.sent_age))
            + make_interval(secs => due.alert_ms / 1000.0)),
        answered_at = CASE WHEN due.answered THEN coalesce(call.answered_at,
            now() - make_interval(secs => due.age + coalesce(due.billsec, 0))) ELSE call.answered_at END,
        disposition = CASE WHEN due.was_answered THEN 'answered' WHEN NOT due.hung_up THEN due.disposition END,
        cause = due.cause,
        q850 = due.q850, sip_status = due.sip_status,
        sip_phrase = due.sip_phrase, sip_603plus_reason = due.sip_603plus_reason, hung_up_by = due.hung_up_by,
        billsec = due.billsec, duration_ms = due.duration_ms, pdd_ms = due.pdd_ms, ring_ms = due.ring_ms,
        recovered = coalesce(due.recovered, false), certain_billsec = due.certain_billsec,
        failover = due.failover AND NOT due.was_answered AND NOT due.hung_up,
        slot_until = now() + make_interval(secs => due.may_live - due.age),
        retry_seconds = CASE WHEN due.status = 'pending' AND NOT (due.was_answered OR due.hung_up)
            THEN ceil(due.delay) END
    FROM (
        -- Whoever says that a call is over: if it was answered, that is how it ended, unless its agent failed.
        SELECT seen.*, before.ctid AS place, before.state = 'answered' AND seen.status <> 'completed'
            AND seen.disposition IS DISTINCT FROM 'agent_failed' AS was_answered,
            -- By us, for a halt or a stop, before an answer: that was nobody's attempt.
            before.hangup_at IS NOT NULL AND seen.status <> 'completed'
                AND seen.cause = 'MANAGER_REQUEST' AND seen.hung_up_by IS DISTINCT FROM 'remote' AS hung_up
        FROM json_to_recordset(%(items)s::json) AS seen (call_id uuid, status text, counts bool, delay float8,
            age float8, sent_age float8, disposition text, cause text, q850 int, sip_status int, sip_phrase text,
            sip_603plus_reason text, hung_up_by text, billsec int, duration_ms int, pdd_ms int, ring_ms int,
            progress_ms int, alert_ms int, answered bool, owner_only bool, free text, failover bool,
            may_live float8, recovered bool, certain_billsec int, next_number bool, no_good bool), {_LOCKED}
        WHERE (NOT seen.owner_only OR before.dialer_id = %(owner)s
            AND (seen.sent_age IS NOT NULL OR before.state = 'dispatching' AND before.sent_at IS NULL))
    ) AS due
    WHERE call.ctid = due.place AND call.state <> 'ended'
    RETURNING call.id AS call_id, call.contact_id, call.phone_number, call.cause, call.disposition,
        due.delay AS own_delay, due.hung_up, due.next_number AND NOT due.hung_up AS next_number, due.no_good,
        CASE WHEN due.was_answered THEN 'completed' WHEN due.hung_up THEN 'pending' ELSE due.status END AS wanted,
        due.was_answered OR due.counts AND NOT due.hung_up AS counts,
        CASE WHEN NOT (due.was_answered OR due.counts OR due.hung_up) THEN due.free END AS free
), held AS (
    SELECT contact.id, contact.status AS was, contact.campaign_id, ended.call_id, ended.phone_number, ended.cause,
        ended.disposition, ended.counts, ended.free, ended.no_good,
        CASE WHEN ended.no_good AND ended.wanted = 'pending' AND NOT {_HAS_OTHER} THEN 'failed'
            ELSE ended.wanted END AS wanted,
        CASE WHEN ended.next_number AND ended.wanted = 'pending' AND contact.numbers IS NOT NULL
            AND campaign.status IN ('running', 'paused') THEN {_NEXT_PLACE} END AS next_place,
        contact.zone_group, contact.zone_groups,
        CASE WHEN ended.hung_up THEN campaign.retry_delay_seconds ELSE ended.own_delay END AS delay,
        campaign.status IN ('running', 'paused') AS open, campaign.windows IS NOT NULL AS windowed
    FROM ended JOIN contact ON contact.id = ended.contact_id AND contact.call_id = ended.call_id
        JOIN campaign ON campaign.id = contact.campaign_id
    WHERE contact.status IN ('originated', 'connected')
    ORDER BY contact.id FOR UPDATE OF contact
), moved AS (
    UPDATE contact SET
        status = CASE WHEN held.wanted <> 'pending' OR held.open THEN held.wanted
            WHEN held.disposition IS NULL THEN 'cancelled' ELSE 'failed' END,
        disposition = coalesce(held.disposition, contact.disposition), last_cause = held.cause,
        attempts = contact.attempts - CASE WHEN held.counts THEN 0 ELSE 1 END,
        free_sends = contact.free_sends + CASE WHEN held.free = 'refusal' THEN 1 ELSE 0 END,
        carrier_refusals = contact.carrier_refusals + CASE WHEN held.free = 'carrier' THEN 1 ELSE 0 END,
        gateway_faults = contact.gateway_faults + CASE WHEN held.free = 'gateway' THEN 1 ELSE 0 END,
        disturbed = contact.disturbed + CASE WHEN held.free = 'disturbed' THEN 1 ELSE 0 END,
        -- Whom somebody wants to be called at a time is still to be, where this call never left.
        callback = contact.callback AND held.disposition IS NULL,
        next_attempt_at = CASE WHEN held.wanted = 'pending' AND held.open AND (held.delay IS NOT NULL
                OR contact.callback AND held.disposition IS NULL)
            THEN {_RETRY_AT} END,
        -- What was told of the call is about its own number.
        phone_number = coalesce(contact.numbers[held.next_place], contact.phone_number), zone_group = {
    _NEXT_GROUP
},
        struck = CASE WHEN held.no_good AND held.next_place IS NOT NULL THEN {without_current("contact")}
            ELSE contact.struck END,
        version = contact.version + 1, call_id = NULL, updated_at = now()
    FROM held WHERE contact.id = held.id
    RETURNING nextval('transition_id_seq') AS transition_id, contact.campaign_id, contact.id, held.phone_number,
        contact.status, contact.disposition, CASE WHEN held.counts THEN contact.attempts END AS attempt,
        held.call_id, held.cause, contact.version, held.was
), counted AS (
    INSERT INTO campaign_count (campaign_id, lane, pending, originated, connected, completed, failed, cancelled)
    SELECT campaign_id, %(lane)s, count(*) FILTER (WHERE status = 'pending'),
        -count(*) FILTER (WHERE was = 'originated'), -count(*) FILTER (WHERE was = 'connected'),
        count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'),
        count(*) FILTER (WHERE status = 'cancelled')
    FROM moved GROUP BY campaign_id
    ON CONFLICT (campaign_id, lane) DO UPDATE SET pending = campaign_count.pending + EXCLUDED.pending,
        originated = campaign_count.originated + EXCLUDED.originated,
        connected = campaign_count.connected + EXCLUDED.connected,
        completed = campaign_count.completed + EXCLUDED.completed,
        failed = campaign_count.failed + EXCLUDED.failed, cancelled = campaign_count.cancelled + EXCLUDED.cancelled
), told AS (
    INSERT INTO transition (id, campaign_id, contact_id, call_id, version, status, disposition, attempt, cause,
        owner, published)
    SELECT transition_id, campaign_id, id, call_id, version, status, disposition, attempt, cause, %(owner)s,
        outbox_rows()
    FROM moved
), noted AS ({_NOTED})
{_MOVED}
"""
"""Writes how calls ended and what follows for their contacts, and tells of it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one group commit changed: the transitions to publish, and which of the calls it ended are over now.

    A call that is missing there belongs to somebody else, who settles it.
    """

    told: list[Told]
    ended: frozenset[str]


def record_pool(url: str) -> Pool:
    """The connections by which the recorder writes and the outbox notes what it has published, and nobody else."""
    return open_pool(url, 2, RECORD_SECONDS, LOCK_SECONDS, transaction_seconds=COMMIT_SECONDS, by_id=True)


def write(
    owner: str,
    seen: Sequence[Seen],
    answered: Sequence[Answered],
    ended: Sequence[Ended],
    through: Pool | None = None,
) -> Written:
    """Write all of it in one transaction. To be repeated where its answer was lost: it then finds it done.

    By a connection of `through`, or of the pool that all share.
    """
    pool = db if through is None else through
    ours = {"owner": owner, "lane": f"{owner}:record"}
    ending = [item.call_id for item in ended]
    touched = [*(s.call_id for s in seen), *(a.call_id for a in answered), *ending]
    moving = [(ANSWERED, items_of(answered) | ours)] if answered else []
    if ended:
        moving += [(LOCK_CAMPAIGNS, {"calls": plain_array(ending)}), (ENDED, items_of(ended) | ours)]
    noting = [(SEEN, items_of(seen))] if seen else []
    with pool.connection_context():
        found = pool.run_together([(LOCK_CALLS, (plain_array(touched),)), *noting, *moving])
        told = [
            Told(*row)
            for (sql, _), moved in zip(moving, found[1 + len(noting) :], strict=True)
            if sql != LOCK_CAMPAIGNS
            for row in moved
        ]
        over = {item.call_id for item in told if item.status != "connected" and item.call_id is not None}
        if len(over) < len(ending):
            # Whose contact did not move: a call that has ended stays so.
            over.update(call_id for (call_id,) in pool.execute_sql(OVER, (ending,)).fetchall())
    return Written(told, frozenset(over))


def items_of(items: Sequence[Seen | Answered | Ended]) -> dict[str, Any]:
    """A group as the one parameter by which its statement gets it, as the driver would look at each value of a list;
    and its calls' ids."""
    given = [
        {name: value for name, value in zip(item._fields, item, strict=True) if value is not None}
        for item in items
    ]
    return {"items": orjson.dumps(given).decode(), "calls": plain_array([item.call_id for item in items])}
