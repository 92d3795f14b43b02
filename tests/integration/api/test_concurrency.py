"""What only real concurrency shows: two gunicorn workers on one database."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gevent
import psycopg
import pytest
import requests

from api.uploads import CHUNK
from app import BODY_BYTES
from local.postgres import EmbeddedPostgres
from local.process import free_port
from local.valkey import EmbeddedValkey
from tests.integration.api.site import PEPPER, Site, csv_of, key, settings_for, site_over
from tests.judging import Judge
from tests.waiting import HANG_SECONDS, wait_until

ROOT = Path(__file__).parents[3]


@dataclass
class Service:
    """The web process as the Procfile starts it, and the id of it."""

    url: str
    pid: int

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key('operate')}"} | options.pop("headers", {})
        return requests.request(
            method, f"{self.url}/api/v1{path}", headers=headers, timeout=HANG_SECONDS, **options
        )


@pytest.fixture(scope="module")
def place(
    postgres: EmbeddedPostgres, schema_template: str, valkey: EmbeddedValkey
) -> Iterator[tuple[Site, Service]]:
    """One service for all of these tests: it takes seconds to start."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {schema_template} STRATEGY file_copy")
        url = postgres.url_of(name)
        with site_over(settings_for(url, valkey.url)) as site, started(url, valkey.url) as service:
            yield site, service
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def started(
    database_url: str, redis_url: str, workers: int = 2, application: str = "app:create_app()"
) -> Iterator[Service]:
    port = free_port()
    environ = os.environ | {
        "PORT": str(port),
        "WEB_CONCURRENCY": str(workers),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": PEPPER,
    }
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", application]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True)
    found = Service(f"http://127.0.0.1:{port}", process.pid)
    try:
        wait_until(lambda: _answers(found), "the service")
        yield found
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(HANG_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def site(place: tuple[Site, Service]) -> Site:
    found, _ = place
    found.sql("TRUNCATE campaign, transition, idempotency CASCADE")
    found.sql("UPDATE call_limits SET concurrent_max = NULL")
    return found


@pytest.fixture
def service(place: tuple[Site, Service]) -> Service:
    return place[1]


def _answers(service: Service) -> bool:
    try:
        return requests.get(f"{service.url}/healthz", timeout=10).status_code == 200
    except requests.RequestException:
        return False


def at_once(times: int, work: Callable[[int], requests.Response]) -> list[requests.Response]:
    greenlets = [gevent.spawn(work, number) for number in range(times)]
    gevent.joinall(greenlets, raise_error=True)
    return [greenlet.get() for greenlet in greenlets]


def posting(service: Service, paths: Sequence[str]) -> Callable[[int], requests.Response]:
    """Work to do at once: each posts to a path of its own."""
    return lambda number: service.send("POST", paths[number])


def test_fifty_parallel_creates_with_one_key_make_one_campaign(site: Site, service: Service) -> None:
    def create(_: int) -> requests.Response:
        return service.send(
            "POST",
            "/campaigns",
            data=site.form(),
            files={"contacts": ("list.csv", csv_of(500))},
            headers={"Idempotency-Key": "one"},
        )

    answers = at_once(50, create)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert Counter(answer.headers.get("Idempotent-Replayed") for answer in answers) == {None: 1, "true": 49}
    (counted,) = site.sql(
        "SELECT (SELECT count(*) FROM campaign) AS campaigns, count(*) AS contacts FROM contact"
    )
    assert counted == {"campaigns": 1, "contacts": 500}


def test_of_twenty_parallel_starts_one_gets_200(site: Site, service: Service) -> None:
    campaign_id = site.create()
    answers = at_once(20, lambda _: service.send("POST", f"/campaigns/{campaign_id}/start"))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    assert {answer.text for answer in answers if answer.status_code == 409} == {
        "Campaign is running; it cannot be started."
    }


def test_of_two_starts_that_only_fit_singly_one_wins(site: Site, service: Service) -> None:
    site.sql("UPDATE call_limits SET concurrent_max = 8 WHERE tenant_id = 'demo'")
    for _ in range(5):
        ids = [site.create(), site.create()]
        answers = at_once(2, posting(service, [f"/campaigns/{campaign_id}/start" for campaign_id in ids]))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        (refused,) = [answer for answer in answers if answer.status_code == 409]
        assert "concurrent_max of 8" in refused.text
        site.sql("UPDATE campaign SET status = 'paused'")


def test_start_and_stop_at_once_leave_one_truth(site: Site, service: Service) -> None:
    actions = ["start", "stop", "pause", "start", "stop"]
    for _ in range(5):
        campaign_id = site.create(50)
        at_once(5, posting(service, [f"/campaigns/{campaign_id}/{action}" for action in actions]))
        body = site.get(f"/campaigns/{campaign_id}").json
        assert (body["status"], body["counts"]["cancelled"], body["counts"]["total"]) == ("completed", 50, 50)
        told = site.sql(
            "SELECT version FROM transition WHERE campaign_id = %s AND contact_id IS NULL ORDER BY id",
            campaign_id,
        )
        assert [row["version"] for row in told] == list(range(1, len(told) + 1))


def test_an_upload_past_the_limit_gets_its_413(site: Site, service: Service) -> None:
    answer = service.send(
        "POST", "/campaigns", data=site.form(), files={"contacts": ("list.csv", b"x" * 12_000_000)}
    )
    assert answer.status_code == 413
    assert answer.text == "contacts has more than 10485760 bytes, the most a list may have."


def test_an_upload_without_a_length_is_read_and_limited_too(site: Site, service: Service) -> None:
    def body(rows: int) -> Iterator[bytes]:
        for name, value in site.form().items():
            yield f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        yield b'--b\r\nContent-Disposition: form-data; name="contacts"; filename="l.csv"\r\n\r\nphone_number,x\r\n'
        for number in range(rows):
            yield f"+1415{5550000 + number:07d},{'x' * 100}\r\n".encode()
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert service.send("POST", "/campaigns", data=body(100), headers=headers).status_code == 201
    assert service.send("POST", "/campaigns", data=body(100_000), headers=headers).status_code == 413


def test_a_body_in_chunks_past_the_limit_is_413_and_is_not_cut(site: Site, service: Service) -> None:
    def body(size: int) -> Iterator[bytes]:
        """A whole object up to the limit, and then white space: cut there, it would be taken."""
        text = b'{"name": "Desk", "action": {"type": "echo"}}'
        yield text + b" " * (size - len(text))

    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key('admin')}"}
    for size, status in ((BODY_BYTES, 201), (BODY_BYTES + 1, 413), (2 * BODY_BYTES, 413)):
        assert service.send("POST", "/agents", data=body(size), headers=headers).status_code == status
        # An empty body is no body; one of nothing but white space is one.
        started = service.send("POST", f"/campaigns/{site.create(1)}/start", data=body(size), headers=headers)
        assert started.status_code == (400 if status == 201 else 413)


