"""A part goes away under a running campaign and comes back: no call starts that could not be recorded, those who wait
are told, nobody is lost, nobody is called twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coordination.membership import LEASE_SECONDS
from local.api_client import ApiFailedError
from local.demo import collect
from tests.chaos.proxy import Mode
from tests.chaos.stage import children_of, signal_all
from tests.e2e.listening import Listener
from tests.e2e.parts import (
    DIALERS,
    UNDER_WAY_SECONDS,
    Parts,
    Writer,
    lost_memory,
)
from tests.e2e.rig import Tenant, left_in_redis, numbers, of_campaign, polled, seen
from tests.judging import Judge

CONTACTS = 2500
"""More than are called before a test is over: what ends the campaigns is a stop."""
CONCURRENT = 12
UNDER_WAY = 40
"""Contacts that have been called when a part goes."""
ENDINGS = ("10", "00", "01", "08", "03")
MORE = 50
"""Calls that the day still has after an outage."""
OTHER_CAPS = ("concurrent_max", "calls_per_minute", "daily_minutes_max")
GONE_SECONDS = 2.5
"""Beyond what may still be under way: for so long, at least, nothing may start."""
PROMPTLY = 2.0
NO_DIALER_SECONDS = 10.0
AWAY = "{}, but Redis is unavailable: calls may leave for up to 5 s. Calls in progress end when it is back."
TRIES = 5
DRAIN_SECONDS = 25.0
RESUME_SECONDS = 5.0
LATE_SECONDS = 2.0
"""For a machine that is busy with other things."""


Begin = Callable[..., tuple[Tenant, str, list[Listener]]]


@pytest.fixture
def begin(parts: Parts) -> Iterator[Begin]:
    """Begins a campaign, with those who listen to it from the beginning; it is under way, and ends with the test."""
    begun: list[tuple[Tenant, str]] = []
    listening: list[Listener] = []

    def make(listeners: int = 0, **options: Any) -> tuple[Tenant, str, list[Listener]]:
        tenant = parts.tenant(**options)
        campaign = tenant.campaign(numbers(*ENDINGS, count=CONTACTS), max_concurrent_calls=CONCURRENT)
        begun.append((parts.persistent(tenant), campaign))
        found = [Listener(tenant, campaign) for _ in range(listeners)]
        listening.extend(found)
        polled(lambda: all(listener.heard.last_id for listener in found), "listeners")
        tenant.act(campaign, "start")
        tenant.wait_touched(campaign, UNDER_WAY)
        return tenant, campaign, found

    yield make
    parts.mend()
    for listener in listening:
        listener.close()
    for tenant, campaign in begun:
        tenant.act(campaign, "stop")


def long_gone(gone: float) -> None:
    """Return once what went at `gone` (wall clock) has been away for so long that it shows that nothing starts."""
    seconds = UNDER_WAY_SECONDS + GONE_SECONDS
    polled(lambda: time.time() >= gone + seconds, "the time to wait", seconds=2 * seconds)


def goes_on(tenant: Tenant, campaign: str, calls: int = 30) -> None:
    """Return once so many more contacts have been called."""
    tenant.wait_touched(campaign, tenant.touched(campaign) + calls)


def finished(parts: Parts, tenant: Tenant, campaign: str) -> list[dict[str, Any]]:
    """Stop the campaign; its calls, once the proof holds, whose outcomes are all known, and no permit is left."""
    tenant.act(campaign, "stop")
    tenant.wait_over(campaign)
    _, calls, proof = collect(tenant.api, campaign, [node.ledger for node in parts.stack.nodes])
    assert proof.faults == []
    assert [call["id"] for call in calls if call["disposition"] == "outcome_unknown"] == []
    polled(lambda: left_in_redis(parts.stack, tenant.id) == {}, "the end of every permit")
    return calls


def said_unavailable(tenant: Tenant, campaign: str, judge: Judge) -> None:
    """Reading and writing are answered in time with 503 and when to come back.

    The fastest answer of several counts where real seconds do: the others may have waited for this machine.
    """
    for method, path in (("GET", f"/api/v1/campaigns/{campaign}"), ("POST", "/api/v1/agents")):
        took: list[float] = []
        while len(took) < TRIES and (not took or min(took) > PROMPTLY):
            with tenant.api.connection(30) as connection:
                asked = time.monotonic()
                body = b'{"name": "a", "action": {"type": "park"}}' if method == "POST" else None
                headers = tenant.api.headers() | {"Content-Type": "application/json"}
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                assert (answer.status, answer.read()) == (503, b"Database unavailable")
                assert int(answer.headers["Retry-After"]) >= 1
                took.append(time.monotonic() - asked)
        judge.at_most(min(took), PROMPTLY, "seconds of an answer without PostgreSQL")


def test_without_postgresql_no_call_starts_and_those_in_flight_are_settled_after(
    parts: Parts, begin: Begin, judge: Judge
) -> None:
    tenant, campaign, _ = begin()
    before = {name: pid for name, pid in parts.stack.pids.items() if name.startswith(("web", "dialer"))}
    assert parts.postgres.pid is not None
    server = [parts.postgres.pid, *children_of(parts.postgres.pid)]
    asked = time.time()
    signal_all(server, signal.SIGSTOP)
    gone = time.time()
    said_unavailable(tenant, campaign, judge)
    signal_all(server, signal.SIGKILL)
    polled(lambda: parts.postgres.pid is None, "the end of PostgreSQL")
    said_unavailable(tenant, campaign, judge)
    long_gone(gone)
    back = time.time()
    parts.postgres.restart()
    polled(lambda: answers(tenant, campaign), "an answer of the API")
    goes_on(tenant, campaign)

    assert parts.started_between(campaign, gone + UNDER_WAY_SECONDS, back) == []
    in_flight = parts.ended_between(campaign, asked, back)
    assert in_flight, "no call ended meanwhile: nothing was proven"
    assert {name: parts.stack.pids.get(name) for name in before} == before
    calls = {call["id"]: call for call in finished(parts, tenant, campaign)}
    assert all(calls[uuid]["ended_at"] is not None for uuid in in_flight)


def answers(tenant: Tenant, campaign: str) -> bool:
    """Whether the API reads this campaign."""
    with contextlib.suppress(ApiFailedError):
        return bool(tenant.get(campaign))
    return False


def test_without_redis_no_call_starts_reads_work_and_the_days_count_survives(
    parts: Parts, begin: Begin
) -> None:
    tenant, campaign, (listener,) = begin(1)
    before = {name: pid for name, pid in parts.stack.pids.items() if name.startswith(("web", "dialer"))}
    lost_memory(parts.valkey)
    gone = time.time()
    polled(lambda: ": stream interrupted" in listener.lines(), "word of the outage")
    for path in ("", "/contacts"):
        assert tenant.api.get(f"/api/v1/campaigns/{campaign}{path}")
    assert tenant.api.get("/api/v1/calls", campaign_id=campaign)["total"] >= UNDER_WAY
    polled(lambda: time.time() >= gone + UNDER_WAY_SECONDS, "the end of what was under way")
    # A cap of before could be reached before the outage, and nothing would be left to call after it.
    daily = len(of_campaign(seen(parts.stack), campaign)) + MORE
    tenant.api.put("/api/v1/call-limits", dict.fromkeys(OTHER_CAPS) | {"daily_calls_max": daily})
    long_gone(time.time())
    back = time.time()
    parts.valkey.restart()
    polled(lambda: ": stream resumed" in listener.lines(), "word of the end of the outage")
    polled(lambda: tenant.get(campaign)["blocked_reason"] == "tenant_day_calls", "the cap of the day")

    # Every lease was forgotten, and no process ended for it.
    assert {name: parts.stack.pids.get(name) for name in before} == before
    tenant.wait_idle(campaign)
    assert parts.started_between(campaign, gone + UNDER_WAY_SECONDS, back) == []
    assert 0 < len(parts.started_between(campaign, back, time.time())) <= MORE
    # What had a permit and was taken back unsent while Redis was away may stay counted; never the other way round.
    assert daily - CONCURRENT <= len(of_campaign(seen(parts.stack), campaign)) <= daily
    finished(parts, tenant, campaign)
    polled(lambda: listener.heard.ended, "word of the campaign's end")
    assert len(listener.connections) == 1, "the stream was cut off"
    assert list(listener.heard.of("reset"))


def dialers_of(parts: Parts) -> list[int]:
    return [pid for name, pid in parts.stack.pids.items() if name.startswith("dialer")]


def readiness(tenant: Tenant) -> tuple[int, dict[str, Any]]:
    """What /readyz says to the tenant's key."""
    with tenant.api.connection(30) as connection:
        connection.request("GET", "/readyz", headers=tenant.own.headers())
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_without_any_dialer_the_campaign_and_its_stream_say_so_and_requests_are_served(
    parts: Parts, begin: Begin, judge: Judge
) -> None:
    tenant, campaign, (listener,) = begin(1)
    dialers = dialers_of(parts)
    gone = time.monotonic()
    signal_all(dialers, signal.SIGSTOP)
    try:
        polled(lambda: tenant.get(campaign)["blocked_reason"] == "no_dialer", "the reason")
        polled(
            lambda: list(listener.heard.of("snapshot"))[-1]["blocked_reason"] == "no_dialer",
            "the reason in the stream",
        )
        judge.at_most(time.monotonic() - gone, NO_DIALER_SECONDS + LATE_SECONDS, "seconds until it is said")
        status, said = readiness(tenant)
        assert (status, said["ready"], said["dialers"]) == (200, True, [])
        assert said["warnings"] == ["No dialer is alive."]
    finally:
        signal_all(dialers, signal.SIGCONT)
    goes_on(tenant, campaign)
    polled(lambda: tenant.get(campaign)["blocked_reason"] != "no_dialer", "the reason's end")
    assert dialers_of(parts) == dialers
    finished(parts, tenant, campaign)


