"""ESL event filters with the semantics of mod_event_socket. Pure.

Filters are ORed; `-value` excludes; `/regex/` is searched; a plain value is compared without regard to case; an
event that lacks every filtered header is dropped (recording 44 of `tests/recordings.tar.xz`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Lookup = Callable[[str], str | None]


class Filter:
    """One `filter <header> <value>` line."""

    __slots__ = ("_include", "_pattern", "_text", "header", "value")

    def __init__(self, header: str, value: str) -> None:
        self.header = header
        self.value = value
        signs = re.match(r"[+\- ]*", value)
        prefix = signs[0] if signs else ""
        # The last sign wins.
        self._include = prefix.rstrip(" ")[-1:] != "-"
        self._text = value[len(prefix) :].lower()
        self._pattern = _compile(value[len(prefix) :]) if value.startswith("/") else None

    def matches(self, found: str) -> bool:
        """Whether a header's value meets this filter, whatever its sign."""
        if self._pattern is not None:
            return self._pattern.search(found) is not None
        return found.lower() == self._text

    @property
    def include(self) -> bool:
        """False for a `-value`."""
        return self._include


def _compile(text: str) -> re.Pattern[str]:
    body, _, options = text[1:].rpartition("/")
    flags = re.NOFLAG
    for letter in options:
        flags |= {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}.get(
            letter, re.NOFLAG
        )
    try:
        return re.compile(body, flags)
    except re.error:
        # The real node logs the bad expression and nothing ever matches it.
        return re.compile(r"(?!)")


def passes(filters: Sequence[Filter], lookup: Lookup) -> bool:
    """Whether an event reaches a client with these filters; without filters everything does."""
    if not filters:
        return True
    send = False
    for item in filters:
        if send and item.include:
            continue
        found = lookup(item.header)
        if found is not None and item.matches(found):
            if not item.include:
                return False
            send = True
    return send
