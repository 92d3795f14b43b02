"""What a campaign is said to take: within a tenth of what it takes when it is dialled call by call on a virtual
clock, and never faster than any cap lets it be."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns import forecast as forecasts
from campaigns.dispositions import Disposition
from campaigns.forecast import Cap, Caps, DayCap, Forecast, Group, Outcome, Waiting, forecast
from campaigns.retry import History, after_call
from models import ContactStatus
from tests.examples import examples
from tests.unit.campaigns.virtual_campaign import DAY, Ending, House, took

MONDAY = 1_800_000_000 // DAY * DAY + 9 * 3600.0
ENDINGS = {
    Disposition.ANSWERED: Ending(0.45, 70.0, answered=True),
    Disposition.NO_ANSWER: Ending(0.35, 35.0),
    Disposition.BUSY: Ending(0.15, 4.0),
    Disposition.INVALID: Ending(0.05, 2.0),
}
SHIFTS = [(MONDAY + day * DAY + begin * 3600, MONDAY + day * DAY + end * 3600) for day in range(9)
          for begin, end in ((0, 3), (4, 8))]  # fmt: skip
LATER = [(opens + 2 * 3600, closes + 2 * 3600) for opens, closes in SHIFTS]


def fall_due_while_shut(contacts: int) -> tuple[Forecast, int]:
    """One contact a minute that falls due before anybody may be called, and how often others had their turn."""
    turns = 0

    def let_others_run() -> None:
        nonlocal turns
        turns += 1

    waiting = [Waiting(MONDAY + number * 60.0, 1.0) for number in range(contacts)]
    group = Group(waiting, [(MONDAY + 10 * DAY, MONDAY + 11 * DAY)])
    answered = [Outcome(1.0, 10.0, 10.0, lambda _: None)]
    found = forecast(
        [group], Caps([Cap("gateway_cps", 1e6)]), answered, MONDAY, let_others_run=let_others_run
    )
    return found, turns


def test_others_have_their_turn_while_nobody_can_be_called() -> None:
    found, turns = fall_due_while_shut(1_000)
    assert turns >= 1_000 // forecasts.YIELD_STEPS
    assert found.calls == pytest.approx(1_000)


def test_of_very_many_moments_at_which_nobody_can_be_called_some_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forecasts, "YIELD_STEPS", 1)
    monkeypatch.setattr(forecasts, "MOST_STEPS", 20)
    found, turns = fall_due_while_shut(1_000)
    assert 20 < turns < 500
    assert found.calls == pytest.approx(1_000)
    assert found.ends_at is not None
    assert found.ends_at >= MONDAY + 10 * DAY


def outcomes(endings: Mapping[Disposition, Ending], house: House) -> list[Outcome]:
    def again(word: Disposition, call: int) -> float | None:
        history = History(call, 0, False, house.retries, house.delay)
        after = after_call(word, history, refused=False, jitter=0.5)
        return (after.delay_seconds or 0.0) if after.status is ContactStatus.PENDING else None

    return [
        Outcome(
            ending.share,
            ending.seconds,
            ending.seconds if ending.answered else 0.0,
            lambda call, word=word: again(word, call),  # type: ignore[misc]
        )
        for word, ending in endings.items()
    ]


def caps(house: House, endings: Mapping[Disposition, Ending] = ENDINGS) -> Caps:
    billed = sum(ending.share * ending.seconds for ending in endings.values() if ending.answered)
    seconds = None if house.minutes_a_day is None else house.minutes_a_day * 60.0
    return Caps(
        [Cap("gateway_cps", house.per_second)],
        [Cap("campaign_concurrency", house.places)],
        [
            DayCap("tenant_day_calls", house.per_day, house.per_day or 0),
            DayCap("tenant_day_minutes", seconds, seconds or 0, billed),
        ],
        new_first=house.new_first,
    )


def told(contacts: int, house: House, start: float = MONDAY) -> Forecast:
    share = contacts / len(house.openings)
    groups = [Group([Waiting(start, share)], openings) for openings in house.openings]
    return forecast(groups, caps(house), outcomes(ENDINGS, house), start)


CASES = {
    "places bind": (2_000, House(places=10)),
    "few places": (400, House(places=2)),
    "rate binds": (3_000, House(places=1_000, per_second=2.0)),
    "both nearly bind": (3_000, House(places=90, per_second=2.0)),
    "retries": (2_000, House(places=10, retries=2, delay=600)),
    "retries outlast the list": (300, House(places=20, retries=3, delay=1_800)),
    "windows": (6_000, House(places=10, openings=(SHIFTS,))),
    "windows and retries": (2_200, House(places=10, retries=2, delay=3_600, openings=(SHIFTS,))),
    "new ones first": (2_000, House(places=10, retries=2, delay=3_600, openings=(SHIFTS,), new_first=True)),
    "two groups": (4_000, House(places=10, retries=1, delay=900, openings=(SHIFTS, LATER))),
    "calls a day": (2_500, House(places=50, per_day=700)),
    "minutes a day": (2_500, House(places=50, minutes_a_day=300)),
    "a day and windows": (1_500, House(places=50, per_day=400, retries=1, delay=300, openings=(SHIFTS,))),
    "nothing binds": (5_000, House(places=20, per_second=50.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_campaign_takes_what_was_told_within_a_tenth(name: str) -> None:
    contacts, house = CASES[name]
    found = told(contacts, house)
    assert found.ends_at is not None
    happened = [took(contacts, house, ENDINGS, MONDAY, seed) for seed in range(5)]
    middle = sorted(happened)[2]
    assert found.ends_at - MONDAY == pytest.approx(middle, rel=0.10), (found, happened)
    assert found.uncalled == 0


HOUSES = st.builds(
    House,
    places=st.none() | st.integers(1, 60),
    per_second=st.none() | st.floats(0.05, 50.0),
    per_day=st.none() | st.integers(1, 2_000),
    minutes_a_day=st.none() | st.integers(1, 5_000),
    retries=st.integers(0, 3),
    delay=st.integers(60, 7_200),
    openings=st.sampled_from([(None,), (SHIFTS,), (SHIFTS, LATER)]),
)


@examples(60)
@given(HOUSES, st.integers(1, 3_000), st.floats(0, DAY))
@example(House(places=1), 4, 0.0)
def test_it_is_never_faster_than_any_cap(house: House, contacts: int, offset: float) -> None:
    start = MONDAY + offset
    found = told(contacts, house, start)
    if found.ends_at is None or found.uncalled:
        return
    seconds = found.ends_at - start
    assert found.calls >= contacts - 1
    if house.per_second is not None:
        assert found.calls / house.per_second <= seconds * 1.001 + 1.0
    if house.places is not None:
        mean = sum(ending.share * ending.seconds for ending in ENDINGS.values())
        assert found.calls <= house.places * (1.0 + seconds / mean) + 1.0
    days = math.floor(found.ends_at / DAY) - math.floor(start / DAY) + 1
    if house.per_day is not None:
        assert found.calls <= house.per_day * days + 1.0
    if house.openings == (SHIFTS,):
        open_seconds = sum(
            max(0.0, min(closes, found.ends_at) - max(opens, start)) for opens, closes in SHIFTS
        )
        if house.per_second is not None:
            assert found.calls / house.per_second <= open_seconds * 1.001 + 71.0


@given(st.sampled_from(["rates", "places", "days"]), st.integers(0, 5))
def test_a_cap_of_nothing_ends_never_and_is_named(kind: str, contacts: int) -> None:
    made = {
        "rates": Caps(rates=[Cap("gateway_cps", 0)]),
        "places": Caps(places=[Cap("tenant_concurrency", 0)]),
        "days": Caps(days=[DayCap("tenant_day_calls", 0, 0)]),
    }[kind]
    found = forecast([Group([Waiting(MONDAY, contacts)])], made, outcomes(ENDINGS, House()), MONDAY)
    assert (found.ends_at is None) == (contacts > 0)
    assert found.uncalled == contacts


def test_what_binds_is_named_with_its_time() -> None:
    bound = told(2_000, House(places=10)).bound_seconds
    assert max(bound, key=lambda word: bound[word]) == "campaign_concurrency"
    bound = told(6_000, House(places=10, openings=(SHIFTS,))).bound_seconds
    assert bound["window"] > 3_600
    bound = told(300, House(places=20, retries=3, delay=1_800)).bound_seconds
    assert max(bound, key=lambda word: bound[word]) == "retry_wait"


def test_what_a_deadline_or_the_last_opening_leaves_is_not_called() -> None:
    group = [Group([Waiting(MONDAY, 1_000)])]
    house = House(places=1)
    found = forecast(group, caps(house), outcomes(ENDINGS, house), MONDAY, until=MONDAY + 3_600)
    assert 900 < found.uncalled < 950
    shut = told(50_000, House(places=1, openings=(SHIFTS[:1],)))
    assert shut.ends_at is None
    assert shut.uncalled > 49_000


def test_a_slow_start_costs_the_time_of_its_doublings() -> None:
    group = [Group([Waiting(MONDAY, 1_000)])]
    plain = Caps(rates=[Cap("gateway_cps", 10)])
    slow = Caps(rates=[Cap("gateway_cps", 10)], slow_start=True)
    ends = [forecast(group, one, outcomes(ENDINGS, House()), MONDAY).ends_at for one in (plain, slow)]
    assert ends[0] is not None
    assert ends[1] is not None
    assert 15 < ends[1] - ends[0] < 25


def test_a_million_contacts_are_reckoned_in_few_steps_and_let_others_run() -> None:
    turns = 0

    def turn() -> None:
        nonlocal turns
        turns += 1

    house = House(places=100, retries=2, delay=3_600, openings=(SHIFTS, LATER))
    groups = [Group([Waiting(MONDAY, 500_000)], openings) for openings in house.openings]
    found = forecast(groups, caps(house), outcomes(ENDINGS, house), MONDAY, let_others_run=turn)
    assert found.ends_at is None
    assert 10 < turns < 1_000
