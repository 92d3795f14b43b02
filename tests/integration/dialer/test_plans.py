"""What the statements of a group commit read: the rows of their group, and nobody else's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from dialer.record import cdr_correction, outcomes
from dialer.record.outcomes import Answered, Ended, Seen, columns_of
from models import db
from tests.factories import World, make_campaign
from tests.integration.dialer.test_claims_and_outcomes import DIALER, ended

GROUP = 300
MOST_FOR_EACH = 40
"""Rows that the steps of a plan may read for each call of the group."""

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
RETURNING id::text
"""


def in_flight(world: World, count: int) -> list[str]:
    """So many calls of one campaign that were sent."""
    parameters = {
        "campaign": make_campaign(world, 0),
        "count": count,
        "tenant": world.tenant_id,
        "gateway": world.gateway_id,
        "owner": DIALER,
    }
    with db.connection_context():
        found = [call_id for (call_id,) in db.execute_sql(_IN_FLIGHT, parameters).fetchall()]
        db.execute_sql("ANALYZE")
    return found


def read_by(sql: str, parameters: Any) -> int:
    """How many rows the statement reads, over all steps of its plan; nothing is changed."""
    with db.connection_context(), db.atomic():
        cursor = db.execute_sql("EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) " + sql, parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        db.rollback()
    steps = re.findall(r"actual rows=([\d.]+) loops=(\d+)", plan)
    removed = re.findall(r"Rows Removed by \w+(?: \w+)*: (\d+)", plan)
    return sum(int(float(number)) * int(loops) for number, loops in steps) + sum(map(int, removed))


def statements(call_ids: Sequence[str]) -> dict[str, tuple[str, Any]]:
    """Every statement that records what became of these calls, with its parameters."""
    seen = [Seen(call_id, 0.0, 1.0, progress=True, ring=True) for call_id in call_ids]
    answered = [Answered(call_id, 0.0, 1.0) for call_id in call_ids]
    over = [ended(call_id, "failed") for call_id in call_ids]
    whose = {"owner": DIALER, "lane": "x"}
    return {
        "lock": (outcomes.LOCK_CALLS, (list(call_ids),)),
        "campaigns": (outcomes._LOCK_CAMPAIGNS, (list(call_ids),)),
        "seen": (outcomes._SEEN, columns_of(Seen, seen)),
        "answered": (outcomes._ANSWERED, columns_of(Answered, answered) | whose),
        "ended": (outcomes._ENDED, columns_of(Ended, over) | whose),
        "corrected": (cdr_correction._CORRECT, columns_of(Ended, over) | whose),
    }


@pytest.mark.parametrize("state", ["sent", "over"])
def test_no_call_of_a_group_is_compared_with_each_of_the_others(world: World, state: str) -> None:
    group = in_flight(world, GROUP)
    if state == "over":
        outcomes.write(
            DIALER, [], [], [ended(call_id, "failed", disposition="outcome_unknown") for call_id in group]
        )
    reads = {name: read_by(*statement) for name, statement in statements(group).items()}
    assert {name: read for name, read in reads.items() if read > MOST_FOR_EACH * GROUP} == {}
