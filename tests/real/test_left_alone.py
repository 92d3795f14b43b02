"""Whom an agent has left is not kept in silence: of a room by the node's own looks, of a queue at once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest

from dialer.record.call_end import hung_up
from freeswitch import applications as apps
from freeswitch.applications import Application
from freeswitch.left_alone import QUEUE_SECONDS
from settings import NodeSettings
from tests.e2e.rig import numbers
from tests.real.carrier import Carrier
from tests.real.machine import ask
from tests.real.test_switch import Dialer, connected
from tests.unit.dialer.factories import make_call
from tests.waiting import wait_until

pytestmark = pytest.mark.real

BOUND_SECONDS = 10.0
MESSAGE_SECONDS = 0.5
MESSAGE = apps.tone("%(500,0,440)")
QUEUE = "support@default"
LEAVES = ["uuid_kill {}", "uuid_transfer {} park inline", "uuid_park {}"]


@pytest.fixture
def dialer(nodes: tuple[NodeSettings, ...], carrier: Carrier) -> Iterator[Dialer]:
    found = connected(nodes[0])
    yield found
    found.cluster.stop()


def answered(dialer: Dialer, steps: list[Application]) -> str:
    (number,) = numbers("07", count=1)
    call_id = dialer.call(number, applications=steps)
    wait_until(lambda: call_id in dialer.answered(), "the answer")
    return call_id


def variable(node: NodeSettings, call_id: str, name: str) -> str:
    return ask(node, f"uuid_getvar {call_id} {name}")[0]


def test_whom_the_host_of_a_room_leaves_hears_the_message_within_the_bound_and_a_host_alone_stays(
    dialer: Dialer, nodes: tuple[NodeSettings, ...], carrier: Carrier
) -> None:
    node, room = nodes[0], f"t.{uuid.uuid4().hex[:8]}"
    host = str(uuid.uuid4())
    (number,) = numbers("07", count=1)
    ask(
        node,
        f"bgapi originate {{origination_uuid={host},ignore_early_media=true}}sofia/gateway/carrier/{number}"
        f" &conference({room}@default)",
    )
    wait_until(lambda: ask(node, f"conference {room} get count")[0] == "1", "the host in the room")
    steps = apps.connect(apps.conference(room), MESSAGE)
    # One who leaves by himself: the host waits for the next, longer than both looks take.
    (short,) = numbers("10", count=1)
    gone = dialer.call(short, applications=steps)
    wait_until(lambda: gone in dialer.ends(), "the end of the one who leaves")
    stays = answered(dialer, steps)
    # Unset until his call has come so far, and 0 until he is in the room.
    wait_until(
        lambda: variable(node, stays, "conference_member_id") not in ("_undef_", "0"), "the one who stays"
    )
    wait_until(lambda: ask(node, "show tasks")[0].count(f"left-{stays}") == 2, "both looks")
    assert f"left-{gone}" not in ask(node, "show tasks")[0]
    assert ask(node, f"uuid_exists {host}") == ["true"]
    assert ask(node, f"uuid_kill {host}") == ["+OK"]
    left = carrier_clock(carrier, number)
    wait_until(lambda: stays in dialer.ends(), "the end of who was left", seconds=30)
    hangup = dialer.ends()[stays]
    ended = hung_up(make_call(call_id=stays), 0.0, hangup)
    assert (ended.disposition, ended.hung_up_by) == ("answered", "us")
    # The node forgets them by a hook of its own, a moment after it has told of the end.
    wait_until(lambda: f"left-{stays}" not in ask(node, "show tasks")[0], "the end of both looks")
    over = carrier.messages()[-1]
    assert over.kind == "BYE-IN"
    silence = over.t - left - MESSAGE_SECONDS
    assert 0.0 <= silence <= BOUND_SECONDS
    print(f"left alone in a room: the message began after {silence:.1f} s")


def carrier_clock(carrier: Carrier, number: str) -> float:
    """When the called party heard the host's BYE."""

    def byes() -> list[float]:
        return [m.t for m in carrier.messages() if m.number == number and m.kind == "BYE-IN"]

    wait_until(byes, "the host's BYE")
    return byes()[-1]


def test_whom_an_agent_leaves_who_is_gone_while_being_joined_is_let_go_within_the_bound(
    dialer: Dialer, nodes: tuple[NodeSettings, ...]
) -> None:
    node = nodes[0]
    (desk,) = numbers("07", count=1)
    with queue_agent(node, desk):
        call_id = answered(dialer, apps.connect(apps.queue(QUEUE), MESSAGE))

        def bond() -> str:
            found = variable(node, call_id, "signal_bond")
            return "" if found.startswith(("_", "-")) else found

        agent = wait_until(bond, "the agent's leg")
        ask(node, f"uuid_park {agent}")
        wait_until(lambda: call_id in dialer.ends(), "the end of who was left", seconds=15)
        ask(node, f"uuid_kill {agent}")
    hangup = dialer.ends()[call_id]
    assert hangup.billmsec <= 1000 * BOUND_SECONDS
    ended = hung_up(make_call(call_id=call_id), 0.0, hangup)
    assert ended.disposition in ("answered", "abandoned")
    print(f"left while being joined from a queue: {ended.disposition} after {hangup.billmsec / 1000:.1f} s")


def bridged(node: NodeSettings, call_id: str) -> bool:
    """Whether the person talks with somebody, and not only is about to."""
    dump = orjson.loads(ask(node, f"uuid_dump {call_id} json")[0])
    return int(dump.get("Caller-Channel-Bridged-Time", 0)) > 0


@contextmanager
def queue_agent(node: NodeSettings, number: str) -> Iterator[None]:
    """An agent of the queue whose phone answers at once."""
    contact = f"{{originate_timeout=5}}sofia/gateway/carrier/{number}"
    commands = [
        "agent add real callback",
        f"agent set contact real {contact}",
        "agent set status real Available",
        "agent set state real Waiting",
        f"tier add {QUEUE} real 1 1",
    ]
    ask(node, *(f"callcenter_config {line}" for line in commands))
    try:
        yield
    finally:
        ask(node, f"callcenter_config tier del {QUEUE} real", "callcenter_config agent del real")


@pytest.mark.parametrize("leave", LEAVES)
def test_whom_a_queues_agent_leaves_is_let_go_at_once(
    dialer: Dialer, nodes: tuple[NodeSettings, ...], leave: str
) -> None:
    node = nodes[0]
    (desk,) = numbers("07", count=1)
    with queue_agent(node, desk):
        call_id = answered(dialer, apps.connect(apps.queue(QUEUE), MESSAGE))
        wait_until(lambda: bridged(node, call_id), "the agent")
        agent = variable(node, call_id, "signal_bond")
        looked = time.monotonic() + QUEUE_SECONDS + 1 if leave is LEAVES[0] else 0.0
        wait_until(lambda: time.monotonic() > looked, "a look of the node", seconds=20)
        assert call_id not in dialer.ends(), "who is joined is left alone by the looks"
        ask(node, leave.format(agent))
        wait_until(lambda: call_id in dialer.ends(), "the end of who was left", seconds=5)
        ask(node, f"uuid_kill {agent}")
    ended = hung_up(make_call(call_id=call_id), 0.0, dialer.ends()[call_id])
    assert (ended.disposition, ended.hung_up_by) == ("answered", "us")
