"""What becomes of a second leg that probes: its gateway is back, or held on, or the next call probes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from peewee import OperationalError

from campaigns.dispositions import Disposition
from dialer.capacity.gateway_breaker import GatewayBreaker
from dialer.capacity.outcome_breaker import OutcomeBreaker
from dialer.capacity.second_leg_probes import SecondLegProbes
from dialer.capacity.suspicion import Sign, sign_of_second_leg
from dialer.holds import Hold, HoldKind
from dialer.live_calls import LiveCall, LiveCalls, LiveState
from dialer.record import call_end
from dialer.record.outcome_rows import Ended
from freeswitch.cluster import Cluster
from freeswitch.errors import NotConnected
from freeswitch.hangup import hangup_from_variables
from tests.unit.dialer.factories import busy, make_call, make_commit
from tests.unit.freeswitch.transcripts import SECOND_LEGS

DESK = "00000000-0000-7000-8000-0000000000d1"
PAUSE = Hold(HoldKind.PAUSE, DESK, "+1", True, second_leg=True)
BREAKER = Hold(HoldKind.BREAKER, "b1", "+1", True, None, DESK, second_leg=True)

SIGNS: dict[str, Sign | None] = {
    "joined": Sign.FINE,
    "486": Sign.FINE,
    "404": Sign.SUSPICIOUS,
    "480": Sign.SUSPICIOUS,
    "488": Sign.SUSPICIOUS,
    "603": Sign.SUSPICIOUS,
    "503": None,
    "502": None,
    "403": None,
    "408": None,
    "rings": None,
    "only 100": None,
    "no such gateway": None,
    "rings, and the person hangs up": None,
}
"""What each of the recorded legs says of its gateway's destination; nothing where it was refused, or a timer's."""


class Bench:
    """The probes of a process, and what the breakers and the node are told and asked."""

    def __init__(self) -> None:
        self.done: list[tuple[str, ...]] = []
        self.asked: list[str] = []
        self.said, self.now, self.away = "failure", 0.0, False
        self.live_calls = LiveCalls()
        gateways = SimpleNamespace(
            probe_got_through=lambda way: self._do("back", *way),
            return_probe=lambda *way: self._do("returned", *way),
        )
        outcomes = SimpleNamespace(
            release=lambda name: self._do("released", name),
            return_probe=lambda name: self._do("returned", name),
        )
        links = {"fs1": SimpleNamespace(api=self._api)}
        self.subject = SecondLegProbes(
            cast(Cluster, SimpleNamespace(links=links)),
            self.live_calls,
            cast(GatewayBreaker, gateways),
            cast(OutcomeBreaker, outcomes),
            lambda: self.now,
        )

    def _do(self, *what: str) -> None:
        if self.away:
            raise OperationalError("away")
        self.done.append(what)

    def _api(self, line: str) -> str:
        self.asked.append(line)
        if not self.said:
            raise NotConnected("fs1", "down")
        return f"{self.said}\n"

    def end(self, call: LiveCall, ended: Ended) -> None:
        self.subject.after_commit(make_commit({call.call_id: ended}, call))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def probe(*holds: Hold, **changes: Any) -> LiveCall:
    values: dict[str, Any] = {
        "sent_at": 1.0,
        "state": LiveState.SEEN,
        "second_leg_probes": holds or (PAUSE, BREAKER),
    }
    return make_call(**(values | changes))


def end_of(call: LiveCall, name: str) -> Ended:
    hangup = hangup_from_variables(SECOND_LEGS[name])
    assert hangup is not None
    return call_end.hung_up(call, 9.0, hangup)


@pytest.mark.parametrize("name", SIGNS)
def test_the_end_of_the_leg_decides(bench: Bench, name: str) -> None:
    call = probe()
    ended = end_of(call, name)
    assert sign_of_second_leg(ended.second_leg, ended.second_leg_status) is SIGNS[name]
    bench.end(call, ended)
    # That a number does not exist is known to a gateway that works.
    back = [("back", DESK, "+1")] if SIGNS[name] is not None else []
    released = [("released", "b1")] if SIGNS[name] is Sign.FINE else []
    assert sorted(bench.done) == back + released


def test_whom_nobody_answered_probes_nothing_and_the_next_call_may(bench: Bench) -> None:
    call = probe()
    for ended in (
        end_of(call, "nobody answered"),
        call_end.hung_up(call, 9.0, busy()),
        call_end.withdrawn(call, "NOT_SENT", None),
    ):
        bench.done.clear()
        bench.end(call, ended)
        assert sorted(bench.done) == [("returned", DESK, "+1"), ("returned", "b1")]


def test_of_a_call_that_was_answered_and_whose_end_nobody_saw_nothing_is_known(bench: Bench) -> None:
    call = probe(answered_at=2.0)
    bench.end(call, call_end.closed(call, 9.0, Disposition.ANSWERED, "X", no_channel=False))
    assert bench.done == []


def test_any_other_call_says_nothing(bench: Bench) -> None:
    call = probe(second_leg_probes=())
    bench.end(call, end_of(call, "joined"))
    assert bench.done == []


def test_an_agent_who_has_joined_is_known_before_the_call_is_over(bench: Bench) -> None:
    waiting, calling, talking = probe(), probe(answered_at=10.0), probe(answered_at=1.0)
    for call in (waiting, calling, talking, make_call(answered_at=1.0)):
        bench.live_calls.add(call)
    bench.now = 12.0
    bench.subject.round()
    assert bench.asked == [f"uuid_getvar {talking.call_id} originate_disposition"]
    assert bench.done == []
    bench.said = "SUCCESS"
    bench.subject.round()
    assert sorted(bench.done) == [("back", DESK, "+1"), ("released", "b1")]
    # Once: neither is it asked again, nor does its end say it again.
    bench.done.clear()
    bench.subject.round()
    bench.end(talking, end_of(talking, "joined"))
    assert (bench.done, len(bench.asked)) == ([], 2)


def test_a_node_that_does_not_answer_is_asked_again(bench: Bench) -> None:
    bench.live_calls.add(probe(answered_at=1.0))
    bench.live_calls.add(probe(answered_at=1.0, node="gone"))
    bench.now, bench.said = 12.0, ""
    bench.subject.round()
    bench.said = "SUCCESS"
    bench.subject.round()
    assert sorted(bench.done) == [("back", DESK, "+1"), ("released", "b1")]


def test_a_database_that_is_away_is_waited_for_while_the_call_is_up(bench: Bench) -> None:
    call = probe(PAUSE, answered_at=1.0)
    bench.live_calls.add(call)
    bench.now, bench.said, bench.away = 12.0, "SUCCESS", True
    with pytest.raises(OperationalError):
        bench.subject.round()
    bench.end(call, end_of(call, "joined"))
    assert bench.done == []
    bench.away = False
    bench.subject.round()
    assert bench.done == [("back", DESK, "+1")]
