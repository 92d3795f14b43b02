"""Nobody dials on a state that is not whole, and one dialer makes it whole again from the database."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import gevent
import pytest

from limits import rebuild as rebuild_module
from limits.caps import FURTHEST_TURN, PERMIT_LIFE, DayUse, LimiterSnapshot, OpenCall, RecentSend
from limits.limiter import Denied, GatewayCaps, Limiter, LimiterUnavailable, Permit, TenantCaps, Usage
from limits.rebuild import LOCK_SECONDS
from local.valkey import EmbeddedValkey
from tests.integration.limits.limiter_rig import (
    PREFIX,
    Dialer,
    HookedRedis,
    connect,
    snapshot,
    words,
)


def live(call_id: str, *, dialer_id: str = "d1", number: str = "") -> OpenCall:
    return OpenCall(call_id, dialer_id, "c", "t", "gw", "fs1", number or f"+{call_id}")


def empty(client: HookedRedis, *desks: Dialer) -> None:
    """Redis forgets everything, and the dialers come back under their old names to keep the tests short."""
    client.flushall()
    for dialer in desks:
        dialer.membership.register(dialer.name, {})


def test_nobody_dials_before_the_first_rebuild(client: HookedRedis) -> None:
    dialer = Dialer(client)
    (answer,) = dialer.ask("a")
    assert isinstance(answer, Denied)
    assert answer.reason == "no_redis"
    assert answer.retry_after > 0
    assert not dialer.limiter.whole()
    assert dialer.limiter.usage("t") is None
    dialer.open()
    assert words(dialer.ask("a")) == ["fs1"]


def test_nobody_dials_once_redis_was_emptied(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("a")
    empty(client, dialer)
    assert words(dialer.ask("b")) == ["no_redis"]


def test_a_whole_state_is_not_rebuilt(dialer: Dialer) -> None:
    dialer.ask("a")
    assert dialer.limiter.rebuild(lambda: pytest.fail("the database was asked")) is False
    assert dialer.limiter.held_by("d1") == ["a"]


def test_exactly_one_of_many_dialers_rebuilds(redis_url: str) -> None:
    desks = [Dialer(connect(redis_url), f"d{n}") for n in range(8)]
    asked = []

    def read() -> LimiterSnapshot:
        asked.append(1)
        gevent.sleep(0.05)
        return snapshot()()

    jobs = [gevent.spawn(dialer.limiter.rebuild, read) for dialer in desks]
    gevent.joinall(jobs, raise_error=True)
    assert sorted(job.get() for job in jobs) == [False] * 7 + [True]
    assert len(asked) == 1
    assert [words(dialer.ask(dialer.name)) for dialer in desks] == [["fs1"]] * 8


def test_the_database_is_read_once_all_earlier_permits_have_lapsed(
    client: HookedRedis, dialer: Dialer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else takes its time: on a busy machine they may have lapsed before the rebuild begins."""
    (permit,) = dialer.ask("a")
    assert isinstance(permit, Permit)
    empty(client, dialer)
    done: list[float | str] = []
    monkeypatch.setattr(rebuild_module, "time", SimpleNamespace(sleep=done.append))

    def read() -> LimiterSnapshot:
        done.append("read")
        return snapshot()()

    assert dialer.limiter.rebuild(read)
    waited, then = done
    assert isinstance(waited, float)
    assert waited > FURTHEST_TURN + PERMIT_LIFE
    assert then == "read"


CAPS: list[tuple[str, Callable[[Dialer], Sequence[Permit | Denied]]]] = [
    ("campaign_concurrency", lambda dialer: dialer.ask("new", concurrency=2)),
    ("tenant_concurrency", lambda dialer: dialer.ask("new", tenant=TenantCaps(2, None, None, None))),
    ("tenant_minute", lambda dialer: dialer.ask("new", tenant=TenantCaps(None, 3, None, None))),
    ("tenant_day_calls", lambda dialer: dialer.ask("new", tenant=TenantCaps(None, None, 40, None))),
    ("tenant_day_minutes", lambda dialer: dialer.ask("new", tenant=TenantCaps(None, None, None, 10))),
    ("gateway_channels", lambda dialer: dialer.ask("new", gateway=GatewayCaps("gw", None, 2))),
    ("gateway_cps", lambda dialer: dialer.ask("new", gateway=GatewayCaps("gw", 1, None))),
    ("number_cap", lambda dialer: dialer.ask("new", number="+a")),
]


