"""Calls that are over are counted as they end: whoever ends them, exactly, and nobody waits for another."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import psycopg
import pytest

from campaigns import call_counts
from campaigns.call_outcomes import of_campaign
from dialer.capacity.limiter_snapshot import snapshot
from dialer.record.cdr_correction import correct
from migrations.runner import migrate
from models import CallState, db, rows
from tests.factories import World, make_campaign
from tests.integration.dialer.folding import two_at_once
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all, end, ended

MIGRATION = "0020_call_counts"

_BY_ROWS = """
SELECT tenant_id, campaign_id, (created_at AT TIME ZONE 'UTC')::date AS day,
    coalesce(disposition, '') AS disposition, count(*) AS calls, count(sent_at) AS sent,
    coalesce(sum(billsec), 0) AS seconds
FROM call WHERE ended_at IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
_KEPT = """
SELECT tenant_id, campaign_id, day, disposition, sum(calls) AS calls, sum(sent) AS sent, sum(seconds) AS seconds
FROM (SELECT * FROM call_count UNION ALL SELECT * FROM call_count_change) AS kept
GROUP BY 1, 2, 3, 4 HAVING sum(calls) <> 0 OR sum(sent) <> 0 OR sum(seconds) <> 0 ORDER BY 1, 2, 3, 4
"""


def found(sql: str) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(sql)


def assert_exact() -> None:
    by_rows = found(_BY_ROWS)
    assert found(_KEPT) == by_rows
    assert by_rows


def dial(campaign_id: uuid.UUID) -> None:
    """Calls that ended in every way there is, one that was corrected since, one that is up, one that never left."""
    answered, busy, unknown, unsent, *_ = claim_all(campaign_id, limit=5)
    end(
        ended(answered.call_id, "completed", disposition="answered", answered=True, billsec=61),
        ended(busy.call_id, "pending"),
        ended(unknown.call_id, "failed", disposition="outcome_unknown", sent_age=1.0),
        ended(unsent.call_id, "pending", disposition=None, sent_age=None, counts=False),
    )
    with db.connection_context(), db.atomic():
        late = ended(
            unknown.call_id, "completed", disposition="answered", answered=True, billsec=9, duration_ms=1
        )
        assert correct(DIALER, [late]).calls == 1


def test_what_is_kept_is_what_the_rows_say(world: World) -> None:
    one, other = make_campaign(world, 10), make_campaign(world, 10)
    dial(one)
    assert_exact()
    call_counts.add_up()
    assert found("SELECT * FROM call_count_change") == []
    assert_exact()
    dial(one)
    dial(other)
    assert_exact()
    call_counts.add_up()
    assert_exact()
    with db.connection_context():
        db.execute_sql("DELETE FROM call WHERE disposition = 'busy'")
    assert_exact()
    assert_totals(one, other)


def assert_totals(*campaign_ids: uuid.UUID) -> None:
    """Whatever is asked for, the total is how many rows there are."""
    dispositions = [None, "answered", "busy", "no_answer"]
    for campaign_id, state, disposition in itertools.product(
        (None, *campaign_ids), (None, *CallState), dispositions
    ):
        given = {"campaign_id": campaign_id, "state": state, "disposition": disposition}
        given = {name: value for name, value in given.items() if value is not None}
        which = "".join(f" AND {name} = %s" for name in given)
        with db.connection_context():
            (by_rows,) = rows(
                f"SELECT count(*) AS n FROM call WHERE tenant_id = 'demo'{which}", *given.values()
            )
            assert call_counts.total("demo", **given) == by_rows["n"], given
            assert call_counts.total("other", **given) == 0


def test_two_that_end_calls_at_the_same_time_do_not_wait_for_each_other(
    world: World, database_url: str
) -> None:
    first, second = claim_all(make_campaign(world, 2))
    over = "UPDATE call SET state = 'ended', ended_at = now(), disposition = 'busy' WHERE id = %s"
    with psycopg.connect(database_url) as one, psycopg.connect(database_url) as other:
        one.execute(over, (first.call_id,))
        other.execute("SET lock_timeout = '10s'")
        other.execute(over, (second.call_id,))
        other.commit()
        one.commit()
    assert_exact()


def test_two_that_add_up_at_the_same_time_count_each_change_once(world: World, database_url: str) -> None:
    campaign_id = make_campaign(world, 20)
    dial(campaign_id)
    call_counts.add_up()
    dial(campaign_id)
    with two_at_once(database_url, call_counts.ADD_UP, call_counts.add_up):
        dial(campaign_id)
    assert_exact()


def test_what_was_over_before_is_counted_once(world: World, database_url: str) -> None:
    campaign_id = make_campaign(world, 20)
    with db.connection_context():
        db.execute_sql("ALTER TABLE call DISABLE TRIGGER USER")
    dial(campaign_id)
    with db.connection_context():
        db.execute_sql("ALTER TABLE call ENABLE TRIGGER USER")
        db.execute_sql("DELETE FROM schema_migration WHERE name = %s", (MIGRATION,))
    dial(campaign_id)
    assert found(_KEPT) != found(_BY_ROWS)
    assert migrate(database_url) == [MIGRATION]
    assert_exact()
    # As after a run that was interrupted behind it.
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM schema_migration WHERE name = %s", (MIGRATION,))
    assert migrate(database_url) == [MIGRATION]
    assert_exact()


@pytest.mark.parametrize("added_up", [False, True])
def test_a_limiters_day_is_exact_to_the_call(world: World, added_up: bool) -> None:
    campaign_id = make_campaign(world, 20)
    dial(campaign_id)
    with db.connection_context():
        db.execute_sql("UPDATE call SET created_at = now() - interval '1 day' WHERE disposition = 'busy'")
    if added_up:
        call_counts.add_up()
    (today,) = snapshot().days
    # Two that were answered and the one that is up; not yesterday's, nor the one that never left.
    assert (today.tenant_id, today.calls, today.seconds) == ("demo", 3, 70)


def test_a_send_is_recent_for_as_long_as_a_rate_may_count_it(world: World) -> None:
    campaign_id = make_campaign(world, 20)
    dial(campaign_id)
    with db.connection_context():
        # However long it lay before it was sent.
        db.execute_sql("UPDATE call SET created_at = now() - interval '2 days'")
        (sent,) = rows(
            "SELECT array_agg(id::text) AS ids FROM call WHERE sent_at IS NOT NULL OR ended_at IS NULL"
        )
    assert {send.call_id for send in snapshot().recent} == set(sent["ids"])
    with db.connection_context():
        db.execute_sql("UPDATE call SET sent_at = now() - interval '61 s' WHERE sent_at IS NOT NULL")
        (up,) = rows("SELECT array_agg(id::text) AS ids FROM call WHERE ended_at IS NULL")
    assert {send.call_id for send in snapshot().recent} == set(up["ids"])


def test_what_became_of_a_campaigns_calls_is_told_by_disposition_and_by_the_most_frequent_causes(
    world: World,
) -> None:
    one, other = make_campaign(world, 10), make_campaign(world, 10)
    dial(one)
    dial(other)
    for _ in range(2):
        with db.connection_context():
            told = of_campaign(one)
        assert told["dispositions"] == {"answered": 2, "busy": 1}
        assert sum(cause["calls"] for cause in told["top_causes"]) == 3
        call_counts.add_up()
