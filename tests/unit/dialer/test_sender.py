"""What may not leave does not leave, whatever the reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from dialer.dispatch.node_orders import NodeOrders
from dialer.dispatch.originate_builder import OriginateBuilder
from dialer.dispatch.sender import Sender, SendOutcome
from dialer.identity import Identity
from dialer.live_calls import LiveCall, LiveState
from dialer.record.call_end import never_sendable
from dialer.record.recorder import Recorder
from dialer.send_gate import SendGate, Suppressed
from freeswitch.cluster import Cluster
from freeswitch.errors import CommandRefused, NotConnected, Withheld
from freeswitch.originate import OriginateRequest
from freeswitch.originate import originate as command_of
from limits.acquire_request import WIRE_SECONDS
from tests.unit.dialer.factories import make_call, make_gateway, make_plan, make_recorder

NOW = 1e12
HANG_SECONDS = 60.0


class Link:
    """Writes what its guard lets through."""

    core_uuid = "core-1"

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.down = False
        self.writing: Callable[[], object] = lambda: None
        """What happens between the guard and the write."""
        self.replies: list[Callable[[str | None], None]] = []

    def originate(
        self,
        request: OriginateRequest,
        guard: Callable[[], bool],
        on_reply: Callable[[str | None], None],
        on_read: Callable[[], None],
    ) -> None:
        command_of(request)
        if self.down:
            raise NotConnected("fs1", "down")
        if not guard():
            raise Withheld("fs1", "no")
        self.writing()
        self.sent.append(request.call_id)
        self.on_reply, self.on_read = on_reply, on_read
        self.replies.append(on_reply)


class Bench:
    """A sender and everything around it."""

    def __init__(self) -> None:
        self.link = Link()
        self.send_gate = SendGate()
        self.alive = True
        self.replies: list[tuple[str, float, float]] = []
        self.orders = 0
        recorder = make_recorder()
        identity = cast(Identity, SimpleNamespace(may_send=lambda: self.alive))
        cluster = cast(Cluster, SimpleNamespace(links={"fs1": self.link}))
        self.clock: list[float] = []
        """What the time is, where it does not pass by itself."""
        self.node_orders = NodeOrders(self._now)
        self.sender = Sender(
            cluster,
            recorder,
            self.send_gate,
            identity,
            self.node_orders,
            order_listeners=(self,),
            now=self._now,
        )

    def _now(self) -> float:
        return self.clock[0] if self.clock else time.monotonic()

    def on_order(self) -> None:
        self.orders += 1

    def on_reply(self, node: str, sent_at: float, read_at: float) -> None:
        self.replies.append((node, sent_at, read_at))

    def send(self, call: LiveCall, expires: float = NOW, **fields: str) -> SendOutcome:
        request = OriginateBuilder("/sounds", (), ()).build(make_plan(), make_gateway(), call, fields)
        return self.sender.send(call, request, expires)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_call_leaves_once(bench: Bench) -> None:
    call = make_call()
    assert bench.send(call) is SendOutcome.SENT
    assert call.sent_at is not None
    assert bench.send(call) is SendOutcome.BLOCKED
    assert bench.link.sent == [call.call_id]


def test_a_call_that_has_ended_or_was_seen_does_not_leave(bench: Bench) -> None:
    assert bench.send(make_call(state=LiveState.OVER)) is SendOutcome.BLOCKED
    assert bench.send(make_call(state=LiveState.SEEN)) is SendOutcome.BLOCKED
    assert bench.link.sent == []


def test_a_call_whose_permit_lapsed_asks_again(bench: Bench) -> None:
    assert bench.send(make_call(), expires=0.0) is SendOutcome.LAPSED


@pytest.mark.parametrize(
    "hold", ["pause", "halt", "halt of all", "must end", "suppressed", "seen to be", "drain", "lease"]
)
def test_a_call_that_is_held_does_not_leave(bench: Bench, hold: str) -> None:
    call = make_call(generation=3)
    if hold == "pause":
        bench.send_gate.block(call.campaign_id, 4)
    elif hold == "halt":
        bench.send_gate.halt("demo")
    elif hold == "halt of all":
        bench.send_gate.halt("*")
    elif hold == "must end":
        # Its tenant was halted, and is not any more.
        call.must_end = True
    elif hold == "suppressed":
        bench.send_gate.suppress(Suppressed(call.tenant_id, number=call.phone_number))
    elif hold == "seen to be":
        call.suppressed = True
    elif hold == "drain":
        bench.send_gate.draining = True
    else:
        bench.alive = False
    assert bench.send(call) is SendOutcome.BLOCKED
    assert bench.link.sent == []


def test_what_no_command_can_carry_is_refused_and_not_raised(bench: Bench) -> None:
    call = make_call()
    assert bench.send(call, note="x" * 5000) is SendOutcome.REFUSED
    assert call.sent_at is None


@pytest.mark.parametrize(
    ("refused", "cause"),
    [
        (
            CommandRefused("file", "/srv/sounds/a b", "a path, or an https URL"),
            "REFUSED: file a path, or an https URL",
        ),
        (FileNotFoundError("/srv/sounds/ann.wav"), "REFUSED: FileNotFoundError"),
    ],
)
def test_what_could_not_be_sent_says_nothing_of_the_number_and_of_this_machine(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, refused: Exception, cause: str
) -> None:
    recorded: list[tuple[str, str]] = []
    call = make_call()
    monkeypatch.setattr(Recorder, "refuse", lambda _self, told, why: recorded.append((told.call_id, why)))
    bench.sender.refuse(call, refused)
    assert recorded == [(call.call_id, cause)]
    ended = never_sendable(call, cause)
    assert (ended.disposition, ended.cause, ended.counts) == ("not_sent", cause, False)


def test_an_order_that_the_machine_held_up_after_its_check_is_told_of(bench: Bench) -> None:
    bench.clock = [100.0]
    for held in (0.0, 0.9 * WIRE_SECONDS, 1.5 * WIRE_SECONDS):
        bench.link.writing = lambda held=held: bench.clock.__setitem__(0, bench.clock[0] + held)  # type: ignore[misc]
        call = make_call()
        with capture_logs() as logs:
            assert bench.send(call) is SendOutcome.SENT
        told = [(line["call_id"], line["seconds"]) for line in logs]
        assert told == ([(call.call_id, 1.5 * WIRE_SECONDS)] if held > WIRE_SECONDS else [])


def test_what_the_process_itself_did_between_check_and_write_is_no_hold_up(bench: Bench) -> None:
    bench.clock = [100.0]

    def computes() -> None:
        began = time.thread_time()
        while time.thread_time() - began < WIRE_SECONDS:
            pass
        bench.clock[0] += 2 * WIRE_SECONDS

    bench.link.writing = computes
    with capture_logs() as logs:
        assert bench.send(make_call()) is SendOutcome.SENT
    assert logs == []


def test_a_lost_connection_keeps_the_call(bench: Bench) -> None:
    bench.link.down = True
    assert bench.send(make_call()) is SendOutcome.NO_NODE


@pytest.mark.parametrize("reply", ["+OK Job-UUID: x", "-ERR command not found"])
def test_an_order_is_unanswered_until_its_node_has_replied(bench: Bench, reply: str) -> None:
    call = make_call()
    bench.send(call)
    before, written = call.unacknowledged, time.monotonic()
    bench.link.on_reply(reply)
    assert (before, call.unacknowledged) == (True, False)
    assert call.released_at >= written


def test_a_command_that_is_refused_ends_its_call_only_where_no_other_order_of_it_may_lie_at_the_node(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal of a repeat says nothing of the first order."""
    closed: list[str] = []
    monkeypatch.setattr(Recorder, "close", lambda _self, call, *_, **__: closed.append(call.call_id))
    only, repeat = make_call(), make_call(adopted_at=1.0)
    assert repeat.resend()
    for call in (only, repeat):
        bench.send(call)
        bench.link.on_reply("-ERR command not found")
    assert (closed, repeat.refusal) == ([only.call_id], "COMMAND_REFUSED")


