"""Every request may be made twice: because an answer was lost, or because a permit lapsed before it was used."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import gevent
import pytest
import redis

from coordination.lua import Script
from limits import scripts
from limits.limiter import Denied, GatewayCaps, LimiterUnavailable, Permit, TenantCaps, Usage
from local.valkey import EmbeddedValkey
from tests.integration.limits.limiter_rig import NOON, Clock, Dialer, HookedRedis, ScriptHook, connect, words
from tests.waiting import wait_until

Send = Callable[[str], Any]


def test_asking_again_counts_once(dialer: Dialer) -> None:
    caps = TenantCaps(1, None, 1, None)
    for _ in range(3):
        assert words(dialer.ask("a", tenant=caps)) == ["fs1"]
    assert dialer.limiter.usage("t") == Usage(1, 1, 1, 0)
    dialer.end("a")
    assert dialer.limiter.usage("t") == Usage(0, 1, 1, 0)


def test_an_order_that_may_have_left_stays_counted_when_its_call_is_sent_again(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    caps = TenantCaps(None, 3, None, None)
    timed_dialer.ask("sent", tenant=caps)
    virtual_clock.advance(20.0)
    assert words(timed_dialer.ask("sent", tenant=caps, may_have_left=True)) == ["fs1"]
    assert sorted(timed_dialer.turns("tenant", "t").values()) == [NOON, NOON + 20_000_000]
    virtual_clock.advance(20.0)
    # A permit that lapsed and one that is given back free the place of their own moment alone.
    (permit,) = timed_dialer.ask("sent", tenant=caps)
    assert isinstance(permit, Permit)
    assert sorted(timed_dialer.turns("tenant", "t").values()) == [NOON, NOON + 40_000_000]
    timed_dialer.limiter.give_back([permit])
    assert list(timed_dialer.turns("tenant", "t").values()) == [NOON]


def test_an_order_that_was_never_due_is_not_counted_beside_its_repeat(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    timed_dialer.ask("first", "second", gateway=GatewayCaps("gw", 10, None), lead=0.2, horizon=0.05)
    timed_dialer.ask("first", gateway=GatewayCaps("gw", 10, None), may_have_left=True)
    assert len(timed_dialer.turns("gateway", "gw")) == 1


def test_releasing_again_changes_nothing(dialer: Dialer) -> None:
    dialer.ask("a", "b")
    for _ in range(3):
        dialer.end("a", billsec=30)
    assert dialer.limiter.usage("t") == Usage(1, 2, 2, 30)


def test_a_release_frees_nothing_of_another_tenant(dialer: Dialer) -> None:
    dialer.ask("a", tenant_id="other", campaign_id="x")
    dialer.end("a", billsec=30)
    dialer.end("unknown", billsec=30)
    assert dialer.limiter.usage("t") == Usage(0, 0, 0, 0)
    assert dialer.limiter.usage("other") == Usage(0, 1, 1, 30)


def test_giving_back_twice_undoes_once(dialer: Dialer) -> None:
    (a, _) = dialer.ask("a", "b")
    assert isinstance(a, Permit)
    for _ in range(3):
        dialer.limiter.give_back([a])
    assert dialer.limiter.usage("t") == Usage(1, 1, 1, 0)


def test_the_first_permit_of_a_call_gives_back_what_it_asked_for_again(dialer: Dialer) -> None:
    (first,) = dialer.ask("a")
    assert isinstance(first, Permit)
    dialer.ask("a")
    dialer.limiter.give_back([first])
    assert dialer.limiter.usage("t") == Usage(0, 0, 0, 0)


def test_giving_back_late_does_not_take_a_permit_asked_for_since(dialer: Dialer) -> None:
    (first,) = dialer.ask("a")
    assert isinstance(first, Permit)
    with broken_redis(dialer.client), pytest.raises(LimiterUnavailable):
        dialer.limiter.give_back([first])
    dialer.ask("a")
    dialer.limiter.renew()
    assert dialer.limiter.usage("t") == Usage(1, 1, 1, 0)


def test_giving_back_reaches_a_permit_that_a_successor_took_over_meanwhile(
    client: HookedRedis, dialer: Dialer
) -> None:
    successor = Dialer(client, "d2")
    (a, b) = dialer.ask("a", "b")
    assert isinstance(a, Permit)
    assert isinstance(b, Permit)
    successor.limiter.take_over("d1", {"a", "b"})
    successor.ask("b")
    dialer.limiter.give_back([a, b])
    assert successor.limiter.held_by("d2") == ["b"]


def test_any_process_may_release_a_call_and_its_owner_does_not_revive_it(
    client: HookedRedis, dialer: Dialer
) -> None:
    other = Dialer(client, "d2")
    dialer.ask("a")
    other.end("a", billsec=5)
    dialer.limiter.renew()
    assert dialer.limiter.usage("t") == Usage(0, 1, 1, 5)


def test_a_lapsed_permit_moves_to_the_present_when_the_rate_allows(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    slow = GatewayCaps("gw", 1, None)
    assert words(timed_dialer.ask("a", gateway=slow)) == ["fs1"]
    virtual_clock.advance(0.06)
    answers = timed_dialer.ask("a", "b", gateway=slow)
    assert words(answers) == ["fs1", "gateway_cps"]
    assert isinstance(answers[1], Denied)
    assert answers[1].retry_after > 0.93


def test_lapsed_permits_get_turns_one_after_another_before_any_new_call(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    """A database that stalls for a while delays calls, but neither bunches them nor lets new ones overtake."""
    rate = GatewayCaps("gw", 20, None)
    calls = ["a", "b", "c", "d"]
    waiting = list(calls)
    while waiting:
        waiting = [call for call in waiting if isinstance(timed_dialer.ask(call, gateway=rate)[0], Denied)]
        virtual_clock.advance(0.005)
    virtual_clock.advance(0.06)
    answers = timed_dialer.ask(*calls, gateway=rate)
    assert words(answers)[0] == "fs1"
    turns = [answer.retry_after for answer in answers if isinstance(answer, Denied)]
    assert len(turns) == 3
    assert turns == sorted(turns)
    assert all(0.02 < later - sooner < 0.06 for sooner, later in itertools.pairwise(turns))
    (new,) = timed_dialer.ask("new", gateway=rate)
    assert isinstance(new, Denied)
    assert new.retry_after > turns[-1]


def test_a_turn_is_kept_for_whoever_asks_early(timed_dialer: Dialer, virtual_clock: Clock) -> None:
    rate = GatewayCaps("gw", 5, None)
    timed_dialer.ask("a", gateway=rate)
    while not isinstance(timed_dialer.ask("b", gateway=rate)[0], Permit):
        virtual_clock.advance(0.01)
    virtual_clock.advance(0.06)
    waits = []
    for _ in range(3):
        waits.append(timed_dialer.ask("a", gateway=rate)[0])
        virtual_clock.advance(0.01)
    assert all(isinstance(wait, Denied) and wait.reason == "gateway_cps" for wait in waits)
    assert [w.retry_after for w in waits if isinstance(w, Denied)] == sorted(
        (w.retry_after for w in waits if isinstance(w, Denied)), reverse=True
    )


def test_a_lost_answer_leaves_nothing_held(dialer: Dialer) -> None:
    with (
        dialer.client.hooked(losing_answers_of(scripts.ACQUIRE)),
        pytest.raises(LimiterUnavailable),
    ):
        dialer.ask("a", "b")
    assert dialer.limiter.usage("t") == Usage(2, 2, 2, 0)
    dialer.ask("c")
    assert dialer.limiter.usage("t") == Usage(1, 1, 1, 0)


def test_a_lost_answer_asked_again_is_kept(dialer: Dialer) -> None:
    with (
        dialer.client.hooked(losing_answers_of(scripts.ACQUIRE)),
        pytest.raises(LimiterUnavailable),
    ):
        dialer.ask("a")
    assert words(dialer.ask("a")) == ["fs1"]
    dialer.limiter.renew()
    assert dialer.limiter.usage("t") == Usage(1, 1, 1, 0)


def test_what_is_asked_again_is_not_undone_in_between(dialer: Dialer) -> None:
    """Its slot would be free for a moment, for anybody to take."""
    lossy = losing_answers_of(scripts.ACQUIRE)
    with dialer.client.hooked(lossy), pytest.raises(LimiterUnavailable):
        dialer.ask("a")
    ran: list[str] = []

    def noted(text: str, send: Send) -> object:
        ran.append(text)
        return send(text)

    with dialer.client.hooked(noted):
        dialer.ask("a")
    assert ran == [scripts.ACQUIRE.text]


def test_a_permit_that_changes_hands_while_it_is_given_back_stays(
    client: HookedRedis, dialer: Dialer
) -> None:
    successor = Dialer(client, "d2")
    (permit,) = dialer.ask("a")
    assert isinstance(permit, Permit)

    def overtaken(text: str, send: Send) -> object:
        if text == scripts.RELEASE.text and not successor.limiter.held_by("d2"):
            successor.limiter.take_over("d1", {"a"})
            successor.ask("a")
        return send(text)

    with dialer.client.hooked(overtaken):
        dialer.limiter.give_back([permit])
    assert successor.limiter.held_by("d2") == ["a"]
    assert successor.limiter.usage("t") == Usage(1, 1, 1, 0)


def test_a_request_that_redis_carries_out_long_after_its_asker_gave_up_is_undone_by_the_renewal(
    dialer: Dialer,
) -> None:
    late: list[Send] = []

    def delayed(text: str, send: Send) -> object:
        if text == scripts.ACQUIRE.text:
            late.append(send)
            raise redis.TimeoutError("no answer")
        return send(text)

    with dialer.client.hooked(delayed), pytest.raises(LimiterUnavailable):
        dialer.ask("a")
    dialer.limiter.renew()
    for send in late:
        send(scripts.ACQUIRE.text)
    assert dialer.limiter.usage("t") == Usage(1, 1, 1, 0)
    dialer.limiter.renew()
    assert dialer.limiter.usage("t") == Usage(0, 0, 0, 0)


def test_a_greenlet_killed_while_it_asks_leaks_no_slot(dialer: Dialer) -> None:
    def killed(text: str, send: Send) -> object:
        answer = send(text)
        if text == scripts.ACQUIRE.text:
            gevent.sleep(60)
        return answer

    with dialer.client.hooked(killed):
        greenlet = gevent.spawn(dialer.ask, "a")
        wait_until(lambda: dialer.limiter.usage("t") == Usage(1, 1, 1, 0))
        greenlet.kill()
    assert words(dialer.ask("b", concurrency=1)) == ["fs1"]


def test_what_cannot_be_released_is_released_later(dialer: Dialer) -> None:
    (permit, _) = dialer.ask("a", "b")
    assert isinstance(permit, Permit)
    with broken_redis(dialer.client):
        with pytest.raises(LimiterUnavailable):
            dialer.limiter.give_back([permit])
        with pytest.raises(LimiterUnavailable):
            dialer.end("b", billsec=9)
    assert dialer.limiter.usage("t") == Usage(2, 2, 2, 0)
    dialer.limiter.renew()
    assert dialer.limiter.usage("t") == Usage(0, 1, 1, 9)


def broken_redis(client: HookedRedis) -> AbstractContextManager[None]:
    """No script reaches Redis."""

    def gone(_text: str, _send: Send) -> object:
        raise redis.ConnectionError("gone")

    return client.hooked(gone)


def losing_answers_of(script: Script) -> ScriptHook:
    """Redis does what it is told, and the answer never arrives."""

    def lossy(text: str, send: Send) -> object:
        answer = send(text)
        if text == script.text:
            raise redis.TimeoutError("no answer")
        return answer

    return lossy


def test_what_a_stalled_redis_executes_after_the_askers_gave_up_is_undone(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, durable=False) as server:
        dialer = Dialer(connect(server.url, timeout=0.3)).open()
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(LimiterUnavailable):
                dialer.ask("a", "b")
        finally:
            os.kill(pid, signal.SIGCONT)

        def nothing_is_held() -> bool:
            dialer.limiter.renew()
            return dialer.limiter.usage("t") == Usage(0, 0, 0, 0)

        wait_until(nothing_is_held, what="an empty state")
        assert words(dialer.ask("c", concurrency=1)) == ["fs1"]
