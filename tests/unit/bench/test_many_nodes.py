"""The simulated plant: which part is late shows where it should."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.many_nodes import Costs, Plant, simulate

PLANT = Plant(calls=10_000.0, dialers=16, shards=1, cores=16)
CHEAP = Costs(permit=1e-6, release=1e-6, script=1e-6, claim=1e-6, record=1e-6, statement=1e-6)


def test_where_nothing_costs_anything_every_turn_is_used() -> None:
    found = simulate(PLANT, CHEAP, 5.0)
    assert found.used > 0.99
    assert found.shard < 0.05
    assert found.database < 0.05


def test_one_thread_that_carries_less_leaves_turns_unused_and_more_shards_use_all() -> None:
    costs = replace(CHEAP, permit=80e-6, release=30e-6)
    one = simulate(PLANT, costs, 10.0)
    assert one.used < 0.95
    assert one.shard > 0.99
    two = simulate(replace(PLANT, shards=2), costs, 10.0)
    assert two.used > 0.99
    assert two.shard == pytest.approx(0.55, abs=0.03)


def test_a_database_without_the_cores_for_it_is_what_is_late() -> None:
    found = simulate(replace(PLANT, cores=2), replace(CHEAP, claim=300e-6, record=600e-6), 10.0)
    assert found.used < 0.9
    assert found.database > 0.99
    assert found.shard < 0.1


def test_a_dialer_asks_as_far_ahead_as_its_claims_take() -> None:
    quick, slow = (
        simulate(replace(PLANT, calls=100.0), replace(CHEAP, statement=s), 5.0) for s in (0.002, 0.02)
    )
    assert slow.lead > 5 * quick.lead
    assert slow.used > 0.95
