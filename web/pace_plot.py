"""Draws how fast a campaign was dialled, as an SVG image; its page has the tables that it is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from web.plot_library import pygal
from web.plots import COLOURS, STYLES, look, rendered
from web.sentences import figure
from web.showing import moment
from web.words import CAPS, RATES

Rows = Sequence[Mapping[str, Any]]

FAR: Final = 3
"""What is so many times as high as all else would leave no height to that: it is named, and has no line."""
RATE_COLOURS: Final = ("#4f6bb5", "#9a4fb5", "#5f7f1e", "#a8576a")
RATE_STYLE: Final = "stroke-width: 2 !important; stroke-dasharray: 9 4; stroke-opacity: 1 !important"
HELD_COLOURS: Final = ("#c2410c", "#86198f", "#854d0e")
HELD_STYLE: Final = "stroke-width: 5 !important; stroke-opacity: 1 !important"
LEGEND_PX: Final = 21
"""How high a line of the legend is."""


@dataclass(frozen=True, slots=True)
class Minutes:
    """From when to when, in UTC; the end is not in it. `zone` is whose clocks tell them."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    @property
    def told(self) -> str:
        """`2026-11-30 09:00 – 09:03, America/New_York`."""
        start, end = (at.astimezone(self.zone) for at in (self.start, self.end))
        return f"{start:%Y-%m-%d %H:%M} – {end:%H:%M}, {self.zone.key}"

    @property
    def seconds(self) -> list[datetime]:
        """Each of them."""
        count = int((self.end - self.start).total_seconds())
        return [self.start + timedelta(seconds=number) for number in range(count)]


def drawn(steps: Rows, rates: Rows, minutes: Minutes, *, narrow: bool = False) -> bytes:
    """The calls that were begun in each second, and those in progress; seconds that are not there are none. Each rate
    that holds calls now is a line at its height, and thick while it held them back. `narrow`: for a telephone, its
    words as large as on a wide page."""
    by_second = {moment(step["at"]): step for step in steps}
    times = minutes.seconds
    heights = {rate["cap"]: rate["calls_per_second"] for rate in rates}
    highest = max([1, *(max(step["admitted"], step["live_calls"]) for step in steps)])
    near = lines_of(heights, highest)
    highest = max([highest, *(-(-height // 1) for height in near.values())])
    held = stretches([by_second.get(at, {}).get("cap") for at in times])
    chart = _chart(int(highest), minutes, narrow, len(heights), len(held))
    chart.x_labels = [f"{at.astimezone(minutes.zone):%H:%M:%S}" for at in times]
    chart.add(
        "calls begun, each second", [by_second.get(at, {}).get("admitted", 0) for at in times], fill=True
    )
    chart.add("calls in progress", [by_second.get(at, {}).get("live_calls", 0) for at in times])
    for cap, height in heights.items():
        values = [height if cap in near else None] * len(times)
        rate = figure(height).striptags()
        chart.add(f"{rate_name(cap)}: {rate}/s{'' if cap in near else ' ↑'}", values)
    for cap, bound in held.items():
        height = near.get(cap, 0)
        name = f"held back by {CAPS.get(cap, cap.replace('_', ' '))}"
        chart.add(name, [height if here else None for here in bound])
    return rendered(chart)


def rate_name(cap: str) -> str:
    """Of a rate, as its line is named; one that is newer than this process by its word."""
    return RATES.get(cap, cap.replace("_", " "))


def lines_of(heights: Mapping[str, float], highest: float) -> dict[str, float]:
    """The rates that get a line in a plot of calls up to `highest`: the lowest always, and what is not FAR above."""
    top = max([highest, *([min(heights.values())] if heights else [])])
    return {cap: height for cap, height in heights.items() if height <= FAR * top}


def stretches(caps: Sequence[str | None]) -> dict[str, list[bool]]:
    """By what held it back, where it did; to the second behind it, since a line has two ends."""
    found = {cap: [one == cap for one in caps] for cap in caps if cap is not None}
    return {cap: [here[0], *(one or before for before, one in pairwise(here))] for cap, here in found.items()}


def _chart(highest: int, minutes: Minutes, narrow: bool, rates: int, held: int) -> Any:
    """Without its lines: two of calls, then so many of rates and of what held calls back."""
    columns, lines = 1 if narrow else 2, len(COLOURS) + rates + held
    return pygal.Line(
        width=340 if narrow else 1000,
        height=(220 if narrow else 270) + LEGEND_PX * -(-lines // columns),
        margin_bottom=LEGEND_PX,
        show_dots=False,
        legend_at_bottom=True,
        legend_at_bottom_columns=columns,
        truncate_legend=-1,
        show_minor_x_labels=False,
        x_labels_major_every=90 if narrow else 30,
        x_title=minutes.zone.key,
        allow_interruptions=True,
        min_scale=1,
        y_labels=_ticks(highest),
        range=(0, highest),
        **look(
            colours=(*COLOURS, *RATE_COLOURS[:rates], *(HELD_COLOURS * held)[:held]),
            css=[
                *STYLES,
                *(_style(len(COLOURS) + number, RATE_STYLE) for number in range(rates)),
                *(_style(len(COLOURS) + rates + number, HELD_STYLE) for number in range(held)),
            ],
        ),
    )


def _style(line: int, style: str) -> str:
    return f"inline:.serie-{line} path {{ {style} }}"


def _ticks(most: int) -> list[int]:
    """Some five whole numbers from nothing to at least `most`."""
    step = -(-most // 4)
    return [step * number for number in range(-(-most // step) + 1)]
