"""A body's top level is split as it reads, whatever stands in it, and nothing that is sent is an error of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import json_body
from api.json_body import LONGEST_NUMBER, JsonRefused, Splitter, UnknownKey, decode, split
from tests.strategies import joined

TEXTS = joined(
    ("a", '"', "\\", "/", "{", "}", "[", "]", ",", ":", " ", "\n", "\x00", "é", "🔔", "\ud800"), most=5
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
NAMES = st.sampled_from(["name", "agent_id", "a", "contacts", ""])
OBJECTS = st.dictionaries(NAMES, VALUES | st.lists(VALUES, max_size=4), max_size=4)
INDENTS = st.sampled_from([None, 0, 3])


def quiet() -> None:
    """Nobody else to let run."""


def decoded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: decode(value) for name, value in values.items()}


def in_order(values: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(values.items(), key=lambda item: item[0])


@given(OBJECTS, INDENTS)
def test_every_object_is_split_as_the_standard_decoder_reads_it(
    value: dict[str, Any], indent: int | None
) -> None:
    text = f" {json.dumps(value, indent=indent)}\n".encode()
    for found in (split(text, list(value), quiet), Splitter(text, list(value), quiet).object()):
        # NaN is no equal of itself.
        assert repr(in_order(decoded(found))) == repr(in_order(value))


@given(OBJECTS, st.data())
def test_a_broken_object_is_never_read_as_another(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value)
    place = data.draw(st.integers(0, len(text)))
    broken = text[:place] + data.draw(st.sampled_from(["", ",", "]", "{", '"', "x", ":"])) + text[place + 1 :]
    try:
        expected: Any = json.loads(broken)
    except ValueError:
        expected = None
    try:
        found = decoded(split(broken.encode(), list(expected or value), quiet))
    except (JsonRefused, UnknownKey):
        assert not isinstance(expected, dict)
    else:
        assert repr(found) == repr({name: expected[name] for name in found})
        assert set(found) == set(expected)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "1", '"a"',
        "{} {}", "{", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a" 1}', '{a:1}', '{"a":[}', '{"a":"x',
        '{"a":["\\"', '{"a":NaN} {}', '{"a":NaN,}', '{"a":,"a":NaN}', "\ufeff{}",
    ],
)  # fmt: skip
def test_what_is_no_single_object_is_refused(text: str) -> None:
    with pytest.raises(JsonRefused, match=r"^The body is not a JSON object\.$"):
        split(text.encode(), ["a"], quiet)


@pytest.mark.parametrize("opened", [b"[", b'{"a":'])
def test_what_is_nested_too_deeply_is_refused(opened: bytes) -> None:
    deep = opened * 100_000
    for refused in (lambda: split(b'{"a":' + deep, ["a"], quiet), lambda: decode(deep)):
        with pytest.raises(JsonRefused, match="nested too deeply"):
            refused()


@pytest.mark.parametrize("first", ["", '"known":NaN,'], ids=["standard", "tolerant"])
@pytest.mark.parametrize("name", ["nme", "a`b\n", ""])
def test_the_first_unknown_key_ends_the_reading(first: str, name: str) -> None:
    text = "{" + first + json.dumps(name) + ":" + "x" * 100
    with pytest.raises(UnknownKey) as caught:
        split(text.encode(), ["known"], quiet)
    assert caught.value.name == name


def test_of_a_million_unknown_keys_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_body, "Splitter", pytest.fail)
    body = json.dumps(dict.fromkeys(map(str, range(1_000_000)))).encode()
    with pytest.raises(UnknownKey, match=r"^0$"):
        split(body, ["known"], quiet)


def test_a_number_of_any_length_is_read_as_one_out_of_every_range() -> None:
    assert decode(b"-" + b"9" * 4301) == -int("9" * LONGEST_NUMBER)
    assert decode(b"12345678901234567890") == 12345678901234567890


def test_what_is_no_json_and_has_millions_of_parts_is_not_looked_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = b'{"contacts":[' + b"[]," * 10 + b"NaN]}"
    assert split(body, ["contacts"], quiet)
    monkeypatch.setattr(json_body, "MOST_TOKENS", 10)
    with pytest.raises(JsonRefused, match="not a JSON object"):
        split(body, ["contacts"], quiet)


def test_who_is_no_standard_json_is_split_in_turns() -> None:
    turns: list[int] = []
    body = b'{"contacts":[' + b'{"a":NaN},' * 200_000 + b"1]}"
    found = split(body, ["contacts"], lambda: turns.append(1))
    assert bytes(found["contacts"]) == body[12:-1]
    assert turns
