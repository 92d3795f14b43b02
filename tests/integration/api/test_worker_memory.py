"""A worker that was sent whatever a body can hold is as large as before."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import requests

from tests.integration.api.site import Site, key
from tests.integration.api.test_concurrency import Service, at_once, started

MOST_MB = 50.0
TIMES = 4
SIZE = 10_000_000


def filled(site: Site, piece: bytes, end: bytes) -> bytes:
    """A creating body of SIZE bytes, whose list is made of `piece`."""
    head = orjson.dumps(site.fields())[:-1] + b', "contacts": ['
    return head + piece * ((SIZE - len(head)) // len(piece)) + end + b"]}"


ATTACKS: list[Callable[[Site], bytes]] = [
    lambda _: orjson.dumps({f"key{n}": n for n in range(480_000)}),
    lambda _: b"[" * SIZE,
    lambda _: b'{"name":' * (SIZE // 8),
    lambda _: b'{"name": "' + b"x" * SIZE + b'"}',
    lambda _: b'{"max_concurrent_calls": ' + b"9" * SIZE + b"}",
    lambda _: b'{"name": "' + b'\\"' * (SIZE // 2 - 10),
    lambda site: filled(site, b"1,", b"1"),
    lambda site: filled(site, b"{},", b"{}"),
    lambda site: filled(site, b"[[]],", b"NaN"),
    lambda site: filled(site, b'{"phone_number":NaN},', b"{}"),
    lambda site: filled(site, b'{"phone_number":"+14155550100","x":"y"},', b"{}"),
]


def worker_mb(service: Service) -> float:
    """The resident memory of the one worker."""
    (tasks,) = Path(f"/proc/{service.pid}/task").glob(f"{service.pid}/children")
    (worker,) = tasks.read_text().split()
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


@pytest.mark.full
def test_a_worker_is_no_larger_after_every_attack(site: Site) -> None:
    headers = {"Authorization": f"Bearer {key('operate')}", "Content-Type": "application/json"}
    with started(site.database_url, str(site.services.settings.redis_url), workers=1) as service:

        def attack(body: bytes) -> list[requests.Response]:
            return at_once(TIMES, lambda _: service.send("POST", "/campaigns", data=body, headers=headers))

        # What any list leaves behind once (modules, buffers) is none of theirs.
        attack(filled(site, b'{"phone_number":"+14155550100"},', b"{}")[: SIZE // 10])
        before = worker_mb(service)
        for make in ATTACKS:
            statuses = {answer.status_code for answer in attack(make(site))}
            assert statuses <= {400, 413, 503}, statuses
            print(f"{worker_mb(service):.0f} MB after {before:.0f} MB")
        assert worker_mb(service) - before <= MOST_MB
