"""However many requests one tenant has waiting, another's waits for one of them at most."""

from __future__ import annotations

import gevent
import gevent.event
import pytest

from api.fair_turns import FairTurns


class Work:
    """Work that ends when it is told to."""

    def __init__(self, turns: FairTurns, order: list[str], name: str, seconds: float = 300.0) -> None:
        self.end = gevent.event.Event()
        self._turns, self._order, self._name, self._seconds = turns, order, name, seconds
        self.greenlet = gevent.spawn(self._run)

    def _run(self) -> None:
        with self._turns.turn(self._name.partition(" ")[0], self._seconds) as has:
            self._order.append(self._name if has else f"{self._name} gave up")
            if has:
                self.end.wait()


def begin(turns: FairTurns, order: list[str], *names: str) -> dict[str, Work]:
    works = {name: Work(turns, order, name) for name in names}
    gevent.idle()
    return works


def end_all(works: dict[str, Work], order: list[str]) -> None:
    """End whoever has a turn, one after another, until everybody had one."""
    while any(not work.greenlet.ready() for work in works.values()):
        for name in list(order):
            works[name].end.set()
        gevent.idle()


def test_tenants_take_turns_and_each_keeps_its_order() -> None:
    turns, order = FairTurns(1), list[str]()
    works = begin(turns, order, *(f"busy {n}" for n in range(4)), "quiet 1", "other 1", "quiet 2")
    end_all(works, order)
    assert order == ["busy 0", "busy 1", "quiet 1", "other 1", "busy 2", "quiet 2", "busy 3"]
    assert turns.free == 1


def test_as_many_work_at_a_time_as_there_are_turns() -> None:
    turns, order = FairTurns(2), list[str]()
    works = begin(turns, order, "a 1", "a 2", "a 3")
    assert order == ["a 1", "a 2"]
    end_all(works, order)
    assert turns.free == 2


def test_who_waits_in_vain_is_forgotten() -> None:
    turns, order = FairTurns(1), list[str]()
    works = begin(turns, order, "a 1")
    late = Work(turns, order, "b 1", seconds=0.01)
    late.greenlet.join()
    assert order == ["a 1", "b 1 gave up"]
    works["a 1"].end.set()
    works["a 1"].greenlet.join()
    assert turns.free == 1


@pytest.mark.parametrize("told", [False, True], ids=["before its turn came", "as it came"])
def test_a_turn_of_who_is_killed_is_passed_on(told: bool) -> None:
    turns, order = FairTurns(1), list[str]()
    works = begin(turns, order, "a 1", "b 1", "c 1")
    if told:
        works["a 1"].end.set()
        works["a 1"].greenlet.join()
    works["b 1"].greenlet.kill()
    works["a 1"].end.set()
    works["c 1"].end.set()
    works["c 1"].greenlet.join()
    assert "c 1" in order
    assert turns.free == 1
