"""What policy packs ask, in words: every rule of the packs that there are is a sentence."""

from __future__ import annotations

import pytest

from campaigns.policy_packs import PURPOSES as KNOWN
from campaigns.policy_packs import packs
from tests.unit.web.reading import read
from web.policy_words import PURPOSES, by_place, rule_sentence, scope, usual

RULES = [rule.told() for pack in packs() for rule in pack.rules]


def test_every_rule_of_the_packs_is_a_sentence() -> None:
    assert {rule["kind"] for rule in RULES} >= {
        "hours",
        "calls",
        "ring_seconds",
        "consent",
        "caller_id",
        "cool_off",
    }
    for rule in RULES:
        words = read(rule_sentence(rule))
        assert words.endswith("."), words
        assert not set(words) & set("{}[]_"), words


def test_every_purpose_has_its_words() -> None:
    assert tuple(PURPOSES) == KNOWN


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("calls", {"most": 4, "hours": 720}, "No more than 4 calls to one number in 30 days."),
        ("cool_off", {"after": "abandoned", "hours": 72},
         "A number is left alone for 72 hours after somebody picked up and nobody was there."),
        ("ring_seconds", 15, "A call that is not answered rings for 15 seconds at least."),
        ("hours", {"windows": [{"from": "08:00", "to": "20:00"}]},
         "Called every day 08:00–20:00, by the clock where each person lives."),
        ("moon_phase", "full", "Moon phase: full"),
    ],
)  # fmt: skip
def test_a_rule_is_said(kind: str, value: object, said: str) -> None:
    assert read(rule_sentence({"kind": kind, "value": value})) == said


def test_what_binds_is_told_place_by_place() -> None:
    ring = {"kind": "ring_seconds", "value": 15}
    policy = {"places": [{"places": ["US-FL", "US-GA"], "rules": [ring]}, {"places": [], "rules": []}]}
    assert by_place(policy) == [
        ("US-FL or US-GA", [(ring, rule_sentence(ring))]),
        ("everybody else", []),
    ]


@pytest.mark.parametrize(
    ("regions", "purposes", "said"),
    [
        ([], list(KNOWN), ""),
        (["US-FL"], list(KNOWN), "Only to US-FL."),
        ([], ["sales", "debt"], "Only for selling, collecting debts."),
        (["US-FL", "US-WA"], ["sales"], "Only to US-FL, US-WA. Only for selling."),
    ],
)
def test_it_is_said_which_calls_a_rule_is_about(regions: list[str], purposes: list[str], said: str) -> None:
    assert scope({"regions": regions, "purposes": purposes}) == said


@pytest.mark.parametrize(
    ("purpose", "packs", "said"),
    [
        (None, None, ("not said", "bind where a purpose is said", False)),
        ("sales", None, ("selling", "bind where a purpose is said", True)),
        (None, "on", ("not said", "bind", True)),
        ("sales", "off", ("selling", "do not bind: we see to them ourselves", False)),
    ],
)
def test_what_is_usual_is_said(purpose: str | None, packs: str | None, said: tuple[str, str, bool]) -> None:
    found = usual({"default_purpose": purpose, "policy_packs": packs})
    assert (found.purpose, found.packs, found.bound) == said
