"""The small pure rules of a node: limits of sessions, ticks of the second, causes, number plan, mix, clock."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.applications import FOREVER, MESSAGE_SECONDS, duration
from simulator.causes import parse_cause, q850
from simulator.number_plan import PLAN, QUICK_ANSWER, Mix, by_number
from simulator.scheduler import Clock, Scheduler, tick
from simulator.session_limits import SessionLimits


def test_n_sessions_per_second_admit_one_less() -> None:
    limits = SessionLimits(sps=5, max_sessions=100)
    assert [limits.admit(10.0, 0) for _ in range(7)] == [True] * 4 + [False] * 3
    assert limits.admit(11.0, 0)


def test_a_refused_session_uses_up_the_allowance_too() -> None:
    limits = SessionLimits(sps=5, max_sessions=1)
    assert [limits.admit(10.0, 1) for _ in range(4)] == [False] * 4
    assert not limits.admit(10.5, 0)


def test_a_full_or_paused_node_admits_nobody() -> None:
    limits = SessionLimits(sps=100, max_sessions=2)
    assert limits.admit(1.0, 1)
    assert not limits.admit(1.0, 2)
    limits.paused_outbound = True
    assert not limits.admit(1.0, 0)


@pytest.mark.parametrize(("at", "seconds", "due"), [(100.0, 2, 102.0), (100.99, 2, 102.0), (100.5, 0, 100.5)])
def test_whole_second_timers_fire_on_the_second(at: float, seconds: int, due: float) -> None:
    assert tick(at, seconds) == due


def test_simulated_time_runs_faster_and_maps_back() -> None:
    clock = Clock(epoch=1_000.0, monotonic=50.0, speed=20.0)
    assert clock.simulated(51.0) == 1_020.0
    assert clock.wall(1_020.0) == 1_001.0
    assert clock.real_seconds(10.0) == 0.5


def test_timers_run_in_order_and_cancelled_ones_do_not() -> None:
    scheduler = Scheduler()
    ran: list[tuple[float, str]] = []
    scheduler.at(2.0, lambda at: ran.append((at, "second")))
    scheduler.at(1.0, lambda at: ran.append((at, "first")))
    scheduler.at(2.0, lambda at: ran.append((at, "third")))
    gone = scheduler.at(1.5, lambda at: ran.append((at, "gone")))
    scheduler.cancel(gone)
    scheduler.run(2.0)
    assert ran == [(1.0, "first"), (2.0, "second"), (2.0, "third")]
    assert len(scheduler) == 0


def test_cancelled_timers_do_not_pile_up() -> None:
    scheduler = Scheduler()
    for timer in [scheduler.at(float(number), lambda _at: None) for number in range(5_000)]:
        scheduler.cancel(timer)
    assert len(scheduler) == 0
    assert scheduler.in_memory < 2_500


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("USER_BUSY", "USER_BUSY"),
        ("user_busy", "USER_BUSY"),
        ("17", "USER_BUSY"),
        ("NOSUCH_CAUSE", "NORMAL_CLEARING"),
        ("", "NORMAL_CLEARING"),
    ],
)
def test_a_cause_is_read_by_name_or_number(text: str, cause: str) -> None:
    assert parse_cause(text) == cause


@pytest.mark.parametrize(
    ("cause", "number"), [("USER_BUSY", 17), ("RECOVERY_ON_TIMER_EXPIRE", 102), ("ALLOTTED_TIMEOUT", 16)]
)
def test_causes_of_the_switch_itself_are_reported_as_16(cause: str, number: int) -> None:
    assert q850(cause) == number


@pytest.mark.parametrize(
    ("number", "ending"),
    [("15550000", "00"), ("+15550007", "07"), ("15550007;x=y", "07"), ("tel:15550012", "12")],
)
def test_the_last_two_digits_choose_the_called_party(number: str, ending: str) -> None:
    assert by_number(number) is PLAN[ending]


@pytest.mark.parametrize("number", ["15550099", "15550007#", "x", ""])
def test_any_other_number_answers_quickly(number: str) -> None:
    assert by_number(number) is QUICK_ANSWER


def test_the_mix_depends_on_the_seed_the_number_and_the_attempt_only() -> None:
    first, second = Mix(7), Mix(7)
    numbers = [f"1555{number:04}" for number in range(50)]
    forwards = {number: [first.draw(number), first.draw(number)] for number in numbers}
    backwards = {number: [second.draw(number), second.draw(number)] for number in reversed(numbers)}
    assert forwards == backwards
    assert forwards != {number: [Mix(8).draw(number)] * 2 for number in numbers}


def test_the_mix_answers_about_half_and_has_every_kind_of_called_party() -> None:
    mix = Mix(1)
    drawn = Counter(
        "answered" if party.answer else str(party.status)
        for party in (mix.draw(str(n)) for n in range(2_000))
    )
    assert 0.4 < drawn["answered"] / 2_000 < 0.7
    assert {"0", "404", "480", "486", "503", "603"} <= set(drawn)


@pytest.mark.parametrize(
    ("media", "seconds"),
    [
        ("/sounds/hello.wav", MESSAGE_SECONDS),
        ("silence_stream://2500", 2.5),
        ("silence_stream://-1", FOREVER),
        ("tone_stream://%(200,100,440)", 0.3),
        ("tone_stream://%(200,100,440);loops=3", 0.9),
        ("tone_stream://%(200,0,440);loops=-1", FOREVER),
    ],
)
def test_media_last_as_long_as_they_say(media: str, seconds: float) -> None:
    assert duration(media) == pytest.approx(seconds)
