"""Measures how answers and ends are written, with few calls in flight and with many, beside bare updates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import cast

from bench.table import Bound, Figure
from dialer.dispatch.claims import ClaimRequest, claim
from dialer.dispatch.due import due
from dialer.record.outbox import Outbox
from dialer.record.outcome_rows import Answered, Ended, Seen, write
from live.publisher import Publisher, PublishOutcome
from live.stream_events import StreamEvent
from local.postgres import EmbeddedPostgres
from migrations.runner import migrate
from models import db, new_id, open_pool, rows
from tests.factories import World, make_campaign, make_world

OWNER = "d0123456789ab"
CAMPAIGNS = 20
WRITTEN = 5_000
OVER, QUICK_OVER = 100_000, 20_000
FEW, MANY, QUICK_MANY = 3_000, 20_000, 6_000
ROUNDS, QUICK_ROUNDS = 5, 2
GROUPS = (100, 500)
BARE_UPDATES = {"answers": 4.0, "ends": 7.0}
"""An end writes into every index of calls; the bare update of the same row into none."""
MORE_IN_FLIGHT = 1.5
WAL_KILOBYTES = 4.5

_IN_FLIGHT = """
WITH claimed AS (
    INSERT INTO contact (id, campaign_id, position, phone_number, status, attempts, sends, version, call_id)
    SELECT gen_random_uuid(), %(campaign)s, n, '+1415' || n, 'originated', 1, 1, 1, gen_random_uuid()
    FROM generate_series(1, %(count)s) AS n RETURNING *
)
INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, generation, phone_number, caller_id,
    gateway_id, node, dialer_id, sent_by, sent_at)
SELECT call_id, %(tenant)s, campaign_id, id, 1, 1, 1, phone_number, '+14155550100', %(gateway)s, 'fs1', %(owner)s,
    %(owner)s, now() FROM claimed
RETURNING id::text AS call_id, contact_id::text
"""
_PENDING = """
INSERT INTO contact (id, campaign_id, position, phone_number)
SELECT gen_random_uuid(), %s, n, '+1415' || n FROM generate_series(1, %s) AS n
"""
_OVER = """
WITH over AS (
    INSERT INTO contact (id, campaign_id, position, phone_number, status, disposition, attempts, sends, version)
    SELECT gen_random_uuid(), %(campaign)s, n, '+1415' || n, 'completed', 'answered', 1, 1, 3
    FROM generate_series(1, %(count)s) AS n RETURNING *
)
INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, generation, phone_number, caller_id,
    gateway_id, node, dialer_id, sent_by, sent_at, state, answered_at, ended_at, disposition, cause)
SELECT gen_random_uuid(), %(tenant)s, campaign_id, id, 1, 1, 1, phone_number, '+14155550100', %(gateway)s, 'fs1',
    %(owner)s, %(owner)s, now(), 'ended', now(), now(), 'answered', 'NORMAL_CLEARING' FROM over
"""

Calls = Sequence[tuple[str, str]]
"""Ids of calls and of their contacts."""


class Cpu:
    """What this process and the one backend that it speaks to have used of the processors."""

    def __init__(self) -> None:
        with db.connection_context():
            (found,) = rows("SELECT pg_backend_pid() AS pid")
        self._backend = Path(f"/proc/{found['pid']}/schedstat")

    def seconds(self) -> float:
        """Both together, so far."""
        return time.process_time() + int(self._backend.read_text().split()[0]) / 1e9


@contextmanager
def database() -> Iterator[World]:
    """A database of its own, which waits for no disk, and one connection to it, as claims and outcomes have."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedPostgres(folder, durable=False) as postgres:
            migrate(postgres.url)
            pool = open_pool(postgres.url, 1, by_id=True)
            db.initialize(pool)
            yield make_world()
            pool.close_all()


