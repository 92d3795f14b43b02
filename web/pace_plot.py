"""Draws how fast a campaign was dialled, as an SVG image; its page has the table that it is drawn from."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from xml.etree.ElementTree import Element

import pygal
from pygal.style import Style

from web.showing import moment

# It leaves a finder of Python 2 behind for plugins that nobody has, which every later import would ask in vain.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

DARK: Final = """inline:
@media (prefers-color-scheme: dark) {
  {{ id }}text { fill: #a8b2ba !important; }
  {{ id }}.axis .guides, {{ id }}.axis .line { stroke: #333d43 !important; }
}"""
COLOURS: Final = ("#12877f", "#b07a1c")
"""Seen on white as on a dark ground."""
FONT: Final = "system-ui, sans-serif"


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
        explicit_size=False,
        js=[],
        css=["file://style.css", "file://graph.css", DARK],
        style=Style(
            background="transparent", plot_background="transparent", opacity=".16", colors=COLOURS,
            foreground="#55606a", foreground_strong="#55606a", foreground_subtle="#9aa3a0",
            guide_stroke_color="#9aa3a0", major_guide_stroke_color="#9aa3a0", guide_stroke_dasharray="1,5",
            major_guide_stroke_dasharray="1,5",
            font_family=FONT, label_font_size=13, major_label_font_size=13, legend_font_size=14,
        ),
        show_dots=False,
        legend_at_bottom=True,
        show_minor_x_labels=False,
        x_labels_major_every=90 if narrow else 30,
        truncate_label=-1,
        min_scale=1,
        y_labels=_ticks(most),
        range=(0, most),
        margin=6,
        pretty_print=False,
        disable_xml_declaration=False,
    )  # fmt: skip
    chart.x_labels = [f"{at:%H:%M:%S}" for at in times]
    chart.add(
        "calls begun, each second (UTC)",
        [by_second.get(at, {}).get("admitted", 0) for at in times],
        fill=True,
    )
    chart.add("calls in progress", [by_second.get(at, {}).get("live_calls", 0) for at in times])
    chart.add_xml_filter(_without_scripts)
    image: bytes = chart.render()
    return image


def _ticks(most: int) -> list[int]:
    """Some five whole numbers from nothing to at least `most`."""
    step = -(-most // 4)
    return [step * number for number in range(-(-most // step) + 1)]


def _without_scripts(root: Element) -> Element:
    """An image runs none, and this one is for a script that is not there."""
    for parent in root.iter():
        for child in [child for child in parent if str(child.tag).endswith("script")]:
            parent.remove(child)
    return root
