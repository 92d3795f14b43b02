"""A JSON object decoded piece by piece is the object."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.json_stream import PAUSE_EVERY, decode_object
from tests.strategies import joined

TEXTS = joined(
    ("a", '"', "\\", "/", "{", "}", "[", "]", ",", ":", " ", "\n", "\x00", "é", "🔔", "\ud800"), most=5
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)


def quiet() -> None:
    """Nobody else to let run."""


@given(
    st.dictionaries(TEXTS, VALUES | st.lists(VALUES, max_size=4), max_size=4), st.sampled_from([None, 0, 3])
)
def test_every_object_reads_as_the_standard_decoder_reads_it(
    value: dict[str, Any], indent: int | None
) -> None:
    text = json.dumps(value, indent=indent)
    assert decode_object(f" {text}\n", quiet) == value


@given(st.dictionaries(TEXTS, st.lists(st.integers(), max_size=3), max_size=3), st.data())
def test_a_broken_object_is_refused_as_the_standard_decoder_refuses_it(
    value: dict[str, Any], data: st.DataObject
) -> None:
    text = json.dumps(value)
    place = data.draw(st.integers(0, len(text)))
    broken = text[:place] + data.draw(st.sampled_from(["", ",", "]", "{", '"', "x", ":"])) + text[place + 1 :]
    try:
        expected: Any = json.loads(broken)
    except ValueError:
        expected = None
    if isinstance(expected, dict):
        assert decode_object(broken, quiet) == expected
    else:
        with pytest.raises(ValueError):  # noqa: PT011
            decode_object(broken, quiet)


@pytest.mark.parametrize(
    "text", ["", "[]", "1", '"a"', "{} {}", '{"a": ' + "[" * 100_000, '{"a": ' + '{"a":' * 100_000]
)
def test_what_is_no_single_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode_object(text, quiet)


def test_a_long_list_pauses_on_its_way() -> None:
    pauses: list[int] = []
    decode_object(json.dumps({"contacts": [{}] * (5 * PAUSE_EVERY)}), lambda: pauses.append(1))
    assert len(pauses) == 5
