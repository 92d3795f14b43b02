"""How calls by gateways ended is counted by every dialer in its own lane, and told of the last hour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from campaigns import gateway_counts
from campaigns.gateway_counts import LastHour, Refusal
from dialer.capacity.gateway_ends import GatewayEnds
from dialer.live_calls import LiveState
from dialer.record import call_end
from models import db, new_id, rows
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer
from tests.integration.dialer.test_plans import read_by
from tests.unit.dialer.factories import make_call, make_commit, make_hangup
from tests.waiting import wait_until


def end(part: GatewayEnds, world: World, *statuses: int) -> None:
    for status in statuses:
        call = make_call(gateway_id=str(world.gateway_id), sent_at=1.0, state=LiveState.SEEN)
        hangup = make_hangup(
            "CALL_REJECTED",
            sip_status=status,
            sip_phrase=None,
            answered=status == 200,
            progress=False,
            q850=21,
        )
        part.after_commit(make_commit({call.call_id: call_end.hung_up(call, 2.0, hangup)}, call))


def last_hour(world: World) -> LastHour:
    with db.connection_context():
        return gateway_counts.last_hour([world.gateway_id]).get(str(world.gateway_id), LastHour())


def sql(statement: str, *values: Any) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(statement, *values)


def test_what_all_dialers_counted_within_the_hour_is_added_up(world: World) -> None:
    one, other = GatewayEnds("d1"), GatewayEnds("d2")
    end(one, world, 200, 200, 503, 403)
    one.round()
    one.round()
    end(one, world, 503)
    end(other, world, 503, 200)
    one.round()
    other.round()
    found = last_hour(world)
    assert (found.calls, found.refused) == (7, 4)
    assert found.refusals == [Refusal(503, "CALL_REJECTED", 3), Refusal(403, "CALL_REJECTED", 1)]
    assert {row["lane"] for row in sql("SELECT lane FROM gateway_count")} == {"d1", "d2"}
    sql("UPDATE gateway_count SET since = since - interval '1 hour' WHERE lane = 'd1'")
    assert last_hour(world) == LastHour(2, [Refusal(503, "CALL_REJECTED", 1)])


def test_what_could_not_be_written_is_written_with_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = GatewayEnds("d1")
    end(part, world, 503)

    def away(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(gateway_counts, "add", away)
        with pytest.raises(ConnectionError):
            part.round()
    end(part, world, 503)
    part.round()
    assert last_hour(world).refused == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_dialer_counts_what_it_dials(world: World, start: Callable[..., Dialer]) -> None:
    """Answered, busy without a ring, rung, and no such number."""
    make_campaign(world, 4)
    start()
    wait_until(lambda: last_hour(world).calls == 4, "the calls of all four")
    assert [(one.sip_status, one.cause) for one in last_hour(world).refusals] == [
        (404, "UNALLOCATED_NUMBER"),
        (486, "USER_BUSY"),
    ]


def test_the_last_hour_is_read_without_reading_what_is_older(world: World) -> None:
    part = GatewayEnds("d1")
    end(part, world, 503, 200)
    part.round()
    sql(
        "INSERT INTO gateway_count SELECT now() - n * interval '1 second' - interval '1 hour', %s, 'd1', 503, 'X', 1"
        " FROM generate_series(1, 20000) AS n",
        new_id(),
    )
    sql("ANALYZE gateway_count")
    plan = sql("EXPLAIN (ANALYZE, TIMING OFF) " + gateway_counts.LAST_HOUR, [world.gateway_id])
    assert read_by("\n".join(row["QUERY PLAN"] for row in plan)) < 20
