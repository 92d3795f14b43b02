"""How far a call has come: what moves its state, and what cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.live_calls import LiveCall, LiveCalls, LiveState
from tests.unit.dialer.factories import CAMPAIGN, make_call

NOW = 100.0

HAPPENS: dict[str, Callable[[LiveCall], object]] = {
    "enqueue": lambda call: call.enqueue(),
    "dequeue": lambda call: call.dequeue(),
    "write": lambda call: call.write(NOW, "core-2"),
    "acknowledge": lambda call: call.acknowledge(NOW),
    "resend": lambda call: call.resend(),
    "show": lambda call: call.show(),
    "ring": lambda call: call.ring(alerted=True),
    "early media": lambda call: call.ring(alerted=False),
    "answer": lambda call: call.answer(NOW),
    "end": lambda call: call.end(),
    "lose connection": lambda call: call.lose_connection(NOW),
    "doubt delivery": lambda call: call.doubt_delivery(),
    "settle delivery": lambda call: call.settle_delivery(NOW),
}
BACK = {"dequeue", "resend"}

C, Q, S, A, V, R, T, O = LiveState  # noqa: E741  in the order of a call's life
TABLE = {
    #                  CLAIMED QUEUED SENT ACK SEEN RINGING ANSWERED OVER
    "enqueue": (Q, Q, S, A, V, R, T, O),
    "dequeue": (C, C, S, A, V, R, T, O),
    "write": (S, S, S, A, V, R, T, O),
    "acknowledge": (C, Q, A, A, V, R, T, O),
    "resend": (C, Q, C, C, V, R, T, O),
    "show": (V, V, V, V, V, R, T, O),
    "ring": (R, R, R, R, R, R, T, O),
    "early media": (R, R, R, R, R, R, T, O),
    "answer": (T, T, T, T, T, T, T, O),
    "end": (O, O, O, O, O, O, O, O),
    "lose connection": (C, Q, A, A, V, R, T, O),
    "doubt delivery": (C, Q, S, A, V, R, T, O),
    "settle delivery": (C, Q, S, A, V, R, T, O),
}


@pytest.mark.parametrize("name", HAPPENS)
def test_every_event_in_every_state(name: str) -> None:
    found = []
    for state in LiveState:
        call = make_call(state=state)
        HAPPENS[name](call)
        found.append(call.state)
    assert tuple(found) == TABLE[name]


@given(st.lists(st.sampled_from(sorted(HAPPENS)), max_size=30))
def test_a_call_never_goes_back_once_it_was_seen_and_leaves_only_while_it_is_unsent(names: list[str]) -> None:
    call = make_call()
    for name in names:
        before, seen, written = call.state, call.seen, call.sent_at
        result = HAPPENS[name](call)
        assert call.state >= before or (name in BACK and not seen)
        assert call.seen >= seen
        if name == "write":
            assert result is (before in (LiveState.CLAIMED, LiveState.QUEUED))
            assert call.sent_at == (NOW if result else written)
        if name == "resend":
            assert result is (before in (LiveState.CLAIMED, LiveState.SENT, LiveState.ACKNOWLEDGED))
        assert call.unsent is (call.state in (LiveState.CLAIMED, LiveState.QUEUED))


def test_a_call_that_is_over_remembers_whether_the_switch_had_shown_it() -> None:
    shown, unshown = make_call(), make_call()
    shown.show()
    for call in (shown, unshown):
        call.end()
        call.end()
    assert (shown.over, shown.seen) == (True, True)
    assert (unshown.over, unshown.seen) == (True, False)


def test_the_first_word_of_an_answer_counts() -> None:
    call = make_call()
    call.answer(5.0)
    call.answer(9.0)
    assert call.answered_at == 5.0


def test_the_reply_to_an_order_says_nothing_of_the_one_that_follows_it() -> None:
    call = make_call()
    call.write(1.0, None)
    call.resend()
    call.acknowledge(2.0)
    assert call.unsent
    assert call.released_at == 2.0


def test_a_lost_connection_leaves_no_order_unacknowledged() -> None:
    call = make_call()
    call.write(1.0, None)
    call.lose_connection(3.0)
    assert (call.state, call.released_at, call.unheard) == (LiveState.ACKNOWLEDGED, 3.0, True)
    call.doubt_delivery()
    assert call.maybe_undelivered
    call.settle_delivery(4.0)
    assert (call.maybe_undelivered, call.released_at) == (False, 4.0)


def test_calls_are_found_by_id_campaign_and_node() -> None:
    calls = LiveCalls()
    one, two = make_call(), make_call(node="fs2")
    for call in (one, two, one):
        calls.add(call)
    assert calls.get(one.call_id) is one
    assert (calls.on_node("fs2"), calls.count_on_node("fs1")) == ([two], 1)
    assert calls.count_of_campaign(CAMPAIGN) == len(calls) == 2
    assert calls.remove(one.call_id) is one
    assert calls.remove(one.call_id) is None
    assert (list(calls), calls.count_of_campaign(CAMPAIGN), calls.on_node("fs1")) == ([two], 1, [])
