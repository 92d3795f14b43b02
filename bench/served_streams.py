"""Event streams as gunicorn serves them, one gevent worker each: ours, and flask-sse as shipped."""

from __future__ import annotations

import itertools
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gevent
import orjson
from redis import Redis

from bench.listeners import Heard, Listeners, marked
from live.publisher import Publisher
from live.stream_events import StreamEvent
from local.process import end, spawn
from tests.integration.live.conftest import PREFIX
from tests.integration.live.stream_server import KEY
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
CAMPAIGN = "c1"


@dataclass(frozen=True, slots=True)
class Streams:
    """A server of event streams, and how an event gets into it."""

    port: int
    paths: Sequence[str]
    publish: Callable[[str], object]

    def heard(self, listeners: int, per_second: float, seconds: float) -> tuple[Heard, int]:
        """What so many listeners hear of so many events a second, and how many events there were."""
        with Listeners(self.port, self.paths, KEY, listeners) as crowd:
            crowd.wait_ready(lambda: [self.publish("first") for _ in self.paths])
            began, sent = time.monotonic(), round(per_second * seconds)
            for turn in range(sent):
                gevent.sleep(max(0.0, began + turn / per_second - time.monotonic()))
                self.publish(marked(time.time()))
            return crowd.heard(), sent


@contextmanager
def ours(folder: Path, redis_url: str) -> Iterator[Streams]:
    """Carillon's event routes."""
    versions = itertools.count(1)
    with (
        Redis.from_url(redis_url) as client,
        gunicorn(folder / "ours.log", "tests.integration.live.gunicorn_app", redis_url) as port,
    ):
        publisher = Publisher(client, PREFIX)

        def publish(text: str) -> Sequence[object]:
            return publisher.publish([StreamEvent(CAMPAIGN, "p", next(versions), {"sent": text})])

        yield Streams(port, [f"/api/v1/campaigns/{CAMPAIGN}/events"], publish)


@contextmanager
def stock(folder: Path, redis_url: str, channels: int = 1) -> Iterator[Streams]:
    """flask-sse, whose channels are published to in turns; as it does, over one connection that stays."""
    names = [f"c{number}" for number in range(channels)]
    turn = itertools.cycle(names)
    with (
        Redis.from_url(redis_url) as client,
        gunicorn(folder / "stock.log", "bench.stock_sse", redis_url) as port,
    ):

        def publish(text: str) -> object:
            return client.publish(next(turn), orjson.dumps({"data": {"sent": text}, "type": "contact"}))

        yield Streams(port, [f"/stream?channel={name}" for name in names], publish)


@contextmanager
def gunicorn(log_path: Path, module: str, redis_url: str) -> Iterator[int]:
    """One worker that serves a module's `wsgi()`: its port."""
    argv = [sys.executable, "-m", "gunicorn", "-c", f"python:{module}", f"{module}:wsgi()"]
    with open(log_path, "wb") as log:
        process = spawn(argv, cwd=ROOT, env={**os.environ, "REDIS_URL": redis_url}, stdout=log, stderr=log)

    def listening() -> int:
        said = log_path.read_text()
        assert process.poll() is None, said
        found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", said)
        return int(found[1]) if found and "Booting worker" in said else 0

    try:
        yield wait_until(listening, "gunicorn listening")
    finally:
        end(process, signal.SIGTERM, grace=5.0)
