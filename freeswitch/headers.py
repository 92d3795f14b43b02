"""Typed values of event headers and CDR variables: what is missing or odd is None, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

JsonEvent = Mapping[str, Any]
"""A decoded event. Its values are what the node wrote, texts as a rule."""


def header_text(event: JsonEvent, name: str) -> str:
    """A header's text; empty where there is none."""
    value = event.get(name)
    return value if isinstance(value, str) else ""


def header_or_none(event: JsonEvent, name: str) -> str | None:
    """A header's text; None where it is missing or empty."""
    return text_or_none(event.get(name))


def text_or_none(value: object) -> str | None:
    """A value's text; None where it is none or empty."""
    return value if isinstance(value, str) and value else None


def header_int(event: JsonEvent, name: str) -> int:
    """A header as a whole number; 0 for what is none."""
    return number(event.get(name))


def number(value: object) -> int:
    """A header's value as a whole number of at most 18 digits; 0 for what is none."""
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdigit():
        return int(value)
    return 0


def header_float(event: JsonEvent, name: str) -> float:
    """A header as a number; 0 for what is none."""
    try:
        value = float(header_text(event, name))
    except ValueError:
        return 0.0
    return value if isfinite(value) else 0.0


def milliseconds_between(start_us: int, end_us: int) -> int:
    """From one moment of the node's clock to another, both in microseconds; 0 where the clock was set back."""
    return max(0, end_us - start_us) // 1000
