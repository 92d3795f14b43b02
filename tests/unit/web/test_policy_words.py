"""What policy packs ask, in words: every rule of the packs that there are is a sentence."""

from __future__ import annotations

import pytest

from campaigns.policy_packs import PURPOSES as KNOWN
from campaigns.policy_packs import packs
from tests.unit.web.reading import read
from web.policy_words import PURPOSES, rule_sentence

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
