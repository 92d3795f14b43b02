"""Calling windows, holidays and retry rules as the fields of a form say them, and how a form shows them. Pure.

A field's name is the place of its value: `windows.0.from`, `retry_rules.busy.retries`. A page that sends its form to
the API itself does the same by `fields.js`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from markupsafe import Markup

from campaigns.retry_rules import RULED
from web.sentences import counted, joined, sentence
from web.words import outcome_chip

SPANS: Final = 3
"""Spans of a window that a form has room for at least; always one more than there are."""
DAYS: Final = (
    ("mon", "Mon"),
    ("tue", "Tue"),
    ("wed", "Wed"),
    ("thu", "Thu"),
    ("fri", "Fri"),
    ("sat", "Sat"),
    ("sun", "Sun"),
)
WORKDAYS: Final = ("mon", "tue", "wed", "thu", "fri")
ANY, THESE, DEFAULT = "any", "these", "default"
RULES: Final = tuple((str(word), outcome_chip(str(word)).words) for word in RULED)
RULE_FIELDS: Final = ("delay_minutes", "factor", "growth", "max_delay_minutes", "retries")
NO_HOURS: Final = "Give one row of hours at least, or let people be called at any hour."
_MINUTES: Final = {"delay_minutes": "delay_seconds", "max_delay_minutes": "max_delay_seconds"}


class Given(Protocol):
    """The fields of a form, as werkzeug has them."""

    def get(self, key: str, default: str, /) -> str: ...

    def getlist(self, key: str, /) -> list[str]: ...


class FieldError(ValueError):
    """What stands in a field is not what it asks for."""


def windows_of(given: Given) -> list[dict[str, object]] | None:
    """The window that a form says; None at any hour. Rows of it that are empty are none. Raises FieldError."""
    if given.get("hours", ANY) != THESE:
        return None
    found: list[dict[str, object]] = []
    for number in range(100):
        start, end = (given.get(f"windows.{number}.{name}", "").strip() for name in ("from", "to"))
        if start or end:
            days = given.getlist(f"windows.{number}.days")
            found.append({"to": hour(end), "days": days, "from": hour(start)})
    if not found:
        raise FieldError(NO_HOURS)
    return found


def holidays_of(given: Given) -> dict[str, object] | None:
    """The days on which a window does not open; None where there is none."""
    country = given.get("holidays.country", "").strip().upper()
    region = given.get("holidays.region", "").strip().upper()
    dates = re.split(r"[\s,;]+", given.get("holidays.dates", "").strip())
    dates = [date for date in dates if date]
    if not (country or region or dates):
        return None
    return {"dates": dates, "region": region or None, "country": country or None}


def retry_rules_of(given: Given) -> dict[str, dict[str, object]]:
    """The rules that a form says; of what is left empty there is none. Raises FieldError."""
    found: dict[str, dict[str, object]] = {}
    for disposition, words in RULES:
        rule: dict[str, object] = {}
        for name in RULE_FIELDS:
            text = given.get(f"retry_rules.{disposition}.{name}", "").strip()
            if text:
                rule[_MINUTES.get(name, name)] = _value(name, text, words)
        if rule.keys() - {"growth"}:
            found[disposition] = rule
    return found


def _value(name: str, text: str, words: str) -> object:
    if name == "growth":
        return text
    try:
        number = float(text)
        if name in _MINUTES:
            return round(number * 60)
        return int(text) if name == "retries" else number
    except (ValueError, OverflowError) as error:
        raise FieldError(f"Who was {words}: {text[:40]} is no number.") from error


def hour(text: str) -> str:
    """`9:00`, `9` and `09.00` as the API writes them; anything else as it stands, for the API to refuse."""
    found = re.fullmatch(r"(\d{1,2})(?:[:.](\d\d))?", text, re.ASCII)
    return f"{int(found[1]):02}:{found[2] or '00'}" if found else text


def hours_of(windows: object | None) -> str:
    """Which of the choices of a form a window is."""
    return ANY if windows is None else THESE


def spans_shown(windows: Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    """The rows of a form for a window: its spans, and empty ones behind them."""
    spans = list(windows or [])
    rest = max(SPANS - len(spans), 1)
    empty = {"from": "", "to": "", "days": []}
    return spans + [{**empty, "days": list(WORKDAYS)} for _ in range(rest)]


def rules_shown(rules: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, dict[str, str]]]:
    """Of each disposition: its word, what it is called, and what stands in the fields of its rule."""
    found = []
    for disposition, words in RULES:
        rule = rules.get(disposition, {})
        shown = {name: _plain(rule.get(name)) for name in ("factor", "growth", "retries")}
        shown |= {
            minutes: _plain(None if rule.get(seconds) is None else rule[seconds] / 60)
            for minutes, seconds in _MINUTES.items()
        }
        found.append((disposition, words, shown))
    return found


def rules_typed(given: Given) -> list[tuple[str, str, dict[str, str]]]:
    """The same of a form that is shown again: what was typed, whether it can be read or not."""
    return [
        (word, words, {name: given.get(f"retry_rules.{word}.{name}", "") for name in RULE_FIELDS})
        for word, words in RULES
    ]


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else str(value)


def window_sentence(
    windows: Sequence[Mapping[str, Any]] | None, holidays: Mapping[str, Any] | None
) -> Markup:
    """When people may be called, as it is said."""
    if windows is None:
        return Markup("At any hour.")
    spans = "; ".join(f"{_days(span['days'])} {span['from']}–{span['to']}" for span in windows)
    said = sentence("{}, by the clock where each person lives.", spans)
    if not holidays:
        return said
    off: list[str] = []
    if holidays.get("country"):
        region = f", {holidays['region']}" if holidays.get("region") else ""
        off.append(f"public holidays ({holidays['country']}{region})")
    if holidays.get("dates"):
        off.append(sentence("{} of its own", counted(len(holidays["dates"]), "day", "days")))
    return joined(said, sentence("Not on {}.", Markup(" and ").join(off))) if off else said


def _days(days: Sequence[str]) -> str:
    """`Mon–Fri`, `Sat, Sun`, `every day`."""
    order = [word for word, _ in DAYS]
    words = dict(DAYS)
    numbers = sorted({order.index(day) for day in days if day in order})
    if len(numbers) in (0, len(order)):
        return "every day"
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = []
    for run in runs:
        first, last = words[order[run[0]]], words[order[run[-1]]]
        parts.append(first if len(run) == 1 else f"{first}{'–' if len(run) > 2 else ', '}{last}")
    return ", ".join(parts)
