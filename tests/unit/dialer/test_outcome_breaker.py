"""What one dialer counts, when it looks at what all counted, and what a probe's end does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal
from peewee import OperationalError

from dialer.capacity import outcome_breaker_rows
from dialer.capacity.outcome_breaker import OutcomeBreaker
from dialer.capacity.outcome_breaker_rows import Count, Key, NewHold
from dialer.capacity.suspicion import Suspect, Tally
from dialer.live_calls import LiveCall, LiveCalls, LiveState
from dialer.record import call_end
from dialer.record.commit import Commit
from dialer.record.outcome_rows import Ended
from freeswitch.events import ChannelEventKind
from tests.unit.dialer.factories import (
    CAMPAIGN,
    GATEWAY,
    ME,
    channel_event,
    make_call,
    make_commit,
    make_hangup,
)
from tests.unit.freeswitch.transcripts import swallowed

KEY = Key(CAMPAIGN, GATEWAY, "+1", "+14155550199")


class Rows:
    """What the database is asked, and what it says."""

    def __init__(self) -> None:
        self.added: list[dict[Key, Count]] = []
        self.tallies: list[Tally] = []
        self.looked = 0
        self.released: list[str] = []
        self.returned: list[str] = []
        self.away = False
        self.holding: set[str] = set()
        self.held_by_another = False
        self.stale: list[str] = []

    def holding_nothing(self) -> list[str]:
        return self.stale

    def add(self, counts: Mapping[Key, Count]) -> set[str]:
        if self.away:
            raise OperationalError("away")
        self.added.append(dict(counts))
        return self.holding

    def open_tallies(self) -> tuple[list[Tally], datetime]:
        self.looked += 1
        return self.tallies, datetime.now(UTC)

    def hold(self, suspect: Suspect) -> NewHold | None:
        return None if self.held_by_another else NewHold("b1", suspect, [])

    def release(self, breaker_id: str, _owner: str) -> list[Any]:
        self.released.append(breaker_id)
        return []

    def return_probe(self, breaker_id: str) -> None:
        self.returned.append(breaker_id)

    def bring_probers_back(self, _owner: str) -> list[Any]:
        return []


class Bench:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows, self.now, self.heeded, self.refreshed = Rows(), 0.0, 0, 0
        self.exempt: set[str] = set()
        self.monkeypatch = monkeypatch
        for name in (
            "add",
            "open_tallies",
            "hold",
            "release",
            "return_probe",
            "bring_probers_back",
            "holding_nothing",
        ):
            monkeypatch.setattr(outcome_breaker_rows, name, getattr(self.rows, name))
        self.live_calls = LiveCalls()
        self.subject = OutcomeBreaker(
            ME,
            self.live_calls,
            self.heed,
            self.refresh,
            lambda _told: None,
            self.exempt.__contains__,
            now=lambda: self.now,
        )

    def heed(self) -> None:
        self.heeded += 1

    def refresh(self) -> None:
        self.refreshed += 1

    def ring(self, *calls: LiveCall) -> None:
        for call in calls:
            self.live_calls.add(call)
            self.subject.on_event(call.node, channel_event(call.call_id, ChannelEventKind.PROGRESS))
            self.subject.on_event(call.node, channel_event(call.call_id, ChannelEventKind.ANSWERED))

    def end(self, *calls: tuple[LiveCall, Ended]) -> None:
        commit: Commit = make_commit({call.call_id: end for call, end in calls}, *(call for call, _ in calls))
        self.subject.after_commit(commit)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def ended(status: int, cause: str, **changes: Any) -> tuple[LiveCall, Ended]:
    call = make_call(sent_at=1.0, state=LiveState.SEEN, **changes)
    hangup = make_hangup(cause, sip_status=status, answered=False, progress=False)
    return call, call_end.hung_up(call, 2.0, hangup)


CANCELLED: dict[str, Any] = {
    "sip_status": 487,
    "sip_phrase": "CANCEL",
    "hung_up_by": "us",
    "answered": False,
    "progress": False,
}
"""What a node writes of a call that it ended itself before it was answered."""


def dead(**changes: Any) -> tuple[LiveCall, Ended]:
    return ended(404, "UNALLOCATED_NUMBER", **changes)


def busy(**changes: Any) -> tuple[LiveCall, Ended]:
    return ended(486, "USER_BUSY", **changes)


def test_calls_that_are_fine_cost_one_statement_a_second(bench: Bench) -> None:
    for _ in range(50):
        bench.end(busy())
    assert (bench.rows.added, bench.rows.looked) == ([], 0)
    bench.subject.round()
    assert bench.rows.added == [{KEY: Count(50)}]
    bench.subject.round()
    assert len(bench.rows.added) == 1


def test_a_suspicious_call_now_and_then_has_nobody_looked_at(bench: Bench) -> None:
    bench.end(*(busy() for _ in range(10)))
    bench.end(dead())
    assert bench.rows.looked == 0


def test_calls_that_ring_count_before_they_end_and_once(bench: Bench) -> None:
    fine, suspicious, exempt = busy(), dead(), busy(campaign_id="exempt")
    bench.exempt.add("exempt")
    bench.ring(fine[0], suspicious[0], exempt[0])
    bench.subject.round()
    assert bench.rows.added.pop() == {KEY: Count(2)}
    bench.end(fine, exempt)
    bench.subject.round()
    assert bench.rows.added == []
    bench.end(suspicious)
    bench.subject.round()
    assert bench.rows.added == [{KEY: Count(0, [suspicious[0].call_id])}]


def test_those_that_fail_before_anybody_can_have_talked_trip_nothing_where_most_ring(bench: Bench) -> None:
    bench.ring(*(busy()[0] for _ in range(30)))
    bench.end(*(dead() for _ in range(25)))
    assert bench.rows.looked == 0
    bench.end(*(dead() for _ in range(5)))
    assert bench.rows.looked == 1


def test_what_may_trip_is_looked_at_before_anything_else_is_dialled(bench: Bench) -> None:
    bench.rows.tallies = [Tally(datetime.now(UTC), GATEWAY, "+1", "+14155550199", 20, 20)]
    call, end = dead()
    bench.end((call, end))
    assert bench.rows.added == [{KEY: Count(1, [call.call_id])}]
    assert (bench.rows.looked, bench.heeded, bench.refreshed) == (1, 1, 1)


def test_what_another_dialer_has_just_held_is_heeded_before_anything_else_is_dialled(bench: Bench) -> None:
    bench.rows.tallies = [Tally(datetime.now(UTC), GATEWAY, "+1", "+14155550199", 20, 20)]
    bench.rows.held_by_another = True
    bench.end(dead())
    assert (bench.heeded, bench.refreshed) == (1, 0)


def test_whose_calls_another_dialer_holds_is_heeded_as_soon_as_one_of_them_is_written(bench: Bench) -> None:
    bench.rows.holding = {"b1"}
    bench.end(dead())
    assert bench.heeded == 1
    # It is known from then on.
    bench.subject.held = {"b1"}
    bench.end(dead())
    assert bench.heeded == 1


def test_what_another_greenlet_is_writing_is_waited_for_before_it_is_judged(bench: Bench) -> None:
    add, may_go_on = bench.rows.add, Signal()

    def slow(counts: Mapping[Key, Count]) -> set[str]:
        bench.monkeypatch.setattr(outcome_breaker_rows, "add", add)
        may_go_on.wait()
        return add(counts)

    bench.monkeypatch.setattr(outcome_breaker_rows, "add", slow)
    bench.end(busy())
    writes = gevent.spawn(bench.subject.round)
    gevent.idle()
    judges = gevent.spawn(bench.end, dead(), dead())
    gevent.idle()
    assert (bench.rows.added, bench.rows.looked) == ([], 0)
    may_go_on.set()
    writes.get()
    judges.get()
    assert ([counts[KEY].calls for counts in bench.rows.added], bench.rows.looked) == ([1, 2], 1)


def test_what_was_suspicious_two_minutes_ago_has_nobody_looked_at(bench: Bench) -> None:
    bench.end(*(dead() for _ in range(10)))
    bench.now = 122.0
    bench.end(*(busy() for _ in range(3)), dead())
    assert bench.rows.looked == 1


def test_calls_of_an_exempt_campaign_are_not_counted(bench: Bench) -> None:
    bench.exempt.add(CAMPAIGN)
    bench.end(dead())
    bench.subject.round()
    assert (bench.rows.added, bench.rows.looked) == ([], 0)


def test_what_could_not_be_written_is_written_with_the_next(bench: Bench) -> None:
    bench.rows.away = True
    first, second = dead(), dead()
    bench.end(first)
    with pytest.raises(OperationalError):
        bench.subject.round()
    bench.rows.away = False
    bench.end(second)
    assert bench.rows.added == [{KEY: Count(2, [first[0].call_id, second[0].call_id])}]


def test_a_probe_that_gets_through_releases_and_one_that_does_not_does_not(bench: Bench) -> None:
    bench.end(dead(breakers=("b1",)))
    bench.end(busy())
    bench.end(ended(503, "NORMAL_TEMPORARY_FAILURE", breakers=("b1",)))
    for hangup in (*swallowed(), make_hangup("MANAGER_REQUEST", **CANCELLED)):
        call = make_call(sent_at=1.0, state=LiveState.SEEN, breakers=("b1",))
        bench.end((call, call_end.hung_up(call, 2.0, hangup)))
    assert (bench.rows.released, bench.rows.returned) == ([], [])
    bench.subject.round()
    assert bench.rows.added.pop() == {KEY: Count(1)}
    bench.end(busy(breakers=("b1",)))
    assert bench.rows.released == ["b1"]


def test_a_probe_that_never_left_is_given_back(bench: Bench) -> None:
    call = make_call(breakers=("b1",))
    bench.end((call, call_end.withdrawn(call, "NOT_SENT", None)))
    assert (bench.rows.returned, bench.rows.released) == (["b1"], [])


def test_a_probe_that_is_talked_for_longer_got_through_before_its_end(bench: Bench) -> None:
    bench.live_calls.add(make_call(breakers=("b1",), answered_at=10.0))
    bench.subject.held = {"b1"}
    bench.now = 12.0
    bench.subject.round()
    assert bench.rows.released == []
    bench.now = 13.1
    bench.subject.round()
    assert bench.rows.released == ["b1"]


def test_what_can_hold_nothing_any_more_is_released_by_whose_turn_it_is(bench: Bench) -> None:
    bench.rows.stale = ["b7"]
    bench.subject.round()
    assert bench.rows.released == []
    bench.subject.take_turn = lambda work, _seconds: work == "breakers_left"
    bench.subject.round()
    assert (bench.rows.released, bench.refreshed) == (["b7"], 1)
