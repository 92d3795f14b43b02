"""What we say to a real node arrives as it was meant, and we hear of our own calls only."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from freeswitch import commands, dedup
from freeswitch.cluster import Cluster, LinkChange, NodeConfig, NodeLink
from freeswitch.events import ChannelEvent, ChannelEventKind, Event, JobResult
from freeswitch.hangup import Hangup
from freeswitch.originate import endpoint
from settings import NodeSettings
from tests.e2e.rig import numbers
from tests.real.carrier import Carrier
from tests.unit.freeswitch.test_originate import HOSTILE, REQUEST
from tests.waiting import wait_until

pytestmark = pytest.mark.real

PACE_SECONDS = 0.06
"""Below twenty calls a second: what any node admits."""
OVER_THE_LIMIT = "DESTINATION_OUT_OF_ORDER"


@dataclass
class Dialer:
    """A dialer's connection to one node, and what it hears."""

    cluster: Cluster
    name: str
    id: str
    events: list[Event] = field(default_factory=list)

    @property
    def link(self) -> NodeLink:
        return self.cluster.links[self.name]

    def call(self, number: str, variables: dict[str, str] | None = None, **changes: Any) -> str:
        own = {"call_id": str(uuid.uuid4()), "dialer_id": self.id, "variables": variables or {}}
        dial_string = endpoint("sofia/gateway/carrier/{number}", number)
        request = replace(REQUEST, endpoint=dial_string, **(own | changes))
        self.link.originate(request, lambda: True, lambda _reply: None)
        return request.call_id

    def answered(self) -> set[str]:
        return {
            e.call_id
            for e in self.events
            if isinstance(e, ChannelEvent) and e.kind is ChannelEventKind.ANSWERED
        }

    def jobs(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, JobResult)]

    def ends(self) -> dict[str, Hangup]:
        return {e.call_id: e.hangup for e in self.events if isinstance(e, ChannelEvent) and e.hangup}

    def refused(self) -> set[str]:
        """The calls that the node refused before there was a channel: at its limit, to which a stall of a busy
        machine brings it. No INVITE left, and no end comes."""
        shown = {event.call_id for event in self.events if isinstance(event, ChannelEvent)}
        jobs = [event for event in self.events if isinstance(event, JobResult)]
        return {job.call_id for job in jobs if not job.ok and job.text == OVER_THE_LIMIT} - shown


@pytest.fixture(params=[0, 1], ids=["first node", "second node"])
def node(nodes: tuple[NodeSettings, ...], request: pytest.FixtureRequest) -> NodeSettings:
    if request.param >= len(nodes):
        pytest.skip("there is one node only")
    chosen: int = request.param
    return nodes[chosen]


@pytest.fixture
def dialer(node: NodeSettings, carrier: Carrier) -> Iterator[Dialer]:
    with_one = connected(node)
    yield with_one
    with_one.cluster.stop()


def connected(node: NodeSettings) -> Dialer:
    events: list[Event] = []
    changes: list[LinkChange] = []
    dialer_id = f"d{uuid.uuid4().hex[:12]}"
    config = NodeConfig(node.name, node.host, node.port, node.password)
    cluster = Cluster([config], dialer_id, lambda _, event: events.append(event), changes.append)
    cluster.start()
    wait_until(cluster.connected, what="the link")
    return Dialer(cluster, node.name, dialer_id, events)


def paced(count: int) -> Iterator[int]:
    """0, 1, … `count` - 1, no faster than a node admits, also after a delay of ours: what it refuses has no end."""
    turn = time.monotonic()
    for place in range(count):
        wait_until(lambda: time.monotonic() >= turn, what="the next turn")  # noqa: B023
        turn = time.monotonic() + PACE_SECONDS
        yield place


def test_every_hostile_value_arrives_unchanged(dialer: Dialer) -> None:
    called = numbers("07", count=len(HOSTILE))
    sent = {}
    for place in paced(len(HOSTILE)):
        variables = {"carillon_v": HOSTILE[place], "carillon_after": "after"}
        sent[dialer.call(called[place], variables)] = HOSTILE[place]
    wait_until(lambda: dialer.answered() == sent.keys(), "the answer of every call", seconds=30)
    dumps = {call_id: orjson.loads(dialer.link.api(commands.uuid_dump(call_id))) for call_id in sent}
    names = ("variable_carillon_v", "variable_carillon_after", "variable_dialer_id")
    arrived = {call_id: tuple(dump.get(name, "") for name in names) for call_id, dump in dumps.items()}
    assert arrived == {call_id: (value, "after", dialer.id) for call_id, value in sent.items()}
    dialer.link.api_many([commands.uuid_kill(call_id, "MANAGER_REQUEST") for call_id in sent])
    wait_until(lambda: dialer.ends().keys() == sent.keys(), "the end of every call", seconds=30)
    assert {end.cause for end in dialer.ends().values()} == {"MANAGER_REQUEST"}


def test_a_dialer_hears_of_its_own_calls_and_of_those_it_adopted(dialer: Dialer, node: NodeSettings) -> None:
    other = connected(node)
    try:
        first, second, third = numbers("01", count=3)
        strange, own = other.call(first), dialer.call(second)
        wait_until(lambda: own in dialer.ends() and strange in other.ends(), what="the ends of both")
        for one, call_id in ((dialer, own), (other, strange)):
            told = [e for e in one.events if isinstance(e, ChannelEvent | JobResult)]
            assert {event.call_id for event in told} == {call_id}
        dialer.link.adopt(other.id)
        adopted = other.call(third)
        wait_until(lambda: adopted in dialer.ends(), what="the end of the adopted call")
    finally:
        other.cluster.stop()