@pytest.mark.full
def test_a_halt_while_redis_is_silent_says_what_may_leave_and_ends_the_calls_when_it_is_back(
    parts: Parts, begin: Begin
) -> None:
    tenant, campaign, _ = begin()
    assert parts.valkey.pid is not None
    dialers = dialers_of(parts)
    halted = "/api/v1/halt"
    signal_all([parts.valkey.pid], signal.SIGSTOP)
    try:
        polled(lambda: refusal(tenant, halted) == AWAY.format("The halt stands"), "what may leave")
        assert tenant.api.get(halted)["halted"] is True
        gone = time.time()
        polled(lambda: time.time() > gone + LEASE_SECONDS, "the end of every lease")
        last = time.time()
    finally:
        signal_all([parts.valkey.pid], signal.SIGCONT)
    tenant.wait_idle(campaign)
    assert parts.started_between(campaign, last, time.time()) == []
    tenant.own.delete(halted)
    goes_on(tenant, campaign)
    # Every lease had lapsed, and no process ended for it.
    assert dialers_of(parts) == dialers
    finished(parts, tenant, campaign)


def refusal(tenant: Tenant, path: str) -> str:
    """What a POST is refused with; empty where it is not."""
    try:
        tenant.own.post(path)
    except ApiFailedError as error:
        return str(error).partition(" 503 ")[2]
    return ""


