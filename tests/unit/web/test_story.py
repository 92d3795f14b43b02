"""A call as a story: what happened, how it ended, whether it counted; and where it stands with its contact."""

from __future__ import annotations

from typing import Any

import pytest

from api.routes.calls import EXAMPLE
from tests.unit.web.reading import read
from web.list_filters import e164
from web.story import decision, told

RULES = {"busy": {"retries": 0}, "no_answer": {"retries": 4}, "unreachable": {"delay_seconds": 60}}
CAMPAIGN = {"retries_per_contact": 2, "retry_rules": RULES}


def call(**changes: Any) -> dict[str, Any]:
    return EXAMPLE | changes


def test_an_answered_call_is_told_from_the_decision_to_its_end() -> None:
    story = told(call())
    assert [read(step.words) for step in story.steps] == [
        f"The call was decided on, to leave by node {EXAMPLE['node']}.",
        f"The order went out, showing {EXAMPLE['caller_id']}.",
        "It rang after 1.2 s.",
        "Somebody picked up after 7.8 s.",
        "The other side hung up after 1:01.",
    ]
    assert (story.chip.kind, read(story.counted)) == ("good", "It counted as attempt 1.")
    assert ("Cause", "NORMAL_CLEARING (16)") in story.facts
    assert {"SIP status", "Node", "Call"} <= {name for name, _ in story.facts}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"answered_at": None, "hung_up_by": None}, "Nobody was reached: it was over."),
        ({"answered_at": None, "hung_up_by": "us"}, "Nobody was reached: we hung up."),
        ({"recovered": True}, "The other side hung up after 1:01, perhaps sooner: its node died meanwhile."),
    ],
)
def test_how_it_ended_is_said_as_far_as_it_is_known(changes: dict[str, Any], said: str) -> None:
    assert told(call(**changes)).steps[-1].words == said


def test_early_media_is_no_ring_and_a_call_that_goes_on_counts_for_nothing_yet() -> None:
    going_on = told(call(ring_at=None, answered_at=None, ended_at=None, disposition=None))
    assert "early media" in going_on.steps[-1].words
    taken_back = told(call(answered_at=None, disposition=None, attempt=None))
    assert taken_back.chip.words == "taken back, not placed"
    assert (going_on.counted, going_on.chip.words, going_on.meaning) == ("", "in progress", "")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attempt": None}, "the fault was not his"),
        ({"attempt": None, "failover": True}, "another gateway was tried"),
    ],
)
def test_whether_a_call_used_up_an_attempt_is_said_with_why_not(changes: dict[str, Any], said: str) -> None:
    assert said in told(call(**changes)).counted


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"status": "pending", "next_attempt_at": "2026-01-31T09:00:00.000Z"},
            "To be called again: 1 of 3 attempts",
        ),
        ({"status": "pending"}, "Waits for a call"),
        ({"status": "originated"}, "Is being called now."),
        ({"status": "connected"}, "Is talking now."),
        ({"status": "completed"}, "Reached"),
        ({"status": "cancelled"}, "the campaign was stopped"),
        ({"status": "failed", "attempts": 3}, "Not called again: 3 of 3 attempts used up."),
        ({"status": "failed", "disposition": "busy"}, "Not called again: 1 of 1 attempts used up."),
        (
            {"status": "failed", "disposition": "busy", "attempts": 3},
            "3 attempts used up where the rule has 1",
        ),
        ({"disposition": "no_answer", "attempts": 3}, "3 of 5 attempts used up"),
        ({"disposition": "unreachable", "attempts": 2}, "2 of 3 attempts used up"),
        ({"status": "failed", "disposition": "invalid"}, "The number does not exist"),
    ],
)
def test_where_it_stands_with_a_contact(changes: dict[str, Any], said: str) -> None:
    contact = {"status": "pending", "attempts": 1, "next_attempt_at": None, "disposition": None} | changes
    sentence, at = decision(contact, CAMPAIGN)
    assert said in read(sentence)
    assert at == contact["next_attempt_at"]


@pytest.mark.parametrize(
    ("typed", "number"),
    [("+1 (202) 555-0101", "+12025550101"), ("0044 20 7946 0018", "+442079460018"), ("x", "+"), ("", "+")],
)
def test_a_number_is_looked_for_as_somebody_types_it(typed: str, number: str) -> None:
    assert e164(typed) == number
