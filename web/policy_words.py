"""What policy packs ask of calls, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup

from web.nested_forms import window_sentence
from web.sentences import counted, figure, joined, sentence

PURPOSES: Final[Mapping[str, str]] = {
    "sales": "selling",
    "service": "serving one’s own customers",
    "debt": "collecting debts",
    "research": "surveys and research",
    "emergency": "emergencies",
}
AFTER: Final[Mapping[str, str]] = {
    "answered": "somebody picked up",
    "abandoned": "somebody picked up and nobody was there",
    "machine": "a machine seemed to pick up",
}
DAYS: Final[Mapping[int, int]] = {168: 7, 720: 30}
"""Hours that are said as days."""


def rule_sentence(rule: Mapping[str, Any]) -> Markup:
    """What a rule asks, as the API tells it; of a kind of a newer release its name and value."""
    kind, value = rule["kind"], rule["value"]
    if kind == "consent":
        return Markup("Only who has agreed is called.")
    if kind == "ring_seconds":
        return sentence("A call that is not answered rings for {} seconds at least.", figure(value))
    if isinstance(value, Mapping):
        words = _of_several(kind, value)
        if words:
            return words
    return sentence("{}: {}", kind.replace("_", " ").capitalize(), value)


def _of_several(kind: str, value: Mapping[str, Any]) -> Markup:
    if kind == "hours":
        windows = [{"days": list(window.get("days") or ()), **window} for window in value["windows"]]
        return sentence("Called {}", window_sentence(windows, value.get("holidays")))
    if kind == "calls":
        return sentence(
            "No more than {} calls to one number in {}.", figure(value["most"]), span(value["hours"])
        )
    if kind == "abandoned":
        of = "answered calls" if value["of"] == "live" else "calls"
        percent = figure(value["percent"])
        return sentence("No more than {} % of {} are abandoned in {}.", percent, of, span(value["hours"]))
    if kind == "cool_off":
        after = AFTER.get(value["after"], value["after"])
        return sentence("A number is left alone for {} after {}.", span(value["hours"]), after)
    if kind == "caller_id":
        refused = " or ".join(value.get("refused") or ()).replace("_", "-")
        own = "It is one of the country that is called." if value.get("own_country") else ""
        return joined(sentence("The number shown is no {} number.", refused) if refused else "", own)
    return Markup("")


def span(hours: int) -> Markup:
    """So many hours, as they are said."""
    return counted(DAYS[hours], "day", "days") if hours in DAYS else counted(hours, "hour", "hours")
