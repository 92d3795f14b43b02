"""What the records say of a call is what the called party did, as SIPp's log and the corpus of outcomes tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from dialer.record.call_end import hung_up
from freeswitch.hangup import Hangup
from local.stack import Stack
from settings import NodeSettings
from tests.e2e.rig import PARK, Tenant, new_tenant, numbers
from tests.e2e.test_abandoned import desk
from tests.real.carrier import STATUSES, Carrier
from tests.real.test_campaigns import refused
from tests.real.test_switch import connected, paced
from tests.unit.campaigns.outcomes_corpus import REASONS, Shape, on_the_wire
from tests.unit.dialer.factories import make_call
from tests.waiting import wait_until

pytestmark = pytest.mark.real

RING = 15
LONGEST = 20
PDD = 15
EACH = 6
AREA = "206"
"""Not one of those that `numbers` takes from: other tests call such endings there."""
PLAN: Mapping[str, tuple[str, str, int | None, int]] = {
    "00": ("answered", "NORMAL_CLEARING", 200, 4),
    "01": ("busy", "USER_BUSY", 486, 0),
    "02": ("no_answer", "NO_ANSWER", 487, 0),
    "03": ("invalid", "UNALLOCATED_NUMBER", 404, 0),
    "04": ("congestion", "NORMAL_TEMPORARY_FAILURE", 503, 0),
    "05": ("unreachable", "NO_USER_RESPONSE", 480, 0),
    "06": ("rejected", "CALL_REJECTED", 603, 0),
    "07": ("answered", "ALLOTTED_TIMEOUT", None, LONGEST),
    "08": ("answered", "NORMAL_CLEARING", 200, 3),
    "09": ("unreachable", "PROGRESS_TIMEOUT", 487, 0),
    "10": ("answered", "NORMAL_CLEARING", 200, 2),
    "11": ("unreachable", "ORIGINATOR_CANCEL", 487, 0),
    "12": ("busy", "USER_BUSY", 486, 0),
    "13": ("answered", "NORMAL_CLEARING", 200, 1),
    "14": ("no_answer", "NO_ANSWER", 487, 0),
    "15": ("no_answer", "NO_ANSWER", 487, 0),
    "17": ("redirected", "REQUESTED_CHAN_UNAVAIL", 302, 0),
}
"""By the last two digits: disposition, cause, SIP status, seconds talked."""
RANG = {"02": RING, "14": RING, "15": RING, "09": PDD + 0.5}
"""Seconds from the first 18x, or from the INVITE where none comes, to our CANCEL."""


def dialled(tenant: Tenant, called: list[str], **fields: object) -> list[dict[str, Any]]:
    """Every call record of a campaign over these numbers, dialled to its end."""
    campaign = tenant.campaign(called, **({"retries_per_contact": 0, "max_concurrent_calls": 500} | fields))
    tenant.exempt(campaign)
    tenant.act(campaign, "start")
    tenant.wait_over(campaign, 300)
    return list(tenant.api.every("/api/v1/calls", "calls", campaign_id=campaign))


def test_every_outcome_of_the_number_plan_is_recorded_as_it_was(stack: Stack, carrier: Carrier) -> None:
    tenant = new_tenant(stack, action=PARK, agent={"ring_timeout_seconds": RING, "max_call_seconds": LONGEST})
    called = numbers(*PLAN, count=EACH * len(PLAN))
    calls = dialled(tenant, called)
    # At the limit itself a node refuses one call in some hundreds, which is then sent again.
    calls = [call for call in calls if not refused(call)]
    assert {call["phone_number"] for call in calls} == set(called)
    wrong = []
    for call in calls:
        disposition, cause, status, talked = PLAN[call["phone_number"][-2:]]
        said = (call["disposition"], call["cause"], call["sip_status"])
        if said != (disposition, cause, status) or abs(call["billsec"] - talked) > 1:
            wrong.append((call["phone_number"][-2:], *said, call["billsec"]))
    assert wrong == []
    assert {call["node"] for call in calls} == {
        node["name"] for node in tenant.api.get("/api/v1/nodes")["nodes"]
    }

    invites = {message.number: message.t for message in carrier.invites(called)}
    cancels = [m for m in carrier.messages() if m.kind == "CANCEL" and m.number in invites]
    for ending, seconds in RANG.items():
        rang = [m.t - invites[m.number] for m in cancels if m.number.endswith(ending)]
        assert len(rang) == EACH, ending
        assert all(seconds - 1.5 <= lasted <= seconds + 1.5 for lasted in rang), (ending, rang)
    assert {message.number[-2:] for message in cancels} == set(RANG)


def test_a_call_that_no_agent_joins_is_given_up_by_the_node(stack: Stack, carrier: Carrier) -> None:
    for ending, disposition, talked in (("02", "abandoned", (1, 3)), ("10", "answered", (1, 4))):
        (agent,) = numbers(ending, count=1)
        called = numbers("07", count=EACH)
        calls = [call for call in dialled(desk(stack, agent), called) if not refused(call)]
        assert {call["disposition"] for call in calls} == {disposition}
        assert all(call["hung_up_by"] == "us" and call["attempt"] == 1 for call in calls)
        assert all(talked[0] <= call["billsec"] <= talked[1] for call in calls)
        assert len(carrier.invites([agent])) == len(calls) == EACH


def test_every_final_response_is_disposed_of_as_the_corpus_says(
    nodes: tuple[NodeSettings, ...], carrier: Carrier
) -> None:
    # Past the scheduler: it would pause a gateway that refuses like this, as it should.
    expected = {
        f"+1{AREA}5{status}{reason}2{shape}": (status, on_the_wire(status, REASONS[reason], shape))
        for status in STATUSES
        for reason in REASONS
        for shape in Shape
    }
    dialers = [connected(node) for node in nodes]
    sent: dict[str, str] = {}
    numbers_left = iter(expected)
    for _ in paced(-(-len(expected) // len(dialers))):
        for dialer in dialers:
            number = next(numbers_left, None)
            if number is not None:
                sent[dialer.call(number)] = number
    ends: dict[str, Hangup] = {}

    def all_ended() -> bool:
        for dialer in dialers:
            ends.update(dialer.ends())
            for call_id in dialer.refused() & sent.keys():
                number = sent.pop(call_id)
                sent[dialer.call(number)] = number
        return ends.keys() >= sent.keys()

    wait_until(all_ended, "the end of every call", seconds=60)
    for dialer in dialers:
        dialer.cluster.stop()
    wrong = {}
    for call_id, number in sent.items():
        hangup, (status, disposition) = ends[call_id], expected[number]
        ended = hung_up(make_call(call_id=call_id), 0.0, hangup)
        said = (str(ended.disposition), ended.sip_status, ended.billsec)
        if said != (disposition, status, 0):
            wrong[number] = (*said, hangup.cause, hangup.sip_reason, disposition)
    assert wrong == {}
    heard = Counter(message.number for message in carrier.invites(list(expected)))
    assert heard == dict.fromkeys(expected, 1)
    print(f"{len(sent)} calls: every disposition and SIP status as in the corpus")
