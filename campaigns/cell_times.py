"""Moments as the cells of a list write them, in UTC. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

_DAY = len("2026-01-31")


def moment_of(text: str, *, days: bool = False) -> datetime | None:
    """The moment that an ISO 8601 `text` with an offset names, in UTC; with `days` a day, too, is one: its first
    moment in UTC. None for anything else, and for what is in no year from 1 to 9999 in UTC.

    In UTC, since PostgreSQL takes no offset of 16 hours or more, and since what it gives back is read in UTC.
    """
    try:
        found = datetime.fromisoformat(text.upper())
        if found.tzinfo is None:
            return found.replace(tzinfo=UTC) if days and len(text) == _DAY else None
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
