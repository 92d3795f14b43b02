"""Parses integers in what clients send: small, ASCII, and never a reason to fail."""

from __future__ import annotations

MAX_DIGITS = 12


def decimal(text: str) -> int | None:
    """The number that `text` is, when it is 1 to MAX_DIGITS ASCII digits."""
    return int(text) if len(text) <= MAX_DIGITS and text.isascii() and text.isdigit() else None
