"""Event Socket framing: bytes in, frames out, and the way back. No sockets here.

The connection and the simulator share it. A frame is a header block, a blank line and, when the block has a
Content-Length, that many bytes of body. Lines are split before values are percent-decoded, so that `%0A` in a
value that a remote SIP party chose can never forge a header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson

from freeswitch.errors import FreeswitchError

MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024
_COMPACT_BYTES = 256 * 1024
_LENGTH_DIGITS = 10
_NEWLINE = 0x0A
_FRAMING_HEADERS = frozenset({"Content-Length", "Content-Type"})


class ProtocolError(FreeswitchError):
    """The peer's bytes are no Event Socket frames, or a value cannot travel in one.

    A decoder that raised it has lost its place in the stream: close the connection. `frames` are the ones that
    the same bytes completed before the fault.
    """

    def __init__(self, message: str, frames: Sequence[Frame] = ()) -> None:
        super().__init__(message)
        self.frames = frames


@dataclass(frozen=True, slots=True)
class Frame:
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

    __slots__ = ("_buffer", "_headers", "_need", "_scanned", "_start")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = 0
        self._scanned = 0
        self._headers: dict[str, str] | None = None
        self._need = 0

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame that are held back; not 0 at the end of a stream means it was cut."""
        return len(self._buffer) - self._start + (1 if self._headers is not None else 0)

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes and return the frames they complete.

        Raises ProtocolError for a header block above 64 KB, a body above 16 MB, or bytes that are no frame.
        """
        self._buffer += data
        frames: list[Frame] = []
        try:
            while (frame := self._next_frame()) is not None:
                frames.append(frame)
        except ProtocolError as exc:
            raise ProtocolError(str(exc), frames) from exc
        if self._start == len(self._buffer) or self._start > _COMPACT_BYTES:
            del self._buffer[: self._start]
            self._scanned -= self._start
            self._start = 0
        return frames

    def _next_frame(self) -> Frame | None:
        headers = self._headers
        if headers is None:
            headers = self._next_headers()
            if headers is None:
                return None
            self._need = _body_length(headers)
            self._headers = headers
        end = self._start + self._need
        if len(self._buffer) < end:
            return None
        frame = Frame(headers, bytes(self._buffer[self._start : end]))
        self._headers = None
        self._start = self._scanned = end
        return frame

    def _next_headers(self) -> dict[str, str] | None:
        buffer, start = self._buffer, self._start
        size = len(buffer)
        while start < size and buffer[start] == _NEWLINE:
            start += 1
        if start != self._start:
            self._start = start
            self._scanned = max(self._scanned, start)
        end = buffer.find(b"\n\n", max(start, self._scanned - 1))
        if end < 0:
            self._scanned = size
            if size - start > MAX_HEADER_BYTES:
                raise ProtocolError(f"header block of more than {MAX_HEADER_BYTES} bytes")
            return None
        if end - start > MAX_HEADER_BYTES:
            raise ProtocolError(f"header block of more than {MAX_HEADER_BYTES} bytes")
        headers = parse_headers(bytes(buffer[start:end]))
        self._start = self._scanned = end + 2
        return headers


def parse_headers(block: bytes) -> dict[str, str]:
    """Read `Name: value` lines: split first, percent-decode each value after.

    Of repeated names the first counts. Raises ProtocolError for a line without a colon and for a second
    Content-Type or Content-Length, which means that two frames ran into each other.
    """
    headers: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise ProtocolError(f"header line without a colon: {line[:80]!r}")
        name = name.strip()
        value = value.strip()
        if "%" in value:
            value = unquote(value, errors="replace")
        if name not in headers:
            headers[name] = value
        elif name in _FRAMING_HEADERS:
            raise ProtocolError(f"two {name} headers in one frame")
    return headers


def decode_json(body: bytes) -> dict[str, Any]:
    """Decode the body of a `text/event-json` frame.

    FreeSWITCH passes bytes that are not UTF-8 through; they come out as U+FFFD. Raises ProtocolError when
    the body is no JSON object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            value = orjson.loads(body.decode("utf-8", "replace"))
        except orjson.JSONDecodeError as exc:
            raise ProtocolError(f"event is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise ProtocolError("event is not a JSON object")
    return value


def encode_command(command: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of one command, to be written in one piece.

    Raises ProtocolError for CR, LF or NUL anywhere: a newline would start a second command.
    """
    if not command.strip():
        raise ProtocolError("empty command")
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
