"""The table of the bench: what passes, what falls short, and how it looks."""

from __future__ import annotations

import json
import math

import pytest

from bench.lines import LINES
from bench.table import Bound, Figure, Unmeasured, all_pass, render

FAST = Figure("CPU time of a list", 2.514, "s", Bound.AT_MOST, 5.0, "a promise")
SLOW = Figure("calls", 978.4, "a second", Bound.AT_LEAST, 1500.0, "a peer")


@pytest.mark.parametrize(
    ("value", "side", "passes"),
    [
        (4.9, Bound.AT_MOST, True),
        (5.0, Bound.AT_MOST, True),
        (5.1, Bound.AT_MOST, False),
        (5.1, Bound.AT_LEAST, True),
        (5.0, Bound.AT_LEAST, True),
        (4.9, Bound.AT_LEAST, False),
        (math.nan, Bound.AT_MOST, False),
        (math.nan, Bound.AT_LEAST, False),
    ],
)
def test_a_figure_passes_on_its_side_of_the_bound(value: float, side: Bound, passes: bool) -> None:
    assert Figure("x", value, "s", side, 5.0, "y").passes is passes


def test_the_table_shows_figure_bound_and_verdict() -> None:
    assert render([FAST, SLOW, Unmeasured("caps", "ended with status 1")]) == (
        "| what               | figure       | bound                   | beside              | verdict      |\n"
        "|--------------------|--------------|-------------------------|---------------------|--------------|\n"
        "| CPU time of a list | 2.51 s       | at most 5 s             | a promise           | PASS         |\n"
        "| calls              | 978 a second | at least 1,500 a second | a peer              | FALLS SHORT  |\n"
        "| caps               |              |                         | ended with status 1 | NOT MEASURED |\n"
    )


def test_one_line_that_falls_short_or_is_not_measured_is_enough() -> None:
    assert all_pass([FAST])
    assert not all_pass([FAST, SLOW])
    assert not all_pass([FAST, Unmeasured("caps", "killed")])


def test_a_figure_comes_back_from_the_process_that_measured_it() -> None:
    assert [Figure.from_json(json.loads(json.dumps(figure.as_json()))) for figure in (FAST, SLOW)] == [
        FAST,
        SLOW,
    ]


@pytest.mark.parametrize("name", LINES)
def test_every_line_is_a_function_of_the_bench(name: str) -> None:
    module = __import__(LINES[name].module, fromlist=[LINES[name].function])
    assert callable(getattr(module, LINES[name].function))
