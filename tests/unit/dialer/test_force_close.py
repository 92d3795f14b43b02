"""The reconciler ends what the switch does not: a channel that survives its killing, one whose timer is lost, a node
that is gone. With a clock moved by hand, and a switch that answers as it is told."""

from __future__ import annotations

from typing import cast

import orjson
import pytest

from campaigns.dispositions import Disposition
from dialer.live_calls import LiveCall, LiveCalls, LiveState
from dialer.record.recorder import Recorder
from freeswitch.errors import FreeswitchError
from tests.unit.dialer.factories import ME, make_call, make_reconciler
from tests.waiting import wait_until

PDD, RING, LONGEST = 15, 20, 120
MICRO = 1_000_000


class Clock:
    now = 1_000.0


class Node:
    """A node with one call, which it never ends; `deaf`: it answers nothing any more."""

    name = "fs1"
    connected = True
    core_uuid = "core-1"

    def __init__(self, clock: Clock, call: LiveCall, *, deaf: bool) -> None:
        self.clock = clock
        self.call = call
        self.deaf = deaf
        self.kills: list[float] = []

    def api(self, line: str, timeout: float = 5.0) -> str:
        if self.deaf:
            raise FreeswitchError("no answer")
        if line.startswith("uuid_kill"):
            self.kills.append(self.clock.now)
            return "+OK\n"
        if not line.startswith("uuid_dump"):
            return "-ERR no reply\n"
        moments = {
            "Event-Date-Timestamp": self.clock.now,
            "Caller-Channel-Created-Time": self.call.sent_at,
            "Caller-Channel-Answered-Time": self.call.answered_at or 0,
        }
        shown = {name: str(int((at or 0) * MICRO)) for name, at in moments.items()}
        return orjson.dumps({"Unique-ID": self.call.call_id, "Core-UUID": "core-1"} | shown).decode()


class Record:
    """What the recorder is told."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.closed: list[tuple[float, str, str]] = []

    def close(
        self,
        _live_call: LiveCall,
        disposition: Disposition,
        cause: str,
        *,
        no_channel: bool = False,
        may_live: float | None = None,
    ) -> None:
        self.closed.append((self.clock.now, str(disposition), cause))

    def found_alive(self, _live_call: LiveCall, *, progress: bool, answered_ago: float | None) -> None:
        """Nothing that this does not know already."""


def looked_after(seconds: int, *, answered: bool, deaf: bool) -> tuple[Node, Record]:
    """A round every second, from the call's send on."""
    clock = Clock()
    start = clock.now
    call = make_call(
        sent_by=ME,
        sent_at=start,
        claimed_at=start,
        state=LiveState.RINGING,
        progress=True,
        ring_seconds=RING,
        max_seconds=LONGEST,
    )
    if answered:
        call.answer(start)
    node, record, live_calls = Node(clock, call, deaf=deaf), Record(clock), LiveCalls()
    live_calls.add(call)
    reconciler = make_reconciler(
        {"fs1": node}, live_calls, cast(Recorder, record), owner=ME, now=lambda: clock.now
    )
    for _ in range(seconds):
        clock.now += 1.0
        reconciler.round()
        wait_until(lambda: not call.asking, what="the end of the question")
    reconciler.stop()
    return node, record


@pytest.mark.parametrize(
    ("answered", "bound", "disposition"),
    [(False, PDD + RING + 15, "outcome_unknown"), (True, LONGEST + 30, "answered")],
    ids=["originated", "connected"],
)
@pytest.mark.parametrize("deaf", [False, True], ids=["survives its killing", "node does not answer"])
def test_the_contact_is_let_go_within_its_bound(
    answered: bool, bound: int, disposition: str, deaf: bool
) -> None:
    node, record = looked_after(bound, answered=answered, deaf=deaf)
    ((at, how, cause),) = record.closed
    assert (how, cause) == (disposition, "OVERDUE")
    assert bound - 3 <= at - 1_000.0 <= bound - 1
    assert bool(node.kills) is not deaf
    assert all(killed < at for killed in node.kills)