@pytest.mark.full
@pytest.mark.parametrize(
    ("field", "before", "status", "text"),
    [
        (
            '"name"',
            b"",
            408,
            b"The body comes in at less than 1000 bytes a second; it was given up after 10 s.",
        ),
        ('"secrets"; filename="x"', b"x" * 2 * CHUNK, 400, b"'secrets' is a file; the one file is contacts."),
    ],
    ids=["right", "refused"],
)
def test_a_form_that_comes_in_byte_by_byte_is_given_up(
    service: Service, field: str, before: bytes, status: int, text: bytes
) -> None:
    """Also one that is refused by what came first: what follows is read for a while, and not to its end."""
    head = (
        "POST /api/v1/campaigns HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Authorization: Bearer {key('operate')}\r\nContent-Length: 10000000\r\n\r\n"
        f"--b\r\nContent-Disposition: form-data; name={field}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", urlsplit(service.url).port or 0), HANG_SECONDS) as client:
        client.sendall(head.encode() + before)
        sending = gevent.spawn(byte_by_byte, client)
        answer = b"".join(iter(partial(client.recv, 65536), b""))
        sending.kill()
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert answer.endswith(text)


def byte_by_byte(client: socket.socket) -> None:
    """Send ten bytes a second until the other side has had enough."""
    with suppress(OSError):
        while True:
            client.sendall(b"x")
            gevent.sleep(0.1)


