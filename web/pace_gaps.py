"""The seconds in which a campaign was held and nothing was asked for: of these only the first is written. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from web.showing import moment, rfc3339

SAID_AGAIN: Final = timedelta(seconds=61)
"""A word that holds is written once a minute; campaign.js knows that, too."""
SECOND: Final = timedelta(seconds=1)


def held_through(
    steps: Sequence[Mapping[str, Any]], word: str | None, now: datetime
) -> list[Mapping[str, Any]]:
    """The steps of single seconds, oldest first, and those between them in which what held the campaign before went
    on. `word` is what holds it `now`, None where nothing does: with that the last of them goes on until then."""
    found: list[Mapping[str, Any]] = []
    for step, after in pairwise([*steps, None]):
        assert step is not None
        found.append(step)
        at = moment(step["at"])
        if step["cap"] is None:
            continue
        if after is not None:
            end = moment(after["at"])
        elif step["cap"] == word:
            end = now
        else:
            continue
        if end - at <= SAID_AGAIN:
            seconds = range(1, -(-(end - at) // SECOND))
            found += [_held(at + number * SECOND, step["cap"]) for number in seconds]
    return found


def _held(at: datetime, cap: str) -> Mapping[str, Any]:
    return {"at": rfc3339(at), "offered": 0, "admitted": 0, "live_calls": 0, "cap": cap}
