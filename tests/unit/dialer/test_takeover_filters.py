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
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("dialer.recovery.takeover.time.monotonic", lambda: found.now)
    return found


@pytest.fixture
def cluster() -> Cluster:
    return Cluster([], ME, lambda *_: None, lambda _: None)


def successor(cluster: Cluster, live_calls: LiveCalls) -> Takeover:
    nobody: Any = None
    return Takeover(nobody, nobody, nobody, cluster, live_calls, nobody, nobody)


def test_an_adopted_dialer_is_heard_until_a_minute_after_its_last_call(
    clock: Clock, cluster: Cluster
) -> None:
    live_calls, call = LiveCalls(), make_call(sent_by=OTHER)
    takeover = successor(cluster, live_calls)
    cluster.adopt(OTHER)
    live_calls.add(call)
    for _ in range(5):
        clock.now += IDLE_SECONDS
        takeover._release()
        assert cluster.adopted == [OTHER]
    live_calls.remove(call.call_id)
    clock.now += IDLE_SECONDS - 1
    takeover._release()
    assert cluster.adopted == [OTHER]
    clock.now += 1
    takeover._release()
    assert cluster.adopted == []


def test_what_is_told_while_a_dead_dialer_s_calls_come_is_kept_until_they_are_here(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    takeover, steps = successor(cluster, LiveCalls()), []

    def adopt(_takeover: Takeover, _other: str) -> int:
        steps.append("adopted")
        raise OSError("the database is away")

    recorder = SimpleNamespace(
        expect_calls=lambda: steps.append("expected"), calls_came=lambda: steps.append("came")
    )
    takeover.reconciler = cast("Any", SimpleNamespace(recorder=recorder))
    monkeypatch.setattr(Takeover, "_adopt", adopt)
    with pytest.raises(OSError, match="away"):
        takeover._take(OTHER)
    assert steps == ["expected", "adopted", "came"], "also where they do not come after all"


def test_a_dialer_that_is_adopted_again_is_heard_anew(clock: Clock, cluster: Cluster) -> None:
    takeover = successor(cluster, LiveCalls())
    for _ in range(2):
        cluster.adopt(OTHER)
        takeover._release()
        clock.now += IDLE_SECONDS - 1
        takeover._release()
        assert cluster.adopted == [OTHER]
        clock.now += 1
        takeover._release()
        assert cluster.adopted == []
