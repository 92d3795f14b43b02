"""Leases that lapsed: they make no room while their permits are held, and no round of rebuilds where they are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from limits.caps import OpenCall
from limits.limiter import Denied, GatewayCaps, LimiterUnavailable, NodeCaps, Permit, TenantCaps, Usage
from tests.integration.limits.limiter_rig import PREFIX, Dialer, HookedRedis, lapse, snapshot, words
from tests.waiting import wait_until

HELD = OpenCall("a", "d1", "c", "t", "gw", "fs1", "+a")


def epoch(client: HookedRedis) -> object:
    return client.get(f"{PREFIX}epoch")


SCOPES: list[tuple[str, Callable[[Dialer], Sequence[Permit | Denied]]]] = [
    ("campaign_concurrency", lambda dialer: dialer.ask("b", concurrency=1)),
    (
        "tenant_concurrency",
        lambda dialer: dialer.ask("b", tenant=TenantCaps(1, None, None, None), campaign_id="x"),
    ),
    ("number_cap", lambda dialer: dialer.ask("b", number="+a", campaign_id="x")),
    ("gateway_channels", lambda dialer: dialer.ask("b", gateway=GatewayCaps("gw", None, 1), tenant_id="u")),
    (
        "node_channels",
        lambda dialer: dialer.ask(
            "b", nodes=[NodeCaps("fs1", None, 1)], gateway=GatewayCaps("other", None, None), tenant_id="u"
        ),
    ),
]


@pytest.mark.parametrize(("word", "ask"), SCOPES, ids=[word for word, _ in SCOPES])
def test_a_living_dialer_that_cannot_renew_keeps_its_slots(
    client: HookedRedis,
    dialer: Dialer,
    word: str,
    ask: Callable[[Dialer], Sequence[Permit | Denied]],
) -> None:
    """Somebody else keeps the epoch meanwhile; only the rows can tell that the call is still up."""
    dialer.ask("a")
    idle = Dialer(client, "d2")
    lapse(client, "a")
    idle.limiter.renew()
    assert words(ask(idle)) == ["no_redis"]
    assert not idle.limiter.whole()
    assert idle.limiter.rebuild(snapshot([HELD]))
    assert words(ask(idle)) == [word]
    assert idle.limiter.whole()


def test_no_call_of_a_batch_is_granted_once_a_held_permit_has_lapsed(
    client: HookedRedis, dialer: Dialer
) -> None:
    dialer.ask("a")
    lapse(client, "a")
    assert words(dialer.ask("b", "c", "d", number="+a")) == ["no_redis"] * 3
    assert sorted(client.hkeys(next(client.scan_iter(match=f"{PREFIX}*:permits")))) == ["a"]


def test_the_slots_of_a_held_permit_outlast_its_lease_by_far(client: HookedRedis, dialer: Dialer) -> None:
    """Slots that are gone with their key would be no sign of anything, and their places free."""
    dialer.ask("a")
    lasts = [client.pttl(key) for key in client.scan_iter(match=f"{PREFIX}*:slots:*")]
    dialer.limiter.renew()
    lasts += [client.pttl(key) for key in client.scan_iter(match=f"{PREFIX}*:slots:*")]
    assert len(lasts) == 10
    assert min(lasts) > 300_000


def test_a_redis_that_is_full_lets_nobody_keep_the_epoch(client: HookedRedis, dialer: Dialer) -> None:
    """A dialer without calls has nothing to write for itself: it must not outlive those who have."""
    dialer.ask("a")
    idle = Dialer(client, "d2")
    client.pexpire(f"{PREFIX}epoch", 20_000)
    client.config_set("maxmemory", 1)
    try:
        for name in (dialer, idle):
            with pytest.raises(LimiterUnavailable, match="maxmemory"):
                name.limiter.renew()
    finally:
        client.config_set("maxmemory", 0)
    assert client.pttl(f"{PREFIX}epoch") <= 20_000
    idle.limiter.renew()
    assert client.pttl(f"{PREFIX}epoch") > 20_000


def test_a_redis_that_was_full_for_longer_than_a_lease_grants_nothing_twice(
    client: HookedRedis, dialer: Dialer
) -> None:
    assert words(dialer.ask("a", concurrency=1)) == ["fs1"]
    busy, idle = (Dialer(client, name, lease_seconds=0.6) for name in ("d1", "d2"))
    busy.limiter.renew()
    client.config_set("maxmemory", 1)

    def lapsed() -> bool:
        for each in (busy, idle):
            with suppress(LimiterUnavailable):  # which is said until the epoch has lapsed
                each.limiter.renew()
        usage = idle.limiter.usage("t")
        return usage is None or usage.concurrent == 0

    try:
        wait_until(lapsed, what="the end of the lease")
    finally:
        client.config_set("maxmemory", 0)
    assert words(idle.ask("b", concurrency=1)) == ["no_redis"]


def test_a_permit_that_nobody_renewed_is_free_after_one_rebuild(client: HookedRedis, dialer: Dialer) -> None:
    """Never used: no row knows it."""
    dialer.ask("a", concurrency=1)
    assert words(dialer.ask("b", concurrency=1)) == ["campaign_concurrency"]
    lapse(client, "a")
    assert words(dialer.ask("b", concurrency=1)) == ["no_redis"]
    later = Dialer(client, "d2")
    assert later.limiter.rebuild(snapshot())
    assert words(later.ask("b", concurrency=1)) == ["fs1"]


def test_a_lease_renewed_late_but_in_time_counts_on(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("a")
    before = epoch(client)
    lapse(client, "a")
    dialer.limiter.renew()
    assert words(dialer.ask("b", concurrency=1)) == ["campaign_concurrency"]
    assert epoch(client) == before


def test_a_slot_that_no_permit_stands_for_is_dropped(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("a")
    before = epoch(client)
    client.hdel(next(client.scan_iter(match=f"{PREFIX}*:permits")), "a")
    lapse(client, "a")
    assert words(dialer.ask("b", concurrency=1, number="+a")) == ["fs1"]
    assert epoch(client) == before
    assert dialer.limiter.usage("t") == Usage(1, 2, 2, 0)


def test_a_dialer_that_died_with_unused_permits_costs_no_rebuild(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("a", "b", concurrency=2)
    before = epoch(client)
    dialer.membership.leave("d1")
    successor = Dialer(client, "d2")
    lapse(client, "a", "b")
    successor.limiter.renew()
    assert words(successor.ask("c", concurrency=2)) == ["campaign_concurrency"], "until it is taken over"
    assert successor.limiter.take_over("d1", set(), {}) == ["a", "b"]
    assert words(successor.ask("c", "d", concurrency=2)) == ["fs1", "fs1"]
    assert epoch(client) == before
    assert successor.limiter.usage("t") == Usage(2, 2, 2, 0)


def test_what_a_rebuilt_state_holds_is_not_undone_by_who_looked_before(
    client: HookedRedis, dialer: Dialer
) -> None:
    """A successor reads what the dead one holds while there is no state: nothing. Then somebody rebuilds it."""
    dialer.ask("a")
    dialer.membership.leave("d1")
    client.delete(f"{PREFIX}epoch")
    successor, other = Dialer(client, "d2"), Dialer(client, "d3")
    holding = frozenset(successor.limiter.held_by("d1"))
    assert other.limiter.rebuild(snapshot([HELD]))
    assert successor.limiter.take_over("d1", set(), {}, among=holding) == []
    assert words(other.ask("b", concurrency=1)) == ["campaign_concurrency"]
    assert (
        successor.limiter.take_over("d1", {"a"}, {}, among=frozenset(successor.limiter.held_by("d1"))) == []
    )
    assert successor.limiter.held_by("d2") == ["a"]


def test_all_dialers_dead_for_minutes_cost_one_rebuild(client: HookedRedis, dialer: Dialer) -> None:
    """One permit was never used, one belongs to a call that is still up and nobody's yet."""
    dialer.ask("a", "unused")
    dialer.membership.leave("d1")
    lapse(client, "a", "unused")
    client.delete(f"{PREFIX}epoch")
    late = Dialer(client, "d2")
    assert words(late.ask("b", concurrency=2)) == ["no_redis"]
    assert late.limiter.rebuild(snapshot([HELD]))
    built = epoch(client)
    lapse(client, "a")
    late.limiter.renew()
    assert words(late.ask("b", concurrency=2)) == ["fs1"]
    assert words(late.ask("c", concurrency=2)) == ["campaign_concurrency"]
    late.limiter.take_over("d1", {"a"}, {})
    late.end("a", "b")
    assert words(late.ask("c", "d", concurrency=2)) == ["fs1", "fs1"]
    assert not late.limiter.rebuild(snapshot())
    assert epoch(client) == built
