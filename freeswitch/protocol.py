"""Event Socket framing: bytes in, frames out, and the way back. No sockets here.

A frame is a header block, a blank line and, when the block has a Content-Length, that many bytes of body. The
values of these headers are plain text: nothing is percent-decoded, so that `%0A` in a value that a remote SIP party
chose stays what it is. Events come as JSON in the body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson

from freeswitch.errors import FreeswitchError

MAX_HEADER_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
MAX_JOB_UUID_BYTES: Final = 235
MAX_DEPTH: Final = 64
"""Of an event that has to be read a second time, for a key that it repeats. FreeSWITCH nests nothing this deep."""
_LENGTH_DIGITS: Final = 10
_SHORT_HEAD_BYTES: Final = 80
_OPENING: Final = frozenset({b"[", b"{"})
_CLOSING: Final = frozenset({b"]", b"}"})
_STRING_OR_BRACKET: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]')
_ONCE_IN_A_FRAME: Final = frozenset({"Content-Length", "Content-Type", "Reply-Text"})


class ProtocolError(FreeswitchError):
    """The peer's bytes are no Event Socket frames, or a value cannot travel in one.

    A decoder that raised it has lost its place in the stream: close the connection. `frames` are the ones that
    the same bytes completed before the fault.
    """

    def __init__(self, message: str, frames: Sequence[Frame] = ()) -> None:
        super().__init__(message)
        self.frames = frames


class Frame(NamedTuple):
    """One message of the Event Socket."""

    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def content_type(self) -> str:
        """The kind of frame, such as `command/reply`; empty when the peer sent none."""
        return self.headers.get("Content-Type", "")

    @property
    def reply_text(self) -> str:
        """The answer to a command that has no body, such as `+OK accepted`; empty on other frames."""
        return self.headers.get("Reply-Text", "")

    @property
    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 come out as U+FFFD."""
        return self.body.decode("utf-8", "replace")


class FrameDecoder:
    """Cuts a byte stream into frames, however the bytes are split, in time linear in their number."""

    __slots__ = ("_buffer", "_head", "_searched")

    def __init__(self) -> None:
        # What has not been given back as frames, and how much of it is known to hold no end of a header block.
        self._buffer = bytearray()
        self._searched = 0
        self._head: tuple[Mapping[str, str], int] | None = None

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame that are held back; not 0 at the end of a stream means it was cut."""
        return len(self._buffer) + (1 if self._head is not None else 0)

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes and return the frames they complete.

        Raises ProtocolError for a header block above 64 KB, a body above 16 MB, or bytes that are no frame.
        """
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        try:
            with memoryview(buffer) as view:
                place = self._cut(view, frames)
        except ProtocolError as exc:
            raise ProtocolError(str(exc), frames) from exc
        del buffer[:place]
        return frames

    def _cut(self, view: memoryview, frames: list[Frame]) -> int:
        """Add what is complete to `frames`; where the rest begins."""
        place, size = 0, len(view)
        while True:
            if self._head is None:
                place, end = self._find_block(place)
                if end < 0:
                    return place
                block = bytes(view[place:end])
                self._head = _short_head(block) if end - place <= _SHORT_HEAD_BYTES else _head(block)
                place = end + 2
            headers, need = self._head
            if size - place < need:
                return place
            frames.append(Frame(headers, bytes(view[place : place + need])))
            self._head = None
            place += need

    def _find_block(self, place: int) -> tuple[int, int]:
        """Where the header block at or behind `place` begins and ends; it ends at -1 while its end is missing."""
        buffer = self._buffer
        while buffer.startswith(b"\n", place):
            place += 1
        end = buffer.find(b"\n\n", max(place, self._searched - 1))
        self._searched = 0 if end >= 0 else len(buffer) - place
        # Of a block whose end is missing the last byte may be the first of the two that end it.
        if (end if end >= 0 else len(buffer) - 1) - place > MAX_HEADER_BYTES:
            raise ProtocolError(f"header block of more than {MAX_HEADER_BYTES} bytes")
        return place, end


def parse_headers(block: bytes) -> dict[str, str]:
    """Read `Name: value` lines, whose values are taken as they are; bytes that are not UTF-8 become U+FFFD.

    Of repeated names the first counts. Raises ProtocolError for a line without a colon and for a second
    Content-Type, Content-Length or Reply-Text, which means that two frames ran into each other.
    """
    headers: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise ProtocolError(f"header line without a colon: {line[:80]!r}")
        name = name.strip()
        if name not in headers:
            headers[name] = value.strip()
        elif name in _ONCE_IN_A_FRAME:
            raise ProtocolError(f"two {name} headers in one frame")
    return headers


