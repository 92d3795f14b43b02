"""The objects of a list in JSON, one at a time: no more of it is in memory than its text and a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from campaigns.errors import ListRefused

LONGEST_INTEGER: Final = 1_000
"""Digits of a whole number that can be a cell's."""

_SPACE = re.compile(r"[ \t\n\r]*")


def elements(data: bytes) -> Iterator[object]:
    """The elements of the array that `data` is. A number that no cell could hold is the text of its digits.

    Raises ListRefused (invalid_json), also after some elements, for what is no array of JSON, or nested too deeply.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _refusal(f"byte {error.start} is not UTF-8") from error
    at = _skip(text, _expect(text, 0, "["))
    if text[at : at + 1] == "]":
        _require_end(text, at + 1)
        return
    number = 0
    while True:
        try:
            value, at = _decoder.raw_decode(text, at)
        except RecursionError as error:
            raise _refusal(f"contacts[{number}] is nested too deeply to be read") from error
        except ValueError as error:
            raise _refusal(f"contacts[{number}] cannot be read") from error
        yield value
        number += 1
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            _require_end(text, at + 1)
            return
        at = _skip(text, _expect(text, at, ","))


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= LONGEST_INTEGER else text


_decoder: Final = json.JSONDecoder(parse_int=_whole)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()


def _expect(text: str, at: int, character: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != character:
        raise _refusal(f"{character} is missing at character {at}")
    return at + 1


def _require_end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise _refusal(f"it goes on after its end at character {at}")


def _refusal(reason: str) -> ListRefused:
    return ListRefused("invalid_json", f"contacts is not JSON: {reason}")
