"""What has come of a call is folded into one state, whatever the order, and nothing holds up the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peewee import DataError, OperationalError
from psycopg.errors import LockNotAvailable

from campaigns.dispositions import Disposition
from campaigns.retry_rules import RetryRule, RetryTerms
from dialer.fault_points import FaultPoint
from dialer.live_calls import LiveCall, LiveCalls, LiveState
from dialer.record import early_reports
from dialer.record import recorder as recorder_module
from dialer.record.changes import Change, rows_of
from dialer.record.commit import Commit
from dialer.record.early_reports import EARLY_SECONDS
from dialer.record.locked_rows import AGAIN_SECONDS, MOST
from dialer.record.outcome_rows import Answered, Ended, Seen, Written
from dialer.record.recorder import BEHIND_COMMITS, BEHIND_SECONDS
from freeswitch import dedup
from freeswitch.events import ChannelEvent, ChannelEventKind, Event
from tests.unit.dialer.factories import (
    Followers,
    busy,
    channel_event,
    job,
    make_call,
    make_hangup,
    make_recorder,
)
from tests.waiting import HANG_SECONDS

CREATED, PROGRESS = ChannelEventKind.CREATED, ChannelEventKind.PROGRESS
ANSWERED, ENDED = ChannelEventKind.ANSWERED, ChannelEventKind.HANGUP_COMPLETE
RANK = {"dispatching": 0, "ringing": 1, "answered": 2, "ended": 3}


class LockedError(OperationalError):
    """What peewee raises where a lock did not come in time."""

    orig = LockNotAvailable()


class Rows:
    """The database's part: compare-and-set of call states, and what it refuses."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.ends: list[Ended] = []
        self.steps: list[tuple[str, str]] = []
        self.poison: set[str] = set()
        self.away = 0
        self.at_most = 1_000
        self.locked: set[str] = set()
        """Calls of which somebody keeps a row locked."""
        self.met_locks = 0

    def write(
        self,
        _owner: str,
        seen: Sequence[Seen],
        answered: Sequence[Answered],
        ended: Sequence[Ended],
        _through: object = None,
    ) -> Written:
        if self.away:
            self.away -= 1
            raise OperationalError("the server is away")
        groups: tuple[Sequence[Seen | Answered | Ended], ...] = (seen, answered, ended)
        if self.locked & {item.call_id for group in groups for item in group}:
            self.met_locks += 1
            raise LockedError
        if len(ended) > self.at_most:
            raise OperationalError("the server ended a transaction that took too long")
        if any(item.call_id in self.poison and item.sip_phrase for item in ended):
            raise DataError("not in this database")
        for sign in seen:
            self._move(sign.call_id, "ringing" if sign.progress else "dispatching")
        for reply in answered:
            self._move(reply.call_id, "answered")
        for item in ended:
            if self._move(item.call_id, "ended"):
                self.ends.append(item)
        return Written([], frozenset(item.call_id for item in ended))

    def _move(self, call_id: str, state: str) -> bool:
        now = self.states.get(call_id, "dispatching")
        if RANK[state] <= RANK[now]:
            return False
        self.states[call_id] = state
        self.steps.append((now, state))
        return True


