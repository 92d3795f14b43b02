from __future__ import annotations

import gc
import time
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
def collections() -> Iterator[list[tuple[int, float]]]:
    """Every collection meanwhile: its generation and the CPU seconds it took."""
    seen: list[tuple[int, float]] = []
    began = 0.0

    def note(phase: str, info: dict[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = time.thread_time()
        else:
            seen.append((info["generation"], time.thread_time() - began))

    before = gc.get_threshold()
    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    gc.set_threshold(*before)
    gc.unfreeze()


def test_a_backlog_of_100000_events_is_not_looked_through_while_it_grows(
    collections: list[tuple[int, float]],
) -> None:
    body = orjson.dumps(hangup("USER_BUSY", 17))
    collector = keep_collections_short(lambda: 0)
    collections.clear()
    backlog = [decode_event(body) for _ in range(100_000)]
    collector.kill()
    assert len(backlog) == 100_000
    assert {generation for generation, _ in collections} == {0, 1}
    assert max(seconds for _, seconds in collections) < 0.05


@pytest.mark.parametrize(("in_flight", "rounds"), [(0, 1), (2_000, 1), (2_001, 4)])
def test_what_is_old_is_looked_through_when_little_is_in_flight_or_it_has_waited_long(
    collections: list[tuple[int, float]], monkeypatch: pytest.MonkeyPatch, in_flight: int, rounds: int
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
    wait_until(lambda: any(generation == 2 for generation, _ in collections), what="a full collection")
    assert asked == rounds
    collector.kill()
    gevent.sleep(0)