@pytest.mark.parametrize(("word", "ask"), CAPS, ids=[word for word, _ in CAPS])
def test_the_rebuilt_state_counts_what_the_database_knows(
    client: HookedRedis, word: str, ask: Callable[[Dialer], Sequence[Permit | Denied]]
) -> None:
    dialer = Dialer(client)
    recent = [
        RecentSend(name, "t", "gw", "fs1", age) for name, age in (("a", 100), ("b", 5000), ("e", 50_000))
    ]
    days = [DayUse("t", 40, 600), DayUse("other", 7, 0)]
    assert dialer.limiter.rebuild(snapshot([live("a"), live("b")], recent, days))
    assert dialer.limiter.usage("t") == Usage(2, 3, 40, 600)
    assert words(ask(dialer)) == [word]


def test_a_send_stays_in_its_window_however_long_the_rows_were_read(
    client: HookedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialer = Dialer(client)
    seconds, micros = client.time()
    now = [seconds, micros]
    monkeypatch.setattr(client, "time", lambda: tuple(now))

    def read() -> LimiterSnapshot:
        now[0] += 30
        return snapshot([], [RecentSend("a", "t", "gw", "fs1", 500)])()

    assert dialer.limiter.rebuild(read)
    (stamp,) = dialer.turns("gateway", "gw").values()
    assert stamp // 1000 == (seconds + 30) * 1000 + micros // 1000 - 500


def test_after_a_rebuild_too_a_number_is_taken_for_the_tenant_alone_who_calls_it(client: HookedRedis) -> None:
    dialer = Dialer(client)
    assert dialer.limiter.rebuild(snapshot([live("a")]))
    assert words(dialer.ask("b", number="+a", tenant_id="other", campaign_id="x")) == ["fs1"]
    assert words(dialer.ask("c", number="+a", campaign_id="x")) == ["number_cap"]


def test_a_call_that_the_rebuilt_state_knows_counts_once_when_it_asks_again(client: HookedRedis) -> None:
    dialer = Dialer(client)
    dialer.limiter.rebuild(snapshot([live("a")], [], [DayUse("t", 1, 0)]))
    assert words(dialer.ask("a", concurrency=1)) == ["fs1"]
    assert dialer.limiter.usage("t") == Usage(1, 1, 1, 0)
    dialer.end("a", billsec=4)
    assert dialer.limiter.usage("t") == Usage(0, 1, 1, 4)


def test_a_call_that_the_rebuilt_state_does_not_know_reserves_in_full(
    client: HookedRedis, dialer: Dialer
) -> None:
    dialer.ask("a")
    empty(client, dialer)
    dialer.limiter.rebuild(snapshot([live("b")]))
    assert words(dialer.ask("a", concurrency=1)) == ["campaign_concurrency"]
    assert words(dialer.ask("a", concurrency=2)) == ["fs1"]


def test_a_call_that_ends_while_the_state_is_rebuilt_is_not_counted_as_live(
    client: HookedRedis, dialer: Dialer
) -> None:
    dialer.ask("a", "b", "c")
    empty(client, dialer)
    dialer.end("a", billsec=7)

    def read() -> LimiterSnapshot:
        seen = snapshot([live("a"), live("b"), live("c")], [], [DayUse("t", 3, 0)])()
        dialer.end("b", billsec=5)
        return seen

    assert dialer.limiter.rebuild(read)
    assert dialer.limiter.usage("t") == Usage(1, 0, 3, 12)
    assert dialer.limiter.held_by("d1") == ["c"]


def test_a_call_given_back_while_the_state_is_rebuilt_is_not_counted_as_live(
    client: HookedRedis, dialer: Dialer
) -> None:
    (permit,) = dialer.ask("a")
    assert isinstance(permit, Permit)
    empty(client, dialer)
    dialer.limiter.give_back([permit])
    dialer.limiter.rebuild(snapshot([live("a")]))
    assert dialer.limiter.held_by("d1") == []


def test_a_permit_of_before_is_given_back_after_the_rebuild(client: HookedRedis, dialer: Dialer) -> None:
    (permit,) = dialer.ask("a")
    assert isinstance(permit, Permit)
    empty(client, dialer)
    Dialer(client, "d2").limiter.rebuild(snapshot([live("a")]))
    dialer.limiter.give_back([permit])
    assert dialer.limiter.held_by("d1") == []


def test_a_rebuild_that_fails_leaves_no_epoch_and_the_next_one_works(client: HookedRedis) -> None:
    dialer = Dialer(client)

    def broken() -> LimiterSnapshot:
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="the database is away"):
        dialer.limiter.rebuild(broken)
    assert words(dialer.ask("a")) == ["no_redis"]
    assert dialer.limiter.rebuild(snapshot())


