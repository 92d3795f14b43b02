"""Reads a multipart form as it comes: each field bounded, the file spooled to disk, other requests let in between.

Werkzeug's own form parser reads a body to its end without a pause and finds out about sizes afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

import gevent
from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from api.errors import ApiError
from api.schemas import quoted
from campaigns.columns import Limits
from campaigns.errors import ListTooLarge
from campaigns.spooling import Readable, spool

CHUNK = 64 * 1024
MAX_FIELD_BYTES = 64 * 1024
MAX_BUFFER = 4 * CHUNK
MAX_PARTS = 100
DRAIN_BYTES = 32 * 1024 * 1024
DRAIN_SECONDS = 5.0


@dataclass(slots=True)
class Form:
    """A form: its text fields as lists, and the one file with its size and its SHA-256."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    file: BinaryIO | None = None
    file_size: int = 0
    file_hash: str = ""

    def close(self) -> None:
        """Drop the file."""
        if self.file is not None:
            self.file.close()


def read_form(request: Request, file_field: str, limits: Limits, let_others_run: Callable[[], None]) -> Form:
    """Read a multipart body whose one file is `file_field`.

    Raises ApiError: 400 for a malformed body or a file anywhere else, 413 past the limits.
    """
    boundary = parse_options_header(request.headers.get("Content-Type", ""))[1].get("boundary", "")
    if not boundary:
        raise ApiError(400, "The multipart body has no boundary in its Content-Type.")
    parts = _Parts(request.stream, boundary.encode("latin-1", "replace"), let_others_run)
    form = Form()
    with ExitStack() as whole:
        whole.callback(form.close)
        try:
            _collect(parts, form, file_field, limits, let_others_run)
        except ApiError:
            drain(request.stream, let_others_run)
            raise
        except (ListTooLarge, RequestEntityTooLarge) as error:
            drain(request.stream, let_others_run)
            raise _refusal(error) from error
        except ValueError as error:
            raise ApiError(400, "The multipart body is malformed.") from error
        whole.pop_all()
    return form


def _refusal(error: ListTooLarge | RequestEntityTooLarge) -> ApiError:
    if isinstance(error, ListTooLarge):
        return ApiError(413, f"{error.message}.")
    return ApiError(413, f"A form has at most {MAX_PARTS} fields of {MAX_FIELD_BYTES} bytes.")


def drain(stream: Readable, let_others_run: Callable[[], None]) -> None:
    """Read what a client still sends, within reason, so that it gets to see why it was refused.

    For DRAIN_SECONDS in all: one that is as slow as a body may be would be read on for an hour.
    """
    left, deadline = DRAIN_BYTES, time.monotonic() + DRAIN_SECONDS
    # False: it ends this block, and nothing else hears of it; the stubs do not know that.
    with gevent.Timeout(DRAIN_SECONDS, False), suppress(OSError, ValueError, ApiError):  # type: ignore[arg-type]
        while left > 0 and time.monotonic() < deadline and (block := stream.read(CHUNK)):
            left -= len(block)
            let_others_run()


class _Parts:
    """The events of a multipart body, pulled."""

    def __init__(self, stream: Readable, boundary: bytes, let_others_run: Callable[[], None]) -> None:
        self._stream = stream
        self._let_others_run = let_others_run
        self._decoder = MultipartDecoder(boundary, MAX_BUFFER, max_parts=MAX_PARTS)
        self._half = b"--" + boundary + b"-"
        self._ended = True

    def next(self) -> Event:
        """The next event of the body, never NeedData."""
        event = self._decoder.next_event()
        while isinstance(event, NeedData):
            self._receive()
            # Werkzeug 3.1.9 takes the CR before a boundary for data where the buffer ends one byte past the boundary.
            while not self._decoder.complete and self._decoder.buffer.endswith(self._half):
                self._receive()
            event = self._decoder.next_event()
        return event

    def _receive(self) -> None:
        block = self._stream.read(CHUNK)
        self._let_others_run()
        self._decoder.receive_data(block or None)

    def read_all(self, most: int) -> bytes:
        """The current part's data, at most `most` bytes. Raises RequestEntityTooLarge."""
        data = bytearray()
        for block in iter(self.block, b""):
            data += block
            if len(data) > most:
                raise RequestEntityTooLarge
        return bytes(data)

    def block(self) -> bytes:
        """The next piece of the current part's data, empty at its end."""
        while not self._ended:
            event = self.next()
            if not isinstance(event, Data):
                raise ValueError("data expected")
            self._ended = not event.more_data
            if event.data:
                return bytes(event.data)
        return b""

    def begin(self) -> None:
        """A part's data follows."""
        self._ended = False


class _FileReader:
    """The current part as something to `read` from."""

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts

    def read(self, size: int, /) -> bytes:
        """Whatever comes next; pieces may be larger than `size`."""
        return self._parts.block()


def _collect(
    parts: _Parts, form: Form, file_field: str, limits: Limits, let_others_run: Callable[[], None]
) -> None:
    while not isinstance(event := parts.next(), Epilogue):
        if isinstance(event, File | Field):
            parts.begin()
        if isinstance(event, File):
            if event.name != file_field or form.file is not None:
                raise ApiError(400, f"{quoted(event.name)} is a file; the one file is {file_field}.")
            spooled = spool(_FileReader(parts), limits, let_others_run=let_others_run)
            form.file, form.file_size, form.file_hash = spooled
        elif isinstance(event, Field):
            if event.name == file_field:
                raise ApiError(400, f"{file_field} is text; it must be a file with a file name.")
            data = parts.read_all(MAX_FIELD_BYTES)
            form.fields.setdefault(event.name, []).append(_text(event.name, data))


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ApiError(400, f"{quoted(name)} is not UTF-8 text.") from error
