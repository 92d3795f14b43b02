"""The bell between the API and the dialers: the API changes a row and rings, the dialers look at the row and act.

A ring carries no truth of its own and may be lost: who missed some reads the database again when it is connected
(`Listener.on_connected`). Where the ringer has to know that everybody has acted (pause, stop, halt), it waits for
their answers, ringing again for those who may have missed it; acting twice on one ring must be harmless.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import gevent
import structlog
from gevent.event import Event
from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

from coordination.errors import ControlBusUnavailable, translated
from coordination.keys import CoordinationKeys

log = structlog.get_logger()

AGAIN_SECONDS = 0.25
"""After so long without an answer the bell is rung again, and the list of those expected read again."""
ANSWERS_SECONDS = 60
POLL_SECONDS = 0.5
PING_SECONDS = 5.0
SILENCE_SECONDS = 10.0
"""A subscription on which nothing came for so long, not even the answers to our pings, is dead."""
LONGEST_BACKOFF = 2.0
TOKEN = "token"


class Bell:
    """The ringing side, and the answering. Every method raises ControlBusUnavailable when Redis fails."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._keys = CoordinationKeys(prefix)

    def ring(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Tell every dialer that is listening now."""
        with translated(ControlBusUnavailable, "ringing"):
            self._publish(topic, payload)

    def ring_and_wait(
        self,
        topic: str,
        payload: Mapping[str, Any],
        expected: Callable[[], Iterable[str]],
        timeout: float,
    ) -> set[str]:
        """Ring, and wait until every dialer that `expected` names has answered, at most `timeout` seconds.

        Returns those that have not. `expected` is asked again while waiting: who no longer lives need not answer.
        The payload that dialers get has a `token` more, to `ack`.
        """
        token = secrets.token_hex(8)
        message = {**payload, TOKEN: token}
        deadline = time.monotonic() + timeout
        answered: set[str] = set()
        again = 0.0
        while True:
            now = time.monotonic()
            if now >= again:
                with translated(ControlBusUnavailable, "ringing"):
                    self._publish(topic, message)
                again = now + AGAIN_SECONDS
            missing = set(expected()) - answered
            wait = min(deadline, again) - time.monotonic()
            if not missing or time.monotonic() >= deadline:
                return missing
            with translated(ControlBusUnavailable, "waiting for answers"):
                answer = self._redis.blpop([self._keys.answers(token)], timeout=max(0.01, wait))
            if answer is not None:
                answered.add(cast("tuple[str, str]", answer)[1])

    def ack(self, token: str, dialer_id: str) -> None:
        """This dialer has acted on the ring with this token. Answering twice is harmless."""
        key = self._keys.answers(token)
        with translated(ControlBusUnavailable, "answering"), self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(key, dialer_id)
            pipe.expire(key, ANSWERS_SECONDS)
            pipe.execute()

    def _publish(self, topic: str, payload: Mapping[str, Any]) -> None:
        self._redis.publish(self._keys.control, json.dumps({"topic": topic, "payload": dict(payload)}))


class Listener:
    """The hearing side: a greenlet that stays subscribed through restarts of Redis.

    `on_connected` is called after every subscription, since rings may have been missed before it: it reads again
    what rings are about; when it fails, the listener subscribes and calls it again. `on_ring(topic, payload)` gets
    each ring, with a `token` in the payload where an answer is awaited; what it raises is logged. Both run in the
    listener's greenlet, one after the other. It ends by a flag and is never killed: killing a greenlet that waits
    for a subscription can break its connection (gevent#1929).
    """

    def __init__(
        self,
        redis: Redis,
        prefix: str,
        on_ring: Callable[[str, dict[str, Any]], None],
        on_connected: Callable[[], None],
    ) -> None:
        self._redis = redis
        self._channel = CoordinationKeys(prefix).control
        self._on_ring = on_ring
        self._on_connected = on_connected
        self._stopping = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Subscribe, now or as soon as Redis can be reached."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout: float | None = None) -> None:
        """Unsubscribe and end, within about half a second of the last callback; waits `timeout` seconds for it."""
        self._stopping.set()
        if self._greenlet is not None:
            self._greenlet.join(timeout)

    def _run(self) -> None:
        backoff = 0.1
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                with self._redis.pubsub() as pubsub:  # type: ignore[no-untyped-call]
                    pubsub.subscribe(self._channel)
                    self._listen(pubsub)
            except (RedisError, OSError) as error:
                log.warning("bell_lost", error=str(error))
            except Exception:
                # A callback that fails once must not make this dialer deaf for good.
                log.exception("bell_not_connected")
            if time.monotonic() - began > SILENCE_SECONDS:
                backoff = 0.1
            self._stopping.wait(random.uniform(backoff / 2, backoff))
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    def _listen(self, pubsub: PubSub) -> None:
        """Until told to stop, or the subscription is silent for too long."""
        heard = asked = time.monotonic()
        while not self._stopping.is_set():
            message = pubsub.get_message(timeout=POLL_SECONDS)
            now = time.monotonic()
            if message is not None:
                heard = now
                self._hear(message)
            elif now - heard > SILENCE_SECONDS:
                log.warning("bell_silent", seconds=round(now - heard, 1))
                return
            if now - asked >= PING_SECONDS:
                asked = now
                pubsub.ping()

    def _hear(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "subscribe":
            self._on_connected()
        if message["type"] != "message":
            return
        try:
            ring = json.loads(message["data"])
            self._on_ring(ring["topic"], ring["payload"])
        except Exception:
            # One ring that cannot be acted on must not cost the next ones.
            log.exception("bell_ring_failed")