@pytest.mark.parametrize(
    ("sent", "status", "text"),
    [
        (b"GET / HTTP/9.9\r\n\r\n", 400, "Invalid HTTP Version 'Invalid HTTP Version: (9, 9)'."),
        (b"\x1b[2J / HTTP/1.1\r\n\r\n", 400, None),
        (b"GET /" + b"x" * 8000 + b" HTTP/1.1\r\n\r\n", 414, None),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", 431, None),
        (b"GET / HTTP/1.1\r\nX : y\r\n\r\n", 400, None),
        (b"POST /api/v1/halt HTTP/1.1\r\nTransfer-Encoding: nonsense\r\n\r\n", 501, None),
    ],
)
def test_what_the_server_itself_refuses_is_a_sentence_too(
    service: Service, sent: bytes, status: int, text: str | None
) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(service.url).port or 0), HANG_SECONDS) as client:
        client.sendall(sent)
        answer = b"".join(iter(partial(client.recv, 65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert first.startswith(f"HTTP/1.1 {status} ")
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert len(headers["x-request-id"]) == 32
    assert int(headers["content-length"]) == len(body)
    assert body.decode().endswith(".")
    assert body.decode().isprintable()
    assert text is None or body.decode() == text


def test_all_that_a_revoked_key_opened_is_shut_within_a_second(
    site: Site, service: Service, judge: Judge
) -> None:
    """Streams by the key, by a token of it and by a browser that signed in with it; in any worker, and no others."""
    admin = {"Authorization": f"Bearer {key('admin')}"}
    made = service.send("POST", "/api-keys", json={"name": "gone", "role": "read"}, headers=admin).json()
    own = {"Authorization": f"Bearer {made['key']}"}
    path = f"/campaigns/{site.create(1)}/events"
    token = service.send("POST", f"{path}/token", headers=own).json()["token"]
    browser = requests.Session()
    browser.post(f"{service.url}/sign-in", data={"key": made["key"]}, timeout=HANG_SECONDS)
    streams = f"{service.url}/api/v1{path}"
    with ExitStack() as opened:

        def listen(how: Callable[[], requests.Response]) -> Iterator[bytes]:
            chunks: Iterator[bytes] = opened.enter_context(how()).iter_content(None)
            assert b"data: " in next(chunks) + next(chunks)
            return chunks

        options: dict[str, Any] = {"stream": True, "timeout": HANG_SECONDS}
        ending = [
            listen(how)
            for _ in range(3)
            for how in (
                partial(requests.get, streams, headers=own, **options),
                partial(requests.get, f"{streams}?token={token}", **options),
                partial(browser.get, streams, **options),
            )
        ]
        staying = listen(partial(service.send, "GET", path, stream=True))
        over = [gevent.spawn(last_byte, stream) for stream in ending]
        stays = gevent.spawn(last_byte, staying)
        assert service.send("DELETE", f"/api-keys/{made['id']}", headers=admin).status_code == 204
        revoked = time.monotonic()
        gevent.joinall(over, raise_error=True)
        judge.at_most(
            max(one.get() for one in over) - revoked, 1.0, "seconds until the last of nine streams had ended"
        )
        doors = [
            partial(requests.get, streams, headers=own, **options),
            partial(requests.get, f"{streams}?token={token}", **options),
            partial(browser.get, streams, **options),
        ]
        # Either of the two workers may answer.
        again = wait_until(
            lambda: all(refused(door) for door in doors * 4) and time.monotonic(), "every door shut"
        )
        judge.at_most(again - revoked, 1.0, "seconds until no worker opened a stream to it")
        shown = browser.get(f"{service.url}/", allow_redirects=False, timeout=HANG_SECONDS)
        assert (shown.status_code, shown.headers["Location"]) == (303, "/sign-in")
        assert not stays.ready()
        stays.kill()


def last_byte(chunks: Iterator[bytes]) -> float:
    """When a stream ended."""
    with suppress(requests.RequestException):
        for _ in chunks:
            pass
    return time.monotonic()


def refused(door: Callable[[], requests.Response]) -> bool:
    with door() as answer:
        return answer.status_code == 401


def test_long_lists_are_read_beside_the_workers_and_nothing_of_it_is_left(
    site: Site, service: Service
) -> None:
    count = 10_000
    form = {name: str(value) for name, value in site.fields().items()}

    def upload(_: int) -> requests.Response:
        return service.send("POST", "/campaigns", data=form, files={"contacts": ("l.csv", csv_of(count))})

    answers = at_once(3, upload)
    assert [answer.json()["counts"]["pending"] for answer in answers] == [count] * 3
    workers = _children(service.pid)
    assert len(workers) >= 2
    assert [_children(pid) for pid in workers] == [[]] * len(workers), "a process that nobody waited for"


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
