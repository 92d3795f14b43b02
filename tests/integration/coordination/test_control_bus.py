"""The control bus: received by every dialer, sent again until answered, and received again after Redis was away."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from coordination.control_bus import ControlBus, Subscriber
from coordination.errors import ControlBusUnavailable
from coordination.redis_client import client
from coordination.topics import Topic
from local.valkey import EmbeddedValkey
from tests.waiting import HANG_SECONDS, wait_until

PREFIX = "test:"
NEVER = 3600.0
"""Long after a test that waits for it was ended for taking too long."""


def connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url, decode_responses=True, retry=Retry(NoBackoff(), 0), socket_timeout=2, socket_connect_timeout=2
    )


class Dialer:
    """A dialer that notes what it receives, and answers when it is awaited."""

    def __init__(self, url: str, name: str, *, answers: bool = True) -> None:
        self.name = name
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.connections = 0
        self._answers = answers
        self._bus = ControlBus(connect(url), PREFIX)
        self.subscriber = Subscriber(connect(url), PREFIX, self._on_message, self._on_connected)

    def _on_message(self, topic: str, payload: dict[str, Any]) -> None:
        self.received.append((topic, payload))
        if self._answers and "token" in payload:
            self._bus.ack(payload["token"], self.name)

    def _on_connected(self) -> None:
        self.connections += 1


Hire = Callable[..., Dialer]


@pytest.fixture
def hire(redis_url: str) -> Iterator[Hire]:
    """Makes dialers that are subscribed."""
    dialers: list[Dialer] = []

    def make(name: str, *, answers: bool = True) -> Dialer:
        dialer = Dialer(redis_url, name, answers=answers)
        dialers.append(dialer)
        dialer.subscriber.start()
        wait_until(lambda: dialer.connections, what="the subscription")
        return dialer

    yield make
    for dialer in dialers:
        dialer.subscriber.stop(timeout=5)


@pytest.fixture
def bus(redis_url: str) -> ControlBus:
    return ControlBus(connect(redis_url), PREFIX)


def test_a_message_is_received_by_everybody(bus: ControlBus, hire: Hire) -> None:
    dialers = [hire("d1"), hire("d2")]
    bus.notify(Topic.HOLD, {"campaign_id": "c", "generation": 3})
    wait_until(lambda: all(dialer.received for dialer in dialers), what="the messages")
    for dialer in dialers:
        assert dialer.received == [(Topic.HOLD, {"campaign_id": "c", "generation": 3})]


def test_everybody_answering_ends_the_wait_at_once(bus: ControlBus, hire: Hire) -> None:
    hire("d1"), hire("d2")
    assert bus.notify_and_wait(Topic.HOLD, {}, lambda: ["d1", "d2"], timeout=NEVER) == set()


def test_nobody_expected_needs_no_wait(bus: ControlBus) -> None:
    assert bus.notify_and_wait(Topic.HOLD, {}, list, timeout=NEVER) == set()


def test_who_does_not_answer_is_named_when_time_is_up(bus: ControlBus, hire: Hire) -> None:
    hire("d1"), hire("mute", answers=False)
    began = time.monotonic()
    assert bus.notify_and_wait(Topic.HOLD, {}, lambda: ["d1", "mute", "absent"], timeout=0.6) == {
        "mute",
        "absent",
    }
    assert time.monotonic() - began >= 0.6


def test_who_dies_meanwhile_is_not_waited_for(bus: ControlBus, hire: Hire) -> None:
    hire("d1")
    asked = iter([["d1", "dying"]] * 3)
    assert bus.notify_and_wait(Topic.HOLD, {}, lambda: next(asked, ["d1"]), timeout=NEVER) == set()
    assert next(asked, None) is None, "it was waited for while it lived"


def test_who_subscribes_late_gets_the_message_again(bus: ControlBus, hire: Hire) -> None:
    waiting = gevent.spawn(bus.notify_and_wait, Topic.HOLD, {}, lambda: ["late"], NEVER)
    gevent.sleep(0.1)
    hire("late")
    assert waiting.get(timeout=HANG_SECONDS) == set()


def test_answers_to_one_message_are_not_answers_to_another(bus: ControlBus, hire: Hire) -> None:
    dialer = hire("d1", answers=False)
    assert bus.notify_and_wait(Topic.HOLD, {}, lambda: ["d1"], timeout=0.3) == {"d1"}
    token = dialer.received[0][1]["token"]
    bus.ack(token, "d1")
    assert bus.notify_and_wait(Topic.HOLD, {}, lambda: ["d1"], timeout=0.3) == {"d1"}


def test_a_message_that_cannot_be_acted_on_keeps_nobody_from_the_next(
    redis_url: str, bus: ControlBus
) -> None:
    received: list[str] = []

    def on_message(topic: str, payload: dict[str, Any]) -> None:
        received.append(topic)
        raise ValueError(topic)

    subscriber = Subscriber(connect(redis_url), PREFIX, on_message, lambda: received.append("connected"))
    subscriber.start()
    wait_until(lambda: received == ["connected"], what="the subscription")
    connect(redis_url).publish("test:bell", "not json")
    connect(redis_url).publish("test:bell", b"\xff\xfe")
    wait_until(lambda: received == ["connected", "connected"], what="the subscription anew")
    bus.notify(Topic.HALT, {})
    bus.notify(Topic.UNHALT, {})
    wait_until(lambda: received == ["connected", "connected", "halt", "unhalt"], what="both messages")
    subscriber.stop(timeout=5)


def test_a_topic_that_only_a_newer_process_knows_is_neither_acted_on_nor_answered(
    redis_url: str, bus: ControlBus, hire: Hire
) -> None:
    dialer = hire("d1")
    newer = {"topic": "repaint", "payload": {"token": "t1"}}
    connect(redis_url).publish("test:bell", json.dumps(newer))
    bus.notify(Topic.WAKE, {})
    wait_until(lambda: dialer.received, what="the message after it")
    assert dialer.received == [(Topic.WAKE, {})]
    assert connect(redis_url).exists("test:bell:t1") == 0


def test_the_words_on_the_wire_are_those_of_every_version(redis_url: str, bus: ControlBus) -> None:
    with connect(redis_url).pubsub() as raw:  # type: ignore[no-untyped-call]
        raw.subscribe("test:bell")
        wait_until(lambda: raw.get_message(timeout=1), what="the subscription")
        bus.notify(Topic.HANDOVER, {"dialer_id": "d1"})
        message = wait_until(lambda: raw.get_message(timeout=1), what="the message")
    assert json.loads(message["data"]) == {"topic": "handover", "payload": {"dialer_id": "d1"}}
    words = ["wake", "hold", "halt", "unhalt", "suppress", "hangup", "handover", "cdr"]
    assert [str(topic) for topic in Topic] == words


def test_what_could_not_be_read_on_connecting_is_read_again(redis_url: str, bus: ControlBus) -> None:
    attempts: list[int] = []
    received: list[str] = []

    def on_connected() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionError("the database is away")

    subscriber = Subscriber(connect(redis_url), PREFIX, lambda topic, _: received.append(topic), on_connected)
    subscriber.start()
    wait_until(lambda: len(attempts) == 3, what="the third attempt")
    bus.notify(Topic.HOLD, {})
    wait_until(lambda: received == [Topic.HOLD], what="the message")
    subscriber.stop(timeout=5)


def test_the_listener_survives_a_restart_of_redis_and_says_so(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, durable=False) as server:
        dialer = Dialer(server.url, "d1")
        dialer.subscriber.start()
        wait_until(lambda: dialer.connections == 1, what="the subscription")
        server.restart()
        wait_until(lambda: dialer.connections == 2, what="the second subscription")
        ControlBus(connect(server.url), PREFIX).notify(Topic.HOLD, {})
        wait_until(lambda: dialer.received == [(Topic.HOLD, {})], what="the message")
        dialer.subscriber.stop(timeout=5)


def test_the_listener_ends_also_while_redis_is_away(redis_url: str) -> None:
    dialer = Dialer(redis_url.rpartition(":")[0] + ":1/0", "d1")
    dialer.subscriber.start()
    dialer.subscriber.stop(timeout=NEVER)
    assert dialer.connections == 0


def test_the_listener_gives_up_a_redis_that_stands_still() -> None:
    """Its kernel accepts the connection, and nobody answers what is said on it."""
    with socket.create_server(("127.0.0.1", 0)) as still:
        redis = client(f"redis://127.0.0.1:{still.getsockname()[1]}/0", wait_seconds=0.2)
        subscriber = Subscriber(redis, PREFIX, lambda *_: None, lambda: None)
        still.settimeout(HANG_SECONDS)
        subscriber.start()
        connections = [still.accept()[0], still.accept()[0]]
        subscriber.stop(timeout=NEVER)
        for connection in connections:
            connection.close()


def test_stopping_ends_the_listener_and_its_connection(redis_url: str, hire: Hire) -> None:
    dialer = hire("d1")
    counting = connect(redis_url)
    assert counting.pubsub_numsub("test:bell") == [("test:bell", 1)]
    dialer.subscriber.stop(timeout=5)
    wait_until(lambda: counting.pubsub_numsub("test:bell") == [("test:bell", 0)], what="no subscription")


def test_an_unreachable_redis_is_one_error(redis_url: str) -> None:
    nowhere = ControlBus(connect(redis_url.rpartition(":")[0] + ":1/0"), PREFIX)
    with pytest.raises(ControlBusUnavailable):
        nowhere.notify(Topic.HOLD, {})
    with pytest.raises(ControlBusUnavailable):
        nowhere.ack("token", "d1")
    with pytest.raises(ControlBusUnavailable):
        nowhere.notify_and_wait(Topic.HOLD, {}, lambda: ["d1"], timeout=1)
