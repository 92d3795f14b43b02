"""Reads JSON bodies so that none freezes a worker, fills its memory or ends as an error of ours.

A creating request may have 10 MB, nearly all of them its list. Its top level alone is read here: each key that the
request may have, with the bytes of its value, which nobody has decoded yet. What a request may not have is refused at
the first key that says so, whatever follows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NoReturn

import msgspec

from campaigns.time_slice import TimeSlice

LONGEST_NUMBER: Final = 100
"""Digits of a whole number that are read: more than any message would show."""
MOST_TOKENS: Final = 1_000_000
"""Ten for each contact that a list may have: what is no JSON and has more is not looked through to its end."""
NOT_JSON: Final = "The body is not JSON."
NOT_AN_OBJECT: Final = "The body is not a JSON object."
TOO_DEEP: Final = "The body is nested too deeply to be read."

Bytes = bytes | memoryview
"""The text of a value. Of a list it is a view of the whole body, which is not copied."""

_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
# An object of which no value is nested, a string (one that does not end goes to the end of the body), or a bracket.
_TOKEN = re.compile(
    rb'\{[^{}\[\]"]*+(?:"(?:[^"\\]|\\.)*+"[^{}\[\]"]*+)*+\}|"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL
)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]}\[{\"]+")
_SPACE = re.compile(rb"[ \t\n\r]*")


class JsonRefused(ValueError):  # noqa: N818  it reads as what happened to the body
    """The body is none that can be read; the message is a sentence for the client."""


class UnknownKey(ValueError):  # noqa: N818  what was found, not a fault of the reader
    """The body has a key that it may not have."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def decode(data: bytes | memoryview) -> Any:
    """What a small body says. Of a whole number longer than LONGEST_NUMBER digits only the first are read: it is out
    of every range. Raises JsonRefused."""
    try:
        return json.loads(bytes(data), parse_int=whole)
    except RecursionError as error:
        raise JsonRefused(TOO_DEEP) from error
    except ValueError as error:
        raise JsonRefused(NOT_JSON) from error


def split(data: Bytes, known: Sequence[str], let_others_run: Callable[[], None]) -> dict[str, Bytes]:
    """The values of the object that `data` is, undecoded, by key; a repeated key's last counts.

    What NaN and half a surrogate pair stand in is refused by whoever decodes it, with its row.

    Raises JsonRefused, and UnknownKey for the first key that is not `known`.
    """
    names = tuple(known)
    try:
        found = _decoder(names).decode(data)
    except RecursionError as error:
        raise JsonRefused(TOO_DEEP) from error
    except msgspec.ValidationError as error:
        unknown = _UNKNOWN.fullmatch(str(error))
        if unknown is not None:
            raise UnknownKey(unknown[1]) from error
        raise JsonRefused(NOT_AN_OBJECT) from error
    except msgspec.DecodeError:
        return Splitter(data, names, let_others_run).object()
    values = {name: memoryview(getattr(found, f"_{at}")) for at, name in enumerate(names)}
    return {name: value for name, value in values.items() if len(value)}


@lru_cache(maxsize=8)
def _decoder(names: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    fields = [(f"_{at}", msgspec.Raw, msgspec.Raw(b"")) for at in range(len(names))]
    renamed: Mapping[str, str] = {f"_{at}": name for at, name in enumerate(names)}
    kind = msgspec.defstruct("Body", fields, rename=renamed, forbid_unknown_fields=True)
    return msgspec.json.Decoder(kind)


class Splitter:
    """As msgspec splits, but for texts that it takes for none: it looks at brackets and strings alone."""

    def __init__(self, data: Bytes, known: Sequence[str], let_others_run: Callable[[], None]) -> None:
        self._data = data
        self._known = known
        self._time_slice = TimeSlice(let_others_run)
        self._at = 0

    def object(self) -> dict[str, Bytes]:
        """The values of the object by key. Raises JsonRefused, UnknownKey."""
        found: dict[str, Bytes] = {}
        self._expect(b"{")
        if self._next() == b"}":
            self._at += 1
        else:
            while True:
                key = self._key()
                self._expect(b":")
                found[key] = self._value()
                if self._next() == b"}":
                    self._at += 1
                    break
                self._expect(b",")
        if self._next():
            self._refuse()
        return found

    def _key(self) -> str:
        self._next()
        match = _STRING.match(self._data, self._at)
        if match is None:
            self._refuse()
        self._at = match.end()
        key = decode(match[0])
        if key not in self._known:
            raise UnknownKey(key)
        return str(key)

    def _value(self) -> Bytes:
        first, start = self._next(), self._at
        if first in (b"[", b"{"):
            self._skip_nested()
        elif match := (_STRING if first == b'"' else _SCALAR).match(self._data, start):
            self._at = match.end()
        else:
            self._refuse()
        return memoryview(self._data)[start : self._at]

    def _skip_nested(self) -> None:
        depth = 0
        for token in islice(_TOKEN.finditer(self._data, self._at), MOST_TOKENS):
            self._time_slice.check()
            bracket = token[0]
            if bracket in (b"[", b"{"):
                depth += 1
            elif bracket in (b"]", b"}"):
                depth -= 1
            # An object that is nested in nothing is one token.
            if not depth:
                self._at = token.end()
                return
        self._refuse()

    def _next(self) -> bytes:
        """What follows the white space here, one byte of it; nothing at the end."""
        space = _SPACE.match(self._data, self._at)
        assert space is not None
        self._at = space.end()
        return bytes(self._data[self._at : self._at + 1])

    def _expect(self, wanted: bytes) -> None:
        if self._next() != wanted:
            self._refuse()
        self._at += 1

    def _refuse(self) -> NoReturn:
        raise JsonRefused(NOT_AN_OBJECT)


def whole(text: str) -> int:
    """The number that these digits are; of more than LONGEST_NUMBER, only the first."""
    digits = text.removeprefix("-").lstrip("0")[:LONGEST_NUMBER] or "0"
    return -int(digits) if text.startswith("-") else int(digits)
