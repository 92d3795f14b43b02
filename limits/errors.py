"""The limiter's own error: Redis could not be asked for permits, so nothing may be dialled."""

from __future__ import annotations

from coordination.errors import Unavailable


class LimiterUnavailable(Unavailable):
    """The limiter could not reach Redis: nothing may be dialled."""