def test_a_call_leaves_a_mark_when_it_ends_and_not_before(dialer: Dialer) -> None:
    (number,) = numbers("07", count=1)
    call_id = dialer.call(number)
    wait_until(lambda: call_id in dialer.answered(), what="the answer")
    link = dialer.link
    assert link.api(commands.uuid_exists(call_id)).strip() == "true"
    assert orjson.loads(link.api(commands.uuid_dump(call_id)))["variable_dialer_id"] == dialer.id
    assert link.api(commands.hangup_marker_select(call_id)).startswith("-ERR")
    link.api(commands.uuid_kill(call_id, "MANAGER_REQUEST"))
    wait_until(lambda: call_id in dialer.ends(), what="the end")
    end = dialer.ends()[call_id]
    assert (end.cause, end.hung_up_by, end.answered) == ("MANAGER_REQUEST", "us", True)
    wait_until(lambda: link.api(commands.hangup_marker_select(call_id)).strip() == "done", what="the mark")
    assert link.api(commands.uuid_exists(call_id)).strip() == "false"
    link.api(commands.hangup_marker_delete(call_id))
    assert link.api(commands.hangup_marker_select(call_id)).startswith("-ERR")


def test_an_order_of_an_id_that_was_carried_out_sends_no_invite(dialer: Dialer, carrier: Carrier) -> None:
    (number,) = numbers("01", count=1)
    call_id = dialer.call(number)
    wait_until(lambda: dialer.ends() and dialer.jobs(), what="the end and what its job says")
    assert dialer.ends()[call_id].cause == "USER_BUSY"
    dialer.events.clear()
    dialer.call(number, call_id=call_id)
    wait_until(lambda: dialer.ends() and dialer.jobs(), what="the end of the second order")
    assert dedup.is_refused_duplicate(dialer.ends()[call_id])
    assert dialer.jobs() == [dedup.CAUSE]
    kinds = {event.kind for event in dialer.events if isinstance(event, ChannelEvent)}
    assert kinds == {ChannelEventKind.HANGUP_COMPLETE}
    assert len(carrier.invites([number])) == 1


@pytest.mark.parametrize("ending", ["02", "14"], ids=["180", "183"])
def test_the_ring_timer_runs_from_the_first_18x(dialer: Dialer, carrier: Carrier, ending: str) -> None:
    (number,) = numbers(ending, count=1)
    call_id = dialer.call(number, ring_seconds=1)
    wait_until(lambda: call_id in dialer.ends(), what="the end")
    end = dialer.ends()[call_id]
    assert (end.cause, end.progress, end.answered, end.sip_status) == ("NO_ANSWER", True, False, 487)
    (cancel,) = wait_until(
        lambda: [m for m in carrier.messages() if m.kind == "CANCEL" and m.number == number],
        what="the CANCEL",
    )
    # "+2" fires at a whole second of the node's clock: after one to two.
    assert 0.9 <= cancel.t - carrier.invites([number])[0].t <= 2.2


def test_the_maximum_duration_ends_a_call_that_nobody_ends(dialer: Dialer, carrier: Carrier) -> None:
    (number,) = numbers("07", count=1)
    call_id = dialer.call(number, max_seconds=3)
    wait_until(lambda: call_id in dialer.ends(), what="the end")
    end = dialer.ends()[call_id]
    assert (end.cause, end.answered, end.hung_up_by) == ("ALLOTTED_TIMEOUT", True, "us")
    assert 2.0 <= end.billmsec / 1000 <= 3.2
    (bye,) = wait_until(
        lambda: [m for m in carrier.messages() if m.kind == "BYE-IN" and m.number == number], what="the BYE"
    )
    assert abs(bye.t - carrier.invites([number])[0].t - end.billmsec / 1000) <= 0.2


def test_a_hostile_reason_in_a_bye_forges_nothing(dialer: Dialer) -> None:
    (number,) = numbers("13", count=1)
    call_id = dialer.call(number)
    wait_until(dialer.ends, what="the end")
    end = dialer.ends()[call_id]
    assert (end.cause, end.hung_up_by, end.billsec) == ("NORMAL_CLEARING", "remote", 1)
    assert {e.call_id for e in dialer.events if isinstance(e, ChannelEvent | JobResult)} == {call_id}


def test_a_node_lists_the_hangup_markers_and_deletes_them_one_behind_the_other(dialer: Dialer) -> None:
    call_ids = [str(uuid.uuid4()) for _ in range(300)]
    link = dialer.link
    link.api_many([f"hash insert/carillon/{call_id}/done" for call_id in call_ids], timeout=10)
    assert set(call_ids) <= set(commands.hangup_markers_in(link.api_apart(commands.hangup_marker_list(), 10)))
    deletes = [commands.hangup_marker_delete(call_id) for call_id in call_ids]
    assert link.api_many(deletes, timeout=10) == ["+OK\n"] * len(deletes)
    assert not set(call_ids) & set(
        commands.hangup_markers_in(link.api_apart(commands.hangup_marker_list(), 10))
    )
