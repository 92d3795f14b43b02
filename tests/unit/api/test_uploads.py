"""A multipart form read as it comes."""

from __future__ import annotations

import io
from hashlib import sha256

import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from api import uploads
from api.errors import ApiError
from api.uploads import Form, read_form
from campaigns.columns import Limits

LIMITS = Limits(max_bytes=200_000)


class Trickle:
    """A body that arrives in pieces of a few bytes."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._data, self._piece = io.BytesIO(data), piece

    def read(self, size: int = -1) -> bytes:
        return self._data.read(self._piece if size < 0 else min(size, self._piece))


def request_of(body: bytes, content_type: str, piece: int = 65536) -> Request:
    environ = EnvironBuilder(method="POST").get_environ()
    environ["CONTENT_TYPE"] = content_type
    environ["wsgi.input"] = Trickle(body, piece)
    environ["CONTENT_LENGTH"] = str(len(body))
    request = Request(environ)
    request.max_content_length = 1 << 40
    return request


def multipart(parts: list[tuple[str, str | None, bytes]], boundary: str = "b0undary") -> bytes:
    lines = []
    for name, filename, data in parts:
        file = f'; filename="{filename}"' if filename is not None else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        lines.append(head.encode() + data + b"\r\n")
    return b"".join(lines) + f"--{boundary}--\r\n".encode()


def read(body: bytes, piece: int = 65536, boundary: str = "b0undary") -> Form:
    content_type = f"multipart/form-data; boundary={boundary}"
    return read_form(request_of(body, content_type, piece), "contacts", LIMITS, lambda: None)


@given(
    st.binary(max_size=5000) | st.builds(lambda n: b"\r\n--b0undar" * n, st.integers(0, 50)),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=100),
    st.integers(1, 4000),
)
def test_fields_and_file_arrive_whole_however_the_bytes_come(file: bytes, text: str, piece: int) -> None:
    body = multipart(
        [("name", None, text.encode()), ("contacts", "list.csv", file), ("name", None, b"again")]
    )
    form = read(body, piece)
    assert form.file is not None
    with form.file as found:
        assert found.read() == file
    assert form.fields == {"name": [text, "again"]}
    assert form.file_hash == sha256(file).hexdigest()


@given(st.binary(max_size=300))
def test_any_other_bytes_are_a_400(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        read(b"--b0undary\r\n" + body)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("parts", "status", "message"),
    [
        (
            [("contacts", "a.csv", b"x" * 200_001)],
            413,
            "contacts has more than 200000 bytes, the most a list may have.",
        ),
        ([("name", None, b"x" * 65_537)], 413, "A form has at most 100 fields of 65536 bytes."),
        ([("name", None, b"x" * 1_000_000)], 413, "A form has at most 100 fields of 65536 bytes."),
        ([("n", None, b"x")] * 101, 413, "A form has at most 100 fields of 65536 bytes."),
        ([("name", "a.csv", b"x")], 400, "'name' is a file; the one file is contacts."),
        ([("contacts", "a.csv", b"x")] * 2, 400, "'contacts' is a file; the one file is contacts."),
        ([("contacts", None, b"x")], 400, "contacts is text; it must be a file with a file name."),
        ([("name", None, b"\xff")], 400, "'name' is not UTF-8 text."),
    ],
)
def test_what_the_form_may_not_hold_is_refused_by_name(
    parts: list[tuple[str, str | None, bytes]], status: int, message: str
) -> None:
    with pytest.raises(ApiError) as caught:
        read(multipart(parts))
    assert (caught.value.status, caught.value.message) == (status, message)


def test_a_form_without_a_boundary_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        read_form(request_of(b"x", "multipart/form-data"), "contacts", LIMITS, lambda: None)
    assert caught.value.status == 400


def test_a_refused_body_is_read_on_for_a_while_so_that_its_sender_gets_to_see_why() -> None:
    body = multipart([("contacts", "a.csv", b"x" * 1_000_000)])
    request = request_of(body, "multipart/form-data; boundary=b0undary")
    with pytest.raises(ApiError):
        read_form(request, "contacts", LIMITS, lambda: None)
    assert request.stream.read(1) == b""


def test_an_endless_body_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "DRAIN_BYTES", 500_000)
    body = multipart([("contacts", "a.csv", b"x" * 5_000_000)])
    request = request_of(body, "multipart/form-data; boundary=b0undary")
    with pytest.raises(ApiError):
        read_form(request, "contacts", LIMITS, lambda: None)
    assert request.stream.read(1) == b"x"
