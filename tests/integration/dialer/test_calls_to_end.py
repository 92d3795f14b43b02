"""A halt and `stop?hangup=true` end every call once its node can be reached, as the switch's own ledger tells it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from campaigns import calls_to_end
from campaigns.calls_to_end import EVERYBODY
from coordination.control_bus import ControlBus
from coordination.topics import Topic
from freeswitch.cluster import Cluster
from models import db, rows
from tests.chaos.proxy import Mode
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.dialer_rig import PREFIX
from tests.integration.dialer.house import CAUSE, TALKS, House
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all
from tests.waiting import wait_until

# A greenlet that is killed while it connects leaves its socket to the garbage collector, as a killed process to the
# kernel.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def halt(house: House, _campaign_id: uuid.UUID) -> list[dict[str, Any]]:
    """Halted, and lifted again at once: what was up has to end all the same."""
    still_up: list[dict[str, Any]] = house.api("POST", "/halt")["still_up"]
    assert house.api("GET", "/halt")["still_up"] == still_up
    house.api("DELETE", "/halt")
    return still_up


def stop(house: House, campaign_id: uuid.UUID) -> list[dict[str, Any]]:
    still_up: list[dict[str, Any]] = house.api("POST", f"/campaigns/{campaign_id}/stop?hangup=true")[
        "still_up"
    ]
    return still_up


EITHER = pytest.mark.parametrize("ask", [halt, stop])
Ask = Callable[[House, uuid.UUID], list[dict[str, Any]]]


def all_end(house: House, calls: int) -> None:
    wait_until(lambda: not house.up(), "the end of every call at the switch")
    assert Counter(end.cause for end in house.ends().values()) == {CAUSE: calls}
    wait_until(house.settled, "the rows")
    assert house.api("GET", "/halt")["still_up"] == []


@EITHER
def test_calls_end_before_the_answer_where_their_node_can_be_reached(
    house: House, ask: Ask, patient: None
) -> None:
    house.dialer()
    campaign_id = house.campaign(*[TALKS] * 4)
    assert ask(house, campaign_id) == []
    assert house.up() == set()
    all_end(house, 4)
    assert counts(campaign_id) == {"completed": 4}


@EITHER
@pytest.mark.parametrize("cut", [Mode.SHUT, Mode.STALLED])
def test_calls_behind_a_link_that_is_cut_are_told_and_end_when_it_is_back(
    house: House, ask: Ask, cut: Mode
) -> None:
    house.dialer()
    campaign_id = house.campaign(*[TALKS] * 6)
    house.link.set(cut)
    assert ask(house, campaign_id) == [{"node": "fs1", "calls": 6}]
    assert len(house.up()) == 6
    house.link.set(Mode.OPEN)
    all_end(house, 6)
    assert counts(campaign_id) == {"completed": 6}


@EITHER
def test_calls_end_though_the_message_that_says_so_is_lost(house: House, ask: Ask) -> None:
    dialer = house.dialer()
    campaign_id = house.campaign(*[TALKS] * 5)
    dialer.redis.client_kill_filter(_type="pubsub")
    ask(house, campaign_id)
    all_end(house, 5)


@EITHER
def test_calls_that_a_restarted_node_recovers_end_then(house: House, ask: Ask) -> None:
    house.dialer()
    campaign_id = house.campaign(*[TALKS] * 3)
    before = house.up()
    house.node.kill()
    assert ask(house, campaign_id) == [{"node": "fs1", "calls": 3}]
    house.node.start()
    wait_until(lambda: before <= house.ends().keys(), "the end of all that it took up again")
    assert {house.ends()[call_id].cause for call_id in before} == {CAUSE}
    wait_until(house.settled, "the rows")


@EITHER
def test_a_dialer_that_starts_later_ends_them(house: House, ask: Ask) -> None:
    first = house.dialer()
    campaign_id = house.campaign(*[TALKS] * 4)
    first.die()
    assert ask(house, campaign_id) == [{"node": "fs1", "calls": 4}]
    assert len(house.up()) == 4
    house.dialer()
    all_end(house, 4)


def test_calls_whose_owner_cannot_end_them_are_ended_by_another(house: House) -> None:
    first = house.dialer()
    campaign_id = house.campaign(*[TALKS] * 4)
    second = house.dialer()
    # As a dialer that has lost its links, or stands still.
    first.process.calls_to_end.cluster = Cluster([], first.id, lambda *_: None, lambda _: None)
    stop(house, campaign_id)
    all_end(house, 4)
    with db.connection_context():
        assert rows("SELECT DISTINCT dialer_id FROM call") == [{"dialer_id": first.id}]
    assert not second.process.live_calls


def test_the_message_of_an_older_web_process_ends_calls_too(house: House) -> None:
    dialer = house.dialer()
    campaign_id = house.campaign(*[TALKS] * 2)
    ControlBus(dialer.redis, PREFIX).notify(Topic.HANGUP, {"campaign_id": str(campaign_id)})
    all_end(house, 2)


def test_a_call_that_is_claimed_beside_a_halt_is_marked_by_its_dialer(world: World) -> None:
    campaign_id = make_campaign(world, 2, retry_delay_seconds=600)
    claim_all(campaign_id)
    with db.connection_context():
        assert not calls_to_end.in_force()
        rows("INSERT INTO halt (scope, by) VALUES (%s, 'crm')", world.tenant_id)
        assert calls_to_end.in_force()
        calls_to_end.mark_dialer("d0000000000f1")
        assert calls_to_end.to_end(EVERYBODY) == []
        calls_to_end.mark_dialer(DIALER)
        assert len(calls_to_end.to_end(DIALER)) == len(calls_to_end.to_end(EVERYBODY)) == 2
        assert calls_to_end.to_end("d0000000000f1") == []
        rows("DELETE FROM halt")
        assert len(calls_to_end.to_end(DIALER)) == 2, "what was up when it was halted has to end"


def test_a_dialer_marks_what_was_claimed_beside_a_halt(house: House) -> None:
    house.dialer()
    house.campaign(*[TALKS] * 2)
    # As a halt whose API process died before it marked anything, or of the last release.
    with db.connection_context():
        rows("INSERT INTO halt (scope, by) VALUES (%s, 'crm')", house.world.tenant_id)
    all_end(house, 2)


def test_a_call_that_is_claimed_beside_a_stop_is_marked_by_its_dialer(world: World) -> None:
    stopped, other = make_campaign(world, 2), make_campaign(world, 1)
    doomed = claim_all(stopped)
    claim_all(other)
    with db.connection_context():
        rows("UPDATE campaign SET hangup_at = now() WHERE id = %s", stopped)
        assert calls_to_end.in_force()
        calls_to_end.mark_dialer(DIALER)
        assert {call.call_id for call in calls_to_end.to_end(DIALER)} == {call.call_id for call in doomed}
