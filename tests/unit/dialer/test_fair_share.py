"""Whose call is next: nobody is served twice before another that asks, and nobody hoards a claim on the past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from dialer.dispatch.fair_share import FairShare

PLENTY = 50

NAMES = st.integers(1, 6)
LAYOUTS = st.lists(NAMES, min_size=1, max_size=5)


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
    fair.keep({"t1c0": "t1"})
    fair.keep({"t0c0": "t0", "t1c0": "t1"})
    after = Counter(tenant_id for tenant_id, _ in serve(fair, wishes, 10))
    assert after == {"t0": 5, "t1": 5}
