"""What clients keep beside a campaign or a contact for their own use, and find it by. Pure."""

from __future__ import annotations

from collections.abc import Mapping

MOST_KEYS = 50
LONGEST_KEY = 40
LONGEST_VALUE = 500
RULE = (
    f"it must be an object of at most {MOST_KEYS} texts of at most {LONGEST_VALUE} characters, under keys of 1 to "
    f"{LONGEST_KEY} characters without a colon"
)


def checked(value: object) -> dict[str, str]:
    """Metadata as it is kept. Raises ValueError, whose text is the rule."""
    if not isinstance(value, Mapping) or len(value) > MOST_KEYS:
        raise ValueError(RULE)
    for key, text in value.items():
        if (
            not isinstance(text, str)
            or not 1 <= len(key) <= LONGEST_KEY
            or ":" in key
            or len(text) > LONGEST_VALUE
        ):
            raise ValueError(RULE)
        if not _storable(key) or not _storable(text):
            raise ValueError(RULE)
    return dict(value)


def wanted(text: str) -> dict[str, str]:
    """What a filter asks for: `key:value`. Raises ValueError, whose text is the rule."""
    key, colon, value = text.partition(":")
    if not colon or not key:
        raise ValueError("it must be key:value")
    return {key: value}


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