def decode_json(body: bytes) -> dict[str, Any]:
    """Decode the body of a `text/event-json` frame.

    FreeSWITCH passes bytes that are not UTF-8 through; they come out as U+FFFD. Of repeated keys the first counts, as
    inside FreeSWITCH. Raises ProtocolError when the body is no JSON object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        body = body.decode("utf-8", "replace").encode()
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as exc:
            raise ProtocolError(f"event is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise ProtocolError("event is not a JSON object")
    # orjson keeps the last of repeated keys.
    return value if _has_each_key_once(body, value) else first_of_each(body)


def first_of_each(body: bytes) -> dict[str, Any]:
    """Read the JSON object of an event whose keys are repeated, of which the first counts.

    That takes many times as long as `decode_json` of one without. Raises ProtocolError.
    """
    # The interpreter's own limit differs from one Python to the next, and with it what this would take.
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(body):
        token = found[0]
        depth += (token in _OPENING) - (token in _CLOSING)
        # The object itself is the first.
        if depth > MAX_DEPTH + 1:
            raise ProtocolError(f"event with a repeated key is nested more than {MAX_DEPTH} deep")
    try:
        value: dict[str, Any] = json.loads(body, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    except ValueError as exc:
        raise ProtocolError(f"event is not JSON: {exc}") from exc
    return value


def encode_command(command: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of one command, to be written in one piece.

    Raises ProtocolError for CR, LF or NUL anywhere, as a newline would start a second command, and for a Job-UUID
    above 235 bytes, to which FreeSWITCH gives half a reply.
    """
    if not command.strip():
        raise ProtocolError("empty command")
    for name, value in (headers or {}).items():
        if name.lower() == "job-uuid" and len(value.encode("utf-8", "replace")) > MAX_JOB_UUID_BYTES:
            raise ProtocolError(f"Job-UUID of more than {MAX_JOB_UUID_BYTES} bytes")
    return _encode_lines([command, *_header_lines(headers or {})])


def encode_frame(headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of one frame as a server sends it, with a Content-Length when there is a body.

    Values are written as they are. Raises ProtocolError for CR, LF or NUL in a header and for a
    Content-Length that is not the body's.
    """
    length = headers.get("Content-Length")
    if length is None and body:
        headers = {"Content-Length": str(len(body)), **headers}
    elif length is not None and length != str(len(body)):
        raise ProtocolError(f"Content-Length {length} for a body of {len(body)} bytes")
    return _encode_lines(_header_lines(headers)) + body


def _header_lines(headers: Mapping[str, str]) -> list[str]:
    for name in headers:
        if not name or ":" in name:
            raise ProtocolError(f"not a header name: {name!r}")
    return [f"{name}: {value}" for name, value in headers.items()]


def _encode_lines(lines: list[str]) -> bytes:
    for line in lines:
        if "\n" in line or "\r" in line or "\0" in line:
            raise ProtocolError(f"CR, LF or NUL inside a line of {len(line)} characters")
    try:
        return ("\n".join(lines) + "\n\n").encode()
    except UnicodeEncodeError as exc:
        raise ProtocolError(f"not encodable as UTF-8: {exc.reason}") from exc


def _has_each_key_once(body: bytes, value: dict[str, Any]) -> bool:
    # A quote within a value has a backslash before it: what a quote and a colon end is a key. Or they begin a value,
    # as in each event of a node without an IPv6 address that one ("::1"), and stand behind a key. (Behind a backslash
    # they cost a second reading and no more.)
    keys = body.count(b'":')
    return keys == len(value) or keys - body.count(b'":":') == len(value)


def _head(block: bytes) -> tuple[Mapping[str, str], int]:
    """The headers of a block, and how many bytes of body follow it."""
    headers = parse_headers(block)
    size = _body_length(headers)
    # FreeSWITCH cuts a reply that is too long, blank line included, and the next frame's headers look like its own.
    if size and headers.get("Content-Type") == "command/reply":
        raise ProtocolError("a command/reply with a body")
    return MappingProxyType(headers), size


_short_head = lru_cache(maxsize=4096)(_head)
"""Most frames are events, whose blocks differ in their Content-Length only."""


def _body_length(headers: Mapping[str, str]) -> int:
    length = headers.get("Content-Length")
    if length is None:
        return 0
    if not (length.isascii() and length.isdigit()) or len(length) > _LENGTH_DIGITS:
        raise ProtocolError(f"not a Content-Length: {length[:80]!r}")
    size = int(length)
    if size > MAX_BODY_BYTES:
        raise ProtocolError(f"body of {size} bytes, more than {MAX_BODY_BYTES}")
    return size
