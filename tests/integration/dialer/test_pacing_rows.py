"""What dialers write about campaigns beside their calls: why they are blocked and since when, how fast they are, how
far their slow start has come."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from peewee import OperationalError

from campaigns.slow_start import DOUBLES_AFTER, LAST_LEVEL
from dialer.dispatch import pace_log, ramps
from dialer.dispatch.blocked_reasons import BlockedReasons
from dialer.dispatch.pace_counts import PaceCounts
from dialer.dispatch.pace_log import PaceLog
from dialer.dispatch.plan_rows import running
from dialer.dispatch.plans import Plan
from dialer.dispatch.slow_start import RampSteps
from models import CampaignStatus, db, new_id, rows
from tests.factories import World, make_campaign
from tests.waiting import HANG_SECONDS


def sql(statement: str, *values: Any) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(statement, *values)


@pytest.fixture
def campaign_id(world: World) -> str:
    return str(make_campaign(world, 3, slow_start=True))


# Why a campaign is blocked, and since when.


class Sayer:
    """One dialer's reasons, by a clock of the test; rows are read again before each write."""

    def __init__(self) -> None:
        self.clock = 1000.0
        self.reasons = BlockedReasons(lambda: self.clock)

    def say(self, campaign_id: str, reason: str | None, *, after: float = 0.0) -> None:
        self.clock += after
        self.reasons.tell(campaign_id, reason)
        self.reasons.write(running())


def shown(campaign_id: str) -> tuple[str | None, float | None]:
    """The reason, and for how many seconds it holds, to a tenth of a minute."""
    (row,) = sql(
        "SELECT blocked_reason AS reason, extract(epoch FROM now() - blocked_since)::float8 AS age"
        " FROM campaign WHERE id = %s",
        campaign_id,
    )
    return row["reason"], None if row["age"] is None else round(row["age"] / 6) / 10


def call(world: World, campaign_id: str, minutes: float) -> None:
    """A call of this campaign was placed so long ago."""
    sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, state, generation, phone_number, caller_id,"
        " gateway_id, node, dialer_id, sent_by, created_at, ended_at) SELECT %s, %s, campaign_id, id,"
        " (SELECT count(*) + 1 FROM call WHERE contact_id = contact.id), 'ended',"
        " 0, phone_number, 'c', %s, 'fs1', 'd', 'd', now() - %s * interval '1 min', now()"
        " FROM contact WHERE campaign_id = %s ORDER BY position LIMIT 1",
        new_id(),
        world.tenant_id,
        world.gateway_id,
        minutes,
        campaign_id,
    )


def test_a_reason_has_the_time_of_the_first_decision_that_said_so_and_is_gone_with_the_next(
    campaign_id: str,
) -> None:
    one = Sayer()
    one.reasons.tell(campaign_id, "no_redis")
    one.say(campaign_id, "no_redis", after=120.0)
    assert shown(campaign_id) == ("no_redis", 2.0)
    one.say(campaign_id, "no_node", after=60.0)
    assert shown(campaign_id) == ("no_node", 0.0)
    assert not one.reasons.gone.is_set()
    one.reasons.tell(campaign_id, None)
    assert one.reasons.gone.is_set()
    # By what was read before the row said anything, as it may be in a process.
    one.reasons.write({campaign_id: running()[campaign_id]})
    assert shown(campaign_id) == (None, None)


def test_nobody_is_blocked_for_longer_than_since_the_last_call_whoever_placed_it(
    world: World, campaign_id: str
) -> None:
    one = Sayer()
    one.reasons.tell(campaign_id, "gateway_cps")
    one.say(campaign_id, "gateway_cps", after=300.0)
    assert shown(campaign_id) == ("gateway_cps", 5.0)
    call(world, campaign_id, 1.0)
    other = Sayer()
    other.say(campaign_id, "gateway_cps")
    # It is right with whatever is written next; a call of a moment ago says that nobody is blocked.
    one.say(campaign_id, "gateway_channels")
    one.say(campaign_id, "gateway_cps")
    assert shown(campaign_id) == ("gateway_cps", 0.0)
    call(world, campaign_id, 0.0)
    one.say(campaign_id, None)
    one.say(campaign_id, "gateway_cps")
    assert shown(campaign_id) == (None, None)


