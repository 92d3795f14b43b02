"""Nobody dials on a state that is not whole, and one dialer makes it whole again from the database."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import gevent
import pytest

from limits.caps import DayUse, LiveCall, RecentSend, Snapshot
from limits.limiter import Denied, GatewayCaps, Limiter, LimiterUnavailable, Permit, TenantCaps, Usage
from limits.rebuild import LOCK_SECONDS
from local.valkey import EmbeddedValkey
from tests.integration.limits.limiter_rig import PREFIX, Desk, HookedRedis, connect, snapshot, words


def live(call_id: str, *, dialer_id: str = "d1", number: str = "") -> LiveCall:
    return LiveCall(call_id, dialer_id, "c", "t", "gw", "fs1", number or f"+{call_id}")


def empty(client: HookedRedis, *desks: Desk) -> None:
    """Redis forgets everything, and the dialers come back under their old names to keep the tests short."""
    client.flushall()
    for desk in desks:
        desk.membership.register(desk.name, {})


def test_nobody_dials_before_the_first_rebuild(client: HookedRedis) -> None:
    desk = Desk(client)
    (answer,) = desk.ask("a")
    assert isinstance(answer, Denied)
    assert answer.reason == "no_redis"
    assert answer.retry_after > 0
    assert not desk.limiter.whole()
    assert desk.limiter.usage("t") is None
    desk.open()
    assert words(desk.ask("a")) == ["fs1"]


def test_nobody_dials_once_redis_was_emptied(client: HookedRedis, desk: Desk) -> None:
    desk.ask("a")
    empty(client, desk)
    assert words(desk.ask("b")) == ["no_redis"]


def test_a_whole_state_is_not_rebuilt(desk: Desk) -> None:
    desk.ask("a")
    assert desk.limiter.rebuild(lambda: pytest.fail("the database was asked")) is False
    assert desk.limiter.held_by("d1") == ["a"]


def test_exactly_one_of_many_dialers_rebuilds(redis_url: str) -> None:
    desks = [Desk(connect(redis_url), f"d{n}") for n in range(8)]
    asked = []

    def read() -> Snapshot:
        asked.append(1)
        gevent.sleep(0.05)
        return snapshot()()

    jobs = [gevent.spawn(desk.limiter.rebuild, read) for desk in desks]
    gevent.joinall(jobs, raise_error=True)
    assert sorted(job.get() for job in jobs) == [False] * 7 + [True]
    assert len(asked) == 1
    assert [words(desk.ask(desk.name)) for desk in desks] == [["fs1"]] * 8


def test_the_database_is_read_once_all_earlier_permits_have_lapsed(client: HookedRedis, desk: Desk) -> None:
    (permit,) = desk.ask("a")
    assert isinstance(permit, Permit)
    empty(client, desk)
    lapsed = []

    def read() -> Snapshot:
        lapsed.append(time.monotonic() > permit.expires_at)
        return snapshot()()

    assert desk.limiter.rebuild(read)
    assert lapsed == [True]


CAPS: list[tuple[str, Callable[[Desk], Sequence[Permit | Denied]]]] = [
    ("campaign_concurrency", lambda desk: desk.ask("new", concurrency=2)),
    ("tenant_concurrency", lambda desk: desk.ask("new", tenant=TenantCaps(2, None, None, None))),
    ("tenant_minute", lambda desk: desk.ask("new", tenant=TenantCaps(None, 3, None, None))),
    ("tenant_day_calls", lambda desk: desk.ask("new", tenant=TenantCaps(None, None, 40, None))),
    ("tenant_day_minutes", lambda desk: desk.ask("new", tenant=TenantCaps(None, None, None, 10))),
    ("gateway_channels", lambda desk: desk.ask("new", gateway=GatewayCaps("gw", None, 2))),
    ("gateway_cps", lambda desk: desk.ask("new", gateway=GatewayCaps("gw", 1, None))),
    ("number_cap", lambda desk: desk.ask("new", number="+a")),
]


@pytest.mark.parametrize(("word", "ask"), CAPS, ids=[word for word, _ in CAPS])
def test_the_rebuilt_state_counts_what_the_database_knows(
    client: HookedRedis, word: str, ask: Callable[[Desk], Sequence[Permit | Denied]]
) -> None:
    desk = Desk(client)
    recent = [
        RecentSend(name, "t", "gw", "fs1", age) for name, age in (("a", 100), ("b", 5000), ("e", 50_000))
    ]
    days = [DayUse("t", 40, 600), DayUse("other", 7, 0)]
    assert desk.limiter.rebuild(snapshot([live("a"), live("b")], recent, days))
    assert desk.limiter.usage("t") == Usage(2, 3, 40, 600)
    assert words(ask(desk)) == [word]


def test_after_a_rebuild_too_a_number_is_taken_for_the_tenant_alone_who_calls_it(client: HookedRedis) -> None:
    desk = Desk(client)
    assert desk.limiter.rebuild(snapshot([live("a")]))
    assert words(desk.ask("b", number="+a", tenant_id="other", campaign_id="x")) == ["fs1"]
    assert words(desk.ask("c", number="+a", campaign_id="x")) == ["number_cap"]


def test_a_call_that_the_rebuilt_state_knows_counts_once_when_it_asks_again(client: HookedRedis) -> None:
    desk = Desk(client)
    desk.limiter.rebuild(snapshot([live("a")], [], [DayUse("t", 1, 0)]))
    assert words(desk.ask("a", concurrency=1)) == ["fs1"]
    assert desk.limiter.usage("t") == Usage(1, 1, 1, 0)
    desk.end("a", billsec=4)
    assert desk.limiter.usage("t") == Usage(0, 1, 1, 4)


def test_a_call_that_the_rebuilt_state_does_not_know_reserves_in_full(
    client: HookedRedis, desk: Desk
) -> None:
    desk.ask("a")
    empty(client, desk)
    desk.limiter.rebuild(snapshot([live("b")]))
    assert words(desk.ask("a", concurrency=1)) == ["campaign_concurrency"]
    assert words(desk.ask("a", concurrency=2)) == ["fs1"]


def test_a_call_that_ends_while_the_state_is_rebuilt_is_not_counted_as_live(
    client: HookedRedis, desk: Desk
) -> None:
    desk.ask("a", "b", "c")
    empty(client, desk)
    desk.end("a", billsec=7)

    def read() -> Snapshot:
        seen = snapshot([live("a"), live("b"), live("c")], [], [DayUse("t", 3, 0)])()
        desk.end("b", billsec=5)
        return seen

    assert desk.limiter.rebuild(read)
    assert desk.limiter.usage("t") == Usage(1, 0, 3, 12)
    assert desk.limiter.held_by("d1") == ["c"]


def test_a_call_given_back_while_the_state_is_rebuilt_is_not_counted_as_live(
    client: HookedRedis, desk: Desk
) -> None:
    (permit,) = desk.ask("a")
    assert isinstance(permit, Permit)
    empty(client, desk)
    desk.limiter.give_back([permit])
    desk.limiter.rebuild(snapshot([live("a")]))
    assert desk.limiter.held_by("d1") == []


def test_a_permit_of_before_is_given_back_after_the_rebuild(client: HookedRedis, desk: Desk) -> None:
    (permit,) = desk.ask("a")
    assert isinstance(permit, Permit)
    empty(client, desk)
    Desk(client, "d2").limiter.rebuild(snapshot([live("a")]))
    desk.limiter.give_back([permit])
    assert desk.limiter.held_by("d1") == []


def test_a_rebuild_that_fails_leaves_no_epoch_and_the_next_one_works(client: HookedRedis) -> None:
    desk = Desk(client)

    def broken() -> Snapshot:
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="the database is away"):
        desk.limiter.rebuild(broken)
    assert words(desk.ask("a")) == ["no_redis"]
    assert desk.limiter.rebuild(snapshot())


def test_a_rebuilder_that_was_stopped_too_long_changes_nothing(client: HookedRedis) -> None:
    slow, quick = Desk(client, "d1"), Desk(client, "d2")

    def overtaken() -> Snapshot:
        client.delete(f"{PREFIX}rebuilding")  # its lock has lapsed
        assert quick.limiter.rebuild(snapshot([live("a")]))
        return snapshot([live("stale")])()

    assert not slow.limiter.rebuild(overtaken)
    assert quick.limiter.usage("t") == Usage(1, 0, 0, 0)
    assert words(quick.ask("b", concurrency=2)) == ["fs1"]


@pytest.mark.parametrize(
    ("holder", "seconds_ago", "rebuilds"),
    [("dead", 6, True), ("dead", 1, False), ("d2", 6, False)],
    ids=["dead for longer than a lease", "dead a moment ago", "alive and slow"],
)
def test_a_rebuilder_that_died_keeps_nobody_from_rebuilding_for_longer_than_a_lease(
    client: HookedRedis, holder: str, seconds_ago: int, rebuilds: bool
) -> None:
    desk, _ = Desk(client, "d1"), Desk(client, "d2")
    client.set(f"{PREFIX}rebuilding", f"{holder} token", px=(LOCK_SECONDS - seconds_ago) * 1000)
    assert desk.limiter.rebuild(snapshot()) is rebuilds
    assert words(desk.ask("a")) == ["fs1" if rebuilds else "no_redis"]


def test_redis_emptied_in_the_middle_of_a_rebuild_leaves_no_epoch(client: HookedRedis) -> None:
    desk = Desk(client)

    def emptied() -> Snapshot:
        empty(client, desk)
        return snapshot([live("a")])()

    assert not desk.limiter.rebuild(emptied)
    assert words(desk.ask("b")) == ["no_redis"]


def test_the_days_of_a_snapshot_count_for_their_own_day(client: HookedRedis) -> None:
    desk = Desk(client)
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    desk.limiter.rebuild(lambda: Snapshot(yesterday, [], [], [DayUse("t", 9, 9)]))
    assert desk.limiter.usage("t") == Usage(0, 0, 0, 0)


def test_the_epoch_lapses_before_the_leases_that_nobody_renews(client: HookedRedis) -> None:
    desk = Desk(client, lease_seconds=1.0).open()
    desk.ask("a", concurrency=1)
    heard = set()
    deadline = time.monotonic() + 1.3
    while time.monotonic() < deadline:
        heard.update(words(desk.ask("b", concurrency=1)))
        gevent.sleep(0.02)
    assert heard == {"campaign_concurrency", "no_redis"}
    assert words(desk.ask("b", concurrency=1)) == ["no_redis"]


def test_a_clock_that_steps_back_ends_the_epoch(client: HookedRedis, desk: Desk) -> None:
    """Stamps in the future would block, and a past that is not the past could let too many through."""
    desk.ask("a")
    (clock,) = client.scan_iter(match=f"{PREFIX}*:clock")
    client.set(clock, str(int((time.time() + 3600) * 1e6)))
    assert words(desk.ask("b")) == ["no_redis"]
    assert desk.limiter.rebuild(snapshot([live("a")]))
    assert words(desk.ask("b", concurrency=2)) == ["fs1"]


def test_a_state_that_came_back_from_a_disk_is_not_whole(tmp_path: Path) -> None:
    """What a restarted server remembers may lack the last calls."""
    with EmbeddedValkey(tmp_path, durable=True) as server:
        desk = Desk(connect(server.url)).open()
        desk.ask("a")
        server.restart()
        survived = connect(server.url).exists(f"{PREFIX}epoch")
        again = Limiter(connect(server.url), PREFIX, "d1")
        assert survived
        assert not again.whole()
        assert words(desk.ask("b")) == ["no_redis"]
        assert again.rebuild(snapshot([live("a")]))
        assert again.usage("t") == Usage(1, 0, 0, 0)


def test_without_redis_every_method_says_so(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, durable=False) as server:
        desk = Desk(connect(server.url)).open()
        (permit,) = desk.ask("a")
        assert isinstance(permit, Permit)
    questions: list[Callable[[], object]] = [
        lambda: desk.ask("b"),
        lambda: desk.limiter.give_back([permit]),
        lambda: desk.end("a"),
        desk.limiter.renew,
        lambda: desk.limiter.take_over("d9", set()),
        lambda: desk.limiter.held_by("d9"),
        lambda: desk.limiter.rebuild(snapshot()),
        desk.limiter.evicting,
        desk.limiter.whole,
        lambda: desk.limiter.usage("t"),
    ]
    for question in questions:
        with pytest.raises(LimiterUnavailable):
            question()
