"""The table of the bench: what passes, what falls short, and how it looks."""

from __future__ import annotations

import inspect
import json
import math
import threading

import pytest

import bench.__main__
from bench.__main__ import all_measured, document, whole_time
from bench.catalogue import FOLDER, in_pairs, lines, measure_of
from bench.machine import valkey_version
from bench.table import Bound, Figure, Row, Unmeasured, all_pass, as_json, from_json, render, shown

FAST = Figure("CPU time of a list", 2.514, "s", Bound.AT_MOST, 5.0, "a promise")
SLOW = Figure("calls", 978.4, "a second", Bound.AT_LEAST, 1500.0, "a peer")
FAR = Figure("CPU of a call", 1.75, "×", Bound.AT_MOST, 0.6, "a bare loop", goal=True)
KEPT = Figure("CPU of a call", 1.75, "×", Bound.AT_MOST, 0.6, "a bare loop", goal=True, keeps=1.8)
WORSE = Figure("CPU of a call", 1.75, "×", Bound.AT_MOST, 0.6, "a bare loop", goal=True, keeps=1.7)
THERE = Figure("CPU of a call", 0.55, "×", Bound.AT_MOST, 0.6, "a bare loop", goal=True, keeps=0.6)
SEEN = shown("WAL for a call", 7_700, "bytes", "nothing")
HERE_NOT = Unmeasured("one real node", "no node is named", passes=True)


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
    assert Figure("x", value, "s", side, 5.0, "y", goal=True).reached is passes
    assert Figure("x", value, "s", side, 1.0, "y", goal=True, keeps=5.0).passes is passes


def test_the_table_shows_figure_bound_and_verdict() -> None:
    assert render([FAST, SLOW, Unmeasured("caps", "ended with status 1")]) == (
        "| what               | figure       | bound                   | beside              | verdict      |\n"
        "|--------------------|--------------|-------------------------|---------------------|--------------|\n"
        "| CPU time of a list | 2.51 s       | at most 5 s             | a promise           | PASS         |\n"
        "| calls              | 978 a second | at least 1,500 a second | a peer              | FALLS SHORT  |\n"
        "| caps               |              |                         | ended with status 1 | NOT MEASURED |\n"
    )


def test_the_table_tells_a_goal_from_a_promise() -> None:
    rows = [line.split("|")[2:-1] for line in render([FAR, KEPT, WORSE, THERE, SEEN]).splitlines()[2:]]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["1.75 ×", "goal: at most 0.6 ×", "a bare loop", "NOT YET"],
        ["1.75 ×", "goal: at most 0.6 ×, keeps 1.8", "a bare loop", "NOT YET"],
        ["1.75 ×", "goal: at most 0.6 ×, keeps 1.7", "a bare loop", "WORSE THAN IT WAS"],
        ["0.55 ×", "goal: at most 0.6 ×, keeps 0.6", "a bare loop", "REACHED"],
        ["7,700 bytes", "", "nothing", ""],
    ]


def test_what_is_no_number_is_shown_as_none_and_reaches_nothing() -> None:
    (row,) = render([Figure("calls", math.nan, "×", Bound.AT_LEAST, 0.9, "a peer", goal=True)]).splitlines()[
        2:
    ]
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "calls",
        "– ×",
        "goal: at least 0.9 ×",
        "a peer",
        "NOT YET",
    ]


def test_one_line_that_falls_short_or_is_not_measured_is_enough() -> None:
    assert all_pass([FAST])
    assert not all_pass([FAST, SLOW])
    assert not all_pass([FAST, Unmeasured("caps", "killed")])


def test_a_goal_fails_nobody_but_where_it_is_worse_than_it_was() -> None:
    assert all_pass([FAR, KEPT, THERE, SEEN, HERE_NOT])
    assert not all_pass([WORSE])


def test_a_row_comes_back_from_the_process_that_measured_it() -> None:
    rows: list[Row] = [FAST, SLOW, KEPT, SEEN, HERE_NOT]
    assert [from_json(json.loads(json.dumps(as_json(row)))) for row in rows] == rows


def test_the_document_has_a_table_for_each_subject() -> None:
    text = document("a machine", [("dialling", FAR), ("dialling", SEEN), ("lists", FAST)], quick=True)
    assert text.startswith("# script/bench --quick\n\na machine\n\n## dialling\n\n| what")
    assert text.endswith(f"\n\n## lists\n\n{render([FAST])}")
    assert text.count("| what") == 2


def test_every_module_below_lines_is_a_line() -> None:
    modules = {path.stem for path in FOLDER.glob("**/*.py")} - {"__init__"}
    assert {module.rpartition(".")[2] for module in lines().values()} == modules
    assert not [name for name in lines() if "_" in name]


@pytest.mark.parametrize("name", lines())
def test_every_line_can_be_measured(name: str) -> None:
    assert len(inspect.signature(measure_of(lines()[name])).parameters) == 1


def test_two_lines_that_only_compute_are_measured_at_once_and_all_others_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every = lines()
    alone, *pair = "line-use", "numbers", "list"
    assert [in_pairs(every[name]) for name in (alone, *pair)] == [False, True, True]
    together = threading.Barrier(2, timeout=60)
    order: list[str] = []

    def measured(name: str, _module: str, *, quick: bool) -> list[Row]:
        assert quick
        if name in pair:
            together.wait()
        order.append(name)
        return [shown(name, 1.0, "s", "nothing")]

    monkeypatch.setattr(bench.__main__, "measured", measured)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    wanted = {name: module for name, module in every.items() if name in (alone, *pair)}
    rows = all_measured(wanted, quick=True)
    assert order[-1] == alone
    assert [row.what for _, row in rows] == list(wanted)


def test_how_long_all_of_it_took_is_judged() -> None:
    quick, slow = whole_time(360.0, quick=True), whole_time(361.0, quick=True)
    assert isinstance(quick, Figure)
    assert isinstance(slow, Figure)
    assert (quick.verdict, slow.verdict) == ("REACHED", "NOT YET")
    whole = whole_time(3_600.0, quick=False)
    assert isinstance(whole, Figure)
    assert whole.verdict == "REACHED"


def test_the_version_of_valkey_is_read() -> None:
    assert valkey_version("Valkey server v=9.1.2 sha=00000000:0 malloc=jemalloc bits=64\n") == "9.1.2"