class Bench:
    """A recorder over a fake database."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.live_calls = LiveCalls()
        self.asked: list[str] = []
        self.over: list[str] = []
        self.fails = False
        self.terms: RetryTerms | None = None
        self.recorder = make_recorder(
            self.live_calls,
            Followers(self._committed),
            ask=lambda call: self.asked.append(call.call_id),
            retry_terms=lambda _call: self.terms,
        )

    def _committed(self, commit: Commit) -> None:
        assert {call.call_id for call in commit.over} <= set(commit.ended)
        self.over += [call.call_id for call in commit.over]
        if self.fails:
            raise RuntimeError("a bug in what follows a commit")

    def fly(self, **changes: object) -> LiveCall:
        call = make_call(sent_at=1.0, **changes)
        self.live_calls.add(call)
        return call

    def take(self, *events: Event) -> None:
        for event in events:
            self.recorder.on_event("fs1", event)

    def write(self) -> None:
        self.recorder.write_group()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(recorder_module, "write", made.rows.write)
    return made


def events_of(name: str, answered: bool) -> list[Event]:
    last = make_hangup() if answered else busy()
    kinds = [CREATED, PROGRESS, *([ANSWERED] if answered else [])]
    return [
        *(channel_event(name, kind) for kind in kinds),
        channel_event(name, ENDED, last),
        *([] if answered else [job(name, "USER_BUSY")]),
    ]


@given(data=st.data(), answered=st.booleans())
def test_any_order_and_any_repetition_of_events_ends_in_the_same_state(
    data: st.DataObject, answered: bool
) -> None:
    bench = Bench()
    call = bench.fly()
    events = events_of(call.call_id, answered)
    # A created event comes first or not at all: the switch keeps that order (and a refusal is one without it).
    rest = data.draw(st.lists(st.sampled_from(events), max_size=12))
    stream = [events[0], *data.draw(st.permutations([*events[1:], *rest]))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder_module, "write", bench.rows.write)
        for event in stream:
            bench.take(event)
            if data.draw(st.booleans()):
                bench.write()
        bench.write()
    (end,) = bench.rows.ends
    assert (end.status, end.disposition, end.counts) == (
        ("completed", "answered", True) if answered else ("failed", "busy", True)
    )
    assert all(RANK[before] < RANK[after] for before, after in bench.rows.steps)
    assert bench.over == [call.call_id]
    assert len(bench.live_calls) == 0


def test_what_is_told_of_a_call_before_it_has_come_from_a_dead_dialer_is_taken_up_when_it_has(
    bench: Bench,
) -> None:
    call, never_comes = make_call(), make_call(call_id="another")
    told = [channel_event(call.call_id, CREATED), channel_event(call.call_id, ANSWERED)]
    bench.take(*told)
    bench.write()
    bench.recorder.expect_calls()
    bench.take(*told, channel_event(never_comes.call_id, ENDED, busy()))
    bench.take(channel_event(call.call_id, ENDED, make_hangup()))
    bench.write()
    bench.live_calls.add(call)
    bench.take(channel_event(call.call_id, ENDED, busy()))
    bench.recorder.calls_came()
    bench.write()
    bench.write()
    assert [(end.call_id, end.disposition) for end in bench.rows.ends] == [(call.call_id, "answered")]
    assert bench.over == [call.call_id]
    bench.live_calls.add(never_comes)
    bench.recorder.calls_came()
    bench.write()
    assert len(bench.rows.ends) == 1, "what is not ours by then is nobody's matter here"


def test_what_is_told_of_calls_that_a_takeover_left_is_kept_for_its_next_look(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    for module in (recorder_module, early_reports):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    first, second, never = make_call(), make_call(), make_call()
    bench.recorder.expect_calls()
    told = [channel_event(call.call_id, ENDED, busy()) for call in (first, second, never)]
    bench.take(*told)
    bench.write()
    bench.live_calls.add(first)
    bench.recorder.calls_came(more=True)
    bench.write()
    assert bench.over == [first.call_id]
    # The next look.
    bench.recorder.expect_calls()
    bench.live_calls.add(second)
    bench.recorder.calls_came(more=True)
    bench.write()
    assert bench.over == [first.call_id, second.call_id]
    # One that has not come for so long is told of by the switch.
    now[0] += EARLY_SECONDS
    bench.take(told[2])
    bench.write()
    bench.live_calls.add(never)
    bench.recorder.calls_came()
    bench.write()
    assert bench.over == [first.call_id, second.call_id]


def test_of_very_much_that_is_told_early_the_oldest_goes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_reports, "MOST_EARLY", 2)
    call = make_call()
    bench.recorder.expect_calls()
    bench.take(channel_event(call.call_id, ENDED, busy()))
    bench.take(*(channel_event(f"other {place}", CREATED) for place in range(2)))
    bench.write()
    bench.live_calls.add(call)
    bench.recorder.calls_came()
    bench.write()
    assert bench.rows.ends == []


def test_an_end_that_postgresql_refuses_does_not_hold_up_the_others(bench: Bench) -> None:
    calls = [bench.fly() for _ in range(5)]
    bench.rows.poison = {calls[2].call_id}
    for call in calls:
        bench.take(channel_event(call.call_id, ENDED, busy(sip_phrase="Busy Here")))
    bench.write()
    assert {end.call_id for end in bench.rows.ends} == {call.call_id for call in calls}
    assert len(bench.live_calls) == 0


def test_an_end_that_postgresql_refuses_takes_no_number_from_its_contact(bench: Bench) -> None:
    call = bench.fly(retries_per_contact=5, other_number=True)
    bench.rows.poison = {call.call_id}
    hangup = make_hangup(
        "UNALLOCATED_NUMBER", q850=1, sip_status=404, sip_phrase="Not Found", answered=False, progress=False
    )
    bench.take(channel_event(call.call_id, ENDED, hangup))
    bench.write()
    (end,) = bench.rows.ends
    assert (end.disposition, end.status, end.next_number, end.no_good) == ("invalid", "pending", True, True)


def ended_busy(bench: Bench) -> LiveCall:
    call = bench.fly(retries_per_contact=3)
    bench.take(channel_event(call.call_id, ENDED, busy()))
    return call


def closed_unheard(bench: Bench) -> LiveCall:
    call = bench.fly(retries_per_contact=3)
    bench.recorder.close(call, Disposition.UNREACHABLE, "RECOVERED")
    return call


def refused_without_a_channel(bench: Bench) -> LiveCall:
    call = bench.fly(retries_per_contact=3, free_sends=20)
    bench.take(job(call.call_id, "USER_NOT_REGISTERED"))
    return call


def refused_as_its_own_first(bench: Bench) -> LiveCall:
    call = bench.fly(retries_per_contact=3, free_sends=20)
    bench.take(job(call.call_id, dedup.CAUSE))
    return call


@pytest.mark.parametrize(
    "end", [ended_busy, closed_unheard, refused_without_a_channel, refused_as_its_own_first]
)
def test_whether_a_contact_is_called_again_is_decided_by_what_its_campaign_says_at_the_end(
    bench: Bench, end: Callable[[Bench], LiveCall]
) -> None:
    end(bench)
    bench.write()
    assert bench.rows.ends.pop().status == "pending", "by what its call knows, where nobody knows better"
    bench.terms = RetryTerms(0, 60, {})
    end(bench)
    bench.write()
    assert bench.rows.ends.pop().status == "failed"
    bench.terms = RetryTerms(0, 60, {"busy": RetryRule(7200, retries=1)})
    ended_busy(bench)
    bench.write()
    back = bench.rows.ends.pop()
    assert (back.status, back.delay is not None and back.delay >= 7200) == ("pending", True)


def test_what_a_remote_party_writes_is_made_fit_for_the_database(bench: Bench) -> None:
    call = bench.fly()
    hangup = busy(sip_phrase="Busy\0 \ud800 Here" + "x" * 1000, q850=10**12, duration_ms=10**15)
    bench.take(channel_event(call.call_id, ENDED, hangup))
    bench.write()
    (end,) = bench.rows.ends
    assert end.sip_phrase is not None
    assert end.sip_phrase.startswith("Busy ? Here")
    assert len(end.sip_phrase) <= 200
    assert (end.q850, end.duration_ms) == (None, None)


def test_a_bug_after_the_commit_does_not_end_the_recorder(bench: Bench) -> None:
    bench.fails = True
    call = bench.fly()
    bench.take(channel_event(call.call_id, ENDED, busy()))
    bench.write()
    assert bench.over == [call.call_id]
    assert len(bench.live_calls) == 0


def test_nothing_follows_from_a_group_before_it_is_committed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    followers = Followers()
    followed_at_write: list[int] = []

    def write(*groups: Any) -> Written:
        followed_at_write.append(len(followers.commits))
        return bench.rows.write(*groups)

    monkeypatch.setattr(recorder_module, "write", write)
    bench.recorder.followers = (followers,)
    call = bench.fly()
    bench.take(channel_event(call.call_id, ENDED, busy()))
    bench.write()
    assert followed_at_write == [0]
    assert len(followers.commits) == 1


def test_a_group_is_repeated_until_the_database_is_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "FIRST_RETRY_SECONDS", 0.001)
    bench.rows.away = 3
    call = bench.fly()
    bench.take(channel_event(call.call_id, ENDED, busy()))
    bench.write()
    assert bench.rows.states == {call.call_id: "ended"}


def test_a_group_that_takes_too_long_is_written_in_smaller_ones(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "FIRST_RETRY_SECONDS", 0.001)
    monkeypatch.setattr(recorder_module, "COMMIT_SECONDS", 0.0)
    bench.rows.at_most = 2
    calls = [bench.fly() for _ in range(7)]
    bench.take(*(channel_event(call.call_id, ENDED, busy()) for call in calls))
    bench.write()
    assert bench.rows.states == {call.call_id: "ended" for call in calls}
    assert sorted(bench.over) == sorted(call.call_id for call in calls)


def test_whose_rows_somebody_keeps_locked_waits_alone_and_for_as_long_as_that_lasts(bench: Bench) -> None:
    now = locked_at(bench)
    held, other = bench.fly(), bench.fly()
    bench.rows.locked = {held.call_id}
    bench.take(channel_event(held.call_id, ANSWERED), channel_event(other.call_id, ANSWERED))
    bench.write()
    assert bench.rows.states == {other.call_id: "answered"}
    # What is learnt of it meanwhile waits with it.
    bench.take(channel_event(held.call_id, ENDED, make_hangup()))
    bench.take(channel_event(other.call_id, ENDED, make_hangup()))
    bench.write()
    assert bench.rows.states == {other.call_id: "ended"}
    assert not bench.recorder.locked.due()
    now[0] += AGAIN_SECONDS
    assert bench.recorder.locked.due()
    bench.recorder.take_unlocked()
    bench.write()
    assert bench.rows.states == {other.call_id: "ended"}
    bench.rows.locked = set()
    now[0] += AGAIN_SECONDS
    bench.recorder.take_unlocked()
    bench.write()
    assert bench.rows.states == {other.call_id: "ended", held.call_id: "ended"}
    assert bench.over == [other.call_id, held.call_id]
    assert not bench.recorder.locked


def test_a_group_of_which_nobodys_rows_are_locked_a_moment_later_waits_for_its_next_turn(
    bench: Bench,
) -> None:
    now = locked_at(bench)
    bench.recorder.locked.free = set
    calls = [bench.fly() for _ in range(3)]
    bench.rows.locked = {calls[0].call_id}
    bench.take(*(channel_event(call.call_id, ANSWERED) for call in calls))
    bench.write()
    assert len(bench.recorder.locked) == 3
    bench.rows.locked = set()
    now[0] += AGAIN_SECONDS
    bench.recorder.take_unlocked()
    bench.write()
    assert bench.rows.states == {call.call_id: "answered" for call in calls}


def test_where_whose_rows_are_free_cannot_be_asked_all_wait_and_too_many_are_too_many(bench: Bench) -> None:
    locked_at(bench)

    def away(_calls: object) -> set[str]:
        raise OperationalError("the server is away")

    bench.recorder.locked.free = away
    calls = [bench.fly() for _ in range(MOST + 1)]
    bench.rows.locked = {calls[0].call_id}
    bench.take(*(channel_event(call.call_id, ANSWERED) for call in calls))
    while bench.recorder.waiting:
        bench.write()
    # The last of them came in a group of its own.
    assert len(bench.recorder.locked) == MOST
    assert not bench.recorder.behind()
    bench.rows.locked = {calls[-1].call_id}
    bench.take(channel_event(calls[-1].call_id, ENDED, make_hangup()))
    bench.write()
    assert bench.recorder.behind()
    bench.recorder.take_unlocked()
    assert len(bench.recorder.locked) == MOST + 1


def test_while_rows_are_locked_no_group_waits_for_them_again(bench: Bench) -> None:
    locked_at(bench)
    held, also, other = bench.fly(), bench.fly(), bench.fly()
    bench.rows.locked = {held.call_id, also.call_id}
    bench.take(channel_event(held.call_id, ANSWERED))
    bench.write()
    assert bench.rows.met_locks == 1
    bench.take(*(channel_event(call.call_id, ANSWERED) for call in (also, other)))
    bench.write()
    assert bench.rows.met_locks == 1
    assert bench.rows.states == {other.call_id: "answered"}
    assert len(bench.recorder.locked) == 2


def test_who_ends_waits_for_what_waits_for_its_rows(bench: Bench) -> None:
    now = locked_at(bench)

    def moves_on() -> float:
        now[0] += AGAIN_SECONDS
        return now[0]

    bench.recorder.locked.now = moves_on
    call = bench.fly()
    bench.rows.locked = {call.call_id}
    bench.take(channel_event(call.call_id, ENDED, busy()))
    running = gevent.spawn(bench.recorder.run)
    assert bench.recorder.flush(5.0), "who hands over does not"
    bench.recorder.stop()
    assert not bench.recorder.wait_ended(0.05)
    assert len(bench.recorder.locked) == 1
    bench.rows.locked = set()
    assert bench.recorder.wait_ended(HANG_SECONDS)
    assert bench.rows.states == {call.call_id: "ended"}
    running.join(5.0)


def test_a_change_that_waited_says_when_each_thing_was_heard() -> None:
    call = make_call(sent_at=1.0)
    change = Change(call, 2.0, answered=True, progress_at=4.0, alerted_at=5.0)
    call.ring(alerted=True)
    call.answer(6.0)
    _, (answered,), _ = rows_of([change], 10.0)
    assert (answered.age, answered.progress_age, answered.ring_age) == (4.0, 6.0, 5.0)
    change.answered = False
    (seen,), _, _ = rows_of([change], 10.0)
    assert seen.age == 6.0


@pytest.mark.parametrize("fault", [gevent.GreenletExit(), gevent.Timeout(1.0), RuntimeError("a bug")])
@pytest.mark.parametrize("committed", [True, False])
def test_whatever_ends_a_write_its_changes_are_written_with_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: BaseException, committed: bool
) -> None:
    faults = [fault]

    def hit(point: FaultPoint) -> None:
        if point is (FaultPoint.OUTCOME_COMMITTED if committed else FaultPoint.HEARD) and faults:
            raise faults.pop()

    monkeypatch.setattr(recorder_module, "hit", hit)
    calls = [bench.fly() for _ in range(3)]
    bench.take(*(channel_event(call.call_id, ENDED, busy()) for call in calls))
    with pytest.raises(type(fault)):
        bench.write()
    assert all(call.over and bench.recorder.knows_end_of(call.call_id) for call in calls)
    bench.write()
    assert bench.rows.states == {call.call_id: "ended" for call in calls}
    assert sorted(bench.over) == sorted(call.call_id for call in calls)
    assert not any(bench.recorder.knows_end_of(call.call_id) for call in calls)
    assert not bench.live_calls


def locked_at(bench: Bench) -> list[float]:
    """The clock by which its recorder looks again at what waits for its rows."""
    now = [1000.0]
    bench.recorder.locked.now = lambda: now[0]
    bench.recorder.locked.free = lambda calls: set(calls) - bench.rows.locked
    return now


def test_ages_count_up_to_the_write_and_not_to_the_event() -> None:
    call = make_call(sent_at=100.0, answered_at=103.0)
    end = Ended(call.call_id, "completed", True, None, 0.0, 7.0, "answered", "NORMAL_CLEARING")
    change = Change(call, 103.0, answered=True, ended=end, ended_at=107.0)
    _, answered, ended = rows_of([change], 167.0)
    assert (answered[0].age, answered[0].sent_age) == (64.0, 67.0)
    assert (ended[0].age, ended[0].sent_age) == (60.0, 67.0)


def test_an_answer_that_was_missed_is_dated_by_what_was_billed(bench: Bench) -> None:
    call = bench.fly()
    bench.take(channel_event(call.call_id, ENDED, make_hangup(billsec=4)))
    (report,) = bench.recorder.waiting
    bench.write()
    assert call.answered_at == pytest.approx(report.at - 4)


def test_a_call_that_the_switch_has_shown_is_not_taken_back(bench: Bench) -> None:
    call = bench.fly()
    bench.take(channel_event(call.call_id, CREATED))
    bench.recorder.withdraw(call, "NOT_SENT")
    bench.write()
    assert bench.rows.ends == []
    assert not call.over


def test_a_call_that_was_sent_since_it_was_to_be_taken_back_is_not(bench: Bench) -> None:
    """Its report waits for as long as the database takes; recovery may have had it sent meanwhile."""
    call = make_call()
    bench.live_calls.add(call)
    bench.recorder.withdraw(call, "NOT_SENT")
    assert call.write(time.monotonic(), "core-1")
    bench.write()
    assert bench.rows.ends == []
    bench.take(channel_event(call.call_id, ENDED, busy()))
    bench.write()
    assert [end.disposition for end in bench.rows.ends] == ["busy"]


@pytest.mark.parametrize(
    ("text", "known", "repeated", "expected"),
    [
        ("DESTINATION_OUT_OF_ORDER", False, False, "congestion"),
        ("GATEWAY_DOWN", False, False, "gateway_fault"),
        ("DESTINATION_OUT_OF_ORDER", False, True, "asked"),
        ("NO_ANSWER", False, False, "asked"),
        ("USER_BUSY", False, False, "asked"),
        ("USER_BUSY", True, False, "waited for"),
        ("-USAGE: nonsense", False, False, "congestion"),
    ],
)
def test_a_failed_job_is_a_refusal_only_where_there_was_no_channel(
    bench: Bench, text: str, known: bool, repeated: bool, expected: str
) -> None:
    call = bench.fly(state=LiveState.SEEN if known else LiveState.ACKNOWLEDGED, resent=repeated)
    bench.take(job(call.call_id, text))
    bench.write()
    assert bench.asked == ([call.call_id] if expected == "asked" else [])
    assert [end.disposition for end in bench.rows.ends] == (
        [] if expected in ("asked", "waited for") else [expected]
    )


def test_a_refusal_is_asked_about_where_a_channel_may_have_come_and_gone_unheard(bench: Bench) -> None:
    """A carrier's `Reason: Q.850;cause=27` ends a call that rang with the cause of a refused one."""
    call = bench.fly(unheard=True)
    bench.take(job(call.call_id, "DESTINATION_OUT_OF_ORDER"))
    bench.write()
    assert bench.asked == [call.call_id]
    assert bench.rows.ends == []


