"""When a node is past what a dead dialer wrote to it: it answers steadily, and nothing more comes to light."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import gevent
import pytest

from dialer.live_calls import Book, Flight
from dialer.record.recorder import Recorder
from dialer.recovery import reconciler as module
from dialer.recovery.buffer_drain import GAP_SECONDS, PROMPT_SECONDS, Backlogs
from dialer.recovery.decisions import SETTLE_SECONDS
from dialer.recovery.reconciler import Recovery
from freeswitch.cluster import Cluster
from tests.unit.dialer.factories import ME, OTHER, make_flight

AT_ONCE = 0.01


def answering(backlogs: Backlogs, first: int, last: int, took: float = AT_ONCE) -> None:
    """The node answers every second from `first` to `last`, each time after `took` seconds."""
    for second in range(first, last + 1):
        backlogs.answered("fs1", second - took, float(second))


def test_a_node_that_was_never_heard_is_not_quiet() -> None:
    backlogs = Backlogs()
    assert backlogs.quiet_since(make_flight(), 100.0) is None
    backlogs.answered("fs2", 100.0, 100.0)
    assert backlogs.quiet_since(make_flight(), 100.0) is None


def test_a_node_that_answers_every_second_is_quiet_since_the_first_answer() -> None:
    answering(backlogs := Backlogs(), 100, 110)
    assert backlogs.quiet_since(make_flight(), 110.5) == 100.0


@pytest.mark.parametrize("took", [PROMPT_SECONDS + 0.01, 20.0])
def test_an_answer_that_was_long_in_coming_begins_anew(took: float) -> None:
    answering(backlogs := Backlogs(), 100, 103)
    backlogs.answered("fs1", 104.0, 104.0 + took)
    assert backlogs.quiet_since(make_flight(), 104.1 + took) == 104.0 + took


def test_a_gap_in_the_answers_begins_anew() -> None:
    answering(backlogs := Backlogs(), 100, 103)
    later = 103.0 + GAP_SECONDS + 0.5
    assert backlogs.quiet_since(make_flight(), later) is None
    backlogs.answered("fs1", later, later)
    assert backlogs.quiet_since(make_flight(), later) == later


def test_each_call_of_a_dead_dialer_that_comes_to_light_says_that_its_orders_are_being_carried_out() -> None:
    backlogs = Backlogs()
    first, second, last = (make_flight(sent_by=OTHER, adopted_at=100.0) for _ in range(3))
    elsewhere = make_flight(sent_by=OTHER, adopted_at=100.0, node="fs2")
    of_another = make_flight(sent_by="d00000000000c", adopted_at=100.0)
    flights = [first, second, last, elsewhere, of_another]
    backlogs.look(flights, 100.0)
    answering(backlogs, 100, 103)
    first.created = True
    backlogs.look(flights, 103.0)
    assert backlogs.quiet_since(last, 103.0) == 103.0
    assert backlogs.quiet_since(of_another, 103.0) == 100.0
    answering(backlogs, 104, 106)
    # One that was refused has left the book by the next look.
    second.refusal = "GATEWAY_DOWN"
    backlogs.look([last, elsewhere, of_another], 106.0)
    assert backlogs.quiet_since(last, 106.0) == 106.0
    answering(backlogs, 107, 112)
    backlogs.look([last, elsewhere, of_another], 112.0)
    assert backlogs.quiet_since(last, 112.0) == 106.0


def test_a_call_that_was_sent_again_or_given_up_says_nothing_about_the_others() -> None:
    backlogs = Backlogs()
    repeated, withdrawn, left = (make_flight(sent_by=OTHER, adopted_at=100.0) for _ in range(3))
    backlogs.look([repeated, withdrawn, left], 100.0)
    answering(backlogs, 100, 106)
    repeated.sent_by = ME
    withdrawn.over = True
    backlogs.look([repeated, left], 106.0)
    assert backlogs.quiet_since(left, 106.0) == 100.0


def test_recovery_sends_nothing_again_before_a_node_that_stood_still_has_answered_for_long_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "sender_is_dead", lambda _: True)
    clock = [1000.0]
    still = [True]

    def api(line: str, timeout: float) -> str:
        if still[0]:
            clock[0] += timeout / 2
        return "0 years" if line == "uptime" else "-ERR No such channel!"

    node = SimpleNamespace(name="fs1", connected=True, core_uuid="core-1", api=api)
    cluster = cast(Cluster, SimpleNamespace(links={"fs1": node}))
    book, repeated = Book(), list[Flight]()
    recorder = Recorder(ME, book, lambda *_: None, lambda _: None)
    recovery = Recovery(ME, cluster, book, recorder, repeated.append, lambda: clock[0])
    flight = make_flight(sent_by=OTHER, adopted_at=960.0, claimed_at=960.0)
    book.add(flight)

    def second() -> None:
        recovery.patrol()
        gevent.wait(timeout=1)
        clock[0] += 1

    for _ in range(3):
        second()
    still[0] = False
    second()
    awake = clock[0] - 1
    while clock[0] < awake + SETTLE_SECONDS:
        assert repeated == []
        second()
    for _ in range(6):
        second()
    assert repeated[0] is flight