def test_a_campaign_that_is_dialled_while_its_word_is_written_is_written_again_at_once(
    campaign_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, plans = Sayer(), running()
    one.reasons.tell(campaign_id, "no_redis")
    execute = db.execute_sql

    def dialled_meanwhile(*arguments: Any) -> Any:
        one.reasons.tell(campaign_id, None)
        return execute(*arguments)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(db.obj, "execute_sql", dialled_meanwhile)
        one.reasons.write(plans)
    assert shown(campaign_id)[0] == "no_redis"
    assert one.reasons.gone.is_set()
    one.reasons.write(plans)
    assert shown(campaign_id) == (None, None)


def test_what_could_not_be_taken_back_is_taken_back_with_the_next(
    campaign_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, before = Sayer(), running()
    one.say(campaign_id, "no_redis")
    one.reasons.tell(campaign_id, None)

    def away(*_: Any) -> Any:
        raise OperationalError("away")

    with monkeypatch.context() as outage:
        outage.setattr(db.obj, "execute_sql", away)
        with pytest.raises(OperationalError):
            one.reasons.write(before)
    one.reasons.write(before)
    assert shown(campaign_id) == (None, None)


def test_a_dialer_that_comes_later_leaves_the_time_as_it_is(campaign_id: str) -> None:
    one, later = Sayer(), Sayer()
    one.reasons.tell(campaign_id, "no_redis")
    one.say(campaign_id, "no_redis", after=120.0)
    later.say(campaign_id, "no_redis")
    later.say(campaign_id, "no_redis", after=1.0)
    assert shown(campaign_id) == ("no_redis", 2.0)


def test_a_slow_start_is_told_while_calls_leave(world: World, campaign_id: str) -> None:
    one = Sayer()
    one.say(campaign_id, "slow_start")
    call(world, campaign_id, 0.0)
    one.say(campaign_id, "slow_start", after=60.0)
    assert shown(campaign_id)[0] == "slow_start"


# How fast it was dialled.


class Dialled:
    """What one dialer keeps of a campaign with some calls in progress; a second is over when the test says so."""

    def __init__(self, campaign_id: str, dialer_id: str, live_calls: int) -> None:
        self.campaign_id, self.clock = campaign_id, 1000.0
        self.log = PaceLog(dialer_id, lambda _campaign: live_calls, lambda _campaign: None)
        self.log.counts.now = lambda: self.clock
        self.log.write([])

    def second(self, *notes: tuple[int, int, str | None]) -> None:
        for note in notes:
            self.log.counts.note(self.campaign_id, *note)
        self.clock += 1.0
        self.log.write([self.campaign_id])


@pytest.fixture
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's clock does not go with the test's: nobody is to notice."""
    monkeypatch.setattr(pace_log, "CLOCK_SECONDS", 1e9)


def paces(campaign_id: str) -> list[tuple[Any, ...]]:
    found = sql(
        "SELECT dialer_id, offered, admitted, live_calls, cap FROM campaign_pace WHERE campaign_id = %s"
        " ORDER BY dialer_id, second",
        campaign_id,
    )
    return [tuple(row.values()) for row in found]


def test_each_dialer_writes_rows_of_its_own_and_none_of_the_campaign(
    campaign_id: str, own_clock: None
) -> None:
    (before,) = sql("SELECT xmin::text, ctid::text FROM campaign WHERE id = %s", campaign_id)
    for name in ("d1", "d2"):
        dialer = Dialled(campaign_id, name, 7)
        dialer.second((5, 4, None), (2, 0, "node_cps"))
        dialer.second((1, 1, None))
    assert paces(campaign_id) == [
        (name, *figures) for name in ("d1", "d2") for figures in ((7, 4, 7, "node_cps"), (1, 1, 7, None))
    ]
    assert sql("SELECT xmin::text, ctid::text FROM campaign WHERE id = %s", campaign_id) == [before]


def test_seconds_are_the_databases(campaign_id: str) -> None:
    Dialled(campaign_id, "d1", 0).second((1, 1, None))
    (row,) = sql("SELECT extract(epoch FROM now() - second)::float8 AS age FROM campaign_pace")
    assert -2.0 < row["age"] < 60.0


def test_a_second_that_was_written_and_whose_answer_was_lost_is_written_again(
    campaign_id: str, own_clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialer = Dialled(campaign_id, "d1", 2)
    with monkeypatch.context() as lost:
        lost.setattr(PaceCounts, "written", lambda *_: None)
        dialer.second((3, 2, None))
    assert paces(campaign_id) == [("d1", 3, 2, 2, None)]
    dialer.second((4, 4, None))
    assert paces(campaign_id) == [("d1", 3, 2, 2, None), ("d1", 4, 4, 2, None)]


def test_what_is_a_day_old_is_forgotten(campaign_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_log, "SLICE", 4)
    sql(
        "INSERT INTO campaign_pace SELECT %s, now() - n * interval '1 hour', 'd1', n, 0, 0"
        " FROM generate_series(1, 40) AS n",
        campaign_id,
    )
    pace_log.purge()
    assert {row[1] for row in paces(campaign_id)} == set(range(1, 24))


# How far a slow start has come.


def plan(campaign_id: str) -> Plan:
    return running()[campaign_id]


def step(campaign_id: str, level: int, kind: str) -> bool:
    said = ((campaign_id, plan(campaign_id).generation, level),)
    return ramps.write(RampSteps(**{kind: said}))


def age(campaign_id: str, seconds: float) -> None:
    """The level was reached so long ago."""
    sql(
        "UPDATE campaign_ramp SET since = now() - %s * interval '1 s' WHERE campaign_id = %s",
        seconds,
        campaign_id,
    )


def test_of_dialers_that_double_one_level_at_once_one_does(campaign_id: str) -> None:
    assert (plan(campaign_id).slow_start, plan(campaign_id).has_ramp) == (True, False)
    assert step(campaign_id, 0, "begun")
    assert not step(campaign_id, 0, "begun")
    assert (plan(campaign_id).has_ramp, plan(campaign_id).ramp_level) == (True, 0)
    assert not step(campaign_id, 0, "doubled")
    age(campaign_id, DOUBLES_AFTER)
    assert step(campaign_id, 0, "doubled")
    assert not step(campaign_id, 0, "doubled")
    assert plan(campaign_id).ramp_level == 1


def test_an_unhealthy_moment_that_one_dialer_saw_holds_up_all(campaign_id: str) -> None:
    step(campaign_id, 0, "begun")
    age(campaign_id, DOUBLES_AFTER)
    assert not step(campaign_id, 0, "unhealthy")
    assert not step(campaign_id, 0, "doubled")
    assert plan(campaign_id).ramp_level == 0


def test_what_nobody_dialled_for_an_hour_does_not_become_fast_at_once(campaign_id: str) -> None:
    step(campaign_id, 0, "begun")
    age(campaign_id, 3600.0)
    assert step(campaign_id, 0, "doubled")
    assert not step(campaign_id, 1, "doubled")
    assert plan(campaign_id).ramp_level == 1


def test_a_campaign_that_is_set_running_again_begins_anew(campaign_id: str) -> None:
    step(campaign_id, 0, "begun")
    sql("UPDATE campaign_ramp SET level = %s", LAST_LEVEL)
    sql("UPDATE campaign SET generation = generation + 2 WHERE id = %s", campaign_id)
    assert (plan(campaign_id).has_ramp, plan(campaign_id).ramp_level) == (False, 0)
    assert step(campaign_id, 0, "begun")
    assert (plan(campaign_id).has_ramp, plan(campaign_id).ramp_level) == (True, 0)


def test_the_weights_are_in_the_plan(world: World) -> None:
    campaign = make_campaign(world, 1, weight=7, status=CampaignStatus.RUNNING)
    sql("UPDATE tenant SET weight = 3")
    found = running()[str(campaign)]
    assert (found.weight, found.tenant_weight, found.slow_start) == (7, 3, False)


def test_dialers_that_raise_several_at_once_wait_for_each_other_and_raise_each_once(world: World) -> None:
    made = [str(make_campaign(world, 1, slow_start=True)) for _ in range(20)]
    ramps.write(RampSteps(begun=tuple((one, 0, 0) for one in made)))
    sql("UPDATE campaign_ramp SET since = now() - interval '1 min'")
    orders = [tuple((one, 0, 0) for one in order) for order in (made, made[::-1], made)]
    at_once = [gevent.spawn(ramps.write, RampSteps(doubled=order)) for order in orders]
    gevent.joinall(at_once, timeout=HANG_SECONDS, raise_error=True)
    assert sum(bool(one.value) for one in at_once) >= 1
    assert {row["level"] for row in sql("SELECT level FROM campaign_ramp")} == {1}