def test_a_refused_duplicate_says_nothing_about_the_call(bench: Bench) -> None:
    call = bench.fly(resent=True)
    bench.take(job(call.call_id, dedup.CAUSE))
    duplicate = make_hangup(dedup.CAUSE, sip_status=None, answered=False, progress=False, hung_up_by=None)
    bench.take(channel_event(call.call_id, ENDED, duplicate))
    bench.write()
    assert bench.rows.ends == []
    assert set(bench.asked) == {call.call_id}
    assert call.seen
    assert call.refusal is None
    bench.take(channel_event(call.call_id, ENDED, busy()))
    bench.write()
    assert [end.disposition for end in bench.rows.ends] == ["busy"]


@pytest.mark.parametrize("first", ["its job", "its end"])
def test_a_first_order_that_is_refused_as_a_second_is_a_fault_of_its_node(bench: Bench, first: str) -> None:
    call = bench.fly()
    duplicate = make_hangup(dedup.CAUSE, sip_status=None, answered=False, progress=False, hung_up_by=None)
    said: list[Event] = [job(call.call_id, dedup.CAUSE), channel_event(call.call_id, ENDED, duplicate)]
    bench.take(*(said if first == "its job" else said[::-1]))
    bench.write()
    (end,) = bench.rows.ends
    assert (end.disposition, end.counts, end.owner_only) == ("congestion", False, True)
    assert bench.asked == []
    assert not call.seen


