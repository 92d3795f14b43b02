"""A carrier that ends most calls as nobody would: held, probed, and whoever tripped it comes back uncounted."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from campaigns import outcome_breakers
from dialer.capacity import outcome_breaker_rows
from dialer.capacity.outcome_breaker_rows import Count, Key
from dialer.capacity.suspicion import FEWEST_CALLS, Suspect
from models import db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.examples import first
from tests.factories import World, counts, make_campaign, make_world
from tests.integration.dialer.dialer_rig import Dialer, is_over
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONTACTS = 60
CONCURRENT = 4
DEAD, BUSY = "03", "01"
"""How numbers end that the simulated carrier answers with 404 and with 486."""


def one(sql: str, *values: object) -> dict[str, Any]:
    with db.connection_context():
        (row,) = rows(sql, *values)
    return row


def do(sql: str, *values: object) -> None:
    with db.connection_context():
        db.execute_sql(sql, values)


def make_list(
    world: World, end: str, contacts: int = CONTACTS, prefix: str = "+1415", **columns: Any
) -> uuid.UUID:
    campaign_id = make_campaign(world, contacts, max_concurrent_calls=CONCURRENT, **columns)
    do(
        "UPDATE contact SET phone_number = %s || lpad(position::text, 5, '0') || %s WHERE campaign_id = %s",
        prefix, end, campaign_id,
    )  # fmt: skip
    return campaign_id


def invites(node: SimulatedNode, prefix: str = "+") -> int:
    dialled = read_ledger(node.ledger or "").dialled()
    return sum(count for called, count in dialled.items() if called.startswith(prefix))


def says(campaign_id: uuid.UUID, reason: str | None) -> bool:
    return bool(one("SELECT blocked_reason AS r FROM campaign WHERE id = %s", campaign_id)["r"] == reason)


def held() -> int:
    return int(one("SELECT count(*) AS n FROM breaker WHERE released_at IS NULL")["n"])


def is_known(dialer: Dialer, campaign_id: uuid.UUID) -> bool:
    """Whether a dialer has heard that calls of a campaign are held: it claims none from then on."""
    plan = dialer.process.dispatch.board.plan(str(campaign_id))
    return plan is not None and bool(plan.breakers)


def is_quiet() -> bool:
    return bool(one("SELECT count(*) AS n FROM call WHERE state <> 'ended'")["n"] == 0)


def told(campaign_id: uuid.UUID) -> list[outcome_breakers.HeldCalls]:
    with db.connection_context():
        return outcome_breakers.held(campaign_id)


@pytest.mark.parametrize("dialers", first(2, 1))
def test_a_carrier_that_answers_everything_with_404_is_held_and_everybody_comes_back(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], dialers: int
) -> None:
    do("UPDATE gateway SET cps = 10")
    campaign_id = make_list(world, DEAD)
    running = [start() for _ in range(dialers)]
    wait_until(lambda: all(is_known(one, campaign_id) for one in running), "all to know")
    wait_until(lambda: says(campaign_id, "breaker") and is_quiet(), "the campaign to say why")
    # The calls that were up when it tripped, and as many that another dialer began until one of its own ended.
    assert FEWEST_CALLS <= invites(node) <= FEWEST_CALLS + 2 * CONCURRENT
    (found,) = told(campaign_id)
    assert found["caller_id"] == "+14155550100"
    (cause,) = found["top_causes"]
    assert (cause["cause"], cause["sip_status"]) == ("UNALLOCATED_NUMBER", 404)
    assert one("SELECT next_action_at AS at FROM campaign WHERE id = %s", campaign_id)["at"] is not None
    failed = counts(campaign_id)["failed"]
    assert failed >= FEWEST_CALLS
    # One call probes it. It fails, and nobody comes back for that.
    sent = invites(node)
    do("UPDATE breaker SET probe_at = now()")
    wait_until(lambda: invites(node) == sent + 1 and is_quiet(), "the probe")
    assert (
        held(),
        one("SELECT extract(epoch FROM probe_at - now()) > 30 AS later FROM breaker")["later"],
    ) == (1, True)
    # The carrier works again: all of them are called, each for the first time as far as they are concerned.
    do("UPDATE contact SET phone_number = left(phone_number, -2) || %s", BUSY)
    do("UPDATE breaker SET probe_at = now()")
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert held() == 0
    assert counts(campaign_id) == {"failed": CONTACTS}
    ended = one(
        "SELECT sum(attempts) AS a, count(*) FILTER (WHERE disposition = 'busy') AS busy FROM contact"
    )
    assert (ended["a"], ended["busy"]) == (CONTACTS, CONTACTS)
    assert one("SELECT count(attempt) AS n FROM call")["n"] == CONTACTS
    back = one("SELECT count(*) AS n FROM transition WHERE status = 'pending' AND disposition = 'invalid'")
    assert back["n"] == failed + 1


def test_a_list_that_is_at_its_end_is_not_over_while_contacts_may_come_back(
    world: World, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    campaign_id = make_list(world, DEAD, FEWEST_CALLS)
    start()
    wait_until(lambda: says(campaign_id, "breaker") and is_quiet(), "the campaign to say why")
    assert (invites(node), counts(campaign_id)) == (FEWEST_CALLS, {"failed": FEWEST_CALLS})
    assert not is_over(campaign_id)
    # Nobody is left to probe with but one of them.
    do("UPDATE contact SET phone_number = left(phone_number, -2) || %s", BUSY)
    do("UPDATE breaker SET probe_at = now()")
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert counts(campaign_id) == {"failed": FEWEST_CALLS}
    assert (
        one("SELECT count(*) AS n FROM contact WHERE disposition = 'busy' AND attempts = 1")["n"]
        == FEWEST_CALLS
    )


def test_what_is_held_outlives_the_dialer_that_held_it_and_others_go_on(
    world: World, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    campaign_id = make_list(world, DEAD)
    dialer = start()
    wait_until(lambda: says(campaign_id, "breaker") and is_quiet(), "the campaign to say why")
    dialer.die()
    sent = invites(node)
    # Another tenant's caller id and gateway are not held, by a dialer that knows of it from the database alone.
    other = make_list(make_world("other", "+14155550177"), BUSY, 10, prefix="+4420")
    start()
    wait_until(lambda: is_over(other), "the other campaign's end")
    assert (invites(node, "+1415"), held()) == (sent, 1)


def test_a_destination_that_is_bad_for_all_is_held_and_others_of_the_gateway_are_not(
    world: World, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    second = make_world("second", "+14155550177")
    do("UPDATE phone_number SET gateway_id = %s", world.gateway_id)
    do("UPDATE gateway SET cps = 20")
    start()
    # One of the two caller ids is known to do well elsewhere, whichever of the dead ends come first.
    elsewhere = make_list(world, BUSY, 40)
    wait_until(lambda: is_over(elsewhere), "those elsewhere to be called")
    first, other = (make_list(whose, DEAD, 60, prefix="+4420") for whose in (world, second))
    wait_until(lambda: held() > 0, "something to be held")
    found = one("SELECT gateway_id, prefix, caller_id FROM breaker")
    assert (found["gateway_id"], found["prefix"], found["caller_id"]) == (str(world.gateway_id), "+44", "")
    wait_until(lambda: says(first, "breaker") and says(other, "breaker"), "both to say why")
    more = make_list(world, BUSY, 20)
    wait_until(lambda: is_over(more), "more of those to be called")
    assert told(more) == []
    assert not is_over(first)


def test_an_exempt_campaign_goes_on_and_another_stays_held(
    world: World, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    campaign_id, other = make_list(world, DEAD, 40), make_list(world, DEAD, 40)
    start()
    wait_until(lambda: says(campaign_id, "breaker") and says(other, "breaker"), "both to say why")
    with db.connection_context():
        assert outcome_breakers.exempt(campaign_id, "crm") is not None
        assert outcome_breakers.exempt(campaign_id, "somebody else") is None
    wait_until(lambda: is_over(campaign_id), "the exempt campaign's end")
    assert counts(campaign_id) == {"failed": 40}
    assert one("SELECT breaker_exempt_by AS by FROM campaign WHERE id = %s", campaign_id)["by"] == "crm"
    assert one("SELECT sum(attempts) AS n FROM contact WHERE campaign_id = %s", campaign_id)["n"] == 40
    assert (held(), is_over(other)) == (1, False)


# Who comes back.


def called(world: World, contacts: int, **columns: Any) -> tuple[uuid.UUID, list[str]]:
    """A campaign whose contacts were each called once, and ended so; its id and its calls'."""
    columns = {"disposition": "invalid", "status": "failed"} | columns
    status, disposition = columns["status"], columns["disposition"]
    campaign_id = make_campaign(world, contacts)
    with db.connection_context():
        db.execute_sql(
            "UPDATE contact SET status = %s, disposition = %s, attempts = 1, sends = 1 WHERE campaign_id = %s",
            (status, disposition, campaign_id),
        )
        db.execute_sql("UPDATE campaign_count SET pending = 0 WHERE campaign_id = %s", (campaign_id,))
        db.execute_sql(
            f"UPDATE campaign_count SET {status} = %s WHERE campaign_id = %s", (contacts, campaign_id)
        )
        calls = rows(
            "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, state, generation, phone_number,"
            " caller_id, gateway_id, node, dialer_id, sent_by, sent_at, ended_at, answered_at, progress_at,"
            " disposition, cause, sip_status) SELECT gen_random_uuid(), campaign.tenant_id, campaign.id, contact.id,"
            " 1, 1, 'ended', 1, contact.phone_number, '+14155550100', %s, 'fs1', 'd', 'd', now(), now(),"
            " %s::timestamptz, %s::timestamptz, %s, 'X', %s"
            " FROM contact JOIN campaign ON campaign.id = contact.campaign_id WHERE campaign.id = %s"
            " RETURNING id::text",
            world.gateway_id, columns.get("answered_at"), columns.get("progress_at"), disposition,
            columns.get("sip_status", 404), campaign_id,
        )  # fmt: skip
    return campaign_id, [row["id"] for row in calls]


