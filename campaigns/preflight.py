"""What a campaign would do if it ran from now on: who may be called now, who later and who never, and what its calls
are like. It reads, and nothing is written: what it is asked in is a read-only transaction of the caller.

The same tables are asked as by the claim: openings of the zone groups, suppressions, expiry, the campaign's end,
times of retries and waits for caps on numbers. Openings are written two weeks ahead: what is wanted later is judged
by the last week of them, as if it came again and again. A list is read by its places, a slice at a time; of one
that has more than MOST_EXAMINED so many slices, evenly spread, stand for all.
"""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from campaigns.dispositions import Disposition
from campaigns.forecast import Group, Outcome, Span, Waiting
from campaigns.retry import History, after_call
from campaigns.retry_rules import retry_rules
from campaigns.suppression_match import suppressed
from models import ContactStatus, db, rows

MOST_EXAMINED = 100_000
"""Contacts of a list that are looked at one by one."""
SLICE, SMALL_SLICE = 5_000, 1_000
LAST_CALLS, FEWEST_CALLS = 1_000, 20
"""So many of the last calls are looked at for how calls end; fewer say nothing."""
WEEK = 7 * 86_400
WEEKS = 52
"""Openings that are not written yet are told for so many weeks."""
CALLBACK, RETRY_WAIT, WINDOW = "callback", "retry_wait", "window"
SUPPRESSED, EXPIRED, DEADLINE = "suppressed", "expired", "deadline"
HELD: Mapping[str, str] = {"halted": "halted", "agent": "no_agent", "caller_id": "no_caller_id"}
"""By `blocked_reason` word, the column of `campaign` that says that it holds."""

_CAMPAIGN = """
    SELECT c.id, c.tenant_id, c.status, c.max_concurrent_calls, c.retries_per_contact, c.retry_delay_seconds,
        c.retry_rules, c.dial_order, c.slow_start, c.windows IS NOT NULL AS windowed,
        coalesce(c.test_of, c.id) AS list_of, p.e164, p.gateway_id, extract(epoch FROM now())::float8 AS now,
        greatest(now(), c.scheduled_at) AS starts_at, c.end_at,
        EXISTS (SELECT FROM halt WHERE scope IN ('*', c.tenant_id)) AS halted,
        a.deleted_at IS NOT NULL OR a.held_at IS NOT NULL AS no_agent,
        p.deleted_at IS NOT NULL OR NOT p.outbound_enabled AS no_caller_id
    FROM campaign c JOIN phone_number p ON p.id = c.phone_number_id JOIN agent a ON a.id = c.agent_id
    WHERE c.id = %s AND c.tenant_id = %s AND c.deleted_at IS NULL"""
PLACES = """
    SELECT (SELECT position FROM contact WHERE campaign_id = %(campaign)s ORDER BY position LIMIT 1) AS first,
        (SELECT position FROM contact WHERE campaign_id = %(campaign)s ORDER BY position DESC LIMIT 1) AS last"""
"""The first and the last place of a list."""
_BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true)"
_SUPPRESSED = suppressed(
    "contact.phone_number", tenant="%(tenant)s", campaign="%(list)s::uuid", digest="NULL::bytea"
)
# `weeks`: so much earlier a time is within the last week that is written.
EXAMINE = f"""
WITH looked AS MATERIALIZED (
    SELECT contact.zone_group, contact.attempts, contact.wait_reason, contact.callback, contact.expires_at,
        contact.status IN ('originated', 'connected') AS in_call, contact.status = 'pending' AS waits,
        greatest(coalesce(contact.next_attempt_at, %(from)s), %(from)s) AS wanted_at,
        contact.status = 'pending' AND {_SUPPRESSED} AS suppressed
    FROM contact WHERE campaign_id = %(campaign)s AND position BETWEEN %(first)s AND %(last)s
), timed AS (
    SELECT looked.*, CASE WHEN NOT %(windowed)s THEN wanted_at
        WHEN opening.opens_at IS NOT NULL THEN greatest(wanted_at, opening.opens_at + weeks) END AS due_at
    FROM looked LEFT JOIN LATERAL (
        SELECT closes_at AS known_until FROM opening WHERE %(windowed)s AND looked.waits
            AND opening.campaign_id = %(campaign)s AND opening.zone_group = looked.zone_group
        ORDER BY opens_at DESC LIMIT 1) AS last ON true
    CROSS JOIN LATERAL (SELECT make_interval(secs => {WEEK} * greatest(0,
        floor(extract(epoch FROM looked.wanted_at - known_until) / {WEEK}) + 1)) AS weeks) AS behind
    LEFT JOIN LATERAL (
        SELECT opens_at FROM opening WHERE known_until IS NOT NULL AND opening.campaign_id = %(campaign)s
            AND opening.zone_group = looked.zone_group AND closes_at > looked.wanted_at - weeks
        ORDER BY opens_at LIMIT 1) AS opening ON true
), judged AS (
    SELECT *, CASE WHEN in_call THEN 'in_call' WHEN NOT waits THEN 'over'
            WHEN suppressed THEN 'never'
            WHEN due_at IS NULL OR expires_at <= due_at OR due_at >= %(until)s::timestamptz THEN 'never'
            WHEN due_at <= %(from)s THEN 'now' ELSE 'later' END AS which,
        CASE WHEN NOT waits THEN NULL WHEN suppressed THEN '{SUPPRESSED}'
            WHEN due_at IS NULL THEN '{WINDOW}' WHEN expires_at <= due_at THEN '{EXPIRED}'
            WHEN due_at >= %(until)s::timestamptz THEN '{DEADLINE}'
            WHEN due_at <= %(from)s THEN NULL WHEN due_at > wanted_at THEN '{WINDOW}'
            WHEN callback THEN '{CALLBACK}' ELSE coalesce(wait_reason, '{RETRY_WAIT}') END AS reason
    FROM timed
)
SELECT which, reason, CASE WHEN which = 'later' THEN date_trunc('hour', due_at) END AS hour,
    CASE WHEN which IN ('now', 'later') THEN zone_group END AS zone_group,
    CASE WHEN which IN ('now', 'later') THEN attempts + 1 END AS call, count(*)::int AS contacts,
    avg(extract(epoch FROM wanted_at))::float8 AS wanted_at
FROM judged GROUP BY 1, 2, 3, 4, 5"""
"""Judges a slice of a list as the claim would: how many contacts are due when, or never, and why."""
_OPENINGS = """
    SELECT zone_group, extract(epoch FROM opens_at)::float8 AS opens, extract(epoch FROM closes_at)::float8 AS closes
    FROM opening WHERE campaign_id = %s ORDER BY zone_group, opens_at"""
