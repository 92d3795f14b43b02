"""What is held does not leave, and an answer is given only when nothing that may not leave is on its way."""

from __future__ import annotations

import time

import gevent
import pytest

from campaigns.calls_to_end import EVERYBODY
from dialer.send_gate import KEEP_SECONDS, SendGate, Suppressed
from tests.waiting import HANG_SECONDS


@pytest.fixture
def send_gate() -> SendGate:
    return SendGate()


def test_a_hold_is_for_what_was_claimed_before_it(send_gate: SendGate) -> None:
    send_gate.block("c", 4)
    assert not send_gate.allows("t", "c", 3)
    assert send_gate.allows("t", "c", 4)
    assert send_gate.allows("t", "other", 1)
    send_gate.block("c", 2)
    assert not send_gate.allows("t", "c", 3)


def test_a_hold_is_forgotten_once_nothing_that_it_is_for_can_be_left(
    send_gate: SendGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("dialer.send_gate.time.monotonic", lambda: now)
    send_gate.block("old", 4)
    send_gate.block("repeated", 4)
    now += KEEP_SECONDS - 1
    send_gate.block("repeated", 3)
    assert not send_gate.allows("t", "old", 3)
    now += 1
    send_gate.block("new", 4)
    assert send_gate.allows("t", "old", 3)
    assert not send_gate.allows("t", "repeated", 3)
    assert not send_gate.allows("t", "new", 3)


@pytest.mark.parametrize("scope", ["t", EVERYBODY])
def test_a_halt_is_for_its_tenant_or_for_everybody_until_it_is_lifted(
    send_gate: SendGate, scope: str
) -> None:
    send_gate.halt(scope)
    assert not send_gate.allows("t", "c", 1)
    assert send_gate.allows("u", "c", 1) is (scope == "t")
    send_gate.sync([], time.monotonic())
    assert send_gate.allows("t", "c", 1)


def test_nothing_leaves_a_process_that_is_ending(send_gate: SendGate) -> None:
    send_gate.draining = True
    assert not send_gate.allows("t", "c", 99)


def test_halts_follow_the_database_but_for_what_was_noted_since_it_was_read(send_gate: SendGate) -> None:
    send_gate.halt("old")
    read_at = time.monotonic()
    send_gate.halt("new")
    assert send_gate.sync(["standing"], read_at) == ["standing"]
    assert [scope for scope in ("old", "new", "standing") if send_gate.allows(scope, "c", 1)] == ["old"]
    assert send_gate.sync(["standing"], time.monotonic()) == []
    assert send_gate.allows("new", "c", 1)


def test_an_answer_waits_for_the_writes_under_way_and_for_no_later_one(send_gate: SendGate) -> None:
    finish = gevent.event.Event()

    def write() -> None:
        with send_gate.writing():
            finish.wait()

    gevent.spawn(write)
    gevent.sleep(0)
    assert not send_gate.wait_for_writes(0.01)
    waiting = gevent.spawn(send_gate.wait_for_writes, 5.0)
    gevent.sleep(0)
    gevent.spawn(lambda: send_gate.writing().__enter__())
    finish.set()
    assert waiting.get(timeout=HANG_SECONDS) is True


def test_a_write_that_fails_is_over_too(send_gate: SendGate) -> None:
    with pytest.raises(RuntimeError), send_gate.writing():
        raise RuntimeError
    assert send_gate.wait_for_writes(0.0)


ANN, BOB = "+14155550101", "+4930123456"


@pytest.mark.parametrize(
    ("what", "covered"),
    [
        (Suppressed("t", number=ANN), {("t", "c1", ANN), ("t", "c2", ANN)}),
        (Suppressed("t", "c1", number=ANN), {("t", "c1", ANN)}),
        (Suppressed("t", prefix="+49"), {("t", "c1", BOB), ("t", "c2", BOB)}),
        (Suppressed(EVERYBODY, prefix="+49"), {("t", "c1", BOB), ("t", "c2", BOB), ("other", "c3", BOB)}),
        (Suppressed("other"), {("other", "c3", ANN), ("other", "c3", BOB)}),
    ],
)
def test_a_suppression_is_for_the_calls_that_it_names(
    send_gate: SendGate, what: Suppressed, covered: set[tuple[str, str, str]]
) -> None:
    send_gate.suppress(what)
    calls = {(t, c, n) for t, c in (("t", "c1"), ("t", "c2"), ("other", "c3")) for n in (ANN, BOB)}
    assert {call for call in calls if send_gate.suppresses(*call, asked_at=0.0)} == covered


def test_a_suppression_is_for_what_was_claimed_before_it(
    send_gate: SendGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("dialer.send_gate.time.monotonic", lambda: now)
    send_gate.suppress(Suppressed("t", number=ANN))
    now += 1
    send_gate.suppress(Suppressed("t", number=BOB))
    assert send_gate.suppresses("t", "c", ANN, asked_at=1000.0)
    assert not send_gate.suppresses("t", "c", ANN, asked_at=1000.5), "its claim has asked the rows since"
    assert send_gate.suppresses("t", "c", BOB, asked_at=1000.5)


def test_a_suppression_is_forgotten_once_nothing_that_it_is_for_can_be_left(
    send_gate: SendGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("dialer.send_gate.time.monotonic", lambda: now)
    send_gate.suppress(Suppressed("t", number=ANN))
    now += KEEP_SECONDS
    send_gate.suppress(Suppressed("t", number=BOB))
    assert not send_gate.suppresses("t", "c", ANN, asked_at=0.0)