def test_a_rebuilder_that_was_stopped_too_long_changes_nothing(client: HookedRedis) -> None:
    slow, quick = Dialer(client, "d1"), Dialer(client, "d2")

    def overtaken() -> LimiterSnapshot:
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
    dialer, _ = Dialer(client, "d1"), Dialer(client, "d2")
    client.set(f"{PREFIX}rebuilding", f"{holder} token", px=(LOCK_SECONDS - seconds_ago) * 1000)
    assert dialer.limiter.rebuild(snapshot()) is rebuilds
    assert words(dialer.ask("a")) == ["fs1" if rebuilds else "no_redis"]


def test_redis_emptied_in_the_middle_of_a_rebuild_leaves_no_epoch(client: HookedRedis) -> None:
    dialer = Dialer(client)

    def emptied() -> LimiterSnapshot:
        empty(client, dialer)
        return snapshot([live("a")])()

    assert not dialer.limiter.rebuild(emptied)
    assert words(dialer.ask("b")) == ["no_redis"]


def test_the_days_of_a_snapshot_count_for_their_own_day(client: HookedRedis) -> None:
    dialer = Dialer(client)
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    dialer.limiter.rebuild(lambda: LimiterSnapshot(yesterday, [], [], [DayUse("t", 9, 9)]))
    assert dialer.limiter.usage("t") == Usage(0, 0, 0, 0)


def test_the_epoch_lapses_before_the_leases_that_nobody_renews(client: HookedRedis, dialer: Dialer) -> None:
    def epoch_lapses_first() -> bool:
        leases = [client.zscore(key, "a") for key in client.scan_iter(match=f"{PREFIX}*:slots:*")]
        lapses = client.pexpiretime(f"{PREFIX}epoch")
        return len(leases) == 5 and all(lease is not None and 0 < lapses < lease for lease in leases)

    dialer.ask("a", concurrency=1)
    assert epoch_lapses_first()
    dialer.limiter.renew()
    assert epoch_lapses_first()
    assert words(dialer.ask("b", concurrency=1)) == ["campaign_concurrency"]
    client.pexpire(f"{PREFIX}epoch", 0)
    assert words(dialer.ask("b", concurrency=1)) == ["no_redis"]


def test_a_clock_that_steps_back_ends_the_epoch(client: HookedRedis, dialer: Dialer) -> None:
    """Stamps in the future would block, and a past that is not the past could let too many through."""
    dialer.ask("a")
    (clock,) = client.scan_iter(match=f"{PREFIX}*:clock")
    client.set(clock, str(int((time.time() + 3600) * 1e6)))
    assert words(dialer.ask("b")) == ["no_redis"]
    assert dialer.limiter.rebuild(snapshot([live("a")]))
    assert words(dialer.ask("b", concurrency=2)) == ["fs1"]


def test_a_state_that_came_back_from_a_disk_is_not_whole(tmp_path: Path) -> None:
    """What a restarted server remembers may lack the last calls."""
    with EmbeddedValkey(tmp_path, durable=True) as server:
        dialer = Dialer(connect(server.url)).open()
        dialer.ask("a")
        server.restart()
        survived = connect(server.url).exists(f"{PREFIX}epoch")
        again = Limiter(connect(server.url), PREFIX, "d1")
        assert survived
        assert not again.whole()
        assert words(dialer.ask("b")) == ["no_redis"]
        assert again.rebuild(snapshot([live("a")]))
        assert again.usage("t") == Usage(1, 0, 0, 0)


def test_without_redis_every_method_says_so(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, durable=False) as server:
        dialer = Dialer(connect(server.url)).open()
        (permit,) = dialer.ask("a")
        assert isinstance(permit, Permit)
    methods: list[Callable[[], object]] = [
        lambda: dialer.ask("b"),
        lambda: dialer.limiter.give_back([permit]),
        lambda: dialer.end("a"),
        dialer.limiter.renew,
        lambda: dialer.limiter.take_over("d9", set()),
        lambda: dialer.limiter.held_by("d9"),
        lambda: dialer.limiter.rebuild(snapshot()),
        dialer.limiter.evicting,
        dialer.limiter.whole,
        lambda: dialer.limiter.usage("t"),
    ]
    for method in methods:
        with pytest.raises(LimiterUnavailable):
            method()
