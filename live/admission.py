"""Which key or session admitted a stream's listener, and whether that was revoked."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple


class Admission(NamedTuple):
    """What a listener shows: an API key, by its id, and the tenant that it acts for; of a browser that is signed in
    to the board also its session, by its id."""

    tenant_id: str
    key_id: str
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What has been taken away: admissions whose key or tenant is gone, and campaigns that were deleted."""

    admissions: frozenset[Admission] = frozenset()
    campaigns: frozenset[str] = frozenset()


Look = Callable[[Collection[Admission], Collection[str]], Taken]
"""(admissions, campaign ids) → those of them that are gone, read from the database by the app; may raise."""


def nothing_taken(_admissions: Collection[Admission], _campaigns: Collection[str]) -> Taken:
    """Where nobody knows of keys."""
    return Taken()
