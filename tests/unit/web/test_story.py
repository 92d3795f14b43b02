"""A contact's story: every call, how it ended, whether it counted and what was to follow; every decision; and
where it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from api.routes.calls import EXAMPLE
from api.routes.contact_decisions import EXAMPLE_DECISION
from api.routes.contact_schemas import EXAMPLE_CONTACT
from campaigns.contact_decisions import REASONS
from tests.integration.web import hostile
from tests.unit.web.reading import read
from web.list_filters import e164
from web.story import Decided, Told, decision, story, told

RULES = {"busy": {"retries": 0}, "no_answer": {"retries": 4}, "unreachable": {"delay_seconds": 60}}
CAMPAIGN = {"retries_per_contact": 2, "retry_rules": RULES, "end_reason": None}
GATEWAYS = {EXAMPLE["gateway_id"]: "carrier"}
NEXT = "2026-02-01T14:00:00.000Z"
BEFORE, AFTER = datetime(2026, 2, 1, 13, tzinfo=UTC), datetime(2026, 2, 1, 15, tzinfo=UTC)


def call(**changes: Any) -> dict[str, Any]:
    return EXAMPLE | changes


def one(**changes: Any) -> dict[str, Any]:
    return EXAMPLE_DECISION | {"next_attempt_at": None} | changes


def of(call: dict[str, Any], zones: list[str] | None = None) -> Told:
    return told(call, GATEWAYS, zones or [])  # type: ignore[arg-type]


def test_an_answered_call_is_told_from_the_decision_to_its_end() -> None:
    said = of(call())
    assert [read(step.words) for step in said.steps] == [
        f"The call was decided on, to leave by node {EXAMPLE['node']}.",
        f"The order went out, showing {EXAMPLE['caller_id']}.",
        "It rang after 1.2 s.",
        "Somebody picked up after 7.8 s.",
        "The other side hung up after 1:01.",
    ]
    assert (said.chip.kind, read(said.counted)) == ("good", "It counted as attempt 1.")
    assert ("Cause", "NORMAL_CLEARING (16)") in said.facts
    assert ("Gateway", "carrier") in said.facts
    assert {"SIP status", "Node", "Call"} <= {name for name, _ in said.facts}


def test_a_gateway_whose_name_nobody_tells_is_told_by_its_id() -> None:
    assert ("Gateway", EXAMPLE["gateway_id"]) in told(call(), {}, []).facts
    assert "Gateway" not in dict(told(call(gateway_id=None), {}, []).facts)


def test_the_day_stands_with_the_first_step_and_where_it_is_another_than_before() -> None:
    late = call(answered_at="2026-02-01T00:00:09.000Z", ended_at="2026-02-01T00:01:10.000Z")
    assert [step.kind for step in of(call()).steps] == ["dated", *["clock"] * 4]
    assert [step.kind for step in of(late).steps] == ["dated", "clock", "clock", "dated", "clock"]


def test_a_call_says_what_clocks_showed_where_he_is() -> None:
    assert read(of(call(), ["America/Denver"]).there) == "02:00 in America/Denver"
    assert of(call()).there == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"answered_at": None, "hung_up_by": None}, "Nobody was reached: it was over."),
        ({"answered_at": None, "hung_up_by": "us"}, "Nobody was reached: we hung up."),
        ({"recovered": True}, "The other side hung up after 1:01, perhaps sooner: its node died meanwhile."),
    ],
)
def test_how_it_ended_is_said_as_far_as_it_is_known(changes: dict[str, Any], said: str) -> None:
    assert of(call(**changes)).steps[-1].words == said


def test_early_media_is_no_ring_and_a_call_that_goes_on_counts_for_nothing_yet() -> None:
    going_on = of(call(ring_at=None, answered_at=None, ended_at=None, disposition=None))
    assert "early media" in going_on.steps[-1].words
    taken_back = of(call(answered_at=None, disposition=None, attempt=None))
    assert taken_back.chip.words == "taken back, not placed"
    assert (going_on.counted, going_on.chip.words, going_on.meaning) == ("", "in progress", "")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attempt": None}, "It used up no attempt: the fault was not his."),
        ({"attempt": None, "failover": True}, "nobody was reached, and another gateway was tried."),
        (
            {"disposition": "busy", "retry_seconds": 300},
            "1. The next was set for 2026-01-31 09:06:10 UTC, within the hours: by the rules for further tries.",
        ),
        (
            {"disposition": "congestion", "attempt": None, "retry_seconds": 5},
            "The next was set for 2026-01-31 09:01:15 UTC, within the hours: soon, as it used up no attempt.",
        ),
        (
            {"disposition": "agent_failed", "attempt": None, "retry_seconds": 300},
            "after the usual delay, as somebody was disturbed for nothing.",
        ),
    ],
)
def test_whether_a_call_used_up_an_attempt_and_what_was_to_follow_is_said_with_why(
    changes: dict[str, Any], said: str
) -> None:
    assert read(of(call(**changes)).counted).endswith(said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"next_attempt_at": NEXT}, "To be called back at 2026-02-01 14:00:00 UTC: crm wants it."),
        ({}, "To be called as soon as the turn comes: crm wants it."),
        ({"status": "cancelled"}, "Not called any more: crm took this person out."),
        ({"status": "cancelled", "reason": "suppressed", "by": None}, "the number is on a do-not-call list."),
        (
            {"status": "cancelled", "reason": "expired", "by": None},
            "it was too late by then, as the list says",
        ),
        (
            {"status": "cancelled", "reason": "never_open", "by": None},
            "neither the campaign’s hours nor the law",
        ),
        (
            {"status": "cancelled", "reason": "campaign_ended"},
            "Not called any more: crm stopped the campaign.",
        ),
        ({"status": "cancelled", "reason": "campaign_ended", "by": None}, "the campaign’s time had come."),
        ({"status": "cancelled", "reason": None, "by": None}, "somebody took this person out."),
        ({"reason": None, "by": None}, "somebody wants it."),
    ],
)
def test_what_was_decided_beside_calls_is_told_with_who_and_why(changes: dict[str, Any], said: str) -> None:
    contact, campaign = EXAMPLE_CONTACT, CAMPAIGN | {"end_reason": "deadline"}
    (part,) = story(contact, [], [one(**changes)], campaign, {})
    assert isinstance(part, Decided)
    assert said in read(part.decided)


def test_calls_and_decisions_are_told_in_their_order() -> None:
    asked = [
        one(at="2026-01-31T08:59:00.000Z"),
        one(at="2026-01-31T09:00:30.000Z"),
        one(at="2026-02-05T00:00:00.000Z"),
    ]
    calls = [call(seq=1), call(seq=2, created_at="2026-02-04T00:00:00.000Z")]
    parts = story(EXAMPLE_CONTACT, calls, asked, CAMPAIGN, {})
    assert ["call" if isinstance(part, Told) else "decided" for part in parts] == [
        "decided", "call", "decided", "call", "decided"]  # fmt: skip


def test_a_hostile_name_of_a_key_does_nothing() -> None:
    for changes in ({}, {"next_attempt_at": NEXT}, {"status": "cancelled"}):
        (part,) = story(EXAMPLE_CONTACT, [], [one(by=hostile.NAME, **changes)], CAMPAIGN, {})
        assert isinstance(part, Decided)
        assert hostile.written_as_it_is(part.decided) == []


def test_every_reason_of_the_api_is_said() -> None:
    for reason in REASONS:
        (part,) = story(EXAMPLE_CONTACT, [], [one(status="cancelled", reason=reason, by=None)], CAMPAIGN, {})
        assert isinstance(part, Decided)
        assert "_" not in part.decided


CALLBACK = one(next_attempt_at=NEXT)


@pytest.mark.parametrize(
    ("changes", "decisions", "said"),
    [
        ({"next_attempt_at": NEXT}, [], "To be called again: 1 of 3 attempts used up. Not before"),
        (
            {"next_attempt_at": NEXT},
            [CALLBACK],
            "To be called back, as crm wants: 1 of 3 attempts used up.",
        ),
        ({"next_attempt_at": NEXT}, [CALLBACK, one()], "To be called again: 1 of 3"),
        (
            {"next_attempt_at": NEXT, "wait_reason": "number_cap"},
            [],
            "The number was called as often, or as lately,",
        ),
        ({}, [], "Waits for a call"),
        ({"status": "originated"}, [], "Is being called now."),
        ({"status": "connected"}, [], "Is talking now."),
        ({"status": "completed"}, [], "Reached"),
        (
            {"status": "cancelled"},
            [one(status="cancelled")],
            "Not called any more: crm took this person out.",
        ),
        ({"status": "cancelled", "disposition": "suppressed"}, [], "the number is on a do-not-call list."),
        ({"status": "cancelled", "disposition": "expired"}, [], "it was too late by then"),
        ({"status": "cancelled"}, [one()], "nobody knows by whom or why any more."),
        ({"status": "failed", "attempts": 3}, [], "Not called again: 3 of 3 attempts used up."),
        ({"status": "failed", "disposition": "busy"}, [], "Not called again: 1 of 1 attempts used up."),
        (
            {"status": "failed", "disposition": "busy", "attempts": 3},
            [],
            "3 attempts used up where the rule has 1",
        ),
        ({"disposition": "no_answer", "attempts": 3}, [], "3 of 5 attempts used up"),
        ({"disposition": "unreachable", "attempts": 2}, [], "2 of 3 attempts used up"),
        ({"status": "failed", "disposition": "invalid"}, [], "The number does not exist"),
    ],
)
def test_where_it_stands_with_a_contact(
    changes: dict[str, Any], decisions: list[dict[str, Any]], said: str
) -> None:
    contact = EXAMPLE_CONTACT | {"status": "pending", "disposition": None} | changes
    sentence, at = decision(contact, CAMPAIGN, decisions, BEFORE)
    assert said in read(sentence)
    assert at == contact["next_attempt_at"]


def test_who_was_due_is_not_to_be_called_later() -> None:
    contact = EXAMPLE_CONTACT | {"status": "pending", "next_attempt_at": NEXT}
    assert decision(contact, CAMPAIGN, [], AFTER)[0].endswith("Due since")


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("stopped", "the campaign was stopped."),
        ("deadline", "the campaign’s time had come."),
        ("error", "the campaign was over."),
    ],
)
def test_whom_the_end_of_his_campaign_cancelled_is_told_so(end: str, said: str) -> None:
    contact = EXAMPLE_CONTACT | {"status": "cancelled", "disposition": None}
    sentence, _ = decision(contact, CAMPAIGN | {"end_reason": end}, [], BEFORE)
    assert read(sentence) == f"Not called any more: {said}"


@pytest.mark.parametrize(
    ("typed", "number"),
    [("+1 (202) 555-0101", "+12025550101"), ("0044 20 7946 0018", "+442079460018"), ("x", "+"), ("", "+")],
)
def test_a_number_is_looked_for_as_somebody_types_it(typed: str, number: str) -> None:
    assert e164(typed) == number
