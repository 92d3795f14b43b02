"""Every word that the API says of a campaign or a call is explained, and none that nothing says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.dispositions import MEANINGS, Disposition
from dialer.dispatch.gateway_choice import UNCLAIMABLE
from dialer.dispatch.node_health import REFUSES, STALLED
from dialer.dispatch.plan_checks import Hindrance
from dialer.dispatch.slow_start import WORD
from dialer.holds import HoldKind
from dialer.recovery.restored_database import REASON

ROOT = Path(__file__).parents[3]
LITERALS = {
    "limits/acquire.lua": r"denied\('([a-z_]+)'|'((?:campaign|tenant|gateway|node)_[a-z_]+)'|'(no_redis)'",
    "limits/slots.lua": r"'(number_cap)'",
    "dialer/dispatch/plan_rows.py": r"THEN '([a-z_]+)'\s+WHEN|THEN '(caller_id|agent|halted)'",
    "dialer/dispatch/scheduler.py": r'_blocked\(campaign, "([a-z_]+)"|tell\([a-z_.]+, (?:.* or )?"([a-z_]+)"',
    "dialer/dispatch/nodes.py": r'return "([a-z_]+)"(?: if .* else "([a-z_]+)")?',
    "campaigns/lifecycle.py": r'blocked_reason="([a-z_]+)"',
    "campaigns/abandon_rates.py": r'WORD = "([a-z_]+)"',
    "campaigns/schedules.py": r'BUDGET = "([a-z_]+)"',
    "api/dialer_watch.py": r'NO_DIALER: Final = "([a-z_]+)"',
}


def said(path: str) -> set[str]:
    found = re.findall(LITERALS[path], (ROOT / path).read_text(encoding="utf-8"))
    return {word for match in found for word in ([match] if isinstance(match, str) else match) if word}


@pytest.mark.parametrize("path", LITERALS)
def test_each_blocked_reason_of_a_module_is_explained(path: str) -> None:
    words = said(path)
    assert words
    assert words <= BLOCKED_WORDS.keys()


def test_no_blocked_reason_is_explained_that_nothing_says() -> None:
    constants = {REFUSES, STALLED, WORD, REASON, UNCLAIMABLE, *map(str, HoldKind), *map(str, Hindrance)}
    assert {word for path in LITERALS for word in said(path)} | constants == BLOCKED_WORDS.keys()


def test_each_disposition_is_explained() -> None:
    assert list(MEANINGS) == list(Disposition)


@pytest.mark.parametrize("sentence", [*BLOCKED_WORDS.values(), *MEANINGS.values()])
def test_each_is_one_sentence_or_two(sentence: str) -> None:
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert len(sentence) <= 110
