"""Permits of dead dialers: kept while they are nobody's, taken over, released once; and who is a member."""

from __future__ import annotations

import time

import gevent
import pytest

from coordination.clock import elapsed
from coordination.errors import Fenced, MembershipUnavailable
from coordination.membership import Membership
from limits.limiter import Permit, Usage
from tests.integration.limits.limiter_rig import PREFIX, Dialer, HookedRedis, connect, lapse, words
from tests.waiting import wait_until


def test_renewing_keeps_every_slot(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("a", concurrency=1, number="+1")
    lapse(client, "a")
    dialer.limiter.renew()
    assert words(dialer.ask("b", concurrency=1)) == ["campaign_concurrency"]
    assert words(dialer.ask("b", number="+1", campaign_id="x")) == ["number_cap"]


def test_a_dead_dialers_slots_are_kept_until_somebody_takes_them_over(
    client: HookedRedis, dialer: Dialer
) -> None:
    successor = Dialer(client, "d2")
    dialer.ask("a", concurrency=1)
    dialer.membership.leave("d1")
    lapse(client, "a")
    successor.limiter.renew()
    assert words(successor.ask("b", concurrency=1)) == ["campaign_concurrency"]


def test_taking_over_keeps_live_calls_and_releases_the_others(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("open", "over", "never")
    successor = Dialer(client, "d2")
    assert sorted(successor.limiter.held_by("d1")) == ["never", "open", "over"]
    lost = successor.limiter.take_over("d1", {"open"}, {"over": 42})
    assert lost == ["never", "over"]
    assert successor.limiter.held_by("d1") == []
    assert successor.limiter.held_by("d2") == ["open"]
    assert successor.limiter.usage("t") == Usage(concurrent=1, last_minute=2, day_calls=2, day_seconds=42)


def test_without_word_of_those_that_ended_the_day_keeps_them(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("a", "b")
    successor = Dialer(client, "d2")
    assert successor.limiter.take_over("d1", set()) == ["a", "b"]
    assert successor.limiter.usage("t") == Usage(0, 2, 2, 0)


def test_two_successors_take_each_permit_once(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask(*(f"call{n:03}" for n in range(250)))
    one, two = Dialer(client, "d2"), Dialer(client, "d3")
    live = {f"call{n:03}" for n in range(0, 250, 2)}
    jobs = [gevent.spawn(successor.limiter.take_over, "d1", live, {}) for successor in (one, two)]
    gevent.joinall(jobs, raise_error=True)
    assert sorted(one.limiter.held_by("d2") + one.limiter.held_by("d3")) == sorted(live)
    assert one.limiter.usage("t") == Usage(125, 125, 125, 0)


def test_a_successor_overtaken_by_another_takes_nothing_from_it(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("open", "over")
    slow, quick = Dialer(client, "d2"), Dialer(client, "d3")

    class Overtaken:
        """What is open, as the slow successor reads it, while the quick one is at work."""

        def __contains__(self, call_id: object) -> bool:
            quick.limiter.take_over("d1", {"open", "over"}, {})
            return call_id == "open"

    slow.limiter.take_over("d1", Overtaken(), {})
    assert slow.limiter.held_by("d2") == []
    assert slow.limiter.held_by("d3") == ["open", "over"]
    assert slow.limiter.usage("t") == Usage(2, 2, 2, 0)


def test_a_fenced_successor_takes_nothing_over(client: HookedRedis, dialer: Dialer) -> None:
    """Its own successor has asked what it holds; what it took after that would be released as never sent."""
    dialer.ask("a")
    late, successor = Dialer(client, "d2"), Dialer(client, "d3")
    late.membership.fence("d2")
    known = successor.limiter.held_by("d2")
    with pytest.raises(Fenced):
        late.limiter.take_over("d1", {"a"})
    successor.limiter.take_over("d2", set(known))
    successor.limiter.take_over("d1", {"a"})
    assert successor.limiter.held_by("d3") == ["a"]
    assert successor.limiter.usage("t") == Usage(1, 1, 1, 0)


def test_a_successor_releases_what_it_took_over(client: HookedRedis, dialer: Dialer) -> None:
    dialer.ask("a", concurrency=1)
    successor = Dialer(client, "d2")
    successor.limiter.take_over("d1", {"a"})
    successor.end("a", billsec=3)
    assert words(successor.ask("b", concurrency=1)) == ["fs1"]
    assert successor.limiter.usage("t") == Usage(1, 2, 2, 3)


def test_a_successor_repeats_a_send_under_its_id_without_counting_it_again(
    client: HookedRedis, dialer: Dialer
) -> None:
    dialer.ask("a", concurrency=1)
    successor = Dialer(client, "d2")
    successor.limiter.take_over("d1", {"a"})
    assert words(successor.ask("a", concurrency=1)) == ["fs1"]
    assert successor.limiter.usage("t") == Usage(1, 1, 1, 0)


def test_a_fenced_dialer_can_neither_acquire_nor_renew(client: HookedRedis, dialer: Dialer) -> None:
    dialer.membership.fence("d1")
    with pytest.raises(Fenced) as raised:
        dialer.ask("a")
    assert raised.value.dialer_id == "d1"
    with pytest.raises(Fenced):
        dialer.membership.renew("d1", {})
    with pytest.raises(Fenced):
        dialer.membership.register("d1", {})
    assert dialer.limiter.usage("t") == Usage(0, 0, 0, 0)


def test_a_dialer_whose_lease_lapsed_can_neither_acquire_nor_renew(
    client: HookedRedis, dialer: Dialer
) -> None:
    brief = Dialer(client, "brief", membership_seconds=0.1)
    wait_until(lambda: brief.membership.remaining("brief") == 0, what="the end of the lease")
    with pytest.raises(Fenced):
        brief.ask("a")
    with pytest.raises(Fenced):
        brief.membership.renew("brief", {})


def test_an_emptied_redis_has_ended_every_lease(client: HookedRedis, dialer: Dialer) -> None:
    client.flushall()
    with pytest.raises(Fenced):
        dialer.membership.renew("d1", {})


def test_the_membership_lists_who_lives_with_what_it_says_of_itself(client: HookedRedis) -> None:
    membership = Membership(client, PREFIX)
    membership.register("d1", {"host": "a"})
    membership.register("d2", {"host": "b"})
    membership.renew("d1", {"host": "a", "calls": 3})
    assert membership.alive() == {"d1": {"host": "a", "calls": 3}, "d2": {"host": "b"}}
    assert 0 <= membership.remaining("d1") <= 5
    membership.leave("d2")
    assert membership.alive() == {"d1": {"host": "a", "calls": 3}}
    membership.remove("d1")
    assert membership.alive() == {}


def test_the_local_lease_ends_before_redis_says_so(client: HookedRedis) -> None:
    membership = Membership(client, PREFIX)
    before = elapsed()
    until = membership.register("d1", {})
    assert before + 5 <= until
    left = membership.remaining("d1")
    assert until <= elapsed() + left + 0.002


def test_fencing_says_how_long_the_fenced_may_still_send(client: HookedRedis) -> None:
    membership = Membership(client, PREFIX)
    until = membership.register("d1", {})
    wait = membership.fence("d1")
    assert elapsed() + wait >= until - 0.002
    assert wait <= 5
    gevent.sleep(0.05)
    assert membership.fence("d1") < wait
    shown = "d1" in membership.alive()
    assert shown or elapsed() >= until, "whoever may still send has to be waited for"


def test_fencing_a_dialer_whose_lease_lapsed_needs_no_wait(client: HookedRedis) -> None:
    membership = Membership(client, PREFIX, lease_seconds=0.1)
    membership.register("d1", {})
    uptime = 1.2
    wait_until(lambda: client.info("server")["uptime_in_seconds"] > uptime, what="an old server")
    wait_until(lambda: membership.remaining("d1") == 0, what="the end of the lease")
    assert membership.fence("d1") == 0


def test_fencing_after_redis_was_emptied_waits_for_a_whole_lease(client: HookedRedis) -> None:
    """The dialer may have renewed a moment before, and nothing here remembers it."""
    membership = Membership(client, PREFIX)
    membership.register("d1", {})
    client.flushall()
    began = time.monotonic()
    assert membership.fence("d1") == 5
    wait = membership.fence("d1")
    assert 5 - (time.monotonic() - began) - 0.002 <= wait <= 5


def test_a_dialer_that_left_needs_no_wait(client: HookedRedis) -> None:
    membership = Membership(client, PREFIX)
    membership.register("d1", {})
    membership.leave("d1")
    assert membership.fence("d1") == 0
    with pytest.raises(Fenced):
        membership.renew("d1", {})


def test_an_unreachable_redis_is_one_error(redis_url: str) -> None:
    nowhere = connect(redis_url.rpartition(":")[0] + ":1/0", timeout=0.2)
    with pytest.raises(MembershipUnavailable, match="Redis is unavailable for renewing a lease"):
        Membership(nowhere, PREFIX).renew("d1", {})


def test_a_renewal_repeated_because_its_answer_was_lost_is_harmless(client: HookedRedis) -> None:
    membership = Membership(client, PREFIX)
    membership.register("d1", {})
    assert membership.register("d1", {}) <= membership.register("d1", {})
    assert list(membership.alive()) == ["d1"]


def test_many_permits_are_renewed_in_batches(client: HookedRedis, dialer: Dialer) -> None:
    for start in range(0, 300, 100):
        answers = dialer.ask(*(f"call{n}" for n in range(start, start + 100)))
        assert all(isinstance(answer, Permit) for answer in answers)
    lapse(client, *(f"call{n}" for n in range(300)))
    assert dialer.limiter.usage("t") == Usage(0, 300, 300, 0)
    dialer.limiter.renew()
    assert dialer.limiter.usage("t") == Usage(300, 300, 300, 0)
