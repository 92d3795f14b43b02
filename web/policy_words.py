"""What policy packs ask of calls, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
PACKS: Final[Mapping[str, str]] = {"on": "bind", "off": "do not bind: we see to them ourselves"}
WITH_PURPOSE: Final = "bind where a purpose is said"
"""Of a tenant that says nothing of packs."""
ELSEWHERE: Final = "everybody else"
AFTER: Final[Mapping[str, str]] = {
    "answered": "somebody picked up",
    "abandoned": "somebody picked up and nobody was there",
    "machine": "a machine seemed to pick up",
}
DAYS: Final[Mapping[int, int]] = {168: 7, 720: 30}
"""Hours that are said as days."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What a tenant's campaigns are for that say nothing of it, and whether rules of law bind them, in words.
    `bound`: they do bind one that says nothing of either."""

    purpose: str
    packs: str
    bound: bool


def usual(defaults: Mapping[str, Any]) -> Usual:
    """By the defaults of a tenant as the API tells them."""
    purpose, packs = defaults["default_purpose"], defaults["policy_packs"]
    return Usual(
        PURPOSES.get(purpose, purpose) if purpose else "not said",
        PACKS.get(packs, packs) if packs else WITH_PURPOSE,
        packs == "on" or (packs is None and purpose is not None),
    )


Told = Sequence[tuple[Mapping[str, Any], str]]
"""Rules, each with its sentence."""


def by_place(policy: Mapping[str, Any]) -> list[tuple[str, Told]]:
    """What is asked of calls to each of the places of a campaign, or of a list."""
    return [(" or ".join(one["places"]) or ELSEWHERE, told(one["rules"])) for one in policy["places"]]


def told(rules: Sequence[Mapping[str, Any]]) -> Told:
    """Each with its sentence."""
    return [(rule, rule_sentence(rule)) for rule in rules]


def scope(rule: Mapping[str, Any]) -> str:
    """Which calls to the countries of its pack a rule is about; empty of all."""
    regions = f"Only to {', '.join(rule['regions'])}." if rule["regions"] else ""
    purposes = [PURPOSES.get(purpose, purpose) for purpose in rule["purposes"]]
    about = "" if set(rule["purposes"]) >= set(PURPOSES) else f"Only for {', '.join(purposes)}."
    return f"{regions} {about}".strip()


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