def trip(world: World, campaign_id: uuid.UUID, calls: list[str]) -> str:
    key = Key(str(campaign_id), str(world.gateway_id), "+1", "+14155550100")
    outcome_breaker_rows.add({key: Count(len(calls), calls)})
    found = outcome_breaker_rows.hold(Suspect(caller_id="+14155550100"))
    assert found is not None
    assert outcome_breaker_rows.hold(found.suspect) is None
    return found.breaker_id


def test_a_contact_comes_back_twice_and_then_stays_as_it_ended(world: World) -> None:
    campaign_id, calls = called(world, 3)
    for _ in range(outcome_breakers.MOST_RETURNS):
        told_now = outcome_breaker_rows.release(trip(world, campaign_id, calls), "d")
        assert told_now is not None
        assert [item.status for item in told_now] == ["pending"] * 3
        assert counts(campaign_id) == {"pending": 3}
        assert one("SELECT sum(attempts) AS n FROM contact")["n"] == 0
        do("UPDATE contact SET status = 'failed', attempts = 1")
        do("UPDATE campaign_count SET pending = 0, failed = 0")
        do("UPDATE campaign_count SET failed = 3 WHERE lane = 'import'")
        do("UPDATE call SET attempt = 1")
    assert outcome_breaker_rows.release(trip(world, campaign_id, calls), "d") == []
    assert counts(campaign_id) == {"failed": 3}