@pytest.mark.parametrize(
    "known", [{"sent_by": "dffffffffffff"}, {"adopted_at": 1.0}, {"state": LiveState.SEEN}]
)
def test_a_call_that_another_may_have_sent_or_a_switch_has_shown_is_asked_about(
    bench: Bench, known: dict[str, Any]
) -> None:
    call = bench.fly(**known)
    bench.take(job(call.call_id, dedup.CAUSE))
    bench.write()
    assert bench.rows.ends == []
    assert bench.asked == [call.call_id]


def test_a_call_that_is_somebody_elses_by_now_frees_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "write", lambda *_: Written([], frozenset()))
    call = bench.fly()
    bench.recorder.close(call, Disposition.OUTCOME_UNKNOWN, "NODE_UNREACHABLE")
    bench.write()
    assert bench.over == []
    assert call.call_id not in bench.live_calls


def test_flush_waits_for_what_has_come_and_stop_for_the_rest(bench: Bench) -> None:
    assert bench.recorder.flush(0.1)
    greenlet = gevent.spawn(bench.recorder.run)
    call = bench.fly()
    bench.take(channel_event(call.call_id, ENDED, busy()))
    assert bench.recorder.flush(5.0)
    assert bench.over == [call.call_id]
    bench.recorder.stop()
    greenlet.join(5.0)
    assert greenlet.ready()


