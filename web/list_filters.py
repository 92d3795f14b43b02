"""What lists of people and calls are asked for in an address, and the links from one page of them to the next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flask import request

from campaigns.dispositions import CONTACT_MEANINGS, EXPIRED, SUPPRESSED
from web.campaign_settings import instant
from web.showing import address
from web.words import outcome_chip

ENDS: Final = tuple((word, outcome_chip(word).words) for word in CONTACT_MEANINGS)
"""How a call may have ended, as somebody chooses it."""
CALL_ENDS: Final = tuple((word, words) for word, words in ENDS if word not in (EXPIRED, SUPPRESSED))


@dataclass(frozen=True, slots=True)
class Further:
    """Where a list stands that goes on behind its last row: the way to its beginning, and further; None where there
    is none."""

    first: str | None
    after: str | None


def chosen(name: str, offered: Mapping[str, str]) -> str:
    """What an address asks for, of what is offered; empty for anything else."""
    word = request.args.get(name, "")
    return word if word in offered else ""


def span() -> dict[str, str]:
    """The times of an address, `from` and `to`, as the API takes them; without those that are left out."""
    given = {name: instant(request.args.get(name, "")) for name in ("from", "to")}
    return {name: at for name, at in given.items() if at}


def further(path: str, query: Mapping[str, str], last: str | None, *, more: bool) -> Further:
    """Of a list below `path` with these filters, whose `last` row on this page has that id, or was looked at last;
    `more` where the page is not the last one."""
    begun = bool(request.args.get("after"))
    return Further(
        address(path, query) if begun else None,
        address(path, {**query, "after": last}) if more and last else None,
    )


def e164(typed: str) -> str:
    """A number as somebody types it, as the API looks for it: digits behind a plus. For a search alone: without its
    country it is another's number, who would be suppressed or erased."""
    digits = re.sub(r"[^0-9]", "", typed)
    return f"+{digits.removeprefix('00')}" if digits else "+"
