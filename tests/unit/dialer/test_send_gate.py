"""What is held does not leave, and an answer is given only when nothing that may not leave is on its way."""

from __future__ import annotations

import time

import gevent
import pytest

from dialer.send_gate import EVERYBODY, KEEP_SECONDS, Holds


@pytest.fixture
def holds() -> Holds:
    return Holds()


def test_a_hold_is_for_what_was_claimed_before_it(holds: Holds) -> None:
    holds.hold("c", 4)
    assert not holds.allows("t", "c", 3)
    assert holds.allows("t", "c", 4)
    assert holds.allows("t", "other", 1)
    holds.hold("c", 2)
    assert not holds.allows("t", "c", 3)


def test_a_hold_is_forgotten_once_nothing_that_it_is_for_can_be_left(
    holds: Holds, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("dialer.send_gate.time.monotonic", lambda: now)
    holds.hold("old", 4)
    holds.hold("repeated", 4)
    now += KEEP_SECONDS - 1
    holds.hold("repeated", 3)
    assert not holds.allows("t", "old", 3)
    now += 1
    holds.hold("new", 4)
    assert holds.allows("t", "old", 3)
    assert not holds.allows("t", "repeated", 3)
    assert not holds.allows("t", "new", 3)


@pytest.mark.parametrize("scope", ["t", EVERYBODY])
def test_a_halt_is_for_its_tenant_or_for_everybody_until_it_is_lifted(holds: Holds, scope: str) -> None:
    holds.halt(scope)
    assert not holds.allows("t", "c", 1)
    assert holds.is_halted("t")
    assert holds.allows("u", "c", 1) is (scope == "t")
    holds.lift(scope)
    assert holds.allows("t", "c", 1)


def test_nothing_leaves_a_process_that_is_ending(holds: Holds) -> None:
    holds.draining = True
    assert not holds.allows("t", "c", 99)


def test_halts_follow_the_database_but_for_what_was_noted_since_it_was_read(holds: Holds) -> None:
    holds.halt("old")
    read_at = time.monotonic()
    holds.halt("new")
    assert holds.agree(["standing"], read_at) == ["standing"]
    assert not holds.is_halted("old")
    assert holds.is_halted("new")
    assert holds.is_halted("standing")
    assert holds.agree(["standing"], time.monotonic()) == []
    assert not holds.is_halted("new")


def test_an_answer_waits_for_the_writes_under_way_and_for_no_later_one(holds: Holds) -> None:
    finish = gevent.event.Event()

    def write() -> None:
        with holds.writing():
            finish.wait()

    gevent.spawn(write)
    gevent.sleep(0)
    assert not holds.settled(0.01)
    waiting = gevent.spawn(holds.settled, 5.0)
    gevent.sleep(0)
    gevent.spawn(lambda: holds.writing().__enter__())
    finish.set()
    assert waiting.get(timeout=2) is True


def test_a_write_that_fails_is_over_too(holds: Holds) -> None:
    with pytest.raises(RuntimeError), holds.writing():
        raise RuntimeError
    assert holds.settled(0.0)
