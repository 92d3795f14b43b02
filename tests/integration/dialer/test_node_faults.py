"""A node that has no port for a call's media, or hangs up late on who answered: its own fault, never the person's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from freeswitch.events import ChannelEvent, ChannelEventKind, Event
from models import db, rows
from simulator.process import SimulatedNode
from tests.factories import World, counts
from tests.integration.dialer.dialer_rig import Dialer, calls_of, is_over
from tests.integration.dialer.house import House
from tests.integration.dialer.test_number_caps import listed
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

AT_ONCE, RINGS_FIRST, EARLY_MEDIA = "+14155550007", "+14155551000", "+14155550008"
"""Numbers that end so are picked up at once, after a ring of 1.5 s, and after early media."""
DELAY = 3600
"""Seconds, the campaigns' own."""
RING = 15
LATE = RING + 4.0


def run(sql: str, *parameters: object) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(sql, *parameters)


def ended(campaign_id: uuid.UUID, count: int) -> list[dict[str, Any]]:
    """The calls of this campaign once so many are over, in their order."""
    found = "SELECT * FROM call WHERE campaign_id = %s AND state = 'ended' ORDER BY created_at, phone_number"
    wait_until(lambda: len(run(found, campaign_id)) >= count, f"{count} ends")
    return run(found, campaign_id)


def contacts(campaign_id: uuid.UUID) -> list[dict[str, Any]]:
    return run("SELECT * FROM contact WHERE campaign_id = %s ORDER BY position", campaign_id)


def test_who_picked_up_and_was_not_heard_is_charged_nothing_and_called_after_the_campaigns_delay(
    house: House,
) -> None:
    house.node.fault("no-media")
    numbers = (AT_ONCE, RINGS_FIRST, EARLY_MEDIA)
    campaign_id = listed(house.world, *numbers, retry_delay_seconds=DELAY)
    house.dialer()
    calls = ended(campaign_id, len(numbers))
    assert {(call["disposition"], call["cause"], call["attempt"]) for call in calls} == {
        ("node_fault", "NO_MEDIA", None)
    }
    assert not [call for call in calls if call["sent_at"] is None or call["failover"] or call["answered_at"]]
    for contact in contacts(campaign_id):
        assert (contact["status"], contact["disposition"]) == ("pending", "node_fault")
        assert (contact["attempts"], contact["disturbed"]) == (0, 1)
        (last,) = [call for call in calls if call["contact_id"] == contact["id"]]
        assert contact["next_attempt_at"] - last["ended_at"] >= timedelta(seconds=DELAY)
    assert counts(campaign_id) == {"pending": len(numbers)}
    assert not is_over(campaign_id)


def test_after_the_delay_he_is_called_again_and_that_is_his_first_attempt(house: House) -> None:
    house.node.fault("no-media")
    campaign_id = listed(house.world, RINGS_FIRST, retry_delay_seconds=DELAY)
    house.dialer()
    ended(campaign_id, 1)
    house.node.clear()
    run("UPDATE contact SET next_attempt_at = now()")
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    (contact,) = contacts(campaign_id)
    assert (contact["status"], contact["disposition"], contact["attempts"]) == ("completed", "answered", 1)
    assert [call["attempt"] for call in ended(campaign_id, 2)] == [None, 1]


def test_a_node_whose_ports_are_used_up_calls_nobody_and_charges_nobody(house: House) -> None:
    house.node.fault("no-media", at="invite")
    campaign_id = listed(house.world, RINGS_FIRST, retry_delay_seconds=DELAY)
    house.dialer()
    (call,) = ended(campaign_id, 1)[:1]
    assert (call["disposition"], call["cause"], call["attempt"]) == ("congestion", "NO_PORT", None)
    assert calls_of(house.node) == 0
    house.node.clear()
    # After a few seconds: nobody was disturbed.
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    (contact,) = contacts(campaign_id)
    assert (contact["status"], contact["attempts"], contact["disturbed"]) == ("completed", 1, 0)
    assert contact["free_sends"] >= 1
    assert calls_of(house.node) == 1


def test_nobody_is_disturbed_for_nothing_more_often_than_three_times(house: House) -> None:
    house.node.fault("no-media")
    campaign_id = listed(house.world, AT_ONCE, retry_delay_seconds=DELAY)
    house.dialer()
    for count in (1, 2):
        ended(campaign_id, count)
        run("UPDATE contact SET next_attempt_at = now()")
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    (contact,) = contacts(campaign_id)
    assert (contact["status"], contact["disposition"], contact["attempts"]) == ("failed", "node_fault", 0)
    assert calls_of(house.node) == 3
    assert counts(campaign_id) == {"failed": 1}


