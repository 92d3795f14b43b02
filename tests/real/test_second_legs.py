"""Second legs on real nodes: each node keeps its share of the rate at the answer, as SIPp counts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence

import pytest

from dialer.record.call_end import hung_up
from freeswitch import applications as apps
from freeswitch.action_proofs import JOINED, SECOND_LEG
from freeswitch.commands import uuid_getvar
from freeswitch.hangup import hangup_from_variables
from freeswitch.leg_rates import LegRate
from freeswitch.originate import endpoint
from local.stack import Stack
from settings import NodeSettings
from simulator.ledger import window_peak
from tests.e2e.rig import numbers
from tests.e2e.test_second_legs import bridging, outcomes
from tests.real.carrier import Carrier, Message
from tests.real.test_outcomes import dialled
from tests.real.test_switch import Dialer, connected, paced
from tests.unit.dialer.factories import make_call
from tests.unit.freeswitch.transcripts import SECOND_LEGS
from tests.waiting import wait_until

pytestmark = pytest.mark.real

ON_THE_WAY_SECONDS = 0.15
"""By which two INVITEs may come closer to each other than the node counted them: a busy machine's."""
MESSAGE = apps.tone("%(500,0,440)")
STAYS, HANGS_UP = "07", "10"


@pytest.fixture
def dialer(nodes: tuple[NodeSettings, ...], carrier: Carrier) -> Iterator[Dialer]:
    found = connected(nodes[0])
    yield found
    found.cluster.stop()


def most_at_once(messages: Sequence[Message], called: Sequence[str]) -> int:
    """The most calls of these numbers that the called party saw up at once, from the INVITE to the BYE."""
    changes = []
    for invite in (m for m in messages if m.kind == "INVITE" and m.number in called):
        of_it = (m for m in messages if m.sip_call_id == invite.sip_call_id)
        over = next((m.t for m in of_it if m.kind in ("BYE-IN", "BYE-OUT", "CANCEL")), float("inf"))
        changes += [(invite.t, 1), (over, -1)]
    up = most = 0
    for _, change in sorted(changes):
        up += change
        most = max(most, up)
    return most


def test_over_its_share_a_node_sends_no_invite_and_the_person_hears_the_message(
    dialer: Dialer, carrier: Carrier
) -> None:
    (agent,) = numbers(STAYS, count=1)
    rate = LegRate(uuid.uuid4().hex, 1, 2)
    leg = endpoint("sofia/gateway/carrier/{number}", agent)
    steps = apps.connect(apps.bridge(leg, rate), MESSAGE)
    called = numbers(STAYS, count=6)
    sent = [dialer.call(called[place], applications=steps) for place in paced(3)]
    wait_until(lambda: dialer.answered() >= set(sent), "the answers")
    wait_until(lambda: len(dialer.ends()) == 2, "the end of those that were not connected")
    assert len(carrier.invites([agent])) == 1
    for call_id, hangup in dialer.ends().items():
        ended = hung_up(make_call(call_id=call_id), time.monotonic(), hangup)
        assert ended.disposition == "abandoned"
        assert hangup.billmsec >= 400, "the message was heard"
    # The window is over: the next is connected.
    over = time.monotonic() + rate.seconds
    wait_until(lambda: time.monotonic() > over, "the end of the window")
    dialer.call(called[3], applications=steps)
    wait_until(lambda: len(carrier.invites([agent])) == 2, "the next leg")
    dialer.link.api("hupall MANAGER_REQUEST dialer_id " + dialer.id)
    first, second = carrier.invites([agent])
    assert second.t - first.t > 1.0 - ON_THE_WAY_SECONDS


ENDINGS = {
    "joined": "07",
    "486": "01",
    "404": "03",
    "503": "04",
    "480": "05",
    "603": "06",
    "rings": "02",
    "only 100": "09",
}
"""How agents' numbers end, by the name under which what became of a leg to them was recorded."""


def test_a_node_tells_what_became_of_a_second_leg(dialer: Dialer, carrier: Carrier) -> None:
    sent: dict[str, str] = {}
    for _, (name, ending) in zip(paced(len(ENDINGS)), ENDINGS.items(), strict=True):
        (agent,) = numbers(ending, count=1)
        steps = apps.connect(apps.bridge(endpoint("sofia/gateway/carrier/{number}", agent)))
        (called,) = numbers(STAYS, count=1)
        sent[dialer.call(called, applications=steps)] = name
    wait_until(lambda: len(dialer.ends()) == len(sent) - 1, "the end of those that were not connected")
    (joined,) = (call_id for call_id, name in sent.items() if name == "joined")
    # Also before the end of the talk.
    assert dialer.link.api(uuid_getvar(joined, SECOND_LEG)).strip() == JOINED
    dialer.link.api("hupall MANAGER_REQUEST dialer_id " + dialer.id)
    wait_until(lambda: len(dialer.ends()) == len(sent), "the end of the one that was")
    for call_id, hangup in dialer.ends().items():
        recorded = hangup_from_variables(SECOND_LEGS[sent[call_id]])
        assert recorded is not None
        told = (hangup.second_leg, hangup.second_leg_status)
        assert told == (recorded.second_leg, recorded.second_leg_status), sent[call_id]


def test_one_call_a_second_and_one_channel_hold_for_second_legs(stack: Stack, carrier: Carrier) -> None:
    (agent,) = numbers(HANGS_UP, count=1)
    narrow = {"cps": 1, "channels": 1, "prefixes": ["+1"], "dial_string": "sofia/gateway/carrier/{number}"}
    tenant, _ = bridging(stack, narrow, agent, message=None, dial_string="sofia/gateway/carrier/{number}")
    calls = dialled(tenant, numbers(STAYS, count=6))
    found = outcomes(tenant, calls[0]["campaign_id"])
    legs = carrier.invites([agent])
    assert legs, "nobody was connected"
    assert (found["answered"], found.total()) == (len(legs), 6)
    assert most_at_once(carrier.messages(), [agent]) == 1
    assert window_peak([leg.t for leg in legs], 1.0 - ON_THE_WAY_SECONDS) == 1


def test_the_shares_of_all_nodes_keep_to_the_rate(stack: Stack, carrier: Carrier) -> None:
    (agent,) = numbers(STAYS, count=1)
    desk = {"cps": 4, "dial_string": "sofia/gateway/carrier/{number}"}
    tenant, _ = bridging(stack, desk, agent, message=None, dial_string="sofia/gateway/carrier/{number}")
    tenant.api.patch(f"/api/v1/agents/{tenant.agent_id}", {"max_call_seconds": 10})
    calls = dialled(tenant, numbers(STAYS, count=30))
    found = outcomes(tenant, calls[0]["campaign_id"])
    legs = carrier.invites([agent])
    assert found.keys() == {"answered", "abandoned"}, found
    assert (found["answered"], found.total()) == (len(legs), 30)
    assert window_peak([leg.t for leg in legs], 1.0 - ON_THE_WAY_SECONDS) <= 4
