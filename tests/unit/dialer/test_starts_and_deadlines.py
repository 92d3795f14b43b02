"""When a dialer wakes for the next start or end that is due."""

from __future__ import annotations

from collections.abc import Callable

from dialer.starts_and_deadlines import AHEAD_SECONDS, StartsAndDeadlines


class Clock:
    def __init__(self) -> None:
        self.time = 100.0
        self.timers: list[tuple[float, Callable[[], object]]] = []
        nothing = lambda *_: None  # noqa: E731
        self.subject = StartsAndDeadlines(
            "d1", nothing, nothing, nothing, nothing, lambda _: False, self.later, lambda: self.time
        )

    def later(self, seconds: float, ring: Callable[[], object]) -> None:
        self.timers.append((round(self.time + seconds, 3), ring))


def test_what_is_due_is_done_at_once_and_what_is_far_is_left_to_a_later_look() -> None:
    clock = Clock()
    for seconds in (None, AHEAD_SECONDS + 0.1):
        clock.subject.expect(seconds)
    assert (clock.timers, clock.subject.wake.is_set()) == ([], False)
    clock.subject.expect(-3600.0)
    assert (clock.timers, clock.subject.wake.is_set()) == ([], True)


def test_what_is_due_soon_wakes_at_its_moment_by_one_timer() -> None:
    clock = Clock()
    clock.subject.expect(1.5)
    clock.time += 1.0
    clock.subject.expect(0.5)
    clock.subject.expect(0.8)
    assert [at for at, _ in clock.timers] == [101.5]
    clock.subject.expect(0.2)
    assert [at for at, _ in clock.timers] == [101.5, 101.2], "what is due before that has a timer of its own"
    assert not clock.subject.wake.is_set()
    clock.timers[1][1]()
    assert clock.subject.wake.is_set()
    clock.subject.expect(1.0)
    assert [at for at, _ in clock.timers] == [101.5, 101.2, 102.0]