def test_a_call_that_was_picked_up_without_a_ring_counts_for_its_number(house: House) -> None:
    run("UPDATE call_limits SET number_calls_24h = 1")
    house.node.fault("no-media")
    first = listed(house.world, AT_ONCE, retry_delay_seconds=DELAY)
    house.dialer()
    ended(first, 1)
    house.node.clear()
    second = listed(house.world, AT_ONCE)
    blocked = "SELECT 1 FROM campaign WHERE id = %s AND blocked_reason = 'number_cap'"
    called = "SELECT 1 FROM call WHERE campaign_id = %s"
    wait_until(lambda: run(blocked, second) or run(called, second), "the cap, or a call in spite of it")
    assert run(called, second) == []


def test_a_node_without_ports_disturbs_few_and_is_tried_with_one_call_before_the_others(house: House) -> None:
    house.node.fault("no-media")
    people = 60
    numbers = [f"+14155{place:04d}10" for place in range(people)]
    campaign_id = listed(house.world, *numbers, retry_delay_seconds=DELAY)
    dialer = house.dialer()
    shown = "SELECT 1 FROM campaign WHERE id = %s AND blocked_reason = 'node_refuses'"
    wait_until(lambda: run(shown, campaign_id), "the word")
    wait_until(house.settled, "the calls that had left")
    disturbed = calls_of(house.node)
    assert disturbed < people / 2
    rests = dialer.process.node_rests
    rests.by_node["fs1"].until = 0.0
    wait_until(lambda: calls_of(house.node) > disturbed, "the call that tries it")
    wait_until(lambda: rests.by_node["fs1"].times == 2, "a longer rest")
    assert calls_of(house.node) == disturbed + 1
    house.node.clear()
    rests.by_node["fs1"].until = 0.0
    wait_until(lambda: calls_of(house.node) > disturbed + 6, "the others")
    assert {row["attempts"] for row in contacts(campaign_id) if row["disturbed"]} == {0}


@pytest.fixture
def slow(world: World, database_url: str, redis_url: str, tmp_path: Path) -> Iterator[House]:
    """A house whose node can stand still for longer than a phone may ring before its links are given up."""
    with SimulatedNode(speed=4, ledger=tmp_path / "ledger") as node, ExitStack() as stack:
        house = House(world, (database_url, redis_url), node, stack)
        run("UPDATE agent SET ring_timeout_seconds = %s", RING)
        yield house


class StandsStill:
    """Has the node stand still as soon as one of its calls rings; once, and after each `again`."""

    def __init__(self, dialer: Dialer, node: SimulatedNode) -> None:
        self._node = node
        self._armed = True
        listeners = dialer.process.switch_listeners
        listeners.events = (self, *listeners.events)

    def again(self) -> None:
        self._armed = True

    def on_event(self, _node: str, event: Event) -> None:
        if self._armed and isinstance(event, ChannelEvent) and event.kind is ChannelEventKind.PROGRESS:
            self._armed = False
            self._node.fault("stand-still", seconds=LATE)


def test_on_whom_a_node_that_stood_still_hung_up_is_not_told_as_somebody_who_did_not_answer(
    slow: House,
) -> None:
    dialer = slow.dialer()
    stands_still = StandsStill(dialer, slow.node)

    def struck() -> list[dict[str, Any]]:
        """Calls that were hung up on; none where the node heard the answers before it was told to stand still."""
        campaign_id = listed(slow.world, RINGS_FIRST, retry_delay_seconds=DELAY)
        calls = ended(campaign_id, 1)
        stands_still.again()
        return [call for call in calls if call["disposition"] != "answered"]

    (call,) = wait_until(struck, "a call that was hung up on")
    assert (call["disposition"], call["cause"], call["attempt"]) == ("node_fault", "TIMER_RAN_LATE", None)
    (contact,) = contacts(call["campaign_id"])
    assert (contact["status"], contact["disposition"]) == ("pending", "node_fault")
    assert (contact["attempts"], contact["disturbed"]) == (0, 1)
    assert contact["next_attempt_at"] - call["ended_at"] >= timedelta(seconds=DELAY)
    assert counts(call["campaign_id"]) == {"pending": 1}
