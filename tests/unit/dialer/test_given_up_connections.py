"""What we wrote to a node that then went silent may still be in its buffers: it is not sent a second time before the
node has closed that connection too."""

from __future__ import annotations

from collections.abc import Sequence

import gevent
import pytest
from gevent.event import Event
from peewee import OperationalError

from dialer.live_calls import LiveCall, LiveCalls, LiveState
from tests.unit.dialer.factories import make_call, make_reconciler, make_recorder

NOW = 500.0
OURS = "d000000000001"


class Loss:
    """A node whose connections, `closed` of them by the node itself, were lost with three calls in the book."""

    def __init__(self, *closed: bool, sent: LiveCall | None = None) -> None:
        self.held = tuple(Event() for _ in closed)
        self.sent = sent or make_call(call_id="sent", sent_at=1.0)
        self.seen = make_call(call_id="seen", sent_at=1.0, state=LiveState.SEEN)
        self.unsent = make_call(call_id="unsent")
        live_calls = LiveCalls()
        for call in (self.sent, self.seen, self.unsent):
            live_calls.add(call)
        recorder = make_recorder(live_calls, owner=OURS)
        self.noted: list[str] = []
        self.reconciler = make_reconciler(
            {}, live_calls, recorder, owner=OURS, now=lambda: NOW, note=self.note
        )
        for one, is_closed in zip(self.held, closed, strict=True):
            if is_closed:
                one.set()
        self.reconciler.node_down(self.sent.node, self.held)

    def note(self, _dialer_id: str, calls: Sequence[LiveCall]) -> None:
        self.noted += [call.call_id for call in calls]

    @property
    def delivery_unknown(self) -> list[str]:
        calls = (self.sent, self.seen, self.unsent)
        return [call.call_id for call in calls if call.delivery_unknown]


@pytest.mark.parametrize(
    ("closed", "delivery_unknown"),
    [((True,), []), ((False,), ["sent"]), ((True, True), []), ((True, False), ["sent"]), ((), [])],
)
def test_only_a_node_that_closed_has_dropped_what_it_had_not_read(
    closed: tuple[bool, ...], delivery_unknown: list[str]
) -> None:
    loss = Loss(*closed)
    assert loss.delivery_unknown == delivery_unknown
    loss.reconciler.stop()


@pytest.mark.parametrize("closed", [True, False])
def test_a_reply_is_not_waited_for_once_its_connection_is_gone(closed: bool) -> None:
    sent = make_call(call_id="sent", sent_at=1.0, state=LiveState.SENT)
    loss = Loss(closed, sent=sent)
    assert not sent.unacknowledged
    assert sent.delivery_unknown is not closed
    assert sent.released_at == NOW
    loss.reconciler.stop()


def test_what_was_written_before_has_been_without_a_listener() -> None:
    loss = Loss(True)
    assert [call.unheard for call in (loss.sent, loss.seen, loss.unsent)] == [True, True, False]


def test_the_doubt_is_over_once_the_node_has_closed_every_connection() -> None:
    loss = Loss(False, False)
    loss.held[0].set()
    gevent.idle()
    assert loss.delivery_unknown == ["sent"]
    loss.held[1].set()
    gevent.wait(loss.reconciler.greenlets())
    assert loss.delivery_unknown == []
    assert loss.sent.released_at == NOW
    assert loss.seen.released_at == 0.0


def test_the_row_of_a_call_in_doubt_says_so_for_whoever_takes_it_over() -> None:
    loss = Loss(False)
    gevent.idle()
    assert loss.noted == ["sent"]
    loss.reconciler.stop()


def test_a_database_that_is_away_keeps_no_call_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("the server is away")

    monkeypatch.setattr(Loss, "note", away)
    loss = Loss(False)
    loss.held[0].set()
    gevent.wait(loss.reconciler.greenlets())
    assert loss.delivery_unknown == []


def test_a_later_connection_that_the_node_closes_says_nothing_of_an_earlier_one() -> None:
    first = Loss(False)
    later = Loss(False, sent=first.sent)
    later.held[0].set()
    gevent.wait(later.reconciler.greenlets())
    assert first.sent.delivery_unknown
    first.reconciler.stop()


def test_what_a_silent_node_may_still_read_counts_in_the_rates_until_it_cannot_or_has_shown_it() -> None:
    settled, shown = Loss(False), Loss(False)
    assert settled.reconciler.unseen() == shown.reconciler.unseen() == ["sent"]
    settled.held[0].set()
    gevent.wait(settled.reconciler.greenlets())
    shown.sent.show()
    assert settled.reconciler.unseen() == shown.reconciler.unseen() == []
    assert Loss(True).reconciler.unseen() == []
    shown.reconciler.stop()


@pytest.mark.parametrize("state", [LiveState.CLAIMED, LiveState.QUEUED])
def test_what_is_to_be_sent_again_waits_for_a_turn_of_its_own(state: LiveState) -> None:
    loss = Loss(False)
    loss.sent.resend()
    loss.sent.state = state
    assert loss.reconciler.unseen() == []
    loss.reconciler.stop()
