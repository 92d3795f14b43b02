"""For how long the events of a dead dialer's calls are received."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dialer.live_calls import LiveCalls
from dialer.recovery.takeover import IDLE_SECONDS, Takeover
from freeswitch.cluster import Cluster
from tests.unit.dialer.factories import ME, OTHER, make_call


class Clock:
    now = 1000.0


@pytest.fixture
def cluster() -> Cluster:
    return Cluster([], ME, lambda *_: None, lambda _: None)


def successor(cluster: Cluster, live_calls: LiveCalls, clock: Clock) -> Takeover:
    nobody: Any = None
    return Takeover(nobody, nobody, nobody, cluster, live_calls, nobody, nobody, now=lambda: clock.now)


def test_an_adopted_dialer_is_heard_until_a_minute_after_its_last_call(cluster: Cluster) -> None:
    live_calls, call, clock = LiveCalls(), make_call(sent_by=OTHER), Clock()
    takeover = successor(cluster, live_calls, clock)
    cluster.adopt(OTHER)
    live_calls.add(call)
    for _ in range(5):
        clock.now += IDLE_SECONDS
        takeover.release_unneeded()
        assert cluster.adopted == [OTHER]
    live_calls.remove(call.call_id)
    clock.now += IDLE_SECONDS - 1
    takeover.release_unneeded()
    assert cluster.adopted == [OTHER]
    clock.now += 1
    takeover.release_unneeded()
    assert cluster.adopted == []


def test_what_is_told_while_a_dead_dialer_s_calls_come_is_kept_until_they_are_here(cluster: Cluster) -> None:
    takeover, steps = successor(cluster, LiveCalls(), Clock()), []

    def adopt(_other: str) -> list[str]:
        steps.append("adopted")
        raise OSError("the database is away")

    recorder = SimpleNamespace(
        expect_calls=lambda: steps.append("expected"),
        calls_came=lambda *, more: steps.append("came, and more will" if more else "came"),
    )
    takeover.reconciler = cast("Any", SimpleNamespace(recorder=recorder))
    takeover.senders = adopt
    with pytest.raises(OSError, match="away"):
        takeover.take(OTHER)
    assert steps == ["expected", "adopted", "came, and more will"], "they come with the next look"


def test_a_dialer_that_is_adopted_again_is_heard_anew(cluster: Cluster) -> None:
    clock = Clock()
    takeover = successor(cluster, LiveCalls(), clock)
    for _ in range(2):
        cluster.adopt(OTHER)
        takeover.release_unneeded()
        clock.now += IDLE_SECONDS - 1
        takeover.release_unneeded()
        assert cluster.adopted == [OTHER]
        clock.now += 1
        takeover.release_unneeded()
        assert cluster.adopted == []
