"""When a contact is called again after a call that ended so: a campaign's own rules, by disposition. Pure.

What a rule leaves out is the campaign's `retry_delay_seconds` and `retries_per_contact`. Kept as JSON in
`campaign.retry_rules`, with the keys of RetryRule. What follows from them after one call is decided in
`campaigns/retry.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from campaigns.dispositions import Disposition

RULED = (Disposition.BUSY, Disposition.NO_ANSWER, Disposition.UNREACHABLE, Disposition.REJECTED)
"""What a rule may be about: outcomes of the person's own side that are tried again at all."""
SHORTEST_DELAY_SECONDS = 60
LONGEST_DELAY_SECONDS = 30 * 86_400
MOST_RETRIES = 5
LARGEST_FACTOR = 10


class Growth(StrEnum):
    """How a delay grows from one retry to the next."""

    LINEAR = "linear"
    """By as much each time."""
    EXPONENTIAL = "exponential"
    """By the same factor each time."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """What follows a call that ended with one disposition; None is the campaign's own.

    The first retry comes after `delay_seconds` (60 s to 30 days), the second after `factor` (1 to 10) times that, and
    those behind it later still, by `growth`; none after more than `max_delay_seconds`. `retries` (0 to 5): who has
    been called again so often, for whatever reason, is not called again.
    """

    delay_seconds: int | None = None
    factor: float = 1.0
    growth: Growth = Growth.EXPONENTIAL
    max_delay_seconds: int = LONGEST_DELAY_SECONDS
    retries: int | None = None

    def tries(self, usual_retries: int) -> int:
        """The counted attempts that a contact may have whose last one ended so."""
        return 1 + (usual_retries if self.retries is None else self.retries)

    def delay(self, attempts: int, usual_seconds: int) -> float:
        """The seconds until the next call of a contact that has had so many counted attempts, 1 or more."""
        first = usual_seconds if self.delay_seconds is None else self.delay_seconds
        step = attempts - 1
        grown = 1 + (self.factor - 1) * step if self.growth is Growth.LINEAR else self.factor**step
        return min(first * grown, max(self.max_delay_seconds, SHORTEST_DELAY_SECONDS))


RetryRules = Mapping[str, RetryRule]
"""A campaign's rules, by disposition."""


@dataclass(frozen=True, slots=True)
class RetryTerms:
    """What a campaign says of all its retries: how often, after how long, and by which rules."""

    retries_per_contact: int
    retry_delay_seconds: int
    retry_rules: RetryRules


PLAIN = RetryRule()
"""The rule of what has none."""


def retry_rules(stored: Mapping[str, Mapping[str, Any]] | None) -> RetryRules:
    """The rules of a campaign's row. Of a newer release's row what this one does not know is left out."""
    return {
        disposition: RetryRule(
            delay_seconds=rule.get("delay_seconds"),
            factor=float(rule.get("factor", PLAIN.factor)),
            growth=Growth(rule.get("growth", PLAIN.growth)),
            max_delay_seconds=rule.get("max_delay_seconds", PLAIN.max_delay_seconds),
            retries=rule.get("retries"),
        )
        for disposition, rule in (stored or {}).items()
        if disposition in RULED
    }