_ENDED = """
    SELECT disposition, count(*)::int AS calls, coalesce(avg(billsec), 0)::float8 AS billed,
        avg(greatest(0, extract(epoch FROM ended_at - coalesce(sent_at, created_at))))::float8 AS seconds
    FROM (SELECT disposition, billsec, ended_at, sent_at, created_at FROM call
        WHERE {whose} = %s AND ended_at IS NOT NULL AND disposition IS NOT NULL
        ORDER BY created_at DESC, id DESC LIMIT %s) AS last
    GROUP BY disposition"""
BY_CAMPAIGN, BY_TENANT = (_ENDED.format(whose=f"{whose}_id") for whose in ("campaign", "tenant"))
"""How the last calls of a campaign ended, or those of its tenant, and how long they took."""
NUMBERS = """
    SELECT phone_number FROM contact WHERE campaign_id = %s AND waiting AND status = 'pending'
    ORDER BY next_attempt_at NULLS FIRST LIMIT %s"""
"""Whom a campaign would call first."""

ASSUMED: Mapping[Disposition, tuple[float, float, float]] = {
    Disposition.ANSWERED: (0.35, 70.0, 55.0),
    Disposition.NO_ANSWER: (0.40, 40.0, 0.0),
    Disposition.BUSY: (0.10, 5.0, 0.0),
    Disposition.UNREACHABLE: (0.10, 10.0, 0.0),
    Disposition.INVALID: (0.05, 3.0, 0.0),
}
"""How calls end where there were none: share, seconds that they are up, seconds billed."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A group of a list: how many contacts may be called `now`, `later`, `never`, are `over` or `in_call`; why not
    now, in the hour from `hour` on; those who are called have a zone group and a number of their next call, and are
    due at `wanted_at` on average, in seconds since 1970, but for their window."""

    which: str
    reason: str | None
    hour: object
    zone_group: int | None
    call: int | None
    contacts: float
    wanted_at: float


@dataclass(frozen=True, slots=True)
class Look:
    """What was read of a list. `examined` of its `places` were looked at, and stand for all."""

    examined: int
    places: int
    groups: Sequence[Examined] = field(default_factory=tuple)

    @property
    def estimated(self) -> bool:
        """Whether not all of them were."""
        return self.examined < self.places


def campaign(campaign_id: uuid.UUID, tenant_id: str) -> dict[str, Any] | None:
    """The campaign's row, as the others here take it; None where this tenant has no such."""
    found = rows(_CAMPAIGN, campaign_id, tenant_id)
    return found[0] if found else None


def look(one: Mapping[str, Any], let_others_run: Callable[[], None]) -> Look:
    """Who of a campaign's list may be called when it starts, later or never."""
    rows(_BY_INDEX)
    (places,) = db.execute_sql(PLACES, {"campaign": one["id"]}).fetchall()
    if places[0] is None:
        return Look(0, 0)
    first, last = places
    asked = {
        "campaign": one["id"],
        "tenant": one["tenant_id"],
        "list": one["list_of"],
        "windowed": one["windowed"],
        "from": one["starts_at"],
        "until": one["end_at"],
    }
    found: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
    examined = 0
    for begin, end in slices(first, last):
        for *key, contacts, wanted_at in db.execute_sql(
            EXAMINE, asked | {"first": begin, "last": end}
        ).fetchall():
            sums = found[tuple(key)]
            sums[0] += contacts
            sums[1] += contacts * wanted_at
            examined += contacts
        let_others_run()
    every = last - first + 1
    scale = every / examined if 0 < examined < every and every > MOST_EXAMINED else 1.0
    groups = [
        Examined(which, reason, hour, zone_group, call, contacts * scale, due / contacts)
        for (which, reason, hour, zone_group, call), (contacts, due) in found.items()
    ]
    return Look(examined, round(examined * scale), groups)