def test_events_of_calls_that_are_not_ours_are_left_alone(bench: Bench) -> None:
    bench.take(ChannelEvent(ENDED, "nobody", "core-1", 0, None, busy()))
    bench.write()
    assert bench.rows.ends == []


# Behind.


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(recorder_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_recorder_whose_oldest_report_waits_for_long_is_behind_until_that_is_written(
    bench: Bench, clock: list[float]
) -> None:
    assert not bench.recorder.behind()
    first, second = bench.fly(), bench.fly()
    bench.take(channel_event(first.call_id, CREATED))
    clock[0] += BEHIND_SECONDS - 0.01
    bench.take(channel_event(second.call_id, CREATED))
    assert not bench.recorder.behind()
    clock[0] += 0.02
    assert bench.recorder.behind()
    bench.write()
    assert not bench.recorder.behind()


def test_a_report_that_is_being_written_waits_as_well(
    bench: Bench, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    behind: list[bool] = []

    def slowly(*arguments: Any) -> Written:
        behind.append(bench.recorder.behind())
        clock[0] += BEHIND_SECONDS + 0.01
        behind.append(bench.recorder.behind())
        return bench.rows.write(*arguments)

    monkeypatch.setattr(recorder_module, "write", slowly)
    bench.take(channel_event(bench.fly().call_id, CREATED))
    bench.write()
    assert behind == [False, True]
    assert not bench.recorder.behind()


def test_where_commits_are_slow_a_report_may_wait_for_some_of_them(
    bench: Bench, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is slow for everybody is no flood: what it takes is what it takes."""

    def slowly(*arguments: Any) -> Written:
        clock[0] += 0.2
        return bench.rows.write(*arguments)

    monkeypatch.setattr(recorder_module, "write", slowly)
    for _ in range(5):
        bench.take(channel_event(bench.fly().call_id, CREATED))
        bench.write()
    bench.take(channel_event(bench.fly().call_id, CREATED))
    clock[0] += BEHIND_COMMITS * 0.2 - 0.01
    assert not bench.recorder.behind()
    clock[0] += 0.02
    assert bench.recorder.behind()


def test_slow_commits_do_not_let_reports_wait_for_longer_where_one_was_quick(
    bench: Bench, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have much to write."""
    took = iter([1.0, 2.0, 30.0, 0.01, 5.0])

    def unsteadily(*arguments: Any) -> Written:
        clock[0] += next(took)
        return bench.rows.write(*arguments)

    monkeypatch.setattr(recorder_module, "write", unsteadily)
    for _ in range(5):
        bench.take(channel_event(bench.fly().call_id, CREATED))
        bench.write()
    bench.take(channel_event(bench.fly().call_id, CREATED))
    clock[0] += BEHIND_SECONDS + 0.01
    assert bench.recorder.behind()