def test_who_was_called_since_or_picked_up_does_not_come_back(world: World) -> None:
    since, calls = called(world, 2)
    do("UPDATE contact SET sends = 2 WHERE campaign_id = %s", since)
    assert outcome_breaker_rows.release(trip(world, since, calls), "d") == []
    answered, calls = called(world, 2, status="completed", disposition="answered", answered_at="now")
    assert outcome_breaker_rows.release(trip(world, answered, calls), "d") == []
    assert counts(answered) == {"completed": 2}
    heard_nothing, calls = called(world, 2, disposition="node_fault", sip_status=None)
    assert outcome_breaker_rows.release(trip(world, heard_nothing, calls), "d") == []
    assert counts(heard_nothing) == {"failed": 2}
    assert one("SELECT count(*) AS n FROM contact WHERE status = 'completed' AND attempts = 1")["n"] == 2


@pytest.mark.parametrize(
    ("status", "disposition", "sip_status"),
    [("failed", "rejected", 603), ("pending", "rejected", None), ("failed", "network_blocked", 607)],
)
def test_who_was_rung_and_declined_is_charged_and_does_not_come_back(
    world: World, status: str, disposition: str, sip_status: int | None
) -> None:
    ended = {"status": status, "disposition": disposition, "sip_status": sip_status, "progress_at": "now"}
    campaign_id, calls = called(world, 1, **ended)
    breaker_id = trip(world, campaign_id, calls)
    with db.connection_context():
        assert not outcome_breakers.some_may_come_back(campaign_id)
    do("UPDATE campaign SET status = 'running'")
    do("UPDATE breaker SET probe_at = now()")
    assert outcome_breaker_rows.bring_probers_back("d") == []
    assert outcome_breaker_rows.release(breaker_id, "d") == []
    assert one("SELECT status, attempts FROM contact") == {"status": status, "attempts": 1}
    assert one("SELECT attempt FROM call")["attempt"] == 1


def test_whom_the_network_refused_without_a_ring_comes_back(world: World) -> None:
    campaign_id, calls = called(world, 1, disposition="rejected", sip_status=603)
    breaker_id = trip(world, campaign_id, calls)
    with db.connection_context():
        assert outcome_breakers.some_may_come_back(campaign_id)
    assert len(outcome_breaker_rows.release(breaker_id, "d") or []) == 1


