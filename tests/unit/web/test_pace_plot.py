"""The plot of a campaign's pace: each rate at its own height, and what held it back where it did."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from web.pace_plot import Minutes, drawn, lines_of, stretches

START = datetime(2026, 11, 30, 14, 0, tzinfo=UTC)
MINUTES = Minutes(START, START + timedelta(minutes=1), ZoneInfo("America/New_York"))


def steps(*caps: str | None) -> list[dict[str, Any]]:
    """Ten calls begun in each second, held back by these."""
    return [
        {"at": (START + timedelta(seconds=second)).isoformat(), "admitted": 10, "live_calls": 12, "cap": cap}
        for second, cap in enumerate(caps)
    ]


def rate(cap: str, height: float) -> dict[str, Any]:
    return {"cap": cap, "calls_per_second": height}


def points(image: str, line: int) -> list[tuple[float, float]]:
    """Those of a line of the plot."""
    path = re.search(rf'class="series serie-{line} color-{line}"><path d="M([^"]+)"', image)
    assert path is not None
    found = [pair.split() for pair in re.split(r"[LM]", path[1].replace("M", "L"))]
    numbers = [float(one) for pair in found for one in pair]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


@pytest.mark.parametrize("narrow", [False, True])
def test_each_rate_is_a_line_at_its_own_height_whatever_was_reached(narrow: bool) -> None:
    told = [rate("node_cps", 20.0), rate("gateway_cps", 10.0), rate("tenant_minute", 1000.0)]
    image = drawn(steps(*["gateway_cps"] * 20), told, MINUTES, narrow=narrow).decode()
    (_, bottom), *begun = points(image, 0)
    nodes, gateways = points(image, 2), points(image, 3)
    assert len({y for _, y in nodes}) == len({y for _, y in gateways}) == 1
    # Ten were begun in each of these seconds, which is the gateways' rate, and half the nodes'.
    assert gateways[0][1] == pytest.approx(begun[0][1])
    assert bottom - nodes[0][1] == pytest.approx(2 * (bottom - gateways[0][1]))
    for name in (
        "the nodes’ pace: 20/s",
        "the gateways’ pace: 10/s",
        "the tenant’s pace: 1,000/s ↑",
    ):
        assert name in image


def test_what_held_it_back_is_a_stretch_at_the_height_of_its_rate_or_at_the_bottom() -> None:
    caps = [None, "gateway_cps", "gateway_cps", None, "breaker", None]
    image = drawn(steps(*caps), [rate("gateway_cps", 10.0)], MINUTES).decode()
    (_, bottom), *begun = points(image, 0)
    gateways, held, breaker = (points(image, line) for line in (2, 3, 4))
    assert {y for _, y in held} == {gateways[0][1]}
    assert [x for x, _ in held] == [x for x, _ in begun[1:4]]
    assert {y for _, y in breaker} == {bottom}
    assert [x for x, _ in breaker] == [x for x, _ in begun[4:6]]
    assert ("held back by the gateways’ pace" in image, "held back by breaker" in image) == (True, True)


def test_the_plot_is_by_the_viewer_s_clocks() -> None:
    image = drawn(steps(None), [], MINUTES).decode()
    assert ("09:00:00" in image, "14:00:00" in image, "America/New_York" in image) == (True, False, True)
    assert MINUTES.told == "2026-11-30 09:00 – 09:01, America/New_York"


def test_a_rate_far_above_all_else_leaves_its_height_to_that() -> None:
    assert lines_of({"a": 30, "b": 31}, 10) == {"a": 30, "b": 31}
    assert lines_of({"a": 30, "b": 91}, 10) == {"a": 30}
    assert lines_of({"a": 30, "b": 91}, 31) == {"a": 30, "b": 91}
    assert lines_of({}, 10) == {}


def test_a_stretch_goes_to_the_second_behind_it() -> None:
    assert stretches([None, "a", None, "b", "a"]) == {
        "a": [False, True, True, False, True],
        "b": [False, False, False, True, True],
    }
    assert stretches(["a"]) == {"a": [True]}