def insert(world: World, sql: str, count: int, campaigns: int = 1) -> list[tuple[str, str]]:
    """So many calls over several new campaigns, taken in turn from one after the other."""
    made = []
    for _ in range(campaigns):
        campaign_id = make_campaign(world, 0)
        parameters = {"campaign": campaign_id, "count": count // campaigns, "owner": OWNER}
        with db.connection_context():
            cursor = db.execute_sql(
                sql, parameters | {"tenant": world.tenant_id, "gateway": world.gateway_id}
            )
            made.append(cursor.fetchall() if cursor.description else [])
    with db.connection_context():
        db.execute_sql("ANALYZE")
    return [call for calls in zip(*made, strict=True) for call in calls]


def bare(calls: Calls) -> None:
    """The rows of these calls and contacts updated by their keys, and nothing else."""
    call_ids, contact_ids = ([pair[part] for pair in calls] for part in (0, 1))
    with db.connection_context(), db.atomic():
        db.execute_sql("UPDATE call SET cause = 'X' WHERE id = ANY(%s::uuid[])", (call_ids,))
        db.execute_sql("UPDATE contact SET last_cause = 'X' WHERE id = ANY(%s::uuid[])", (contact_ids,))


def answers(calls: Calls) -> None:
    """All of them were answered."""
    assert len(write(OWNER, [], [Answered(call_id, 0.0, 1.0) for call_id, _ in calls], []).told) == len(calls)


def ends(calls: Calls) -> None:
    """All of them are over."""
    over = [
        Ended(call_id, "completed", True, None, 0.0, 5.0, "answered", "NORMAL_CLEARING", 16, 200, billsec=4)
        for call_id, _ in calls
    ]
    assert len(write(OWNER, [], [], over).told) == len(calls)


STEPS: tuple[Callable[[Calls], None], ...] = (bare, answers, ends)


def measured(calls: list[tuple[str, str]], rounds: int) -> dict[tuple[str, int], float]:
    """The median CPU time of each step by the size of its group, in seconds. The calls are used up."""
    took: dict[tuple[str, int], list[float]] = {
        (step.__name__, size): [] for step in STEPS for size in GROUPS
    }
    cpu = Cpu()
    for _ in range(rounds):
        for size in GROUPS:
            group = [calls.pop() for _ in range(size)]
            for step in STEPS:
                began = cpu.seconds()
                step(group)
                took[step.__name__, size].append(cpu.seconds() - began)
    return {key: median(values) for key, values in took.items()}


class Everything:
    """A stream that takes whatever is published."""

    def publish(self, transitions: Sequence[StreamEvent], *, force: bool = False) -> list[PublishOutcome]:
        """Say that it is there."""
        return [PublishOutcome.APPENDED] * len(transitions)


def written(_quick: bool) -> Sequence[Figure]:
    """What a call writes from its claim to the publication of its end, and which of its updates write no index."""
    updates = "SELECT sum(n_tup_upd) AS of_all, sum(n_tup_hot_upd) AS hot FROM pg_stat_user_tables WHERE relname = %s"
    with database() as world:
        campaign_id = make_campaign(world, 0)
        with db.connection_context():
            db.execute_sql(_PENDING, (campaign_id, WRITTEN))
            db.execute_sql("VACUUM (ANALYZE)")
            (before,) = rows("SELECT pg_current_wal_insert_lsn() AS at")
        outbox = Outbox(cast(Publisher, Everything()), OWNER)
        while claimed := claim_some(str(campaign_id)):
            outbox.publish_leftovers(OWNER)
            write(OWNER, [Seen(call_id, 0.0, 1.0, True) for call_id, _ in claimed], [], [])
            answers(claimed)
            outbox.publish_leftovers(OWNER)
            ends(claimed)
            outbox.publish_leftovers(OWNER)
        with db.connection_context():
            (found,) = rows("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn AS bytes", before["at"])
            rows("SELECT pg_stat_force_next_flush()")
            shares = [rows(updates, table)[0] for table in ("contact", "call")]
    kilobytes = float(found["bytes"]) / WRITTEN / 1000
    hot_contact, hot_call = (float(share["hot"] / share["of_all"]) * 100 for share in shares)
    return [
        Figure(
            "WAL of a call",
            kilobytes,
            "KB",
            Bound.AT_MOST,
            WAL_KILOBYTES,
            "5.1 with a flag on each transition",
        ),
        Figure("updates of contact that write no index", hot_contact, "%", Bound.AT_LEAST, 60.0, "2 of 3"),
        Figure("updates of call that write no index", hot_call, "%", Bound.AT_LEAST, 60.0, "2 of 3"),
    ]


def claim_some(campaign_id: str) -> list[tuple[str, str]]:
    """The next calls that are due, claimed: their ids and their contacts'."""
    gateway_id = str(new_id())
    with db.connection_context():
        (now,) = rows("SELECT generation FROM campaign WHERE id = %s", campaign_id)
    wanted = [
        ClaimRequest(
            campaign_id,
            now["generation"],
            item.contact_id,
            str(new_id()),
            "fs1",
            None,
            gateway_id,
            item.sends,
            phone_number=item.phone_number,
        )
        for item in due({campaign_id: GROUPS[0]}, (0, 1))[campaign_id]
    ]
    return [(item.call_id, item.contact_id) for item in claim(OWNER, wanted)] if wanted else []


def recording(quick: bool) -> Sequence[Figure]:
    """Groups of answers and of ends, with few calls in flight and with many."""
    rounds, many_calls = (QUICK_ROUNDS, QUICK_MANY) if quick else (ROUNDS, MANY)
    with database() as world:
        insert(world, _OVER, QUICK_OVER if quick else OVER)
        few = measured(insert(world, _IN_FLIGHT, FEW, CAMPAIGNS), rounds)
        many = measured(insert(world, _IN_FLIGHT, many_calls, CAMPAIGNS), rounds)
    figures = []
    for (step, size), seconds in many.items():
        if step == bare.__name__:
            continue
        what = f"CPU of {size} {step}, {many_calls:,} in flight"
        figures += [
            Figure(
                what,
                seconds / many[bare.__name__, size],
                "×",
                Bound.AT_MOST,
                BARE_UPDATES[step],
                "bare updates by id",
            ),
            Figure(what, seconds / few[step, size], "×", Bound.AT_MOST, MORE_IN_FLIGHT, f"{FEW:,} in flight"),
        ]
    return figures
