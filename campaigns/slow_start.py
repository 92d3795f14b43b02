"""How a slow start goes: at which share of its rate a campaign begins, and when that doubles. Decision 0034. Pure."""

from __future__ import annotations

from typing import Final

FIRST_SHARE: Final = 0.1
DOUBLES_AFTER: Final = 10.0
"""Seconds in which nothing refuses."""
LAST_LEVEL: Final = 4
"""At which the share is whole, and the slow start over."""


def share(level: int) -> float:
    """What of the rate a campaign may use that was doubled so often."""
    return min(1.0, FIRST_SHARE * (1 << level))
