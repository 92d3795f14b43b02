"""A node that has no port for its calls' media is offered none, and then one at a time."""

from __future__ import annotations

import time
from unittest.mock import MagicMock

import pytest
from redis import Redis

from campaigns.dispositions import Disposition
from dialer.capacity.backpressure import refused_by
from dialer.dispatch.node_rests import FAULTS_THAT_REST, FIRST_SECONDS, LAST_SECONDS, NodeRests
from dialer.live_calls import LiveCall, LiveCalls
from dialer.process import Process
from dialer.record import recorder as recorder_module
from dialer.record.call_end import NO_MEDIA, hung_up
from dialer.record.outcome_rows import Written
from freeswitch.hangup import Hangup
from limits.rate_cuts import Kind
from settings import Settings
from tests.unit.dialer.factories import make_call, make_commit, make_hangup

RUN, NEXT_RUN = "core-1", "core-2"


class Bench:
    """A node's calls, at a time that stands still."""

    def __init__(self) -> None:
        self.at, self.live_calls = 1000.0, LiveCalls()
        self.subject = NodeRests(self.live_calls, lambda: self.at)

    def call(self, node: str = "fs1", core_uuid: str = RUN, **changes: object) -> LiveCall:
        """One that leaves now."""
        call = make_call(node=node, core_uuid=core_uuid, claimed_at=self.at, sent_at=self.at, **changes)
        self.live_calls.add(call)
        return call

    def end(self, call: LiveCall, hangup: Hangup) -> None:
        self.live_calls.remove(call.call_id)
        self.subject.after_commit(make_commit({call.call_id: hung_up(call, self.at, hangup)}, call))

    def fail(self, *calls: LiveCall) -> None:
        for call in calls or [self.call()]:
            self.end(call, make_hangup("INCOMPATIBLE_DESTINATION", answered=False, sip_status=None))

    def talk(self, call: LiveCall) -> None:
        call.answer(self.at)
        self.end(call, make_hangup())

    def rest(self) -> None:
        for _ in range(FAULTS_THAT_REST):
            self.fail()

    def rests(self, node: str = "fs1", core_uuid: str = RUN) -> bool:
        return self.subject.rests(node, core_uuid)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_three_calls_in_a_row_without_media_and_the_node_rests_alone(bench: Bench) -> None:
    for _ in range(FAULTS_THAT_REST - 1):
        bench.fail()
    assert not bench.rests()
    bench.fail()
    assert bench.rests()
    assert not bench.rests("fs2")
    bench.at += FIRST_SECONDS - 0.1
    assert bench.rests()
    bench.at += 0.2
    assert not bench.rests()


def test_an_answer_between_them_begins_the_row_anew_and_one_of_before_does_not(bench: Bench) -> None:
    talks = bench.call()
    talks.answer(bench.at)
    bench.at += 1.0
    bench.fail()
    bench.fail()
    bench.at += 1.0
    # It was answered while the node still had ports.
    bench.end(talks, make_hangup())
    bench.fail()
    assert bench.rests()

    other = Bench()
    other.fail()
    other.fail()
    other.at += 1.0
    up = other.call()
    up.answer(other.at)
    other.fail()
    assert not other.rests(), "somebody answered it since, and talks"


def test_one_call_tries_a_node_that_rested_and_twice_as_long_a_rest_follows_each_that_fails(
    bench: Bench,
) -> None:
    bench.rest()
    seconds = FIRST_SECONDS
    for _ in range(8):
        bench.at += seconds
        assert not bench.rests()
        assert bench.subject.tries("fs1")
        probe = bench.call()
        assert bench.rests(), "one call at a time"
        bench.fail(probe)
        seconds = min(LAST_SECONDS, 2 * seconds)
        bench.at += seconds - 1.0
        assert bench.rests()
        bench.at += 1.0
        assert not bench.rests()
    assert seconds == LAST_SECONDS


def test_the_answer_of_the_call_that_tries_it_ends_the_rest_while_it_is_up(bench: Bench) -> None:
    bench.rest()
    bench.at += FIRST_SECONDS
    probe = bench.call()
    bench.at += 1.0
    assert bench.rests()
    probe.answer(bench.at)
    assert not bench.rests()
    assert not bench.subject.tries("fs1")
    bench.rest()
    bench.at += FIRST_SECONDS
    assert not bench.rests(), "the first rest again, and not the next"


def test_a_call_that_tells_nothing_of_media_leaves_the_next_to_try(bench: Bench) -> None:
    bench.rest()
    bench.at += FIRST_SECONDS
    bench.end(bench.call(), make_hangup("USER_BUSY", sip_status=486, answered=False))
    assert not bench.rests()
    assert bench.subject.tries("fs1")


def test_calls_that_left_before_it_rested_make_its_rest_no_longer(bench: Bench) -> None:
    late = [bench.call() for _ in range(10)]
    bench.rest()
    bench.at += 1.0
    bench.fail(*late)
    bench.at += FIRST_SECONDS - 1.0
    assert not bench.rests()


def test_another_run_of_the_node_has_ports_of_its_own(bench: Bench) -> None:
    bench.rest()
    assert not bench.rests(core_uuid=NEXT_RUN)
    assert not bench.rests(core_uuid=NEXT_RUN)
    bench.rest()
    assert not bench.rests(core_uuid=NEXT_RUN)


def test_a_node_without_media_is_at_its_limit(bench: Bench) -> None:
    call = bench.call()
    ended = hung_up(call, 1.0, make_hangup("INCOMPATIBLE_DESTINATION", answered=False, sip_status=None))
    assert refused_by(call, ended) == (Kind.NODE, "fs1")


def test_the_call_that_tries_is_judged_before_what_else_follows_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is no live call any more: until that is heard another would leave, whose person picks up for nothing."""
    urls = {"DATABASE_URL": "postgresql://nobody@127.0.0.1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    # The recorder's own clock says when the end was told, which is not before the call that tries was sent.
    redis, at = MagicMock(spec=Redis), time.monotonic() - FIRST_SECONDS
    process = Process(Settings.from_environ(urls), redis, redis)
    process.node_rests.now = lambda: at
    for _ in range(FAULTS_THAT_REST):
        call = make_call(core_uuid=RUN, claimed_at=at)
        end = hung_up(call, at, make_hangup("INCOMPATIBLE_DESTINATION", answered=False, sip_status=None))
        process.node_rests.after_commit(make_commit({call.call_id: end}, call))
    at += FIRST_SECONDS
    tries = make_call(core_uuid=RUN, claimed_at=at, sent_at=at)
    process.live_calls.add(tries)
    assert process.node_rests.rests("fs1", RUN)
    monkeypatch.setattr(recorder_module, "write", lambda *_: Written([], frozenset({tries.call_id})))
    process.recorder.close(tries, Disposition.NODE_FAULT, NO_MEDIA)
    process.recorder.write_group()
    assert len(process.live_calls) == 0
    assert process.node_rests.rests("fs1", RUN)