def test_without_any_node_the_campaign_says_so_and_goes_on_after(
    parts: Parts, begin: Begin, judge: Judge
) -> None:
    tenant, campaign, _ = begin()
    proxies = list(parts.stack.proxies.values())
    for proxy in proxies:
        proxy.set(Mode.SHUT)
    gone = time.time()
    polled(lambda: tenant.get(campaign)["blocked_reason"] == "no_node", "the reason")
    long_gone(gone)
    back = time.time()
    proxies[0].set(Mode.OPEN)
    goes_on(tenant, campaign)
    proxies[1].set(Mode.OPEN)
    first = min(parts.started_between(campaign, back, time.time()))
    judge.at_most(first, RESUME_SECONDS + LATE_SECONDS, "seconds until the first call to a node that is back")
    assert parts.started_between(campaign, gone + UNDER_WAY_SECONDS, back) == []
    polled(lambda: tenant.get(campaign)["blocked_reason"] != "no_node", "the reason's end")
    finished(parts, tenant, campaign)


@pytest.mark.full
def test_who_listens_and_writes_to_a_web_process_that_is_killed_misses_and_doubles_nothing(
    parts: Parts, begin: Begin
) -> None:
    tenant, campaign, listeners = begin(3)
    tenant = parts.persistent(tenant)
    with Writer(parts.stack, tenant) as writer:
        arbiter = parts.stack.pids["web.1"]
        for worker in children_of(arbiter):
            os.kill(worker, signal.SIGKILL)
            polled(lambda: worker not in children_of(arbiter), "the worker's end")  # noqa: B023
            polled(lambda: len(children_of(arbiter)) == 2, "another worker")
            goes_on(tenant, campaign, 10)
        polled(lambda: all(len(each.connections) > 1 for each in listeners), "listeners that are back")
        os.kill(arbiter, signal.SIGKILL)
        parts.restarted("web.1", arbiter)
        goes_on(tenant, campaign)
        polled(lambda: all(len(each.connections) > 2 for each in listeners), "listeners that are back again")
        assert tenant.get(campaign)["status"] == "running"
    finished(parts, tenant, campaign)
    assert writer.api.failures > 0, "no request was cut off or refused: nothing was proven"
    writer.assert_each_made_once()
    for listener in listeners:
        listener.assert_everything_once(parts.stack, campaign)


@pytest.mark.full
def test_a_rolling_restart_fails_no_request_and_loses_no_call(
    parts: Parts, begin: Begin, judge: Judge
) -> None:
    tenant, campaign, (listener,) = begin(1)
    tenant = parts.persistent(tenant)
    names = ["cdr.fs1", "cdr.fs2", "web.1", *(f"dialer.{n}" for n in range(1, DIALERS + 1))]
    began = len(parts.said)
    with Writer(parts.stack, tenant) as writer:
        for name in names:
            before = parts.stack.pids[name]
            asked = time.monotonic()
            os.kill(before, signal.SIGTERM)
            polled(lambda: parts.stack.pids.get(name) != before, f"the end of {name}")  # noqa: B023
            judge.at_most(time.monotonic() - asked, DRAIN_SECONDS, f"seconds until {name} has drained")
            parts.restarted(name, before)
            parts.stack.wait_ready()
            goes_on(tenant, campaign, 5)
        assert tenant.get(campaign)["status"] == "running"
    ended = [line for line in parts.said[began:] if "; starting it again" in line]
    assert [line.partition(" ")[2].partition(";")[0] for line in ended] == [
        f"{name}: ended with status 0" for name in names
    ]
    finished(parts, tenant, campaign)
    writer.assert_each_made_once()
    polled(lambda: len(listener.connections) > 1, "a listener that is back")
    assert all(lines[-1].startswith("retry: ") for lines in listener.connections[:-1])
    listener.assert_everything_once(parts.stack, campaign)
