"""When a node is past what a dead dialer wrote to it: it answers steadily, and nothing more comes to light."""

from __future__ import annotations

from types import SimpleNamespace

import gevent
import pytest

from dialer.live_calls import LiveCall, LiveCalls
from dialer.recovery import reconciler as module
from dialer.recovery.buffer_drain import GAP_SECONDS, PROMPT_SECONDS, BufferDrain
from dialer.recovery.resend_or_close import SETTLE_SECONDS
from tests.unit.dialer.factories import ME, OTHER, make_call, make_reconciler, make_recorder

AT_ONCE = 0.01


def answering(buffer_drain: BufferDrain, first: int, last: int, took: float = AT_ONCE) -> None:
    """The node answers every second from `first` to `last`, each time after `took` seconds."""
    for second in range(first, last + 1):
        buffer_drain.answered("fs1", second - took, float(second))


def test_a_node_that_was_never_heard_is_not_quiet() -> None:
    buffer_drain = BufferDrain()
    assert buffer_drain.drained_since(make_call(), 100.0) is None
    buffer_drain.answered("fs2", 100.0, 100.0)
    assert buffer_drain.drained_since(make_call(), 100.0) is None


def test_a_node_that_answers_every_second_is_drained_since_the_first_answer() -> None:
    answering(buffer_drain := BufferDrain(), 100, 110)
    assert buffer_drain.drained_since(make_call(), 110.5) == 100.0


@pytest.mark.parametrize("took", [PROMPT_SECONDS + 0.01, 20.0])
def test_an_answer_that_was_long_in_coming_begins_anew(took: float) -> None:
    answering(buffer_drain := BufferDrain(), 100, 103)
    buffer_drain.answered("fs1", 104.0, 104.0 + took)
    assert buffer_drain.drained_since(make_call(), 104.1 + took) == 104.0 + took


def test_a_gap_in_the_answers_begins_anew() -> None:
    answering(buffer_drain := BufferDrain(), 100, 103)
    later = 103.0 + GAP_SECONDS + 0.5
    assert buffer_drain.drained_since(make_call(), later) is None
    buffer_drain.answered("fs1", later, later)
    assert buffer_drain.drained_since(make_call(), later) == later


def test_each_call_of_a_dead_dialer_that_comes_to_light_says_that_its_orders_are_being_carried_out() -> None:
    buffer_drain = BufferDrain()
    first, second, last = (make_call(sent_by=OTHER, adopted_at=100.0) for _ in range(3))
    elsewhere = make_call(sent_by=OTHER, adopted_at=100.0, node="fs2")
    of_another = make_call(sent_by="d00000000000c", adopted_at=100.0)
    calls = [first, second, last, elsewhere, of_another]
    buffer_drain.look(calls, 100.0)
    answering(buffer_drain, 100, 103)
    first.show()
    buffer_drain.look(calls, 103.0)
    assert buffer_drain.drained_since(last, 103.0) == 103.0
    assert buffer_drain.drained_since(of_another, 103.0) == 100.0
    answering(buffer_drain, 104, 106)
    # One that was refused has left the book by the next look.
    second.refusal = "GATEWAY_DOWN"
    buffer_drain.look([last, elsewhere, of_another], 106.0)
    assert buffer_drain.drained_since(last, 106.0) == 106.0
    answering(buffer_drain, 107, 112)
    buffer_drain.look([last, elsewhere, of_another], 112.0)
    assert buffer_drain.drained_since(last, 112.0) == 106.0


def test_a_call_that_was_sent_again_or_given_up_says_nothing_about_the_others() -> None:
    buffer_drain = BufferDrain()
    repeated, withdrawn, left = (make_call(sent_by=OTHER, adopted_at=100.0) for _ in range(3))
    buffer_drain.look([repeated, withdrawn, left], 100.0)
    answering(buffer_drain, 100, 106)
    repeated.sent_by = ME
    withdrawn.end()
    buffer_drain.look([repeated, left], 106.0)
    assert buffer_drain.drained_since(left, 106.0) == 100.0


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
    live_calls, repeated = LiveCalls(), list[LiveCall]()
    recorder = make_recorder(live_calls)

    def resend(call: LiveCall) -> bool:
        repeated.append(call)
        return True

    reconciler = make_reconciler({"fs1": node}, live_calls, recorder, resend, now=lambda: clock[0])
    call = make_call(sent_by=OTHER, adopted_at=960.0, claimed_at=960.0)
    live_calls.add(call)

    def second() -> None:
        reconciler.round()
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
    assert repeated[0] is call


def test_what_may_show_itself_at_any_moment_is_what_is_unseen_and_not_to_be_sent_again() -> None:
    """A repeat whose turn was postponed with the first order never got one, and its contact was called anew."""
    buffer_drain = BufferDrain()
    unseen, seen, again = (make_call(sent_by=OTHER, adopted_at=1.0) for _ in range(3))
    buffer_drain.look([unseen, seen, again], 2.0)
    seen.show()
    again.resend()
    assert buffer_drain.unseen() == [unseen.call_id]
    again.enqueue()
    assert buffer_drain.unseen() == [unseen.call_id]
