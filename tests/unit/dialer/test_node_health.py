"""What is wrong with a node, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.dispositions import Disposition
from dialer.dispatch.node_health import REFUSALS_IN_ROW, NodeHealth, Trouble
from dialer.live_calls import LiveState
from dialer.record import call_end
from tests.unit.dialer.factories import make_call, make_commit, make_hangup

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WELL = Trouble(None, None, 0)


class Bench:
    """A node whose orders are as the test says, at a time of day that stands still."""

    def __init__(self) -> None:
        self.owes, self.waited, self.at = 0, 0.0, NOON
        self.subject = NodeHealth(self, lambda: self.at)

    def stalled(self, _node: str) -> bool:
        return self.waited > 0.0

    def owed(self, _node: str) -> int:
        return self.owes

    def waits(self, _node: str) -> float:
        return self.waited

    def refuse(self, times: int) -> None:
        for _ in range(times):
            call = make_call(node="fs1", sent_at=1.0)
            end = call_end.closed(call, 2.0, Disposition.CONGESTION, "SWITCH_PAUSED", no_channel=True)
            self.subject.after_commit(make_commit({call.call_id: end}, call))

    def take(self) -> None:
        call = make_call(node="fs1", sent_at=1.0, state=LiveState.SEEN)
        end = call_end.hung_up(call, 2.0, make_hangup("USER_BUSY", sip_status=486, answered=False))
        self.subject.after_commit(make_commit({call.call_id: end}, call))

    def trouble(self, *, connected: bool = True, link_error: str | None = None) -> Trouble:
        return self.subject.trouble("fs1", connected, link_error)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_node_that_answers_has_no_trouble_whatever_it_owes(bench: Bench) -> None:
    bench.owes = 2
    assert bench.trouble() == Trouble(None, None, 2)


def test_orders_that_nobody_answers_are_told_with_their_number_and_since_when(bench: Bench) -> None:
    bench.owes, bench.waited = 7, 30.0
    assert bench.trouble() == Trouble("7 orders unanswered", NOON - timedelta(seconds=30), 7)


def test_a_node_that_refuses_every_call_says_why_since_the_first(bench: Bench) -> None:
    bench.refuse(REFUSALS_IN_ROW - 1)
    assert (bench.trouble(), bench.subject.refusing()) == (WELL, set())
    bench.at += timedelta(seconds=5)
    bench.refuse(1)
    assert bench.trouble() == Trouble("refuses calls: SWITCH_PAUSED", NOON, 0)
    assert bench.subject.refusing() == {"fs1"}
    bench.take()
    assert (bench.trouble(), bench.subject.refusing()) == (WELL, set())


def test_a_connection_that_is_gone_is_told_since_it_was_missed(bench: Bench) -> None:
    gone = Trouble("no heartbeat for 20 s", NOON, 0)
    assert bench.trouble(connected=False, link_error="no heartbeat for 20 s") == gone
    bench.at += timedelta(seconds=60)
    assert bench.trouble(connected=False, link_error="no heartbeat for 20 s") == gone
    assert bench.trouble() == WELL
    assert bench.trouble(connected=False, link_error="reset").since == bench.at
