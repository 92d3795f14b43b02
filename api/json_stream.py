"""Decodes a large JSON body without holding up other requests.

One call of a JSON decoder on 10 MB takes a tenth of a second in which nothing else of the process runs. A list
of contacts is an array at the top of the body: its elements are decoded one at a time, with pauses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

PAUSE_EVERY = 200

_SPACE = re.compile(r"[ \t\n\r]*")
_decoder = json.JSONDecoder()


def decode_object(text: str, let_others_run: Callable[[], None]) -> dict[str, object]:
    """The object that `text` is, its top-level arrays decoded element by element; a repeated key's last counts.

    Raises ValueError for anything that is not one JSON object, or is nested too deeply to read.
    """
    try:
        result, end = _object(text, _skip(text, 0), let_others_run)
    except (RecursionError, IndexError) as error:
        raise ValueError("not a JSON object") from error
    if _skip(text, end) != len(text):
        raise ValueError("more than one JSON value")
    return result


def _object(text: str, at: int, let_others_run: Callable[[], None]) -> tuple[dict[str, object], int]:
    _expect(text, at, "{")
    result: dict[str, object] = {}
    at = _skip(text, at + 1)
    if text[at] == "}":
        return result, at + 1
    while True:
        _expect(text, at, '"')
        key, at = _decoder.raw_decode(text, at)
        at = _skip(text, at)
        _expect(text, at, ":")
        at = _skip(text, at + 1)
        result[key], at = (
            _array(text, at, let_others_run) if text[at] == "[" else _decoder.raw_decode(text, at)
        )
        at = _skip(text, at)
        if text[at] == "}":
            return result, at + 1
        _expect(text, at, ",")
        at = _skip(text, at + 1)


def _array(text: str, at: int, let_others_run: Callable[[], None]) -> tuple[list[object], int]:
    result: list[object] = []
    at = _skip(text, at + 1)
    if text[at] == "]":
        return result, at + 1
    while True:
        value, at = _decoder.raw_decode(text, at)
        result.append(value)
        if len(result) % PAUSE_EVERY == 0:
            let_others_run()
        at = _skip(text, at)
        if text[at] == "]":
            return result, at + 1
        _expect(text, at, ",")
        at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _expect(text: str, at: int, character: str) -> None:
    if text[at] != character:
        raise ValueError(f"{character} expected at {at}")
