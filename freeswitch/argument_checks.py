"""Validation of a command's arguments (ids, seconds). Raises CommandRefused."""

from __future__ import annotations

import re
from typing import Final

from freeswitch.errors import CommandRefused

_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_DIALER_ID: Final = re.compile(r"[0-9a-z]{1,32}")


def checked_id(name: str, value: str) -> str:
    """A call's id, or another one of ours; `name` says which."""
    if not _ID.fullmatch(value):
        raise CommandRefused(name, value, "1 to 64 of 0-9 A-Z a-z _ -")
    return value


def checked_dialer_id(dialer_id: str) -> str:
    """The id of a dialer."""
    if not _DIALER_ID.fullmatch(dialer_id):
        raise CommandRefused("dialer_id", dialer_id, "1 to 32 of 0-9 a-z")
    return dialer_id


def checked_seconds(name: str, value: int, limit: int) -> int:
    """1 to `limit` seconds."""
    if not 1 <= value <= limit:
        raise CommandRefused(name, value, f"1 to {limit}")
    return value
