"""The streams on the server that serves them in production."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from live.publisher import Publisher
from live.stream_events import StreamEvent
from local.process import end, spawn
from tests.integration.live.conftest import PREFIX
from tests.integration.live.stream_server import StreamClient
from tests.waiting import HANG_SECONDS, wait_until

ROOT = Path(__file__).parents[3]


class Gunicorn:
    """One gevent worker; `port` once it listens."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self._log_path = folder / "gunicorn.log"
        argv = [sys.executable, "-m", "gunicorn", "-c", "python:tests.integration.live.gunicorn_app"]
        with open(self._log_path, "wb") as log:
            self.process = spawn(
                [*argv, "tests.integration.live.gunicorn_app:wsgi()"],
                cwd=ROOT,
                env={**os.environ, "REDIS_URL": redis_url, "SITE_STATUS": "paused"},
                stdout=log,
                stderr=log,
            )
        self.port = wait_until(self._listening, "gunicorn listening")

    def log(self) -> str:
        return self._log_path.read_text()

    def _listening(self) -> int:
        assert self.process.poll() is None, self.log()
        found = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", self.log())
        return int(found[1]) if found and "Booting worker" in self.log() else 0


@pytest.fixture
def server(tmp_path: Path, redis_url: str) -> Iterator[Gunicorn]:
    found = Gunicorn(tmp_path, redis_url)
    yield found
    end(found.process, signal.SIGTERM)


def test_who_goes_away_leaves_the_worker_and_redis(server: Gunicorn, client: Redis) -> None:
    """Of a paused campaign, so that only the kernel can tell before the next heartbeat."""
    client.ping()
    before = len(client.client_list())
    readers = [StreamClient(server.port, "c1") for _ in range(10)]
    for reader in readers:
        reader.wait_for(None)
    Publisher(client, PREFIX).publish([StreamEvent("c1", "p", 1, {"n": 1})])
    for reader in readers:
        reader.wait_for("contact")
    assert len(client.client_list()) > before
    for reader in readers:
        reader.close()
    # The app's own pool may keep what it has opened; the reader's blocking connection must be gone.
    wait_until(lambda: not any(c["cmd"] == "xread" for c in client.client_list()), "the reader gone")
    assert len(client.client_list()) <= before + 4


def test_a_worker_told_to_stop_ends_its_streams_and_is_gone_in_time(server: Gunicorn) -> None:
    """In time is before gunicorn's `graceful_timeout`, after which it says so and kills its worker."""
    readers = [StreamClient(server.port, "c1") for _ in range(5)]
    for reader in readers:
        reader.wait_for(None)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(HANG_SECONDS) == 0
    for reader in readers:
        reader.wait(lambda r: r.closed)
        assert reader.messages[-1].retry
        reader.close()
    assert "graceful timeout" not in server.log()
