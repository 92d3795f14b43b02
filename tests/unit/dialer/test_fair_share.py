"""Whose call is next: each by its weight and never a call ahead of it, and nobody hoards a claim on the past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from dialer.dispatch.fair_share import FairShare, Share

PLENTY = 50
A_CALL = 1.0 + 1e-6

NAMES = st.integers(1, 6)
LAYOUTS = st.lists(NAMES, min_size=1, max_size=5)
WEIGHTS = st.integers(1, 100) | st.sampled_from([1, 2, 100])
WEIGHED = st.lists(st.tuples(WEIGHTS, st.lists(WEIGHTS, min_size=1, max_size=6)), min_size=1, max_size=5)
"""By tenant its weight and those of its campaigns."""


def layout(campaigns: list[int], wish: int = PLENTY) -> dict[str, dict[str, int]]:
    """By tenant its campaigns: so many of each tenant."""
    return {
        f"t{tenant}": {f"t{tenant}c{number}": wish for number in range(count)}
        for tenant, count in enumerate(campaigns)
    }


def counted(calls: list[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for tenant_id, name in calls:
        row = found.setdefault(tenant_id, {})
        row[name] = row.get(name, 0) + 1
    return found


def serve(fair: FairShare, wishes: Mapping[str, Mapping[str, int]], count: int) -> list[tuple[str, str]]:
    """The first `count` calls of a batch are granted."""
    granted = list(islice(fair.turns(wishes), count))
    fair.give(counted(granted))
    return granted


def spread(counts: Iterator[int]) -> int:
    found = list(counts)
    return max(found) - min(found)


@given(LAYOUTS, st.lists(st.integers(0, 40), max_size=12))
def test_where_all_ask_no_share_is_more_than_one_ahead_however_much_is_granted(
    campaigns: list[int], batches: list[int]
) -> None:
    fair, wishes = FairShare(), layout(campaigns)
    tenants: Counter[str] = Counter()
    served: Counter[str] = Counter()
    for count in batches:
        for tenant_id, name in serve(fair, wishes, count):
            tenants[tenant_id] += 1
            served[name] += 1
        assert spread(tenants[tenant_id] for tenant_id in wishes) <= 1
        for row in wishes.values():
            assert spread(served[name] for name in row) <= 1


def weighed(layout_of: list[tuple[int, list[int]]]) -> dict[str, Share]:
    return {
        f"t{tenant}c{number}": Share(f"t{tenant}", weight, tenant_weight)
        for tenant, (tenant_weight, weights) in enumerate(layout_of)
        for number, weight in enumerate(weights)
    }


def ahead(served: Counter[str], weights: Mapping[str, int]) -> dict[str, float]:
    """By how many calls each is ahead of its share of all that were given."""
    whole = sum(weights.values())
    return {name: served[name] - served.total() * weight / whole for name, weight in weights.items()}


@given(WEIGHED, st.lists(st.integers(0, 60), max_size=12))
def test_where_all_ask_nobody_is_a_call_ahead_of_its_weight_or_behind_it(
    tenants: list[tuple[int, list[int]]], batches: list[int]
) -> None:
    """At every moment, and so over any stretch of time: ten calls are shared as well as ten thousand are."""
    fair, shares = FairShare(), weighed(tenants)
    fair.keep(shares)
    wishes = layout([len(weights) for _, weights in tenants], wish=1000)
    by_tenant: Counter[str] = Counter()
    by_campaign: Counter[str] = Counter()
    for count in batches:
        for tenant_id, name in serve(fair, wishes, count):
            by_tenant[tenant_id] += 1
            by_campaign[name] += 1
        found = ahead(by_tenant, {share.tenant_id: share.tenant_weight for share in shares.values()})
        assert all(abs(calls) < A_CALL for calls in found.values())
        for tenant_id, row in wishes.items():
            within = Counter({name: by_campaign[name] for name in row})
            assert within.total() == by_tenant[tenant_id]
            found = ahead(within, {name: shares[name].weight for name in row})
            assert all(abs(calls) < A_CALL for calls in found.values())


@given(WEIGHED, st.integers(1, 500), st.data())
def test_what_some_do_not_want_the_others_get_by_their_weights(
    tenants: list[tuple[int, list[int]]], count: int, data: st.DataObject
) -> None:
    fair, shares = FairShare(), weighed(tenants)
    fair.keep(shares)
    few = data.draw(st.sampled_from(sorted(shares)))
    wishes = layout([len(weights) for _, weights in tenants], wish=1000)
    wishes[shares[few].tenant_id][few] = data.draw(st.integers(0, 3))
    granted = serve(fair, wishes, count)
    wanted = sum(sum(row.values()) for row in wishes.values())
    assert len(granted) == min(count, wanted)
    others = {name: share for name, share in shares.items() if share.tenant_id == shares[few].tenant_id}
    del others[few]
    served = Counter(name for _, name in granted if name in others)
    if others:
        found = ahead(served, {name: share.weight for name, share in others.items()})
        assert all(abs(calls) < 2 * A_CALL for calls in found.values())


def test_a_weight_that_changes_holds_from_the_next_call_on() -> None:
    fair, wishes = FairShare(), layout([2], wish=1000)
    fair.keep({"t0c0": Share("t0"), "t0c1": Share("t0")})
    serve(fair, wishes, 100)
    fair.keep({"t0c0": Share("t0", 9), "t0c1": Share("t0")})
    assert Counter(name for _, name in serve(fair, wishes, 100)) == {"t0c0": 90, "t0c1": 10}


@given(LAYOUTS, st.integers(0, 5))
def test_each_gets_what_it_wants_and_no_more(campaigns: list[int], wish: int) -> None:
    wishes = layout(campaigns, wish)
    turns = Counter(name for _, name in FairShare().turns(wishes))
    assert turns == Counter({name: wish for row in wishes.values() for name in row} if wish else {})


@given(LAYOUTS, st.lists(st.integers(1, 40), max_size=6), st.data())
def test_who_got_nothing_for_a_while_catches_up_with_one_call_at_most(
    campaigns: list[int], batches: list[int], data: st.DataObject
) -> None:
    """Whether it did not ask, or was denied all that it asked for."""
    fair = FairShare()
    wishes = layout([*campaigns, 1])
    bound = data.draw(st.sampled_from(sorted(wishes)))
    others = {tenant_id: row for tenant_id, row in wishes.items() if tenant_id != bound}
    for count in batches:
        asked = list(fair.turns(wishes if data.draw(st.booleans()) else others))
        fair.give(counted([call for call in asked if call[0] != bound][:count]))
    for rounds in (1, 2, 3):
        first = Counter(tenant_id for tenant_id, _ in islice(fair.turns(wishes), rounds * len(wishes)))
        assert first[bound] <= rounds + 1


def test_who_comes_new_starts_where_the_others_are() -> None:
    fair = FairShare()
    serve(fair, layout([2]), 1000)
    after = Counter(tenant_id for tenant_id, _ in serve(fair, layout([2, 1]), 10))
    assert abs(after["t0"] - after["t1"]) <= 1


def test_who_was_denied_is_the_first_to_ask_again() -> None:
    fair, wishes = FairShare(), layout([1, 1, 1])
    asked = list(islice(fair.turns(wishes), 3))
    fair.give(counted(asked[:2]))
    assert next(iter(fair.turns(wishes))) == asked[2]


def test_of_a_thousand_campaigns_none_starves_though_few_are_served_at_a_time() -> None:
    fair, wishes = FairShare(), layout([200] * 5)
    served: Counter[str] = Counter()
    for _ in range(700):
        served.update(name for _, name in serve(fair, wishes, 3))
    assert len(served) == 1000
    assert set(served.values()) <= {2, 3}


def test_what_is_not_dialled_any_more_is_forgotten_and_comes_back_as_new() -> None:
    fair, wishes = FairShare(), layout([1, 1])
    serve(fair, {"t0": wishes["t0"]}, 20)
    fair.keep({"t1c0": Share("t1")})
    fair.keep({"t0c0": Share("t0"), "t1c0": Share("t1")})
    after = Counter(tenant_id for tenant_id, _ in serve(fair, wishes, 10))
    assert after == {"t0": 5, "t1": 5}
