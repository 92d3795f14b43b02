"""A dialer's garbage collector: a long backlog of events is not looked through while it grows, and is in the end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import gevent
import orjson
import pytest

from dialer.gc_tuning import keep_collections_short
from freeswitch.decoding import decode_event
from tests.unit.freeswitch.samples import hangup
from tests.waiting import wait_until


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generation of every collection meanwhile."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "stop":
            seen.append(info["generation"])

    before = gc.get_threshold()
    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    gc.set_threshold(*before)


@pytest.mark.full
def test_a_backlog_of_100000_events_is_not_looked_through_while_it_grows(
    collections: list[int],
) -> None:
    body = orjson.dumps(hangup("USER_BUSY", 17))
    collector = keep_collections_short(lambda: 0)
    collections.clear()
    backlog = [decode_event(body) for _ in range(100_000)]
    collector.kill()
    assert len(backlog) == 100_000
    assert set(collections) == {0, 1}


@pytest.mark.parametrize(("in_flight", "rounds"), [(0, 1), (2_000, 1), (2_001, 4)])
def test_what_is_old_is_looked_through_when_little_is_in_flight_or_it_has_waited_long(
    collections: list[int], monkeypatch: pytest.MonkeyPatch, in_flight: int, rounds: int
) -> None:
    asked = 0

    def count() -> int:
        nonlocal asked
        asked += 1
        return in_flight

    monkeypatch.setattr("dialer.gc_tuning.EVERY_SECONDS", 0.01)
    monkeypatch.setattr("dialer.gc_tuning.LATEST_ROUNDS", 4)
    collector = keep_collections_short(count)
    collections.clear()
    wait_until(lambda: 2 in collections, what="a full collection")
    assert asked == rounds
    collector.kill()
    gevent.sleep(0)
