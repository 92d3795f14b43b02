"""A campaign's log, in words: nothing of it is left bare."""

from __future__ import annotations

from typing import Any

import pytest
from markupsafe import Markup, escape

from campaigns.campaign_log import ACTIONS
from tests.integration.web import hostile
from tests.unit.web.reading import read
from web.log_words import told


def entry(action: str, **changes: Any) -> dict[str, Any]:
    return {
        "at": "2026-01-31T09:00:00.000Z",
        "by": "maria",
        "action": action,
        "reason": None,
        "details": {},
    } | changes


@pytest.mark.parametrize("by", ["maria", None])
@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_a_sentence(action: str, by: str | None) -> None:
    words = told(entry(action, by=by)).words
    assert words.endswith(".")
    assert "_" not in words


def test_a_name_of_a_setting_that_somebody_wrote_is_escaped() -> None:
    for changes in (
        {hostile.NAME: [1, hostile.NAME]},
        {"metadata": [{hostile.NAME: 1}, hostile.NAME]},
        {"a": [1, "<b>"]},
    ):
        found = told(entry("changed", reason=hostile.NAME, details={"changes": changes}))
        written = escape(found.words) + Markup(" ").join(part for change in found.changes for part in change)
        assert hostile.written_as_it_is(written) == []
        assert "<b>" not in written


def test_a_change_says_what_was_and_what_is() -> None:
    window = [{"from": "09:00", "to": "20:00", "days": ["mon"]}]
    changes = {
        "max_concurrent_calls": [5, 20],
        "windows": [None, window],
        "scheduled_at": [None, "2026-02-01T09:00:00+00:00"],
        "keep_open": [False, True],
    }
    found = told(entry("changed", details={"changes": changes}))
    assert (
        read(found.words)
        == "changed calls at once, the calling hours, its start and whether it waits for more people."
    )
    assert [tuple(map(read, change)) for change in found.changes] == [
        ("calls at once", "5", "20"),
        ("the calling hours", "At any hour.", "Mon 09:00–20:00, by the clock where each person lives."),
        ("its start", "nothing", "2026-02-01 09:00 UTC"),
        ("whether it waits for more people", "no", "yes"),
    ]


def test_one_short_change_is_one_sentence() -> None:
    found = told(entry("changed", details={"changes": {"max_concurrent_calls": [60, 100]}}))
    assert (read(found.words), found.changes) == ("changed calls at once from 60 to 100.", [])
    assert found.words.count("<data ") == 2


def test_why_it_was_held_is_said_in_full() -> None:
    held = told(entry("held", by=None, reason="no_node"))
    assert held.words.startswith("It was held. ")
    assert "no_node" not in held.words
    assert (
        told(entry("completed", by=None, reason="exhausted")).words == "It was over: nobody was left to call."
    )
    added = told(entry("contacts_added", details={"added": 1200}))
    assert added.words == 'added <data value="1200">1,200</data> people.'
    again = told(entry("called_again", details={"contacts": 1, "dispositions": ["busy"]}))
    assert read(again.words) == "had 1 person called again."
    never = told(entry("contacts_cancelled", by=None, reason="never_open", details={"cancelled": 3}))
    assert read(never.words) == (
        "Off its list for good: 3 people: neither its calling hours nor the law leaves an hour for them."
    )
    gone = told(entry("contacts_cancelled", by=None, reason="suppressed", details={"cancelled": 1}))
    assert read(gone.words) == "Off its list for good: 1 person: they are not to be called."
    one = told(
        entry("contact_changed", details={"contact_id": "c", "changes": {"status": ["failed", "pending"]}})
    )
    assert (one.words, [tuple(map(read, change)) for change in one.changes]) == (
        "changed when one person is called.",
        [("what became of the person", "failed", "pending")],
    )
    assert told(entry("somersault", by=None, reason="why")).words.startswith(
        "Somersault. Something holds it back"
    )
