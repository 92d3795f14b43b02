"""Calls that another gateway takes: by prefix, in place of a paused one, and after a refusal that proves that nobody
was reached. Each number is sent as often as the rows say, and never by a gateway that had its turn.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from dialer.call_rows import open_calls
from dialer.dispatch.claims import Claimed, ClaimRequest, Statements, claim
from models import Gateway, db, rows
from simulator.ledger import Originate, live_calls_peak, read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, is_over
from tests.integration.dialer.one_campaign import due
from tests.waiting import HANG_SECONDS, wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def second(world: World) -> uuid.UUID:
    """Another gateway, which the number's own fails over to."""
    with db.connection_context():
        other = Gateway.create(name="second", dial_string="sofia/gateway/second/{number}")
    run(
        "UPDATE gateway SET failover = jsonb_build_array(%s::text) WHERE id = %s",
        str(other.id),
        world.gateway_id,
    )
    found: uuid.UUID = other.id
    return found


def run(sql: str, *values: object) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(sql, *values)


def sent(node: SimulatedNode) -> list[Originate]:
    return read_ledger(node.ledger or "").accepted


def agree(node: SimulatedNode) -> None:
    """The ledger and the rows tell the same: each number by each gateway as often."""
    ways = Counter((line.number, line.gateway) for line in sent(node))
    told = run(
        "SELECT call.phone_number AS number, split_part(gateway.dial_string, '/', 3) AS way, count(*) AS n"
        " FROM call JOIN gateway ON gateway.id = call.gateway_id WHERE call.sent_at IS NOT NULL GROUP BY 1, 2"
    )
    assert ways == {(row["number"], row["way"]): row["n"] for row in told}
    assert set(ways.values()) == {1}


