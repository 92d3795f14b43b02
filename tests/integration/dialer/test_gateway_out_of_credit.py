"""A gateway that answers every call with 403: few calls, no attempt used, and back by itself when it is paid for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialer.capacity import gateway_breaker
from models import db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, is_over
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONTACTS = 40
MOST_INVITES = 10


def one(sql: str, *values: object) -> dict[str, object]:
    with db.connection_context():
        (row,) = rows(sql, *values)
    return row


def is_paused() -> bool:
    return one("SELECT paused_at FROM gateway")["paused_at"] is not None


def shows(campaign_id: object, reason: str | None) -> bool:
    return one("SELECT blocked_reason FROM campaign WHERE id = %s", campaign_id)["blocked_reason"] == reason


def invites(node: SimulatedNode) -> int:
    return sum(read_ledger(node.ledger or "").dialled().values())


def open_calls() -> object:
    return one("SELECT count(*) AS n FROM call WHERE state <> 'ended'")["n"]


@pytest.mark.parametrize("dialers", [1, 2])
def test_a_gateway_out_of_credit_costs_no_contact(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], dialers: int
) -> None:
    node.fault("gateway-refuses", status=403)
    campaign_id = make_campaign(world, CONTACTS, max_concurrent_calls=30)
    for _ in range(dialers):
        start()
    wait_until(lambda: shows(campaign_id, "gateway_paused"), "the campaign to say why")
    wait_until(lambda: not open_calls(), "the last calls to end")
    assert one("SELECT paused_reason FROM gateway")["paused_reason"] == "403 Forbidden"
    assert gateway_breaker.FAULTS_THAT_PAUSE <= invites(node) <= MOST_INVITES
    counted = one("SELECT sum(attempts) AS n, count(*) FILTER (WHERE status = 'pending') AS p FROM contact")
    assert (counted["n"], counted["p"]) == (0, CONTACTS)
    assert one("SELECT count(attempt) AS n FROM call")["n"] == 0


def test_one_call_tries_a_paused_gateway_and_brings_it_back(
    world: World, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    with db.connection_context():
        db.execute_sql(
            "UPDATE gateway SET paused_at = now(), paused_reason = '403', probe_at = now(), faults_in_row = 5"
        )
    campaign_id = make_campaign(world, 3)
    node.fault("gateway-refuses", status=403)
    start()
    wait_until(lambda: invites(node) == 1 and not open_calls(), "the first probe to fail")
    assert is_paused()
    tried = one("SELECT probes, extract(epoch FROM probe_at - now())::int AS wait FROM gateway")
    assert tried["probes"] == 1
    assert (
        gateway_breaker.FIRST_PROBE_SECONDS
        < int(str(tried["wait"]))
        <= gateway_breaker.FIRST_PROBE_SECONDS * 2
    )
    assert one("SELECT sum(attempts) + sum(gateway_faults) AS n FROM contact")["n"] == 0
    node.clear()
    with db.connection_context():
        db.execute_sql("UPDATE gateway SET probe_at = now()")
        db.execute_sql("UPDATE contact SET next_attempt_at = NULL WHERE status = 'pending'")
    wait_until(lambda: not is_paused(), "the probe that gets through")
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert one("SELECT sum(attempts) AS n FROM contact")["n"] == 3


def test_a_fault_now_and_then_pauses_nothing(world: World, start: Callable[[], Dialer]) -> None:
    with db.connection_context():
        db.execute_sql("UPDATE gateway SET faults_in_row = 4")
    campaign_id = make_campaign(world, 2)
    start()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert one("SELECT faults_in_row AS n FROM gateway")["n"] == 0
    assert not is_paused()
