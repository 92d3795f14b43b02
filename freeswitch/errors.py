"""The root of every error this package raises."""

from __future__ import annotations


class FreeswitchError(Exception):
    """Something could not be said to FreeSWITCH, or what it said could not be understood."""
