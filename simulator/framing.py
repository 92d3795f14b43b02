"""Bytes on the Event Socket, seen from the server: commands in, replies and event frames out. No sockets here.

Framing as recorded: replies and api responses start with Content-Type, event frames with Content-Length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Final

from simulator.integers import decimal

AUTH_REQUEST: Final = b"Content-Type: auth/request\n\n"
GOODBYE: Final = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
SHUT_DOWN: Final = "The system is being shut down.\n"
MAX_COMMAND_BYTES: Final = 8 * 1024 * 1024

_UNSAFE = re.compile(rb'%(?![0-9A-Fa-f]{2})|[^ -~]|[ "#&+:;<=>?@\[\\\]^`{|}]')
_SAFE = re.compile(r"[\w.,/()!$*'~-]*", re.ASCII)


def url_encode(text: str) -> str:
    """Percent-encode an event value as FreeSWITCH does: an existing %XX is left alone (lossy)."""
    if _SAFE.fullmatch(text):
        return text
    raw = text.encode("utf-8", "surrogateescape")
    return _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], raw).decode("ascii")


def frame_event(kind: str, body: bytes) -> bytes:
    """An event frame: `kind` is json, plain or xml."""
    return f"Content-Length: {len(body)}\nContent-Type: text/event-{kind}\n\n".encode() + body


def reply(text: str, extra: str = "") -> bytes:
    """A command/reply; `extra` is further header lines, each ended by a newline."""
    return f"Content-Type: command/reply\nReply-Text: {text}\n{extra}\n".encode("utf-8", "surrogateescape")


def api_response(text: str) -> bytes:
    """An api/response; nothing to say is `-ERR no reply`."""
    body = (text or "-ERR no reply\n").encode("utf-8", "surrogateescape")
    return b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(body), body)


def disconnect_notice(text: str = GOODBYE) -> bytes:
    """The last frame of a connection that the server closes."""
    body = text.encode()
    return b"Content-Type: text/disconnect-notice\nContent-Length: %d\n\n%b" % (len(body), body)


def json_event(pairs: Sequence[tuple[str, str]], body: str = "") -> bytes:
    """A text/event-json frame of an event that is no channel's; a body travels as `_body`."""
    if body:
        size = len(body.encode("utf-8", "surrogateescape"))
        pairs = [*pairs, ("Content-Length", str(size)), ("_body", body)]
    text = ",".join(f"{encode_basestring(name)}:{encode_basestring(value)}" for name, value in pairs)
    return frame_event("json", f"{{{text}}}".encode("utf-8", "surrogateescape"))


def plain_event(pairs: Sequence[tuple[str, str]], body: str = "") -> bytes:
    """A text/event-plain frame; a body follows the inner blank line under its own Content-Length."""
    lines = "".join(f"{name}: {url_encode(value) or '_undef_'}\n" for name, value in pairs)
    raw = body.encode("utf-8", "surrogateescape")
    tail = b"Content-Length: %d\n\n%b" % (len(raw), raw) if raw else b"\n"
    return frame_event("plain", lines.encode("utf-8", "surrogateescape") + tail)


def xml_event(pairs: Sequence[tuple[str, str]], body: str = "") -> bytes:
    """A text/event-xml frame; values are percent-encoded as well."""
    lines = "".join(f"    <{name}>{url_encode(value)}</{name}>\n" for name, value in pairs)
    tail = ""
    if body:
        size = len(body.encode("utf-8", "surrogateescape"))
        text = body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        tail = f"  <Content-Length>{size}</Content-Length>\n  <body>{text}</body>\n"
    text = f"<event>\n  <headers>\n{lines}  </headers>\n{tail}</event>"
    return frame_event("xml", text.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its first line, its headers (lower-case, the first of a name wins; `given` as sent), its body."""

    line: str
    headers: dict[str, str] = field(default_factory=dict)
    given: tuple[tuple[str, str], ...] = ()
    body: str = ""


class CommandReader:
    """Cuts what a client sends into commands. Feed bytes, iterate over what is complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def unfinished(self) -> bool:
        """Whether a command has been begun: a line is there, its blank line is not."""
        return b"\n" in self._buffer

    @property
    def overflowed(self) -> bool:
        """Whether the client sent more than MAX_COMMAND_BYTES without finishing a command."""
        return len(self._buffer) > MAX_COMMAND_BYTES

    def feed(self, data: bytes) -> Iterator[Command]:
        """The commands that `data` completes."""
        self._buffer += data
        if b"\r" in data:
            self._buffer = self._buffer.replace(b"\r", b"")
        start = 0
        while True:
            while self._buffer[start : start + 1] == b"\n":
                start += 1
            end = self._buffer.find(b"\n\n", start)
            if end < 0:
                break
            command, size = self._parse(start, end)
            if command is None:
                break
            start = size
            yield command
        if start:
            del self._buffer[:start]

    def _parse(self, start: int, end: int) -> tuple[Command | None, int]:
        text = self._buffer[start:end].decode("utf-8", "surrogateescape")
        if "\n" not in text:
            return Command(text), end + 2
        line, *rest = text.split("\n")
        headers: dict[str, str] = {}
        given = []
        for item in rest:
            name, found, value = item.partition(":")
            if found:
                headers.setdefault(name.lower(), value.lstrip(" "))
                given.append((name, value.lstrip(" ")))
        size = decimal(headers.get("content-length", ""))
        if size is None:
            return Command(line, headers, tuple(given)), end + 2
        stop = end + 2 + size
        if len(self._buffer) < stop:
            return None, start
        body = self._buffer[end + 2 : stop].decode("utf-8", "surrogateescape")
        return Command(line, headers, tuple(given), body), stop
