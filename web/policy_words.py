"""What policy packs ask of calls, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from web.nested_forms import window_sentence

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
SPANS: Final[Mapping[int, str]] = {24: "24 hours", 168: "7 days", 720: "30 days"}


def rule_sentence(rule: Mapping[str, Any]) -> str:
    """What a rule asks, as the API tells it; of a kind of a newer release its name and value."""
    kind, value = rule["kind"], rule["value"]
    if kind == "consent":
        return "Only who has agreed is called."
    if kind == "ring_seconds":
        return f"A call that is not answered rings for {value} seconds at least."
    if isinstance(value, Mapping):
        words = _of_several(kind, value)
        if words:
            return words
    return f"{kind.replace('_', ' ').capitalize()}: {value}"


def _of_several(kind: str, value: Mapping[str, Any]) -> str:
    if kind == "hours":
        windows = [{"days": list(window.get("days") or ()), **window} for window in value["windows"]]
        return f"Called {window_sentence(windows, value.get('holidays'))}"
    if kind == "calls":
        return f"No more than {value['most']} calls to one number in {span(value['hours'])}."
    if kind == "abandoned":
        of = "answered calls" if value["of"] == "live" else "calls"
        return f"No more than {value['percent']} % of {of} are abandoned in {span(value['hours'])}."
    if kind == "cool_off":
        after = AFTER.get(value["after"], value["after"])
        return f"A number is left alone for {span(value['hours'])} after {after}."
    if kind == "caller_id":
        refused = " or ".join(value.get("refused") or ()).replace("_", "-")
        own = " It is one of the country that is called." if value.get("own_country") else ""
        return f"The number shown is no {refused} number.{own}" if refused else own.strip()
    return ""


def span(hours: int) -> str:
    """So many hours, as they are said."""
    return SPANS.get(hours, f"{hours} hours")
