"""What keeps a group of contacts from being called, now or ever: the rule, or the window of their campaign."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.group_hours import GroupHours
from campaigns.policies import Policy
from campaigns.policy_packs import parse
from campaigns.windows import Windows

PACK = """
format = 1
pack = "us"
version = "1"
title = "United States"
countries = ["US"]
"""
RULE = """
[[rule]]
{demand}
purposes = ["sales"]
law = "The {law} Act"
paragraph = "(c); § 9"
url = "https://example.test"
read = 2026-11-30
"""
ALL_DAY = [{"from": "00:00", "to": "24:00"}]
FIRST, SECOND = (f"The {law} Act, (c); § 9 (policy pack us 1)" for law in ("First", "Second"))
NEVER = "the calling window does not open in its time zones within a year"
NO_CONSENT = "consent_at is empty, and nobody may be called there without consent"
NOON = int(datetime(2027, 1, 4, 12, tzinfo=UTC).timestamp())


def span(start: str, end: str) -> list[dict[str, Any]]:
    return [{"from": start, "to": end}]


def hours(start: str, end: str) -> str:
    return f'hours = {{ windows = [{{ from = "{start}", to = "{end}" }}] }}'


def group(windows: list[dict[str, Any]], *demands: str, consented: bool = True) -> GroupHours:
    """Contacts in California at UTC, for what its reader has to reckon; laws are `First`, `Second` and so on."""
    laws = ("First", "Second", "Third")
    text = PACK + "".join(
        RULE.format(demand=demand, law=law) for demand, law in zip(demands, laws, strict=False)
    )
    packs = (parse("us", text),) if demands else ()
    demanded = Policy("sales", packs).demands_on(("US-CA",))
    return GroupHours(Windows.from_json(windows), ("UTC",), demanded, "+14155550100", consented)


def laws(found: GroupHours, now: int = NOON) -> tuple[bool, list[str]]:
    own, rules = found.shut_by(now)
    return own, [rule.source.law for rule in rules]


@pytest.mark.parametrize(
    ("windows", "demands", "shut"),
    [
        (ALL_DAY, (), (False, [])),
        (span("08:00", "12:00"), (), (True, [])),
        (ALL_DAY, (hours("08:00", "12:00"), hours("08:00", "12:01")), (False, ["The First Act"])),
        (span("13:00", "14:00"), (hours("08:00", "10:00"), hours("12:00", "13:00")), (True, ["The First Act"])),
        (ALL_DAY, (hours("00:00", "01:00"), hours("01:00", "02:00")), (False, ["The First Act", "The Second Act"])),
        (ALL_DAY, ("ring_seconds = 15",), (False, [])),
    ],
)  # fmt: skip
def test_what_is_shut_now_is_the_window_the_hours_of_rules_or_both(
    windows: list[dict[str, Any]], demands: tuple[str, ...], shut: tuple[bool, list[str]]
) -> None:
    assert laws(group(windows, *demands)) == shut


@pytest.mark.parametrize(
    ("windows", "demands", "reason"),
    [
        (
            [{"from": "08:00", "to": "09:00", "days": []}],
            (hours("10:00", "11:00"),),
            NEVER,
        ),
        (
            span("08:00", "09:00"),
            (hours("08:00", "20:00"), hours("10:00", "11:00")),
            f"{NEVER} inside the hours of {SECOND}",
        ),
        (
            ALL_DAY,
            (hours("08:00", "09:00"), hours("10:00", "11:00")),
            f"{NEVER} inside the hours of {FIRST} and the hours of {SECOND}",
        ),
        (
            ALL_DAY,
            ("consent = true",),
            f"{NO_CONSENT} ({FIRST})",
        ),
        (
            ALL_DAY,
            ("caller_id = { own_country = true, refused = ['geographic', 'mobile'] }", "consent = true"),
            f"{NO_CONSENT} ({SECOND})",
        ),
    ],
)
def test_why_somebody_can_never_be_called_names_the_rule_by_which_he_cannot(
    windows: list[dict[str, Any]], demands: tuple[str, ...], reason: str
) -> None:
    found = group(windows, *demands, consented=False)
    assert found.ahead(NOON) == []
    assert found.why_never(NOON) == reason
