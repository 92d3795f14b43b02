"""The words of reports. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

from web.sentences import sentence, tenths
from web.words import Chip

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MEASURES: Final[Mapping[str, tuple[str, str]]] = {
    "post_dial_delay": ("Until it rings", "From the send to the first sign of ringing: the carrier’s delay."),
    "ring_time": ("Ringing", "From there to the answer, or to the end."),
    "call_length": ("Calls that were answered", "From the answer to the end."),
}
UNCOUNTED: Final[Mapping[str, Chip]] = {
    "withdrawn": Chip("rest", "taken back, not placed"),
    "hung_up": Chip("rest", "ended by us before an answer"),
}
US: Final = "us_30_days"
FORMULAS: Final[Mapping[str, tuple[str, str]]] = {
    US: (
        "United States: over 30 days",
        "Of each campaign’s calls that a person answered, over 30 days always, as 16 CFR 310.4(b)(4) counts.",
    ),
    "uk_day": (
        "United Kingdom: each day",
        "Of each campaign’s calls that were abandoned or that an agent took, on each day, as Ofcom counts.",
    ),
}
LONG_US: Final = 30
"""Days over which that holds."""


def percent(rate: float | None) -> Markup:
    """`32.0 %`; a dash of nothing. What is not nothing is never told as 0."""
    if rate is None:
        return Markup("–")
    if 0 < rate < 0.0005:
        return sentence("{} {} %", "<", tenths(0.1))
    return sentence("{} %", tenths(100 * rate))
