"""Draws reports as SVG images; each page has the table that its plot is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from web.plot_library import pygal
from web.plots import look, rendered
from web.report_words import WEEKDAYS, percent
from web.sentences import figure, sentence

Rows = Sequence[Mapping[str, Any]]

WIDE, NARROW = (1000, 280), (340, 260)
"""Of an image on a desk and on a telephone, in pixels: width and height."""
MOST_BARS, MOST_BARS_NARROW = 20, 8
SOLID: Final = ".85"


def hours(rows: Rows, *, narrow: bool) -> bytes:
    """A dot for each hour of each day of the week, the larger the more of its calls were picked up."""
    width, height = NARROW if narrow else WIDE
    chart = pygal.Dot(
        width=width,
        height=height,
        show_legend=False,
        dots_size=9,
        x_labels_major_every=6 if narrow else 2,
        show_minor_x_labels=False,
        **look(opacity=SOLID, colours=("#12877f",) * len(WEEKDAYS)),
    )
    chart.x_labels = [f"{hour:02}" for hour in range(24)]
    for number, name in enumerate(WEEKDAYS, 1):
        rates = [row["answer_rate"] or 0 for row in rows if row["weekday"] == number]
        chart.add(name[:2] if narrow else name, rates)
    return rendered(chart)


def rates(labels: Sequence[str], values: Sequence[float | None], *, narrow: bool) -> bytes:
    """A bar for each of the first of these, as high as its answer rate; what has none has no bar."""
    most = MOST_BARS_NARROW if narrow else MOST_BARS
    given = [value for value in values[:most] if value is not None]
    chart = _bars(
        narrow,
        range=(0, max([*given, 0.01])),
        value_formatter=_plain_percent,
        x_label_rotation=40,
    )
    chart.x_labels = list(labels[:most])
    chart.add("answer rate", list(values[:most]))
    return rendered(chart)


def lengths(buckets: Rows, unit: str, *, narrow: bool) -> bytes:
    """A bar for each bucket from the first to the last that has any calls, as high as how many."""
    filled = [number for number, bucket in enumerate(buckets) if bucket["calls"]]
    shown = buckets[filled[0] : filled[-1] + 1] if filled else []
    chart = _bars(
        narrow,
        x_label_rotation=40,
        x_labels_major_every=max(1, len(shown) // (5 if narrow else 14)),
        show_minor_x_labels=False,
        range=(0, max([1, *(bucket["calls"] for bucket in shown)])),
        value_formatter=lambda calls: figure(round(calls)).striptags(),
    )
    chart.x_labels = [bucket_words(bucket["at_most"], unit).striptags() for bucket in shown]
    chart.add("calls", [bucket["calls"] for bucket in shown])
    return rendered(chart)


def bucket_words(at_most: int | None, unit: str) -> Markup:
    """Up to where a bucket goes: `1.25 s`."""
    if at_most is None:
        return Markup("longer")
    return sentence("{} s", figure(at_most / 1000 if unit == "ms" else at_most))


def _plain_percent(rate: float | None) -> str:
    return percent(rate).striptags()


def _bars(narrow: bool, **options: Any) -> Any:
    width, height = NARROW if narrow else WIDE
    return pygal.Bar(
        width=width,
        height=height,
        show_legend=False,
        y_labels_major_count=5,
        show_minor_y_labels=False,
        **look(opacity=SOLID),
        **options,
    )
