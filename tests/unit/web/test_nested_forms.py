"""Windows, holidays and retry rules of a form: what a form shows and gives back is what there was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from campaigns.retry_rules import RULED
from campaigns.windows import DAYS as API_DAYS
from tests.unit.web.reading import read
from web.nested_forms import (
    DAYS,
    FieldError,
    holidays_of,
    hour,
    retry_rules_of,
    rules_shown,
    spans_shown,
    window_sentence,
    windows_of,
)

CLOCK = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda at: f"{at[0]:02}:{at[1]:02}")
SPAN = st.fixed_dictionaries(
    {"to": CLOCK, "days": st.lists(st.sampled_from(API_DAYS), unique=True), "from": CLOCK}
)
RULE = st.fixed_dictionaries(
    {},
    optional={
        "delay_seconds": st.integers(1, 43_200).map(lambda minutes: minutes * 60),
        "max_delay_seconds": st.integers(1, 43_200).map(lambda minutes: minutes * 60),
        "factor": st.integers(10, 100).map(lambda tenths: tenths / 10),
        "retries": st.integers(0, 5),
    },
)


def form_of_windows(windows: list[dict[str, Any]]) -> MultiDict[str, str]:
    form = MultiDict([("hours", "these")])
    for number, span in enumerate(spans_shown(windows)):
        form.add(f"windows.{number}.from", span["from"])
        form.add(f"windows.{number}.to", span["to"])
        for day in span["days"]:
            form.add(f"windows.{number}.days", day)
    return form


@given(st.lists(SPAN, min_size=1, max_size=8))
def test_a_window_that_is_shown_and_saved_is_as_it_was(windows: list[dict[str, Any]]) -> None:
    assert windows_of(form_of_windows(windows)) == windows


@given(st.dictionaries(st.sampled_from([str(word) for word in RULED]), RULE.filter(bool)))
def test_rules_that_are_shown_and_saved_are_as_they_were(rules: dict[str, dict[str, Any]]) -> None:
    form = MultiDict(
        (f"retry_rules.{word}.{name}", value)
        for word, _, fields in rules_shown(rules)
        for name, value in fields.items()
    )
    assert retry_rules_of(form) == rules


def test_days_are_those_of_the_api() -> None:
    assert tuple(word for word, _ in DAYS) == API_DAYS


def test_any_hour_is_no_window_whatever_stands_in_its_rows() -> None:
    form = form_of_windows([{"from": "09:00", "to": "10:00", "days": ["mon"]}])
    form["hours"] = "any"
    assert windows_of(form) is None
    assert windows_of(MultiDict()) is None


def test_hours_without_a_row_are_asked_for() -> None:
    with pytest.raises(FieldError, match="one row of hours"):
        windows_of(MultiDict({"hours": "these", "windows.0.from": " "}))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("9", "09:00"), ("9:30", "09:30"), ("09.30", "09:30"), ("24:00", "24:00"), ("", ""), ("noon", "noon")],
)
def test_hours_are_understood_as_they_are_typed(typed: str, meant: str) -> None:
    assert hour(typed) == meant


def test_holidays_are_of_a_country_and_of_days() -> None:
    form = MultiDict(
        {"holidays.country": "de ", "holidays.region": "by", "holidays.dates": "2026-12-24, 2026-12-31\n"}
    )
    assert holidays_of(form) == {"country": "DE", "region": "BY", "dates": ["2026-12-24", "2026-12-31"]}
    assert holidays_of(MultiDict({"holidays.country": " "})) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("delay_minutes", "soon"),
        ("retries", "1.5"),
        ("factor", "x"),
        ("delay_minutes", "inf"),
        ("delay_minutes", "nan"),
    ],
)
def test_what_is_no_number_is_said(name: str, text: str) -> None:
    with pytest.raises(FieldError, match=f"busy: {text} is no number"):
        retry_rules_of(MultiDict({f"retry_rules.busy.{name}": text}))


def test_a_window_is_said_in_words() -> None:
    windows = [
        {"from": "09:00", "to": "20:00", "days": ["mon", "tue", "wed", "thu", "fri"]},
        {"from": "10:00", "to": "16:00", "days": ["sat", "sun"]},
    ]
    said = read(window_sentence(windows, {"country": "DE", "region": "BY", "dates": ["2026-12-24"]}))
    assert said == (
        "Mon–Fri 09:00–20:00; Sat, Sun 10:00–16:00, by the clock where each person lives."
        " Not on public holidays (DE, BY) and 1 day of its own."
    )
    everyday = [{"from": "00:00", "to": "24:00", "days": list(API_DAYS)}]
    assert window_sentence(everyday, None).startswith("every day 00:00–24:00")
    assert window_sentence(None, None) == "At any hour."
