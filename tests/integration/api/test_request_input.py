"""Bodies that come in too slowly, and whose turn it is when everybody uploads at once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import gevent
import pytest
from gunicorn.http.body import Body, ChunkedReader
from gunicorn.http.unreader import IterUnreader

from api import request_input, uploads
from api.errors import ApiError
from api.request_input import PacedInput
from api.routes import campaign_body, list_body
from api.uploads import drain
from cooperative import let_others_run
from tests.integration.api.site import OTHER, TENANT, Site, csv_of
from tests.waiting import wait_until

MALFORMED = "The body's chunks cannot be read; they must be as HTTP/1.1 has them."
CUT_OFF = "The body ends before it is whole."
SLOW = "The body comes in at less than 1000 bytes a second; it was given up after 0.05 s."


class Trickle:
    """A client that sends so many bytes and then nothing more."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        data = self._data.read(size)
        if len(data) < size:
            gevent.sleep(3600)
        return data


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_input, "SLOW_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("path", ["/campaigns", "/agents", "/halt"])
@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=b"])
def test_a_body_that_stands_still_is_given_up(site: Site, path: str, content_type: str) -> None:
    answer = site.post(
        path,
        role="platform",
        content_type=content_type,
        environ_overrides={"wsgi.input": Trickle(b"--b"), "CONTENT_LENGTH": "1000"},
        headers={"Accept": "application/problem+json"},
    )
    if path == "/campaigns" or "json" in content_type:
        assert (answer.status_code, answer.json["code"], answer.json["detail"]) == (408, "too_slow", SLOW)
    else:
        assert answer.status_code == 415


def chunks(data: bytes) -> Body:
    """A body in chunks, as gunicorn reads it from a client that sends this and goes."""
    return Body(ChunkedReader(SimpleNamespace(), IterUnreader(iter([data]))))


@pytest.mark.parametrize("path", ["/campaigns", "/agents", "/halt", "/suppressions"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"zz\r\n{}", MALFORMED),
        (b"-1\r\n{}", MALFORMED),
        (b"\r\n", MALFORMED),
        (b"2\r\n{}x\r\n", MALFORMED),
        (b"2;\ra\r\n{}\r\n0\r\n\r\n", MALFORMED),
        (b"2\r\n{}\r\n0\r\nx", MALFORMED),
        (b"2\r\n{", CUT_OFF),
        (b"2\r\n{}\r\n", CUT_OFF),
    ],
)
def test_chunks_that_cannot_be_read_are_the_client_s_fault(
    site: Site, path: str, data: bytes, message: str
) -> None:
    body = chunks(data)
    answer = site.post(
        path,
        role="platform",
        content_type="application/json",
        environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True},
        headers={"Transfer-Encoding": "chunked"},
    )
    assert (answer.status_code, answer.text) == (400, message)
    assert body.failed, "what follows is no request of its own"


@pytest.mark.usefixtures("impatient")
def test_the_rest_of_a_refused_body_that_stands_still_hides_no_refusal() -> None:
    drain(PacedInput(Trickle(b"1" * 100)), let_others_run)


def test_a_refused_body_is_read_on_no_longer_than_its_time_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes in just fast enough would else be read on for ten seconds a piece."""
    ended: list[float | None] = []

    class Slow(Trickle):
        def read(self, size: int = -1) -> bytes:
            try:
                return super().read(size)
            except gevent.Timeout as timeout:
                ended.append(timeout.seconds)
                raise

    monkeypatch.setattr(uploads, "DRAIN_SECONDS", 0.05)
    monkeypatch.setattr(request_input, "SLOW_SECONDS", 1.0)
    drain(PacedInput(Slow(b"1" * 100)), let_others_run)
    assert ended == [0.05]


@pytest.mark.parametrize("size", [-1, 5, 10_000, 25_000, 40_000])
def test_what_is_read_is_what_was_sent(size: int) -> None:
    data = bytes(range(256)) * 100
    assert PacedInput(io.BytesIO(data)).read(size) == (data if size < 0 else data[:size])


def test_lines_are_read_to_their_end() -> None:
    lines = PacedInput(io.BytesIO(b"one\ntwo\n3"))
    assert [lines.readline(), lines.readline(2), lines.readline(), lines.readline(), lines.readline()] == [
        b"one\n", b"tw", b"o\n", b"3", b""
    ]  # fmt: skip


@pytest.mark.usefixtures("impatient")
def test_somebody_elses_timeout_passes_through() -> None:
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        PacedInput(Trickle(b"")).read(1)
    with pytest.raises(ApiError):
        PacedInput(Trickle(b"")).read(1)


def test_an_upload_waits_for_one_of_another_tenants_at_most(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[str] = []
    order: list[str] = []

    @contextmanager
    def noted(tenant_id: str) -> Iterator[None]:
        # There is no turn for anybody yet: who has come waits.
        came.append(tenant_id)
        # In the order of their turns, whatever each does with its own.
        with slot(tenant_id):
            order.append(tenant_id)
            yield

    slot = list_body.import_slot
    monkeypatch.setattr(campaign_body, "import_slot", noted)
    with ExitStack() as held:
        for _ in range(list_body.IMPORTS_AT_ONCE):
            held.enter_context(slot("somebody"))
        asked = [gevent.spawn(site.post, "/campaigns", data=site.form(csv_of(1))) for _ in range(5)]
        wait_until(lambda: came == [TENANT] * 5, "five that wait")
        asked.append(gevent.spawn(site.post, "/campaigns", data=site.form(csv_of(1)), tenant=OTHER))
        wait_until(lambda: came[5:] == [OTHER], "the other tenant's")
    gevent.joinall(asked, raise_error=True)
    assert len(order) == 6
    assert order.index(OTHER) <= list_body.IMPORTS_AT_ONCE
