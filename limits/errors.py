"""Errors when Redis fails."""

from __future__ import annotations

from coordination.errors import Unavailable


class LimiterUnavailable(Unavailable):
    """The limiter could not reach Redis: nothing may be dialled."""
