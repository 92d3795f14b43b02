"""The bytes of an event, and what a client reads out of them."""

from __future__ import annotations

import json
import re

import pytest
from flask_sse import Message
from hypothesis import given
from hypothesis import strategies as st

from live import sse
from live.event_ids import EventId
from live.sse import LiveMessage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def read(rendered: bytes) -> list[dict[str, str]]:
    """What a client makes of a stream, by the standard's rules: lines end with CRLF, LF or CR only."""
    events: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    for line in re.split(r"\r\n|\n|\r", rendered.decode()):
        if not line:
            if fields:
                events.append(fields)
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name == "data" and name in fields else value
    return events


def test_an_event_is_written_as_the_contract_shows_it() -> None:
    assert sse.event("contact", '{"a":1}', EventId(5, 2)) == b'event: contact\nid: 5-2\ndata: {"a":1}\n\n'
    assert sse.snapshot({"a": 1}) == b'data: {"a":1}\n\n'
    assert sse.with_id(sse.snapshot({"a": 1}), EventId(5, 2)) == b'id: 5-2\ndata: {"a":1}\n\n'
    assert sse.end("c", "failed") == b'event: end\ndata: {"campaign_id":"c","status":"failed"}\n\n'
    assert sse.reset("c", EventId(1, 0)) == b'event: reset\nid: 1-0\ndata: {"campaign_id":"c"}\n\n'


@given(data=JSON)
def test_any_json_comes_out_as_it_went_in(data: object) -> None:
    rendered = sse.event("contact", json.dumps(data, ensure_ascii=False), EventId(1, 1))
    (event,) = read(rendered)
    assert event["event"] == "contact"
    assert json.loads(event["data"]) == data


@given(text=st.text())
def test_any_text_comes_out_with_its_line_ends_as_line_feeds(text: str) -> None:
    (event,) = read(str(LiveMessage(text, type="x")).encode())
    assert event["data"] == re.sub(r"\r\n|\r", "\n", text)


@pytest.mark.parametrize("field", ["type", "id"])
@pytest.mark.parametrize("value", ["a\nevent: end", "a\r", "a\0"])
def test_a_name_or_id_that_would_forge_a_field_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=field):
        str(LiveMessage("x", **{field: value}))


def test_it_is_still_a_message_of_flask_sse() -> None:
    assert isinstance(LiveMessage("x"), Message)
    assert LiveMessage("x", type="a", id="1-1", retry=5).to_dict() == {
        "data": "x",
        "type": "a",
        "id": "1-1",
        "retry": 5,
    }


def test_waits_before_reconnecting_are_spread() -> None:
    waits = {int(sse.retry(1.0, 3.0).removeprefix(b"retry: ")) for _ in range(50)}
    assert min(waits) >= 1000
    assert max(waits) <= 3000
    assert len(waits) > 10