def test_a_connection_that_died_has_not_answered(bench: Bench) -> None:
    """Recovery is told of the loss, with what the node may still hold, and takes it from there."""
    call = make_call()
    bench.send(call)
    bench.link.on_reply(None)
    assert call.unacknowledged


def test_a_call_that_did_not_leave_waits_for_no_reply(bench: Bench) -> None:
    call = make_call()
    bench.send(call, expires=0.0)
    assert not call.unacknowledged


def test_how_long_a_node_took_to_answer_is_told(bench: Bench) -> None:
    """As of when its answer was read, however late that is delivered."""
    bench.clock = [1000.0]
    bench.send(make_call(), expires=2000.0)
    bench.clock = [1000.012]
    bench.link.on_read()
    bench.clock = [1000.9]
    bench.link.on_reply("+OK Job-UUID: x")
    assert (bench.orders, bench.replies) == (1, [("fs1", 1000.0, 1000.012)])


def test_what_did_not_leave_is_no_order(bench: Bench) -> None:
    bench.send(make_call(), expires=0.0)
    assert bench.orders == 0


# What its node has not answered.


@pytest.mark.parametrize("why", ["withheld", "lapsed", "no connection", "refused"])
def test_an_order_that_did_not_leave_is_not_waited_for(bench: Bench, why: str) -> None:
    if why == "withheld":
        bench.alive = False
    bench.link.down = why == "no connection"
    bench.send(
        make_call(), expires=0.0 if why == "lapsed" else NOW, note="x" * 5000 if why == "refused" else ""
    )
    assert bench.link.sent == []
    assert bench.node_orders.owed("fs1") == 0


def test_a_second_order_that_is_withheld_does_not_hide_that_the_first_is_unanswered(bench: Bench) -> None:
    call = make_call()
    bench.send(call)
    assert bench.send(call) is SendOutcome.BLOCKED
    assert bench.node_orders.owed("fs1") == 1
    bench.link.on_reply("+OK Job-UUID: x")
    assert bench.node_orders.owed("fs1") == 0
