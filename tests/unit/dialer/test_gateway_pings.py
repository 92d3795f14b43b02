"""When a paused gateway's pings say that it is worth a probe."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from dialer.capacity.gateway_pings import STEADY_SECONDS, GatewayPings, pings_up
from freeswitch.cluster import Cluster

G = "00000000-0000-7000-8000-00000000000e"


class Clock:
    at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pings(clock: Clock) -> GatewayPings:
    cluster = cast(Cluster, SimpleNamespace(connected=list))
    return GatewayPings(cluster, lambda: None, clock)


@pytest.mark.parametrize(
    ("status", "up"),
    [
        ("PingFreq\t25\nState   \tNOREG\nStatus  \tUP\n", True),
        ("PingFreq\t25\nState   \tDOWN\nStatus  \tDOWN\n", False),
        ("Ping    \t0\nPingFreq\t0\nStatus  \tUP\n", None),
        ("Invalid Gateway!\n", None),
    ],
)
def test_only_a_gateway_that_pings_says_whether_its_carrier_is_there(status: str, up: bool | None) -> None:
    assert pings_up(status) is up


def test_a_gateway_that_was_down_and_has_been_up_for_long_enough_is_back_once(
    pings: GatewayPings, clock: Clock
) -> None:
    assert not pings.is_back(G, [False, True])
    assert not pings.is_back(G, [True, True])
    clock.at += STEADY_SECONDS - 0.1
    assert not pings.is_back(G, [True, True])
    clock.at += 0.1
    assert pings.is_back(G, [True, True])
    clock.at += STEADY_SECONDS
    assert not pings.is_back(G, [True, True])


def test_one_that_goes_down_again_begins_anew(pings: GatewayPings, clock: Clock) -> None:
    pings.is_back(G, [False])
    pings.is_back(G, [True])
    clock.at += STEADY_SECONDS - 1
    pings.is_back(G, [False])
    pings.is_back(G, [True])
    clock.at += 1
    assert not pings.is_back(G, [True])


def test_one_that_was_never_seen_down_or_does_not_ping_waits_for_its_time(
    pings: GatewayPings, clock: Clock
) -> None:
    for ups in ([True], [None]):
        pings.is_back(G, ups)
        clock.at += 2 * STEADY_SECONDS
        assert not pings.is_back(G, ups)
