"""The greenlet that waits in one place for ever is found; who rests, goes round or waits anew is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent.event import Event

from dialer.hung_greenlets import HungGreenlets
from dialer.tasks import Tasks, wait_for_work
from tests.waiting import wait_until

LOOKS = 3


@contextmanager
def running(work: Callable[[], object]) -> Iterator[gevent.Greenlet[..., object]]:
    greenlet = gevent.spawn(work)
    gevent.sleep(0)
    try:
        yield greenlet
    finally:
        greenlet.kill()


def told_of(
    greenlet: gevent.Greenlet[..., object], looks: int, between: Callable[[], object] = int
) -> list[str]:
    told: list[str] = []
    watch = HungGreenlets(lambda: [greenlet], told.append, looks=LOOKS)
    for _ in range(looks):
        watch.look()
        between()
    return told


def hangs() -> None:
    Event().wait()


def test_who_does_not_move_is_told_with_where_it_is() -> None:
    with running(hangs) as greenlet:
        assert not told_of(greenlet, LOOKS)
        (told,) = told_of(greenlet, LOOKS + 1)
        assert told.startswith("a greenlet has not moved for 20 s: ending\n")
        assert "in hangs" in told


def test_who_waits_for_work_may_do_so_for_ever() -> None:
    with running(lambda: wait_for_work(Event())) as greenlet:
        assert not told_of(greenlet, 10 * LOOKS)


def test_who_waits_in_the_same_line_anew_each_time_moves() -> None:
    answers, asked = Event(), 0

    def ask() -> None:
        for _ in range(50):
            answers.wait(timeout=1e-9)

    def asks_by_a_function() -> None:
        nonlocal asked
        while True:
            ask()
            asked += 1

    def wait_until_asked_anew() -> None:
        before = asked
        wait_until(lambda: asked > before)

    with running(asks_by_a_function) as greenlet:
        assert not told_of(greenlet, 10 * LOOKS, wait_until_asked_anew)


def test_one_move_begins_it_all_anew() -> None:
    first, second = Event(), Event()

    def waits_twice() -> None:
        first.wait()
        second.wait()

    with running(waits_twice) as greenlet:
        told: list[str] = []
        watch = HungGreenlets(lambda: [greenlet], told.append, looks=LOOKS)
        for _ in range(LOOKS):
            watch.look()
        first.set()
        gevent.sleep(0)
        gevent.sleep(0)
        for _ in range(LOOKS):
            watch.look()
        assert not told
        watch.look()
        assert len(told) == 1


@pytest.mark.parametrize("over", [True, False])
def test_who_has_not_begun_or_is_over_is_nowhere(over: bool) -> None:
    greenlet: gevent.Greenlet[..., object] = gevent.spawn(int)
    if over:
        greenlet.join()
    assert not told_of(greenlet, 10 * LOOKS)
    greenlet.kill()


def test_tasks_rest_where_they_may_and_their_work_does_not() -> None:
    tasks = Tasks(on_fenced=lambda: None)
    signal, work = Event(), Event()
    try:
        tasks.every(1000.0, int)
        tasks.whenever(signal, work.wait)
        gevent.sleep(0)
        gevent.sleep(0)
        told: list[str] = []
        watch = HungGreenlets(tasks.greenlets, told.append, looks=LOOKS)
        for _ in range(3 * LOOKS):
            watch.look()
        assert not told
        signal.set()
        gevent.sleep(0)
        gevent.sleep(0)
        for _ in range(LOOKS + 1):
            watch.look()
        assert len(told) == 1
        assert "in guarded" in told[0]
    finally:
        tasks.end(timeout=1.0)
