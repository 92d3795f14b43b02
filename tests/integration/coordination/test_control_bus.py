"""The bell: heard by every dialer, rung again until answered, and heard again after Redis was away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from coordination.control_bus import Bell, Listener
from coordination.errors import ControlBusUnavailable
from local.valkey import EmbeddedValkey
from tests.waiting import wait_until

PREFIX = "test:"
NEVER = 3600.0
"""Long after a test that waits for it was ended for taking too long."""


def connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url, decode_responses=True, retry=Retry(NoBackoff(), 0), socket_timeout=2, socket_connect_timeout=2
    )


class Dialer:
    """A dialer that notes what it hears, and answers when it is awaited."""

    def __init__(self, url: str, name: str, *, answers: bool = True) -> None:
        self.name = name
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.connections = 0
        self._answers = answers
        self._bell = Bell(connect(url), PREFIX)
        self.listener = Listener(connect(url), PREFIX, self._on_ring, self._on_connected)

    def _on_ring(self, topic: str, payload: dict[str, Any]) -> None:
        self.heard.append((topic, payload))
        if self._answers and "token" in payload:
            self._bell.ack(payload["token"], self.name)

    def _on_connected(self) -> None:
        self.connections += 1


Hire = Callable[..., Dialer]


@pytest.fixture
def hire(redis_url: str) -> Iterator[Hire]:
    """Makes dialers that are listening."""
    dialers: list[Dialer] = []

    def make(name: str, *, answers: bool = True) -> Dialer:
        dialer = Dialer(redis_url, name, answers=answers)
        dialers.append(dialer)
        dialer.listener.start()
        wait_until(lambda: dialer.connections, what="the subscription")
        return dialer

    yield make
    for dialer in dialers:
        dialer.listener.stop(timeout=5)


@pytest.fixture
def bell(redis_url: str) -> Bell:
    return Bell(connect(redis_url), PREFIX)


def test_a_ring_is_heard_by_everybody(bell: Bell, hire: Hire) -> None:
    dialers = [hire("d1"), hire("d2")]
    bell.ring("hold", {"campaign_id": "c", "generation": 3})
    wait_until(lambda: all(dialer.heard for dialer in dialers), what="the rings")
    for dialer in dialers:
        assert dialer.heard == [("hold", {"campaign_id": "c", "generation": 3})]


def test_everybody_answering_ends_the_wait_at_once(bell: Bell, hire: Hire) -> None:
    hire("d1"), hire("d2")
    assert bell.ring_and_wait("hold", {}, lambda: ["d1", "d2"], timeout=NEVER) == set()


def test_nobody_expected_needs_no_wait(bell: Bell) -> None:
    assert bell.ring_and_wait("hold", {}, list, timeout=NEVER) == set()


def test_who_does_not_answer_is_named_when_time_is_up(bell: Bell, hire: Hire) -> None:
    hire("d1"), hire("mute", answers=False)
    began = time.monotonic()
    assert bell.ring_and_wait("hold", {}, lambda: ["d1", "mute", "absent"], timeout=0.6) == {"mute", "absent"}
    assert time.monotonic() - began >= 0.6


def test_who_dies_meanwhile_is_not_waited_for(bell: Bell, hire: Hire) -> None:
    hire("d1")
    asked = iter([["d1", "dying"]] * 3)
    assert bell.ring_and_wait("hold", {}, lambda: next(asked, ["d1"]), timeout=NEVER) == set()
    assert next(asked, None) is None, "it was waited for while it lived"


def test_who_subscribes_late_hears_the_ring_again(bell: Bell, hire: Hire) -> None:
    waiting = gevent.spawn(bell.ring_and_wait, "hold", {}, lambda: ["late"], NEVER)
    gevent.sleep(0.1)
    hire("late")
    assert waiting.get(timeout=60) == set()


def test_answers_to_one_ring_are_not_answers_to_another(bell: Bell, hire: Hire) -> None:
    dialer = hire("d1", answers=False)
    assert bell.ring_and_wait("hold", {}, lambda: ["d1"], timeout=0.3) == {"d1"}
    token = dialer.heard[0][1]["token"]
    bell.ack(token, "d1")
    assert bell.ring_and_wait("hold", {}, lambda: ["d1"], timeout=0.3) == {"d1"}


def test_a_ring_that_cannot_be_acted_on_does_not_deafen(redis_url: str, bell: Bell) -> None:
    heard: list[str] = []

    def on_ring(topic: str, payload: dict[str, Any]) -> None:
        heard.append(topic)
        raise ValueError(topic)

    listener = Listener(connect(redis_url), PREFIX, on_ring, lambda: heard.append("connected"))
    listener.start()
    wait_until(lambda: heard == ["connected"], what="the subscription")
    connect(redis_url).publish("test:bell", "not json")
    bell.ring("one", {})
    bell.ring("two", {})
    wait_until(lambda: heard == ["connected", "one", "two"], what="both rings")
    listener.stop(timeout=5)


def test_what_could_not_be_read_on_connecting_is_read_again(redis_url: str, bell: Bell) -> None:
    attempts: list[int] = []
    heard: list[str] = []

    def on_connected() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionError("the database is away")

    listener = Listener(connect(redis_url), PREFIX, lambda topic, _: heard.append(topic), on_connected)
    listener.start()
    wait_until(lambda: len(attempts) == 3, what="the third attempt")
    bell.ring("hold", {})
    wait_until(lambda: heard == ["hold"], what="the ring")
    listener.stop(timeout=5)


def test_the_listener_survives_a_restart_of_redis_and_says_so(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, durable=False) as server:
        dialer = Dialer(server.url, "d1")
        dialer.listener.start()
        wait_until(lambda: dialer.connections == 1, what="the subscription")
        server.restart()
        wait_until(lambda: dialer.connections == 2, timeout=15, what="the second subscription")
        Bell(connect(server.url), PREFIX).ring("hold", {})
        wait_until(lambda: dialer.heard == [("hold", {})], what="the ring")
        dialer.listener.stop(timeout=5)


def test_the_listener_ends_also_while_redis_is_away(redis_url: str) -> None:
    dialer = Dialer(redis_url.rpartition(":")[0] + ":1/0", "d1")
    dialer.listener.start()
    dialer.listener.stop(timeout=NEVER)
    assert dialer.connections == 0


def test_stopping_ends_the_listener_and_its_connection(redis_url: str, hire: Hire) -> None:
    dialer = hire("d1")
    counting = connect(redis_url)
    assert counting.pubsub_numsub("test:bell") == [("test:bell", 1)]
    dialer.listener.stop(timeout=5)
    wait_until(lambda: counting.pubsub_numsub("test:bell") == [("test:bell", 0)], what="no subscription")


def test_an_unreachable_redis_is_one_error(redis_url: str) -> None:
    nowhere = Bell(connect(redis_url.rpartition(":")[0] + ":1/0"), PREFIX)
    with pytest.raises(ControlBusUnavailable):
        nowhere.ring("hold", {})
    with pytest.raises(ControlBusUnavailable):
        nowhere.ack("token", "d1")
    with pytest.raises(ControlBusUnavailable):
        nowhere.ring_and_wait("hold", {}, lambda: ["d1"], timeout=1)
