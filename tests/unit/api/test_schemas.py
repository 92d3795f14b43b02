"""What a refused body is told: the field, the value, the rule."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import schemas
from api.blueprint import refusal, typed
from api.errors import ApiError
from api.paging import Page, PageQuery


class Inner(schemas.Schema):
    file = schemas.Text(1, 10, required=True)


class Sample(schemas.Schema):
    name = schemas.Text(1, 10, required=True)
    calls = schemas.Integer(1, 100)
    many = schemas.Integer(0)
    fast = schemas.Boolean()
    at = schemas.Time(allow_none=True)
    kind = schemas.Choice(("a", "b"))
    ref = schemas.Id()
    inner = schemas.Nested(Inner)
    tags = schemas.Items(schemas.Text(1, 3))


def told(data: Any) -> str:
    schema = Sample()
    with pytest.raises(ma.ValidationError) as caught:
        schema.load(data)
    return refusal(caught.value, schema).message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "name is required."),
        ({"name": ""}, "name is ''; it must have 1 to 10 characters."),
        ({"name": "x" * 11}, "name is 'xxxxxxxxxxx'; it must have 1 to 10 characters."),
        ({"name": "  "}, "name is '  '; it must not be blank."),
        ({"name": None}, "name is null; it must not be null."),
        ({"name": 7}, "name is 7; it must be text."),
        ({"name": "a\0b"}, "name is 'a\\x00b'; it must be text without NUL or unpaired surrogates."),
        ({"name": "\ud800"}, "name is '\\ud800'; it must be text without NUL or unpaired surrogates."),
        ({"name": "a", "calls": 0}, "calls is 0; it must be a whole number from 1 to 100."),
        ({"name": "a", "calls": "5"}, "calls is '5'; it must be a whole number."),
        ({"name": "a", "calls": 5.0}, "calls is 5.0; it must be a whole number."),
        ({"name": "a", "calls": True}, "calls is true; it must be a whole number."),
        ({"name": "a", "many": -1}, "many is -1; it must be a whole number, 0 or more."),
        ({"name": "a", "many": 2**40}, "many is 1099511627776; it must be a whole number, 0 or more."),
        ({"name": "a", "fast": 1}, "fast is 1; it must be true or false."),
        ({"name": "a", "kind": "c"}, "kind is 'c'; it must be one of a, b."),
        ({"name": "a", "ref": ""}, "ref is ''; it must be an id of 1 to 64 characters."),
        ({"name": "a", "inner": {"file": ""}}, "inner.file is ''; it must have 1 to 10 characters."),
        ({"name": "a", "inner": {}}, "inner.file is required."),
        ({"name": "a", "inner": []}, "inner is []; it must be an object."),
        ({"name": "a", "tags": ["ok", "long"]}, "tags.1 is 'long'; it must have 1 to 3 characters."),
        ({"name": "a", "tags": {}}, "tags is {}; it must be a list."),
        ([], "The body is not valid; it must be an object."),
        (
            {"nmae": "a"},
            "nmae is not known here; known are name, calls, many, fast, at, kind, ref, inner, tags.",
        ),
        ({"a\n\x1b[31m": 1, "name": "a"}, None),
    ],
)
def test_a_refusal_names_field_value_and_rule(data: Any, message: str | None) -> None:
    found = told(data)
    assert message is None or found == message
    assert found.isprintable()


def test_a_time_says_what_one_looks_like() -> None:
    assert told({"name": "a", "at": "tomorrow"}) == (
        "at is 'tomorrow'; it must be an RFC 3339 time with an offset, like 2026-01-31T09:00:00Z."
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(list(Sample().fields)) | st.text(), JSON) | JSON)
def test_whatever_is_sent_is_loaded_or_refused_in_one_short_line(data: Any) -> None:
    schema = Sample()
    try:
        schema.load(data)
    except ma.ValidationError as error:
        message = refusal(error, schema).message
        assert message.isprintable()
        assert len(message) < 400


def test_texts_of_a_query_become_what_the_schema_asks_for() -> None:
    pairs = [("calls", ["7"]), ("fast", ["true"]), ("name", ["5"]), ("many", ["-1"]), ("x", ["1"])]
    assert typed(pairs, Sample()) == {"calls": 7, "fast": True, "name": "5", "many": -1, "x": "1"}


@pytest.mark.parametrize("text", ["", " 5", "5 ", "1_0", "٥", "0x5", "5.0", "--5", "+5", "true"])
def test_a_number_in_a_query_is_plain_digits(text: str) -> None:
    assert typed([("calls", [text])], Sample()) == {"calls": text}


def test_what_is_given_twice_is_refused() -> None:
    with pytest.raises(ApiError, match="'calls' is given 2 times"):
        typed([("calls", ["1", "2"])], Sample())


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ({}, Page(100, 0)),
        ({"limit": 1000, "offset": 7}, Page(1000, 7)),
        ({"page": 3}, Page(100, 300)),
        ({"page": 3, "offset": 0}, Page(100, 0)),
    ],
)
def test_page_is_honoured_where_offset_is_absent(query: dict[str, int], page: Page) -> None:
    assert Page.of(PageQuery().load(query)) == page


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 1001}, {"offset": -1}, {"page": -1}, {"offset": 2**31}]
)
def test_a_page_out_of_bounds_is_refused(query: dict[str, int]) -> None:
    with pytest.raises(ma.ValidationError):
        PageQuery().load(query)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "019AB0C4-7D2E-7B10-9C55-2F0F4B1A6A01",
        "019ab0c47d2e7b109c552f0f4b1a6a01",
        "{019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01}",
        "urn:uuid:019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01",
    ],
)
def test_an_id_has_one_spelling(text: str) -> None:
    assert schemas.identifier(text) is None
    assert schemas.identifier("019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01") is not None
