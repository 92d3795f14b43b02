"""A list of 100,000: no query that runs while dialling reads all of it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from dialer.dispatch import blocked_reasons, claims, postponing
from dialer.dispatch import due as reading
from dialer.record import outbox
from dialer.recovery import audit, takeover
from models import connect, db, new_id, rows
from tests.factories import World, make_campaign, make_world

MANY = 100_000


@pytest.fixture
def large(database_url: str) -> Iterator[uuid.UUID]:
    """A running campaign of which a third waits for a retry and two thirds are over."""
    pool = connect(database_url)
    world: World = make_world()
    campaign_id = make_campaign(world, 0)
    with db.connection_context():
        db.execute_sql(
            "INSERT INTO contact (id, campaign_id, position, phone_number, status, next_attempt_at)"
            " SELECT gen_random_uuid(), %s, n, '+1415' || n, CASE WHEN n %% 3 = 0 THEN 'pending' ELSE 'failed' END,"
            " CASE WHEN n %% 3 = 0 THEN now() + n * interval '1 s' END FROM generate_series(1, %s) AS n",
            (campaign_id, MANY),
        )
        db.execute_sql(
            "INSERT INTO transition (campaign_id, contact_id, version, status, owner, published)"
            " SELECT campaign_id, id, 1, 'failed', 'd' || position %% 3, position %% 10 > 0 FROM contact"
        )
        db.execute_sql(
            "INSERT INTO outbox (owner, id, campaign_id, transition_ids)"
            " SELECT owner, min(id), campaign_id, array_agg(id) FROM transition GROUP BY owner, campaign_id, id / 10"
        )
        db.execute_sql(
            "INSERT INTO recent_outcome (tenant_id, subject, disposition, purpose, contact_id, at)"
            " SELECT %s, phone_number, 'answered', 'debt', id, now() FROM contact",
            (world.tenant_id,),
        )
        db.execute_sql("ANALYZE")
    yield campaign_id
    pool.close_all()


def cost(sql: str, *parameters: Any) -> int:
    """How many rows the statement reads, over all steps of its plan."""
    values = parameters[0] if len(parameters) == 1 and isinstance(parameters[0], dict) else parameters
    with db.connection_context(), db.atomic():
        cursor = db.execute_sql("EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) " + sql, values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        db.rollback()
    read = 0
    for line in plan.splitlines():
        for number, loops in re.findall(r"actual rows=([\d.]+) loops=(\d+)", line):
            read += int(float(number)) * int(loops)
        for number in re.findall(r"Rows Removed by \w+(?: \w+)*: (\d+)", line):
            read += int(number)
    return read


def test_nothing_that_runs_while_dialling_reads_the_whole_list(large: uuid.UUID) -> None:
    with db.connection_context():
        waiting = rows("SELECT id, phone_number FROM contact WHERE status = 'pending' LIMIT 20")
        generations = [r["generation"] for r in rows("SELECT generation FROM campaign WHERE id = %s", large)]
    pending = [row["id"] for row in waiting]
    claim = {
        "campaigns": [str(large)],
        "generations": generations,
        "contacts": pending,
        "numbers": [row["phone_number"] for row in waiting],
        "calls": [new_id() for _ in pending],
        "nodes": ["fs1"] * len(pending),
        "cores": [None] * len(pending),
        "gateways": [new_id() for _ in pending],
        "sends": [0] * len(pending),
        "ring": [30] * len(pending),
        "longest": [1800] * len(pending),
        "seconds": [None] * len(pending),
        "digests": [None] * len(pending),
        "rests": ['[{"after": "answered", "seconds": 604800, "purposes": ["debt"]}]'] * len(pending),
        "dialer": "d1",
        "lane": "d1:claim",
    }
    told = {"campaigns": [str(large)], "reasons": ["no_node"], "at": [None], "ages": [1.0]}
    costs = {
        "due": cost(reading.DUE, reading.due_parameters({str(large): 50}, (0, 1))),
        "due of a share": cost(reading.DUE, reading.due_parameters({str(large): 50}, (1, 2))),
        "next due": cost(reading.NEXT_DUE, [str(large)]),
        "claim": cost(claims.CLAIM, claim),
        "postpone": cost(
            postponing.POSTPONE,
            {
                "contacts": pending,
                "seconds": [60.0] * len(pending),
                "generations": [0] * len(pending),
                "limits": [""] * len(pending),
                "tenants": ["demo"],
                "reason": "number_cap",
            },
        ),
        "postpone who is left alone": cost(
            postponing.POSTPONE_RESTING, {"contacts": pending, "rests": claim["rests"]}
        ),
        "blocked reasons": cost(blocked_reasons.TELL, told),
        "unsettled": cost(takeover.UNSETTLED),
        "open calls": cost(audit.OPEN, "d1"),
        "a page of the outbox": cost(
            outbox.LEFT, {"owner": "d1", "after": 0, "older": 0.0, "limit": outbox.GROUP}
        ),
        "a page of what its rows name": cost(
            outbox.NOTED, {"owner": "d1", "after": 0, "older": 0.0, "limit": outbox.ROWS}
        ),
    }
    with db.connection_context():
        db.execute_sql(
            "UPDATE contact SET next_attempt_at = now() - position * interval '1 s', callback = position %% 6 = 0"
            " WHERE status = 'pending'"
        )
        db.execute_sql("ANALYZE contact")
    costs |= {
        "due of many retries": cost(reading.DUE, reading.due_parameters({str(large): 50}, (0, 1))),
        "next due of many retries": cost(reading.NEXT_DUE, [str(large)]),
    }
    assert {name: read for name, read in costs.items() if read > 5_000} == {}
