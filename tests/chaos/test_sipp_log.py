"""SIPp's log beside the call rows: each INVITE belongs to one call, and one too many is seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.sipp_log import called
from tests.real.carrier import Message

NUMBER = "+14155550110"


CALLER = "+14155550999"
CALLERS = {CALLER: ("gateway", "tenant")}
NODES = {5080: "fs1", 5081: "fs2"}


def message(
    kind: str = "INVITE", t: float = 10.0, number: str = NUMBER, sip: str = "s1", port: int = 5080
) -> Message:
    return Message(kind, t, number, sip, CALLER if kind == "INVITE" else "", "", "", port)


def row(**changes: Any) -> dict[str, Any]:
    own = {"id": "call", "campaign_id": "campaign", "contact_id": "contact", "phone_number": NUMBER}
    times = {"created_at": 9.9, "sent_at": 9.95, "ended_at": 12.1}
    return own | {"node": "fs1", "seq": 1, "disposition": "answered"} | times | changes


def steps_of(messages: list[Message], *rows: dict[str, Any]) -> list[tuple[str, str, float]]:
    return [(step.event, step.uuid, step.t) for step in called(messages, rows, CALLERS, NODES).steps]


def test_an_invite_is_that_of_the_row_in_whose_time_it_came() -> None:
    later = row(id="second", seq=2, created_at=29.9, ended_at=32.0)
    view = called([message(t=30.0, sip="s2"), message()], [later, row()], CALLERS, NODES)
    assert [(line.uuid, line.t, line.contact) for line in view.accepted] == [
        ("call", 10.0, "contact"),
        ("second", 30.0, "contact"),
    ]


def test_what_was_withdrawn_a_moment_before_is_not_what_left() -> None:
    withdrawn = row(id="withdrawn", seq=1, created_at=9.0, sent_at=None, ended_at=9.5, disposition=None)
    assert [line.uuid for line in called([message()], [withdrawn, row(seq=2)], CALLERS, NODES).accepted] == [
        "call"
    ]
    both = called([message(), message(sip="s2")], [withdrawn, row(seq=2)], CALLERS, NODES)
    assert [line.uuid for line in both.accepted] == ["call", "withdrawn"]


@pytest.mark.parametrize("t", [10.1, 60.0], ids=["at once", "long after"])
def test_a_second_invite_of_one_call_is_nobodys(t: float) -> None:
    view = called([message(), message(t=t, sip="s2")], [row()], CALLERS, NODES)
    assert [line.uuid for line in view.accepted] == ["call", "s2 of nobody"]
    assert {line.contact for line in view.accepted} == {"contact"}


def test_one_that_came_late_is_that_of_a_call_whose_end_is_not_known() -> None:
    (line,) = called([message(t=90.0)], [row(disposition="outcome_unknown")], CALLERS, NODES).accepted
    assert line.uuid == "call"


def test_a_number_that_nobody_asked_for_is_a_call_of_nobody() -> None:
    (line,) = called([message(number="+14155550199")], [row()], CALLERS, NODES).accepted
    assert (line.uuid, line.number, line.campaign) == ("s1 of nobody", "+14155550199", "campaign")


@pytest.mark.parametrize(
    ("ending", "end", "disposition", "expected"),
    [
        ("10", "BYE-OUT", "answered", [("answer", 10.0), ("end", 12.0)]),
        ("07", "BYE-IN", "busy", [("answer", 10.0), ("end", 12.0)]),
        ("10", "CANCEL", "answered", [("end", 12.0)]),
        ("02", "CANCEL", "no_answer", [("end", 12.0)]),
        ("01", None, "busy", [("end", 10.0)]),
        ("10", None, "answered", [("answer", 10.0), ("end", 12.1)]),
        ("10", None, "outcome_unknown", [("end", 12.1)]),
    ],
)
def test_how_a_call_went_is_what_its_callee_saw(
    ending: str, end: str | None, disposition: str, expected: list[tuple[str, float]]
) -> None:
    number = NUMBER[:-2] + ending
    messages = [message(number=number)] + ([message(end, 12.0, number)] if end else [])
    found = steps_of(messages, row(phone_number=number, disposition=disposition))
    assert found == [(event, "call", t) for event, t in expected]


def test_who_calls_tells_the_gateway_and_the_tenant() -> None:
    (line,) = called([message()], [row()], CALLERS, NODES).accepted
    assert (line.gateway, line.tenant) == ("gateway", "tenant")
    (line,) = called([message()], [row()], {}, NODES).accepted
    assert (line.gateway, line.tenant) == ("", "")


def test_where_the_answer_goes_tells_the_node_whatever_the_row_says() -> None:
    lines = called(
        [message(), message(sip="s2", port=5081)], [row(), row(id="second")], CALLERS, NODES
    ).accepted
    assert [line.node for line in lines] == ["fs1", "fs2"]
