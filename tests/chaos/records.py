"""The four independent records of a run, read once it is over: ledgers, calls, contacts, what listeners heard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import psycopg
import redis

from limits.keys import Keys
from simulator.ledger import LedgerView
from tests.chaos.breaker import Struck
from tests.chaos.caps import Cap
from tests.chaos.hours import Hours
from tests.chaos.listener_client import Heard
from tests.chaos.stage import PREFIX, Stage
from tests.chaos.wire import Order

CALLS = """
SELECT id::text, campaign_id::text, contact_id::text, phone_number, node, seq, attempt, state, disposition, cause,
    extract(epoch FROM created_at)::float8 AS created_at, extract(epoch FROM sent_at)::float8 AS sent_at,
    extract(epoch FROM ended_at)::float8 AS ended_at
FROM call WHERE campaign_id = ANY(%s::uuid[])
"""
CONTACTS = """
SELECT id::text, campaign_id::text, phone_number, status, disposition, attempts, last_cause FROM contact
WHERE campaign_id = ANY(%s::uuid[])
"""
CAMPAIGNS = """
SELECT campaign.id::text, campaign.status, campaign.end_reason, sum(pending)::int AS pending,
    sum(originated)::int AS originated, sum(connected)::int AS connected, sum(completed)::int AS completed,
    sum(failed)::int AS failed, sum(cancelled)::int AS cancelled
FROM campaign JOIN campaign_count ON campaign_id = campaign.id WHERE campaign.id = ANY(%s::uuid[])
GROUP BY campaign.id
"""
TOLD = """
SELECT campaign_id::text, contact_id::text, status, disposition, attempt, call_id::text, cause, published,
    extract(epoch FROM at)::float8 AS at
FROM transition WHERE campaign_id = ANY(%s::uuid[]) ORDER BY id
"""
IMPORTED = """
SELECT (SELECT count(*) FROM contact WHERE campaign_id = campaign.id) AS n FROM campaign WHERE name = %s
"""
OPEN = """
SELECT (SELECT count(*) FROM contact WHERE campaign_id = ANY(%(ids)s::uuid[])
        AND status IN ('pending', 'originated', 'connected'))
    + (SELECT count(*) FROM campaign WHERE id = ANY(%(ids)s::uuid[])
        AND status IN ('scheduled', 'running', 'paused')) AS left
"""
HELD = "SELECT id::text FROM call WHERE slot_until IS NOT NULL"
LEFT = """
SELECT call.id::text, call.state, node, dialer_id, sent_by, heir, settled_at IS NOT NULL AS settled,
    extract(epoch FROM now() - call.created_at)::int AS age
FROM call LEFT JOIN dialer ON dialer.id = dialer_id WHERE ended_at IS NULL ORDER BY call.id
"""
UNPUBLISHED = """
SELECT (SELECT count(*) FROM transition WHERE NOT published)
    + (SELECT coalesce(sum(cardinality(transition_ids)), 0) FROM outbox) AS left
"""


@dataclass(frozen=True, slots=True)
class Listener:
    """What one listener of one campaign heard; `resets` are wall seconds."""

    campaign: str
    heard: Sequence[Heard]
    resets: Sequence[float]
    ended: bool


@dataclass(frozen=True, slots=True)
class Played:
    """What was asked of the system: the numbers of each campaign, its listeners, every cap.

    `callers` are a gateway's name in the ledgers and its tenant, by the number that calls by it. `oversized` are the
    lists that met a full disk: their lengths, by their campaigns' names. `bridged` are the campaigns whose agent is
    reached by a gateway, `hours` when campaigns may call, `by_clock` those that nobody starts but the clock.
    """

    uploaded: dict[str, list[str]]
    listeners: list[Listener]
    caps: list[Cap]
    callers: dict[str, tuple[str, str]]
    oversized: dict[str, int]
    bridged: frozenset[str] = frozenset()
    hours: Sequence[Hours] = ()
    by_clock: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Records:
    """Everything that is compared.

    `uploaded` are the numbers of each campaign; `imports` the contacts that are there of each list that met a full
    disk, by what it should have; `permits` is what the limiter still holds when nothing is, or may be, up any more;
    `orders` are what left for the nodes; `bridged` the campaigns whose agent is reached by a gateway, `hours` when
    campaigns may call, `by_clock` those that nobody starts but the clock.
    """

    view: LedgerView
    calls: list[dict[str, Any]]
    contacts: list[dict[str, Any]]
    campaigns: list[dict[str, Any]]
    told: list[dict[str, Any]]
    listeners: list[Listener]
    uploaded: dict[str, list[str]]
    caps: list[Cap]
    struck: Struck
    imports: list[tuple[int, list[int]]]
    permits: int
    orders: list[Order]
    bridged: frozenset[str] = frozenset()
    hours: Sequence[Hours] = ()
    by_clock: frozenset[str] = frozenset()
    left: Sequence[str] = ()
    """Each call that is not over although all is settled, or should be: who has it."""


def left_open(stage: Stage, campaigns: Sequence[str]) -> int:
    """Contacts and campaigns that are not settled."""
    return _count(stage, OPEN, {"ids": list(campaigns)})


def unpublished(stage: Stage) -> int:
    """Transitions that no listener can have heard."""
    return _count(stage, UNPUBLISHED, {})


def permits_held(stage: Stage) -> int:
    """How many permits the limiter holds, but for those of calls that may be up although they were closed."""
    with stage.redis() as client:
        epoch = cast("str | None", client.get(Keys(PREFIX).epoch))
        if epoch is None:
            return 0
        holding = cast("list[str]", client.hkeys(Keys(PREFIX).epoch_keys(epoch).permits))
    with stage.database() as connection:
        held = {row["id"] for row in connection.execute(HELD, ()).fetchall()}
    return len(set(holding) - held)


def settles(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether `condition` comes to hold within `seconds`; a server that is away does not count as an answer."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if condition():
                return True
        except (psycopg.Error, redis.RedisError):
            pass
        time.sleep(0.25)
    return False


def read(stage: Stage, played: Played, struck: Struck) -> Records:
    """Read all of it."""
    ids = list(played.uploaded)
    with stage.database() as connection:
        calls, contacts, campaigns, told = (
            connection.execute(sql, (ids,)).fetchall() for sql in (CALLS, CONTACTS, CAMPAIGNS, TOLD)
        )
        imports = [
            (size, [row["n"] for row in connection.execute(IMPORTED, (name,)).fetchall()])
            for name, size in played.oversized.items()
        ]
    return Records(
        stage.view(calls, played.callers),
        calls,
        contacts,
        campaigns,
        told,
        played.listeners,
        played.uploaded,
        played.caps,
        struck,
        imports,
        permits_held(stage),
        stage.orders,
        played.bridged,
        played.hours,
        played.by_clock,
        _left(stage),
    )


def _left(stage: Stage) -> list[str]:
    with stage.database() as connection:
        calls = connection.execute(LEFT).fetchall()
    with stage.redis() as client:
        alive = {
            one for one in {call["dialer_id"] for call in calls} if client.exists(f"{PREFIX}lease:{one}")
        }
    return [
        f"{call['id']} is {call['state']} on {call['node']} since {call['age']} s, of {call['dialer_id']}"
        f" ({'alive' if call['dialer_id'] in alive else 'dead'}{', settled' * call['settled']}, taken over by"
        f" {call['heir']}), sent by {call['sent_by']}"
        for call in calls
    ]


def _count(stage: Stage, sql: str, parameters: dict[str, Any]) -> int:
    with stage.database() as connection:
        found = connection.execute(sql, parameters).fetchone()
    assert found is not None
    return int(found["left"])
