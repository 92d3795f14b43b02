"""A JSON list is read an element at a time, as the standard decoder reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import ListRefused
from campaigns.json_elements import LONGEST_INTEGER, elements

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 0, 3]))
def test_every_list_reads_as_the_standard_decoder_reads_it(value: list[Any], indent: int | None) -> None:
    assert repr(list(elements(f" {json.dumps(value, indent=indent)}\n".encode()))) == repr(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "[ is missing at character 0"),
        ("{}", "[ is missing at character 0"),
        ("[", "contacts[0] cannot be read"),
        ("[1 2]", ", is missing at character 3"),
        ("[1,]", "contacts[1] cannot be read"),
        ("[1", ", is missing at character 2"),
        ("[] 1", "it goes on after its end at character 2"),
        ("[1] 1", "it goes on after its end at character 3"),
        ("[1, {x}]", "contacts[1] cannot be read"),
        ("[1, " + "[" * 100_000, "contacts[1] is nested too deeply to be read"),
    ],
)
def test_what_is_no_list_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(ListRefused) as caught:
        list(elements(text.encode()))
    assert (caught.value.code, caught.value.message) == ("invalid_json", f"contacts is not JSON: {reason}")


def test_what_is_not_utf_8_is_refused() -> None:
    with pytest.raises(ListRefused, match="byte 2 is not UTF-8"):
        list(elements(b'["\xff"]'))


def test_an_integer_that_no_cell_holds_is_its_digits() -> None:
    for digits in ("9" * LONGEST_INTEGER, "9" * (LONGEST_INTEGER + 1), "-" + "9" * 4301):
        assert [str(value)[:5] for value in elements(f"[{digits}]".encode())] == [digits[:5]]