def test_a_contact_that_the_first_gateway_refuses_is_sent_by_the_next_at_once(
    world: World,
    node: SimulatedNode,
    start: Callable[[], Dialer],
    second: uuid.UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a back-off, as after a refusal by the only gateway, it would not be over before this test is."""
    monkeypatch.setattr("campaigns.retry.FIRST_BACKOFF_SECONDS", 3600.0)
    monkeypatch.setattr("campaigns.retry.LAST_BACKOFF_SECONDS", 3600.0)
    node.fault("gateway-refuses", status=503, gateway="carrier")
    campaign_id = make_campaign(world, 4, max_concurrent_calls=10)
    for _ in range(2):
        start()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    agree(node)
    calls = run("SELECT * FROM call WHERE sent_at IS NOT NULL ORDER BY contact_id, seq")
    by_way = Counter((call["gateway_id"], call["disposition"], call["failover"]) for call in calls)
    assert by_way[world.gateway_id, "congestion", True] == 4
    assert {call["attempt"] for call in calls if call["failover"]} == {None}
    assert {call["attempt"] for call in calls if not call["failover"]} == {1}
    assert {call["gateway_id"] for call in calls if not call["failover"]} == {second}
    contacts = run("SELECT attempts, carrier_refusals FROM contact")
    assert {(row["attempts"], row["carrier_refusals"]) for row in contacts} == {(1, 1)}


@pytest.mark.parametrize("status", [403, 503])
def test_nothing_is_sent_again_after_the_phone_rang(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], second: uuid.UUID, status: int
) -> None:
    node.fault("gateway-refuses", status=status, gateway="carrier", ring="yes")
    make_campaign(world, 2)
    start()
    wait_until(lambda: len(run("SELECT 1 FROM call WHERE state = 'ended'")) >= 2, "two ends")
    assert {call["failover"] for call in run("SELECT failover FROM call WHERE state = 'ended'")} == {False}
    assert {line.gateway for line in sent(node)} == {"carrier"}
    assert set(Counter(line.number for line in sent(node)).values()) == {1}


def test_a_gateway_that_is_down_costs_nobody_an_attempt_and_is_replaced(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], second: uuid.UUID
) -> None:
    node.fault("gateway-down", gateway="carrier")
    campaign_id = make_campaign(world, 3)
    start()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert {line.gateway for line in sent(node)} == {"second"}
    assert set(Counter(line.number for line in sent(node)).values()) == {1}
    assert {row["attempts"] for row in run("SELECT attempts FROM contact")} == {1}


def test_where_every_gateway_refuses_each_has_one_call_and_then_the_contact_waits(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], second: uuid.UUID
) -> None:
    node.fault("gateway-refuses", status=503)
    make_campaign(world, 1)
    start()
    waiting = "SELECT attempts, carrier_refusals FROM contact WHERE next_attempt_at > now() + interval '3 s'"
    wait_until(lambda: run(waiting), "the contact to wait")
    assert run(waiting) == [{"attempts": 0, "carrier_refusals": 2}]
    assert [line.gateway for line in sent(node)] == ["carrier", "second"]
    (contact,) = due_now()
    assert contact.tried == ()


def test_a_paused_gateway_blocks_no_campaign_that_has_another(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], second: uuid.UUID
) -> None:
    run(
        "UPDATE gateway SET paused_at = now(), paused_reason = '403', probe_at = now() + interval '1 h',"
        " faults_in_row = 5 WHERE id = %s",
        world.gateway_id,
    )
    campaign_id = make_campaign(world, 3)
    start()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert {line.gateway for line in sent(node)} == {"second"}
    agree(node)


def test_a_number_leaves_by_the_gateway_that_carries_its_prefix_and_says_who_calls_as_that_one_wants_it(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], second: uuid.UUID
) -> None:
    run(
        "UPDATE gateway SET prefixes = %s::jsonb, caller_id_header = 'pai', caller_id_format = 'digits'"
        " WHERE id = %s",
        '["+44"]',
        second,
    )
    campaign_id = make_campaign(world, 3)
    run("UPDATE contact SET phone_number = '+442079460010' WHERE position = 1")
    start()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    agree(node)
    found = {line.number[:3]: (line.gateway, line.headers) for line in sent(node)}
    assert found["+44"] == (
        "second",
        {
            "From": "<sip:14155550100@127.0.0.1>",
            "P-Asserted-Identity": "<sip:14155550100@127.0.0.1>",
            "Privacy": "none",
        },
    )
    assert found["+14"] == ("carrier", {"From": "<sip:+14155550100@127.0.0.1>"})


def test_a_gateway_without_a_free_channel_leaves_its_calls_to_the_next(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], second: uuid.UUID
) -> None:
    run("UPDATE gateway SET channels = 1 WHERE id = %s", world.gateway_id)
    campaign_id = make_campaign(world, 4, max_concurrent_calls=4)
    run("UPDATE contact SET phone_number = '+1415556' || lpad(position::text, 2, '0') || '07'")
    start()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    agree(node)
    by_first = [line.uuid for line in sent(node) if line.gateway == "carrier"]
    assert 1 <= len(by_first) < 4
    assert live_calls_peak(read_ledger(node.ledger or ""), by_first) == 1


def test_a_dialer_that_dies_before_the_next_gateway_has_its_call_leaves_it_to_another_dialer(
    world: World,
    node: SimulatedNode,
    start: Callable[[], Dialer],
    second: uuid.UUID,
) -> None:
    node.fault("gateway-refuses", status=503, gateway="carrier")
    first = start()

    def claim_once(dialer_id: str, wanted: Sequence[ClaimRequest]) -> list[Claimed]:
        if run("SELECT 1 FROM call"):
            first.stays()
        return claim(dialer_id, wanted)

    first.process.dispatch.scheduler.statements = Statements(claim=claim_once)
    campaign_id = make_campaign(world, 1)
    assert first.reached.wait(HANG_SECONDS)
    first.die()
    start()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert [line.gateway for line in sent(node)] == ["carrier", "second"]
    agree(node)


def due_now() -> list[Any]:
    # Or a dialer that runs claims it before it is read here.
    run("UPDATE campaign SET status = 'paused', generation = generation + 1")
    run("UPDATE contact SET next_attempt_at = NULL WHERE status = 'pending'")
    (campaign,) = run("SELECT id::text AS id FROM campaign")
    return due(campaign["id"], 10)


def test_who_takes_over_from_a_dead_dialer_knows_the_gateways_that_were_tried(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], second: uuid.UUID
) -> None:
    node.fault("gateway-refuses", status=503, gateway="carrier")
    make_campaign(world, 1)
    run("UPDATE contact SET phone_number = '+15551230002'")
    dialer = start()
    wait_until(lambda: run("SELECT 1 FROM call WHERE state = 'ringing'"), "the second gateway's call")
    (row,) = run("SELECT id::text AS id, gateway_id FROM call WHERE state = 'ringing'")
    assert row["gateway_id"] == second
    (call,) = open_calls(dialer.id, [row["id"]])
    assert call.tried == (str(world.gateway_id),)
    assert (call.gateway_id, call.caller_id) == (str(second), "+14155550100")
