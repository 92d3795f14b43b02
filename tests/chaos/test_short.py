"""The whole system under fire: each kind of fault once and, with --full, a part of the long form from three seeds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.faults import Kind

ROOT = Path(__file__).parents[2]
SEED_VARIABLE = "CARILLON_CHAOS_SEED"
SHORT_SEED = 20
CONTACTS = 280
LONG_SEEDS = (1, 2, 3)
LONG_SIZE = ("--faults", "120", "--contacts", "600")
LONG_SECONDS = 1800.0
"""Ends a run that hangs."""


SIZE = ("--faults", str(len(Kind)), "--contacts", str(CONTACTS))
"""Each kind of fault once, as a schedule begins."""


def chaos(*arguments: str, seconds: float) -> str:
    """Run it in a process of its own, without gevent's patches; what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def test_nobody_is_called_twice_and_nobody_is_lost_whatever_dies() -> None:
    seed = os.environ.get(SEED_VARIABLE, str(SHORT_SEED))
    said = chaos("--short", "--seed", seed, *SIZE, seconds=850)
    assert f"seed {seed}:" in said


def test_the_document_says_how_it_runs() -> None:
    document = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert f"script/chaos --short --seed {SHORT_SEED} {' '.join(SIZE)} " in document


@pytest.mark.full
@pytest.mark.timeout(LONG_SECONDS + 60)
@pytest.mark.parametrize("seed", LONG_SEEDS)
def test_nobody_is_called_twice_and_nobody_is_lost_in_the_long_form(seed: int) -> None:
    chaos("--seed", str(seed), *LONG_SIZE, seconds=LONG_SECONDS)
