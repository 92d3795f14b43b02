"""Draws how fast a campaign was dialled, as an SVG image; its page has the table that it is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pygal

from web.plots import look, rendered
from web.showing import moment


@dataclass(frozen=True, slots=True)
class Minute:
    """From when to when, in UTC; the end is not in it."""

    start: datetime
    end: datetime


def drawn(steps: Sequence[Mapping[str, Any]], minute: Minute, *, narrow: bool = False) -> bytes:
    """The calls that were begun in each second, and those in progress; seconds that are not there are none. `narrow`:
    for a telephone, its words as large as on a wide page."""
    by_second = {moment(step["at"]): step for step in steps}
    seconds = int((minute.end - minute.start).total_seconds())
    times = [minute.start + timedelta(seconds=second) for second in range(seconds)]
    most = max([1, *(max(step["admitted"], step["live_calls"]) for step in steps)])
    chart = pygal.Line(
        width=340 if narrow else 1000,
        height=230 if narrow else 280,
        show_dots=False,
        legend_at_bottom=True,
        show_minor_x_labels=False,
        x_labels_major_every=90 if narrow else 30,
        min_scale=1,
        y_labels=_ticks(most),
        range=(0, most),
        **look(),
    )
    chart.x_labels = [f"{at:%H:%M:%S}" for at in times]
    chart.add(
        "calls begun, each second (UTC)",
        [by_second.get(at, {}).get("admitted", 0) for at in times],
        fill=True,
    )
    chart.add("calls in progress", [by_second.get(at, {}).get("live_calls", 0) for at in times])
    return rendered(chart)


def _ticks(most: int) -> list[int]:
    """Some five whole numbers from nothing to at least `most`."""
    step = -(-most // 4)
    return [step * number for number in range(-(-most // step) + 1)]
