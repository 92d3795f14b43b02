"""A full cap that campaigns share is asked for a few, and the longest waiting first."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from dialer.dispatch.cap_waits import (
    FEWEST,
    MOST,
    NODES,
    REDIS,
    CapKey,
    CapWaits,
    cap_of,
    caps_over,
    gateway_caps,
)
from tests.unit.dialer.dispatch_rig import two_gateways
from tests.unit.dialer.factories import GATEWAY, make_plan

TENANT: CapKey = ("tenant", "demo")


def in_line(waiting: Iterable[str]) -> Iterable[str]:
    """An order that takes the longest waiting first."""
    return waiting


def full(waiters: int = 0, reason: str = "tenant_concurrency", granted: int = 0) -> CapWaits:
    """The tenant's cap is full until 10.0, and so many wait for it."""
    caps = CapWaits()
    caps.denied(TENANT, reason, 10.0, granted)
    for number in range(waiters):
        caps.wait(TENANT, f"c{number}")
    return caps


@pytest.mark.parametrize(
    ("reason", "cap"),
    [
        ("tenant_concurrency", TENANT),
        ("tenant_minute", TENANT),
        ("tenant_day_calls", TENANT),
        ("tenant_day_minutes", TENANT),
        ("gateway_cps", ("gateway_cps", GATEWAY)),
        ("gateway_channels", ("gateway_channels", GATEWAY)),
        ("node_cps", NODES),
        ("node_channels", NODES),
        ("no_node", NODES),
        ("no_redis", REDIS),
        ("campaign_concurrency", None),
        ("number_cap", None),
        ("gateway_paused", None),
        ("contact_not_claimable", None),
    ],
)
def test_whose_cap_a_denial_speaks_of(reason: str, cap: CapKey | None) -> None:
    assert cap_of(reason, "demo", GATEWAY) == cap


def test_a_gateway_binds_a_campaign_that_has_no_other() -> None:
    assert set(gateway_caps(GATEWAY)) <= set(caps_over(make_plan()))
    for plan in (two_gateways(), make_plan(gateways=())):
        assert not any(kind.startswith("gateway") for kind, _ in caps_over(plan))


def test_a_full_cap_binds_until_its_time_is_over() -> None:
    caps = full()
    assert caps.binding([REDIS, TENANT], 9.9) == (TENANT, "tenant_concurrency")
    assert caps.binding([REDIS, NODES], 9.9) is None
    assert caps.binding([TENANT], 10.0) is None


def test_a_thousand_that_wait_ask_a_few_at_a_time_the_longest_waiting_first() -> None:
    caps = full(1000)
    assert caps.due(9.9, in_line) == []
    assert caps.next_at() == 10.0
    order: list[str] = []
    for now in range(10, 510):
        first = caps.due(float(now), in_line)
        assert len(first) == FEWEST
        order += first
        caps.denied(TENANT, "tenant_concurrency", now + 1.0, 1)
        for name in first:
            caps.wait(TENANT, name)
    assert order == [f"c{number}" for number in range(1000)]


def test_who_is_first_of_those_that_wait_is_for_the_order_to_say() -> None:
    caps = full(4)
    assert caps.due(10.0, lambda waiting: reversed(list(waiting))) == ["c3", "c2"]
    assert caps.due(10.0, in_line) == ["c0", "c1"]
    assert caps.next_at() is None


def test_a_freed_slot_wakes_who_waits_and_a_freed_call_wakes_nobody_that_waits_for_a_rate() -> None:
    caps = full(3)
    assert not caps.free(NODES, 5.0)
    assert caps.free(TENANT, 5.0)
    assert (caps.next_at(), caps.due(5.0, in_line)) == (5.0, ["c0", "c1"])
    rate = full(3, "tenant_minute")
    assert not rate.free(TENANT, 5.0)
    assert rate.due(5.0, in_line) == []


def test_a_freed_slot_that_nobody_waits_for_wakes_nobody_and_may_be_asked_for() -> None:
    caps = full()
    assert not caps.free(TENANT, 5.0)
    assert caps.binding([TENANT], 5.0) is None


def test_a_cap_that_may_have_changed_is_asked_again_whatever_its_time() -> None:
    caps = full(1, "tenant_minute")
    caps.changed([NODES, TENANT], 5.0)
    assert caps.binding([TENANT], 5.0) is None
    assert caps.due(5.0, in_line) == ["c0"]


def test_what_was_granted_beside_the_denied_says_how_many_may_ask() -> None:
    caps = full(granted=30)
    assert caps.most(TENANT) == 60
    caps.denied(TENANT, "tenant_concurrency", 11.0, 0)
    assert caps.most(TENANT) == FEWEST
    assert caps.most(NODES) == MOST


def test_a_cap_that_denies_nobody_any_more_is_asked_for_more_and_more_and_then_forgotten() -> None:
    caps = full()
    asked = [caps.most(TENANT)]
    for _ in range(8):
        caps.granted(TENANT)
        asked.append(caps.most(TENANT))
    assert asked[:4] == [2, 4, 8, 16]
    assert asked[-1] == MOST
    assert caps.binding([TENANT], 0.0) is None


def test_who_is_not_dialled_any_more_waits_no_more() -> None:
    caps = full(2)
    assert caps.waits("c0")
    caps.forget("c0")
    assert not caps.waits("c0")
    assert caps.due(10.0, in_line) == ["c1"]
