"""What we wrote to a node that then went silent may still be in its buffers: it is not sent a second time before the
node has closed that connection too."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import gevent
import pytest
from gevent.event import Event
from peewee import OperationalError

from dialer.live_calls import Book, Flight
from dialer.record.recorder import Recorder
from dialer.recovery.reconciler import Recovery
from freeswitch.cluster import Cluster
from tests.unit.dialer.factories import make_flight

NOW = 500.0
OURS = "d000000000001"


class Loss:
    """A node whose connections, `closed` of them by the node itself, were lost with three calls in the book."""

    def __init__(self, *closed: bool, sent: Flight | None = None) -> None:
        self.held = tuple(Event() for _ in closed)
        self.sent = sent or make_flight(call_id="sent", sent_at=1.0)
        self.seen = make_flight(call_id="seen", sent_at=1.0, created=True)
        self.unsent = make_flight(call_id="unsent")
        book = Book()
        for flight in (self.sent, self.seen, self.unsent):
            book.add(flight)
        nowhere = cast(Cluster, SimpleNamespace(links={}))
        recorder = Recorder(OURS, book, lambda *_: None, lambda _: None)
        self.noted: list[str] = []
        self.recovery = Recovery(OURS, nowhere, book, recorder, lambda _: None, lambda: NOW, note=self.note)
        for one, is_closed in zip(self.held, closed, strict=True):
            if is_closed:
                one.set()
        self.recovery.node_down(self.sent.node, self.held)

    def note(self, _dialer_id: str, flights: Sequence[Flight]) -> None:
        self.noted += [flight.call_id for flight in flights]

    @property
    def doubted(self) -> list[str]:
        flights = (self.sent, self.seen, self.unsent)
        return [flight.call_id for flight in flights if flight.doubtful]


@pytest.mark.parametrize(
    ("closed", "doubted"),
    [((True,), []), ((False,), ["sent"]), ((True, True), []), ((True, False), ["sent"]), ((), [])],
)
def test_only_a_node_that_closed_has_dropped_what_it_had_not_read(
    closed: tuple[bool, ...], doubted: list[str]
) -> None:
    loss = Loss(*closed)
    assert loss.doubted == doubted
    loss.recovery.stop()


@pytest.mark.parametrize("closed", [True, False])
def test_a_reply_is_not_waited_for_once_its_connection_is_gone(closed: bool) -> None:
    sent = make_flight(call_id="sent", sent_at=1.0, unanswered=True)
    loss = Loss(closed, sent=sent)
    assert not sent.unanswered
    assert sent.doubtful is not closed
    assert sent.let_go_at == NOW
    loss.recovery.stop()


def test_what_was_written_before_has_been_without_a_listener() -> None:
    loss = Loss(True)
    assert [flight.missed for flight in (loss.sent, loss.seen, loss.unsent)] == [True, True, False]


def test_the_doubt_is_over_once_the_node_has_closed_every_connection() -> None:
    loss = Loss(False, False)
    loss.held[0].set()
    gevent.idle()
    assert loss.doubted == ["sent"]
    loss.held[1].set()
    gevent.wait(loss.recovery._waits)
    assert loss.doubted == []
    assert loss.sent.let_go_at == NOW
    assert loss.seen.let_go_at == 0.0


def test_the_row_of_a_call_in_doubt_says_so_for_whoever_takes_it_over() -> None:
    loss = Loss(False)
    gevent.idle()
    assert loss.noted == ["sent"]
    loss.recovery.stop()


def test_a_database_that_is_away_keeps_no_call_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("the server is away")

    monkeypatch.setattr(Loss, "note", away)
    loss = Loss(False)
    loss.held[0].set()
    gevent.wait(loss.recovery._waits)
    assert loss.doubted == []


def test_a_later_connection_that_the_node_closes_says_nothing_of_an_earlier_one() -> None:
    first = Loss(False)
    later = Loss(False, sent=first.sent)
    later.held[0].set()
    gevent.wait(later.recovery._waits)
    assert first.sent.doubtful
    first.recovery.stop()
