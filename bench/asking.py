"""Requests at a steady rate, whatever the answers take: how long each took, and how many failed."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import gevent

AT_ONCE = 4


@dataclass(slots=True)
class Answers:
    """Seconds from when each request was due to its answer; what was no 200 has failed."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0


def ask(url: str, key: str, *, tenant: str = "") -> bool:
    """One request over a connection of its own, for `tenant` where one is named; whether its answer was a 200."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    with closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)) as connection:
        try:
            path = f"{parts.path}?{parts.query}" if parts.query else parts.path
            whose = {"X-Tenant": tenant} if tenant else {}
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} | whose)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return False
        return answer.status == http.HTTPStatus.OK


def ask_by_turns(url: str, key: str, per_second: float, seconds: float, *, tenant: str = "") -> Answers:
    """Ask for a while, a few at a time: at a rate, or as fast as answers come where they are slower."""
    found = Answers()
    until = time.monotonic() + seconds

    def one_after_the_other() -> None:
        due = time.monotonic()
        while due < until:
            gevent.sleep(max(0.0, due - time.monotonic()))
            began = time.monotonic()
            good = ask(url, key, tenant=tenant)
            found.failed += not good
            found.seconds.append(time.monotonic() - began)
            due = max(due + AT_ONCE / per_second, time.monotonic())

    gevent.joinall([gevent.spawn(one_after_the_other) for _ in range(AT_ONCE)], raise_error=True)
    return found


@contextmanager
def asking(url: str, key: str, per_second: float, *, tenant: str = "") -> Iterator[Answers]:
    """Ask for the time of this block. What is under way at its end is waited for."""
    found = Answers()
    asked: list[gevent.Greenlet[..., None]] = []

    def one(due: float) -> None:
        good = ask(url, key, tenant=tenant)
        found.failed += not good
        found.seconds.append(time.monotonic() - due)

    def all_of_them() -> None:
        began, turn = time.monotonic(), 0
        while True:
            due = began + turn / per_second
            gevent.sleep(max(0.0, due - time.monotonic()))
            asked.append(gevent.spawn(one, due))
            turn += 1

    asks = gevent.spawn(all_of_them)
    try:
        yield found
    finally:
        asks.kill()
        gevent.joinall(asked, timeout=60)
