"""Which rates hold a campaign back, and how high each is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.pace_rates import RATES, Configured, Rate, Terms, rates
from campaigns.preflight_caps import Route
from campaigns.slow_start import LAST_LEVEL

NODES = [Configured(30, 30), Configured(30, 15)]
EAST, WEST = Route("east", 20, None), Route("west", 40, None)
TERMS = Terms(calls_per_minute=2400, max_concurrent_calls=80, slow_level=None, gateways=[EAST, WEST])


def told(terms: Terms, nodes: list[Configured] = NODES, **gateways: int | None) -> dict[str, float]:
    return {rate.cap: rate.calls_per_second for rate in rates(terms, nodes, gateways)}


def test_nodes_and_gateways_are_added_up_as_they_are_now() -> None:
    assert told(TERMS, west=10) == {"node_cps": 45.0, "gateway_cps": 30.0, "tenant_minute": 40.0}
    assert rates(TERMS, NODES, {})[0] == Rate("node_cps", 45.0)


def test_what_is_unlimited_or_takes_no_calls_is_no_rate() -> None:
    unlimited = replace(EAST, cps=None)
    assert told(replace(TERMS, gateways=[unlimited, WEST]), [], west=40) == {"tenant_minute": 40.0}
    assert told(replace(TERMS, gateways=[], calls_per_minute=None), [*NODES, Configured(None, None)]) == {}
    assert told(replace(TERMS, calls_per_minute=1)) == {
        "node_cps": 45.0,
        "gateway_cps": 60.0,
        "tenant_minute": 0.02,
    }


@pytest.mark.parametrize(("level", "expected"), [(0, 4.0), (2, 16.0), (3, 32.0), (LAST_LEVEL, None)])
def test_a_slow_start_is_at_its_share_of_the_lowest_that_was_set(level: int, expected: float | None) -> None:
    """Of 40 calls a second, the tenant's; what nodes were cut to takes nothing off."""
    assert told(replace(TERMS, slow_level=level), [Configured(60, 1)]).get("slow_start") == expected


def test_where_nothing_is_limited_a_slow_start_goes_by_the_calls_at_once() -> None:
    free = replace(TERMS, calls_per_minute=None, gateways=[replace(EAST, cps=None)], slow_level=1)
    assert told(free, []) == {"slow_start": 16.0}


def test_each_is_told_by_the_word_with_which_it_blocks() -> None:
    assert set(RATES) <= set(BLOCKED_WORDS)
