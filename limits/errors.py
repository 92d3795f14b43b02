"""What can go wrong at this room's edge to Redis."""

from __future__ import annotations

from coordination.errors import Unavailable


class LimiterUnavailable(Unavailable):
    """The limiter could not reach Redis: nothing may be dialled."""
