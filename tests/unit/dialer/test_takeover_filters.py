"""For how long the events of a dead dialer's calls are received."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.live_calls import Book
from dialer.recovery.takeover import IDLE_SECONDS, Adoption
from freeswitch.cluster import Cluster
from tests.unit.dialer.factories import ME, OTHER, make_flight


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


def heir(cluster: Cluster, book: Book) -> Adoption:
    nobody: Any = None
    return Adoption(nobody, nobody, nobody, cluster, book, nobody, nobody)


def test_an_adopted_dialer_is_heard_until_a_minute_after_its_last_call(
    clock: Clock, cluster: Cluster
) -> None:
    book, flight = Book(), make_flight(sent_by=OTHER)
    adoption = heir(cluster, book)
    cluster.adopt(OTHER)
    book.add(flight)
    for _ in range(5):
        clock.now += IDLE_SECONDS
        adoption._release()
        assert cluster.adopted == [OTHER]
    book.remove(flight.call_id)
    clock.now += IDLE_SECONDS - 1
    adoption._release()
    assert cluster.adopted == [OTHER]
    clock.now += 1
    adoption._release()
    assert cluster.adopted == []


def test_a_dialer_that_is_adopted_again_is_heard_anew(clock: Clock, cluster: Cluster) -> None:
    adoption = heir(cluster, Book())
    for _ in range(2):
        cluster.adopt(OTHER)
        adoption._release()
        clock.now += IDLE_SECONDS - 1
        adoption._release()
        assert cluster.adopted == [OTHER]
        clock.now += 1
        adoption._release()
        assert cluster.adopted == []