def test_whose_phone_rang_is_not_called_again_before_the_campaigns_delay(world: World) -> None:
    campaign_id, calls = called(world, 1, progress_at="now")
    assert len(outcome_breaker_rows.release(trip(world, campaign_id, calls), "d") or []) == 1
    assert one("SELECT next_attempt_at > now() + interval '50 s' AS later FROM contact")["later"]


def test_who_waits_for_a_retry_gets_its_attempt_back_without_a_word(world: World) -> None:
    campaign_id, calls = called(world, 1, status="pending", disposition="unreachable")
    assert outcome_breaker_rows.release(trip(world, campaign_id, calls), "d") == []
    waits = one("SELECT attempts, next_attempt_at, breaker_returns FROM contact")
    assert (waits["attempts"], waits["next_attempt_at"], waits["breaker_returns"]) == (0, None, 1)
    assert counts(campaign_id) == {"pending": 1}


def test_the_time_of_a_callback_or_of_a_cap_stays_when_its_attempt_comes_back(world: World) -> None:
    campaign_id, calls = called(world, 2, status="pending", disposition="unreachable", progress_at="now")
    do(
        "UPDATE contact SET next_attempt_at = now() + interval '5 h', callback = position = 0,"
        " wait_reason = CASE WHEN position > 0 THEN 'number_cap' END WHERE campaign_id = %s",
        campaign_id,
    )
    assert outcome_breaker_rows.release(trip(world, campaign_id, calls), "d") == []
    waits = one(
        "SELECT sum(breaker_returns)::int AS back, min(next_attempt_at) > now() + interval '4 h' AS later"
        " FROM contact"
    )
    assert (waits["back"], waits["later"]) == (2, True)


def test_what_another_dialer_counted_before_it_knew_comes_back_too(world: World) -> None:
    campaign_id, calls = called(world, 2)
    breaker_id = trip(world, campaign_id, calls[:1])
    key = Key(str(campaign_id), str(world.gateway_id), "+1", "+14155550100")
    outcome_breaker_rows.add({key: Count(1, calls[1:])})
    do("UPDATE breaker_tally SET breaker_id = NULL WHERE suspicious_calls ? %s", calls[1])
    assert len(outcome_breaker_rows.release(breaker_id, "d") or []) == 2


def test_a_breaker_is_released_once_and_probed_by_one(world: World) -> None:
    campaign_id, calls = called(world, 1)
    breaker_id = trip(world, campaign_id, calls)
    assert not outcome_breaker_rows.take_probe(breaker_id)
    outcome_breaker_rows.return_probe(breaker_id)
    assert [outcome_breaker_rows.take_probe(breaker_id) for _ in range(2)] == [True, False]
    assert outcome_breaker_rows.release(breaker_id, "d") is not None
    assert outcome_breaker_rows.release(breaker_id, "e") is None


@pytest.mark.parametrize(
    ("suspect", "change", "stale"),
    [
        (Suspect("g", "+1876"), """UPDATE gateway SET prefixes = '["+1876", "+1"]'""", False),
        (Suspect("g", "+1876"), """UPDATE gateway SET prefixes = '["+1", "+44"]'""", True),
        (Suspect("g", "+1876"), "UPDATE gateway SET prefixes = '[]'", True),
        (Suspect("g", "+1"), "UPDATE gateway SET prefixes = '[]'", False),
        (Suspect("g", "+1"), """UPDATE gateway SET prefixes = '["+1415"]'""", True),
        (Suspect("g", "+1"), """UPDATE gateway SET prefixes = '["+44"]'""", True),
        (Suspect("g", "+1"), "UPDATE gateway SET deleted_at = now()", True),
        (Suspect(caller_id="+14155550100"), "SELECT 1", False),
        (Suspect(caller_id="+14155550100"), "UPDATE phone_number SET deleted_at = now()", True),
    ],
)
def test_a_breaker_that_no_call_can_be_of_any_more_is_known(
    world: World, suspect: Suspect, change: str, stale: bool
) -> None:
    held_now = outcome_breaker_rows.hold(
        replace(suspect, gateway_id=suspect.gateway_id.replace("g", str(world.gateway_id)))
    )
    assert held_now is not None
    do(change)
    assert outcome_breaker_rows.holding_nothing() == ([held_now.breaker_id] if stale else [])
    if stale:
        assert outcome_breaker_rows.release(held_now.breaker_id, "d") == []
        assert outcome_breaker_rows.holding_nothing() == []


def test_nothing_is_counted_of_an_exempt_campaign(world: World) -> None:
    campaign_id, calls = called(world, 1)
    with db.connection_context():
        outcome_breakers.exempt(campaign_id, "crm")
    outcome_breaker_rows.add({Key(str(campaign_id), "g", "+1", "x"): Count(1, calls)})
    assert outcome_breaker_rows.open_tallies()[0] == []
