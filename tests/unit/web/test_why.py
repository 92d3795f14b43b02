"""What is said of a campaign: the reason in full, what would help, and when it changes; never a bare word."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.dispositions import CONTACT_MEANINGS
from models import CampaignStatus, ContactStatus
from tests.unit.web.reading import read
from web import words
from web.why import FULL, HELP, LEADS, why

NEXT = "2026-01-31T09:04:10.000Z"


def campaign(status: str = "running", reason: str | None = None, **changes: Any) -> dict[str, Any]:
    counts = {"pending": 1902, "originated": 3, "connected": 1, "completed": 5, "failed": 2, "cancelled": 0}
    return {"status": status, "blocked_reason": reason, "next_action_at": NEXT, "scheduled_at": None,
            "completed_at": None, "end_reason": None, "counts": counts} | changes  # fmt: skip


@pytest.mark.parametrize("reason", [*BLOCKED_WORDS, "of_a_newer_release"])
@pytest.mark.parametrize("status", ["running", "paused", "scheduled"])
def test_every_reason_is_said_in_a_sentence_and_none_as_its_bare_word(status: str, reason: str) -> None:
    said = why(campaign(status, reason))
    everything = " ".join(map(read, (said.headline, said.text, said.help)))
    assert said.headline.endswith((".", "tried again."))
    if reason in BLOCKED_WORDS and reason not in ("paused", "retry_wait"):
        assert BLOCKED_WORDS[reason] in everything
    if reason in BLOCKED_WORDS and "_" in reason:
        assert reason not in everything


def test_what_helps_is_known_of_reasons_that_there_are() -> None:
    assert HELP.keys() <= BLOCKED_WORDS.keys()
    assert BLOCKED_WORDS.keys() >= FULL
    assert LEADS.keys() <= HELP.keys()


@pytest.mark.parametrize("reason", [one for one, words in HELP.items() if "operator" in words])
@pytest.mark.parametrize("status", ["running", "paused", "scheduled"])
def test_what_the_operator_has_to_do_he_is_led_to(status: str, reason: str) -> None:
    lead = why(campaign(status, reason)).lead
    assert lead is not None
    assert lead.role == "platform"


def test_whatever_pauses_a_campaign_by_itself_says_what_helps() -> None:
    said = why(campaign("paused", "abandon_rate"))
    assert (said.headline, "within the limit" in said.help) == ("Paused.", True)


def test_a_campaign_that_dials_says_who_is_up_and_who_is_left() -> None:
    said = why(campaign())
    assert (said.kind, said.headline) == ("run", "Dialling.")
    assert read(said.text) == "4 calls up, 1,902 people left to call."
    assert '<data value="1902">' in said.text
    assert why(campaign(reason="campaign_concurrency")).kind == "run"
    assert why(campaign(), brief=True).text == ""
    assert why(campaign(reason="retry_wait"), brief=True).at == NEXT


def test_whoever_waits_for_a_retry_is_counted_and_the_next_is_told() -> None:
    said = why(campaign(reason="retry_wait"))
    assert (said.kind, read(said.headline)) == ("held", "Waiting: 1,902 people to be tried again.")
    assert (said.at, said.at_words) == (NEXT, "The next is called")


OPENS, LATER = "2026-01-31T16:00:00.000Z", "2026-01-31T17:00:00.000Z"
DENVER, BOTH, LOS_ANGELES = (
    ("America/Denver",),
    ("America/New_York", "America/Denver"),
    ("America/Los_Angeles",),
)
IN_DENVER, IN_LOS_ANGELES = "for 09:00 in America/Denver;", "for 09:00 in America/Los_Angeles;"


def wait(contacts: int, *zones: str, at: str = OPENS, more: bool = False) -> dict[str, Any]:
    return {"time_zones": list(zones), "opens_at": at, "contacts": contacts, "more": more}


@pytest.mark.parametrize(
    ("pending", "waits", "said"),
    [
        (12, [wait(12, *DENVER)], f"12 people wait {IN_DENVER}"),
        (1, [wait(1, *DENVER)], f"1 person waits {IN_DENVER}"),
        (20_000, [wait(10_000, *DENVER, more=True)], f"20,000 people wait {IN_DENVER}"),
        (
            1902,
            [wait(1200, *DENVER), wait(300, *BOTH), wait(400, *LOS_ANGELES, at=LATER)],
            f"1,500 people wait {IN_DENVER} 400 people wait {IN_LOS_ANGELES} 2 people later;",
        ),
        (
            30_000,
            [wait(10_000, *DENVER, more=True), wait(9, *LOS_ANGELES, at=LATER)],
            f"10,000 people or more wait {IN_DENVER} 9 people wait {IN_LOS_ANGELES}",
        ),
        (3, [wait(3)], "3 people wait for 2026-01-31 16:00:00 UTC;"),
    ],
)
def test_outside_its_hours_it_says_how_many_wait_for_which_opening_where(
    pending: int, waits: list[dict[str, Any]], said: str
) -> None:
    counts = campaign()["counts"] | {"pending": pending, "originated": 0, "connected": 0}
    for brief in (True, False):
        told = why(campaign(reason="window", waits=waits, counts=counts), brief=brief)
        assert (told.kind, told.headline, read(told.text)) == ("held", "Not dialling.", said)
        assert (told.at, told.at_words, told.at_kind) == (NEXT, "next call", "second")


def test_of_many_openings_the_first_are_told() -> None:
    days = [wait(1, *LOS_ANGELES, at=f"2026-02-0{day}T17:00:00.000Z") for day in (1, 2, 3, 4)]
    few = read(why(campaign(reason="window", waits=days), brief=True).text)
    assert (few.count(" waits for "), few.endswith("; 1,899 people later;")) == (3, True)
    many = read(why(campaign(reason="window", waits=[wait(9, *DENVER, more=True), *days]), brief=True).text)
    assert (many.count(" waits for "), many.endswith("; others later;")) == (2, True)


def test_the_openings_are_times_by_the_clocks_of_those_who_wait() -> None:
    told = why(campaign(reason="window", waits=[wait(1902, *DENVER)]))
    assert read(told.text).startswith("4 calls up. 1,902 people wait for 09:00 in")
    assert f'<time datetime="{OPENS}" data-zone="America/Denver">09:00</time> in America/Denver' in told.text


def test_without_anybody_s_opening_known_the_window_is_said_in_full() -> None:
    assert BLOCKED_WORDS["window"] in read(why(campaign(reason="window", waits=[])).text)


def test_a_campaign_that_cannot_start_says_why_and_when_it_is_tried_again() -> None:
    said = why(campaign("scheduled", "budget"))
    assert BLOCKED_WORDS["budget"] in said.text
    assert said.at == NEXT
    assert (
        why(campaign("scheduled", scheduled_at="2026-02-01T00:00:00.000Z")).at == "2026-02-01T00:00:00.000Z"
    )


@pytest.mark.parametrize("reason", ["stopped", "exhausted", "deadline", "error"])
def test_one_that_is_over_says_how_it_ended(reason: str) -> None:
    said = why(campaign("failed" if reason == "error" else "completed", end_reason=reason, completed_at=NEXT))
    assert (said.kind, said.at) == ("over", NEXT)
    assert said.headline != "Over."


def test_every_word_of_the_api_has_its_own_here() -> None:
    assert words.STATES.keys() == {str(status) for status in CampaignStatus}
    assert words.CONTACT_STATES.keys() == {str(status) for status in ContactStatus}
    assert words.OUTCOMES.keys() == CONTACT_MEANINGS.keys()
    kinds = {chip.kind for table in (words.STATES, words.CONTACT_STATES, words.OUTCOMES, words.ENDED)
             for chip in table.values()}  # fmt: skip
    assert kinds == {"good", "wait", "bad", "plat", "run", "rest"}


def test_a_contact_that_waits_for_another_call_is_not_one_that_was_never_called() -> None:
    contact = {"status": "pending", "next_attempt_at": None, "disposition": None}
    assert words.contact_chip(contact).words == "not called yet"
    assert (
        words.contact_chip(contact | {"next_attempt_at": NEXT, "disposition": "busy"}).words
        == "busy, to be tried again"
    )
    assert words.contact_chip(contact | {"status": "failed", "disposition": "invalid"}).kind == "bad"
    assert words.outcome_chip("of_a_newer_release").words == "of a newer release"


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("max_concurrent_calls is 0; it must be 1 or more.", "Calls at once is 0; it must be 1 or more."),
        ("windows.2.to is '09:00'; it must be later.", "Hours 3, to is '09:00'; it must be later."),
        ("test_numbers[1] is '12'; it has too few digits.", "Test number 2 is '12'; it has too few digits."),
        ("allowed_countries.0 is 'QQ'; it must be one.", "Country 1 is 'QQ'; it must be one."),
        ("action.room is 'a b'; it must be a word.", "action.room is 'a b'; it must be a word."),
        ("Campaign is completed; it cannot be changed.", "Campaign is completed; it cannot be changed."),
    ],
)
def test_a_field_that_is_refused_is_named_as_its_form_names_it(sentence: str, said: str) -> None:
    assert words.refusal(sentence) == said


def test_what_a_plot_says_is_a_reason_of_the_dialers() -> None:
    assert words.CAPS.keys() <= BLOCKED_WORDS.keys()
    assert words.CAPS.keys() >= FULL