def slices(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The places that are looked at, each pair the first and the last of a slice: all of a list of at most
    MOST_EXAMINED places, else so many that are spread evenly over it."""
    every = last - first + 1
    if every <= MOST_EXAMINED:
        for begin in range(first, last + 1, SLICE):
            yield begin, min(begin + SLICE - 1, last)
        return
    count = MOST_EXAMINED // SMALL_SLICE
    for number in range(count):
        begin = first + (every - SMALL_SLICE) * number // (count - 1)
        yield begin, begin + SMALL_SLICE - 1


def groups_of(one: Mapping[str, Any], looked: Look) -> list[Group]:
    """Those who may be called, by the openings that they share."""
    known = openings(one["id"]) if one["windowed"] else {}
    shared: dict[tuple[Span, ...] | None, list[Waiting]] = defaultdict(list)
    for part in looked.groups:
        if part.which in ("now", "later") and part.call is not None:
            spans = known.get(part.zone_group or 0, ()) if one["windowed"] else None
            shared[spans].append(Waiting(part.wanted_at, part.contacts, part.call))
    start = one["starts_at"].timestamp()
    return [
        Group(waiting, None if spans is None else [*repeated(spans, start)])
        for spans, waiting in shared.items()
    ]


def openings(campaign_id: uuid.UUID) -> dict[int, tuple[Span, ...]]:
    """The openings of each zone group that are written, in seconds since 1970."""
    found: dict[int, list[Span]] = defaultdict(list)
    for row in rows(_OPENINGS, campaign_id):
        found[row["zone_group"]].append((row["opens"], row["closes"]))
    return {group: tuple(spans) for group, spans in found.items()}


def repeated(spans: Sequence[Span], start: float) -> Iterator[Span]:
    """These, and behind them the last week of them again and again: WEEKS times, the first of which is not over by
    `start`."""
    yield from spans
    if not spans:
        return
    end = spans[-1][1]
    # The first and the last may go on: openings are written from one moment to another.
    week = [(max(opens, end - WEEK), closes) for opens, closes in spans if closes > end - WEEK]
    first = max(1, math.floor((start - end) / WEEK) + 1)
    for number in range(first, first + WEEKS):
        yield from ((opens + number * WEEK, closes + number * WEEK) for opens, closes in week)


def outcomes(one: Mapping[str, Any]) -> tuple[str, list[Outcome]]:
    """How its calls end, and whose calls say so: the campaign's own, else the tenant's, else nobody's (`assumed`)."""
    for source, statement, key in (
        ("campaign", BY_CAMPAIGN, one["id"]),
        ("tenant", BY_TENANT, one["tenant_id"]),
    ):
        found = [row for row in rows(statement, key, LAST_CALLS) if row["disposition"] in {*Disposition}]
        calls = sum(row["calls"] for row in found)
        if calls >= FEWEST_CALLS:
            return source, [
                _outcome(one, row["disposition"], row["calls"] / calls, row["seconds"], row["billed"])
                for row in found
            ]
    return "assumed", [_outcome(one, word, *figures) for word, figures in ASSUMED.items()]


def _outcome(one: Mapping[str, Any], word: str, share: float, seconds: float, billed: float) -> Outcome:
    return Outcome(share, seconds, billed, partial(_again, one, Disposition(word)), word)


def _again(one: Mapping[str, Any], word: Disposition, call: int) -> float | None:
    """The seconds from the end of a contact's n-th call, which ended so, to the next; None where there is none."""
    history = History(
        attempts=call,
        free_sends=call - 1,
        rejected=call > 1,
        retries_per_contact=one["retries_per_contact"],
        retry_delay_seconds=one["retry_delay_seconds"],
        carrier_refusals=call - 1,
        disturbed=call - 1,
        rules=retry_rules(one["retry_rules"]),
    )
    after = after_call(word, history, refused=False, jitter=0.5)
    return (after.delay_seconds or 0.0) if after.status is ContactStatus.PENDING else None


def shares(found: Sequence[Outcome]) -> dict[str, float]:
    """How often calls end so, by disposition."""
    return {str(outcome.word): outcome.share for outcome in found}


def numbers(campaign_id: uuid.UUID, most: int) -> list[str]:
    """Some of those who wait, for the gateways that would carry them."""
    return [row["phone_number"] for row in rows(NUMBERS, campaign_id, most)]
