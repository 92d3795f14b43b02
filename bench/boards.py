"""Open boards, many in one process: each asks for what the page of a campaign asks for, and as often.

`python -m bench.boards PORT COOKIE CAMPAIGN COUNT` opens so many, says `ready` once each has its page, and goes on
until its input ends; then it tells how many answers there were, how many were no 200, and how long they took. The
event streams of the boards are `bench.listeners`. `Boards` starts and asks such a process.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import gevent

from bench.windows import percentile

ROOT = Path(__file__).resolve().parents[1]
POLLS: Final[Mapping[str, float]] = {"/last-calls": 2.0, "/log/part": 5.0, "/head": 10.0}
"""What is read again of a campaign's page, and after so many seconds, while calls end (`web/static/campaign.js`)."""
PACING_SECONDS: Final = 10.0
PATIENCE_SECONDS = 60.0


def signed_in(port: int, key: str) -> str:
    """The cookie of a session."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as connection:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/sign-in", urlencode({"key": key}), headers)
        answer = connection.getresponse()
        answer.read()
        cookie = answer.getheader("Set-Cookie", "")
    assert cookie, f"nobody is signed in: {answer.status}"
    return cookie.partition(";")[0]


def status_of(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> int:
    """That of the answer. A connection that was kept, and that the server has closed meanwhile, is opened anew, as
    every browser does. Raises OSError, HTTPException."""
    kept = connection.sock is not None
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
    except ConnectionError:
        connection.close()
        if kept:
            return status_of(connection, path, headers)
        raise
    answer.read()
    return answer.status


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of the requests of all boards: their number, those that failed, and milliseconds."""

    answers: int
    failed: int
    p50: float
    p95: float


@dataclass(slots=True)
class Crowd:
    """All boards of this process."""

    port: int
    cookie: str
    campaign: str
    took: list[float] = field(default_factory=list)
    failed: int = 0

    def open(self, count: int) -> Asked:
        """Until the input ends."""
        gevent.joinall([gevent.spawn(self._get, "") for _ in range(count)], raise_error=True)
        self.took.clear()
        print("ready", flush=True)
        polls = {f"/campaigns/{self.campaign}{part}": every for part, every in POLLS.items()}
        polls[f"/api/v1/campaigns/{self.campaign}/pacing"] = PACING_SECONDS
        asking = [gevent.spawn(self._poll, *one) for _ in range(count) for one in polls.items()]
        gevent.get_hub().threadpool.apply(sys.stdin.read)
        gevent.killall(asking)
        return Asked(len(self.took), self.failed, percentile(self.took, 0.5), percentile(self.took, 0.95))

    def _poll(self, path: str, every: float) -> None:
        """Again and again, `every` so many seconds after the last answer, from some moment on."""
        gevent.sleep(random.random() * every)
        with closing(self._connection()) as connection:
            while True:
                self._ask(connection, path)
                gevent.sleep(every)

    def _get(self, part: str) -> None:
        with closing(self._connection()) as connection:
            self._ask(connection, f"/campaigns/{self.campaign}{part}")

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> None:
        began = time.monotonic()
        try:
            status = status_of(connection, path, {"Cookie": self.cookie, "Accept": "text/html"})
            self.failed += status != http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            connection.close()
            self.failed += 1
        self.took.append((time.monotonic() - began) * 1000)


class Boards:
    """Such a process, for the time of a `with` block."""

    def __init__(self, port: int, cookie: str, campaign: str, count: int) -> None:
        self._command = [sys.executable, "-m", "bench.boards", str(port), cookie, campaign, str(count)]

    def __enter__(self) -> Boards:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def asked(self) -> Asked:
        """What came of their requests; it ends them."""
        said, _ = self._process.communicate()
        return Asked(**json.loads(said))


def main() -> None:
    """Be open, then tell."""
    port, cookie, campaign, count = sys.argv[1:]
    print(json.dumps(asdict(Crowd(int(port), cookie, campaign).open(int(count)))), flush=True)


if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()
    main()
