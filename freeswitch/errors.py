"""The root of every error this package raises."""

from __future__ import annotations


class FreeswitchError(Exception):
    """Something could not be said to FreeSWITCH, or what it said could not be understood."""


class CommandRefused(FreeswitchError):  # noqa: N818 - what happened, not a fault of the code
    """A value that may not, or could not unchanged, travel to a node.

    `name` says what it was for, `rule` which rule it breaks.
    """

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} {str(value)[:80]!r}: {rule}")
        self.name = name
        self.value = value
        self.rule = rule
