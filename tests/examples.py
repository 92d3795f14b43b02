"""How many examples a test tries: a part of them in every run, all of them with --full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings

T = TypeVar("T")

FULL = "full"
QUICK = "quick"
UNSHRUNK = "unshrunk"
"""As `quick`, for who asks only whether a test fails: finding its smallest example takes most of the time."""
PART = 4

USUAL = 100
"""Where a test names no number."""

# How long an example takes says something about the machine that runs the tests, which is shared, and not about us.
settings.register_profile(
    QUICK, deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=USUAL // PART
)
settings.register_profile(
    UNSHRUNK, parent=settings.get_profile(QUICK), phases=(Phase.explicit, Phase.reuse, Phase.generate)
)
settings.register_profile(FULL, parent=settings.get_profile(QUICK), max_examples=USUAL)


def profile(*, full: bool) -> str:
    """The profile to load before the tests are imported."""
    return FULL if full else QUICK


def examples(number: int) -> settings:
    """`number` examples with --full, a quarter of them without."""
    return settings(max_examples=number if _full() else number // PART)


def some(found: Sequence[T]) -> Sequence[T]:
    """All of them with --full, every fourth without."""
    return found if _full() else found[::PART]


def share(found: Sequence[T], number: int, of: int) -> Sequence[T]:
    """All of them with --full; without, those that are left to the `number`-th (from 0) of so many tests."""
    return found if _full() else found[number::of]


def first(*cases: object) -> list[object]:
    """As the cases of a parametrized test: the first in every run, the others with --full, and seen to be skipped."""
    return [cases[0], *map(long, cases[1:])]


def long(case: object) -> object:
    """A case of a parametrized test, or a tuple of what it takes, that is tried with --full."""
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.full)


def _full() -> bool:
    return settings.get_current_profile_name() == FULL
