"""The control bus between the API and the dialers: the API changes a row and says so, the dialers read it and act.

A message carries no truth of its own and may be lost: who missed some reads the database again when it is connected
(`Subscriber.on_connected`). Where the sender has to know that everybody has acted (pause, stop, halt), it waits for
their answers, and sends again for those who may have missed it; acting twice on one message must be harmless.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, cast

import gevent
import structlog
from gevent.event import Event
from redis import Redis
from redis.client import PubSub
from redis.exceptions import RedisError

import outages
from coordination.errors import ControlBusUnavailable, translated
from coordination.keys import CoordinationKeys
from coordination.topics import Topic, known

log = structlog.get_logger()

RESEND_SECONDS = 0.25
"""After so long without an answer the message is sent again, and the list of those expected read again."""
ANSWERS_SECONDS = 60
POLL_SECONDS = 0.5
PING_SECONDS = 5.0
SILENCE_SECONDS = 10.0
"""A subscription on which nothing came for so long, not even the answers to our pings, is dead."""
LONGEST_BACKOFF = 2.0
TOKEN = "token"


class ControlBus:
    """The sending side, and the answering. Every method raises ControlBusUnavailable when Redis fails."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._keys = CoordinationKeys(prefix)

    def notify(self, topic: Topic, payload: Mapping[str, object]) -> None:
        """Tell every dialer that is subscribed now."""
        with translated(ControlBusUnavailable, "notifying dialers"):
            self._publish(topic, payload)

    def notify_and_wait(
        self,
        topic: Topic,
        payload: Mapping[str, object],
        expected: Callable[[], Iterable[str]],
        timeout: float,
    ) -> set[str]:
        """Notify, and wait until every dialer that `expected` names has answered, at most `timeout` seconds.

        Returns those that have not. `expected` is asked again while waiting: who no longer lives need not answer.
        The payload that dialers get has a `token` more, to `ack`.
        """
        token = secrets.token_hex(8)
        message = {**payload, TOKEN: token}
        deadline = time.monotonic() + timeout
        answered: set[str] = set()
        send_at = 0.0
        while True:
            now = time.monotonic()
            if now >= send_at:
                with translated(ControlBusUnavailable, "notifying dialers"):
                    self._publish(topic, message)
                send_at = now + RESEND_SECONDS
            missing = set(expected()) - answered
            wait = min(deadline, send_at) - time.monotonic()
            if not missing or time.monotonic() >= deadline:
                return missing
            with translated(ControlBusUnavailable, "waiting for answers"):
                answer = self._redis.blpop([self._keys.answers(token)], timeout=max(0.01, wait))
            if answer is not None:
                answered.add(cast("tuple[str, str]", answer)[1])

    def ack(self, token: str, dialer_id: str) -> None:
        """This dialer has acted on the message with this token. Answering twice is harmless."""
        key = self._keys.answers(token)
        with translated(ControlBusUnavailable, "answering"), self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(key, dialer_id)
            pipe.expire(key, ANSWERS_SECONDS)
            pipe.execute()

    def _publish(self, topic: Topic, payload: Mapping[str, object]) -> None:
        self._redis.publish(self._keys.control, json.dumps({"topic": topic, "payload": dict(payload)}))


class Subscriber:
    """The receiving side: a greenlet that stays subscribed through restarts of Redis.

    `on_connected` is called after every subscription, since messages may have been missed before it: it reads again
    what messages are about; when it fails, it subscribes and calls it again. `on_message(topic, payload)` gets
    each message, with a `token` in the payload where an answer is awaited; what it raises is logged. Both run in the
    subscriber's greenlet, one after the other. It ends by a flag and is never killed: killing a greenlet that waits
    for a subscription can break its connection (gevent#1929).
    """

    def __init__(
        self,
        redis: Redis,
        prefix: str,
        on_message: Callable[[Topic, dict[str, Any]], None],
        on_connected: Callable[[], None],
    ) -> None:
        self._redis = redis
        self._channel = CoordinationKeys(prefix).control
        self._on_message = on_message
        self._on_connected = on_connected
        self._stopping = Event()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Subscribe, now or as soon as Redis can be reached."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout: float) -> None:
        """Unsubscribe and end, within about half a second of the last callback, or of a read that waits for a Redis
        that stands still; waits `timeout` seconds for it."""
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
                outages.struck(outages.REDIS, error)
            except Exception:
                # Bytes that are no text, or what else the driver raises, must not make this dialer deaf for good.
                log.exception("control_bus_failed")
            if time.monotonic() - began > SILENCE_SECONDS:
                backoff = 0.1
            self._stopping.wait(random.uniform(backoff / 2, backoff))
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    def _listen(self, pubsub: PubSub) -> None:
        """Until told to stop, the subscription is silent for too long, or `on_connected` has failed."""
        received = pinged = time.monotonic()
        while not self._stopping.is_set():
            message = pubsub.get_message(timeout=POLL_SECONDS)
            now = time.monotonic()
            if message is not None:
                received = now
                if not self._receive(message):
                    return
            elif now - received > SILENCE_SECONDS:
                log.warning("control_bus_silent", seconds=round(now - received, 1))
                return
            if now - pinged >= PING_SECONDS:
                pinged = now
                pubsub.ping()

    def _receive(self, message: Mapping[str, Any]) -> bool:
        """Pass on what came; False where what may have been missed could not be read."""
        if message["type"] == "subscribe":
            return _done("control_bus_not_connected", self._on_connected)
        if message["type"] == "message":
            _done("control_message_failed", partial(self._pass_on, message["data"]))
        return True

    def _pass_on(self, data: str) -> None:
        sent = json.loads(data)
        topic = known(sent["topic"])
        if topic is None:
            # A newer process asks for what this one cannot do. It gets no answer: one would say that it was done.
            log.warning("control_topic_unknown", topic=str(sent["topic"])[:64])
        else:
            self._on_message(topic, sent["payload"])


def _done(failure: str, callback: Callable[[], None]) -> bool:
    """Whether `callback` went through; what it raises is logged as `failure`."""
    try:
        callback()
    except Exception:
        # It is the dialer's own code, over any part of it: failing once must not end what all later messages come by.
        log.exception(failure)
        return False
    return True
