"""Single calls at the switch, by its own ledger: once whoever dials, before campaigns, in the places kept for them,
and never late."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial

from campaigns import single_calls, suppressed_contacts
from campaigns.column_names import ListColumn
from campaigns.import_rows import AcceptedRow
from campaigns.number_hash import NumberHash
from campaigns.policy_choice import NO_PACKS
from campaigns.suppressed_rows import ErasedNumbers
from campaigns.window_changes import NO_WINDOW
from dialer import lookout
from dialer.dispatch.claims import Claimed, claim_again
from dialer.suppressions import Unsent
from models import CampaignStatus, db, rows, transaction
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, change, is_over
from tests.integration.dialer.one_campaign import claim, due, wanted
from tests.waiting import wait_until

DIALER = "d0192f3a4b5c6"
ENTRY = """
    INSERT INTO suppression (id, scope, campaign_id, number, source, created_by)
    VALUES (gen_random_uuid(), %s, %s, '+14155561000', 'test', 'test')"""
RINGS = "02"
"""A number that ends so rings for as long as it may."""


def take(world: World, number: str, test_of: uuid.UUID | None = None) -> uuid.UUID:
    call = single_calls.SingleCall(
        world.tenant_id,
        "crm",
        world.agent_id,
        world.phone_number_id,
        "+14155550100",
        AcceptedRow(1, number, {"first_name": "Ann"}),
        [ListColumn("first_name", "first_name", "first_name")],
        NO_WINDOW,
        NO_PACKS,
        test_of=test_of,
    )
    with transaction():
        taken = single_calls.take(call, ErasedNumbers(world.tenant_id, NumberHash("pepper for the tests")))
    return taken.id


def sql(statement: str, *values: object) -> list[dict[str, object]]:
    with db.connection_context():
        return rows(statement, *values)


def placed(world: World, call_id: uuid.UUID) -> single_calls.Placed:
    with db.connection_context():
        found = single_calls.placed(call_id, world.tenant_id)
    assert found is not None
    return found


def test_two_dialers_place_a_call_once_and_its_campaign_ends(
    world: World, start: Callable[..., Dialer], node: SimulatedNode
) -> None:
    start(), start()
    numbers = [f"+141555610{n:02}" for n in (0, 1, 5, 6, 7)]
    taken = [take(world, number) for number in numbers]
    for call_id in taken:
        wait_until(partial(is_over, call_id), "the end of the call")
    ledger = read_ledger(node.ledger or "").dialled()
    assert {number: ledger[number] for number in numbers} == dict.fromkeys(numbers, 1)
    assert all(placed(world, call_id).call_id is not None for call_id in taken)
    assert sql("SELECT DISTINCT end_reason FROM campaign") == [{"end_reason": "exhausted"}]


def test_a_call_leaves_while_a_campaign_has_all_the_rest(
    world: World, start: Callable[..., Dialer], node: SimulatedNode
) -> None:
    """The campaign's people ring on; it never takes the place that is kept."""
    sql("UPDATE call_limits SET concurrent_max = 3, reserved_concurrency = 1")
    sql("UPDATE agent SET ring_timeout_seconds = 120")
    campaign_id = make_campaign(world, 0, status=CampaignStatus.PAUSED, max_concurrent_calls=10)
    with transaction():
        for place in range(6):
            rows(
                "INSERT INTO contact (id, campaign_id, position, phone_number)"
                " VALUES (gen_random_uuid(), %s, %s, %s)",
                campaign_id,
                place,
                f"+14155{place:04d}{RINGS}",
            )
        rows("UPDATE campaign_count SET pending = 6 WHERE campaign_id = %s", campaign_id)
    dialer = start()
    change(dialer, "UPDATE campaign SET status = 'running' WHERE id = %s", campaign_id)

    def held() -> bool:
        (row,) = sql("SELECT blocked_reason FROM campaign WHERE id = %s", campaign_id)
        return row["blocked_reason"] == "tenant_concurrency"

    wait_until(held, "the campaign at its cap")
    assert counts(campaign_id) == {"pending": 4, "originated": 2}
    call_id = take(world, "+14155561000")
    # It is claimed before its order leaves.
    wait_until(lambda: read_ledger(node.ledger or "").dialled()["+14155561000"], "the single call")
    assert placed(world, call_id).call_id is not None
    assert read_ledger(node.ledger or "").dialled()["+14155561000"] == 1


def test_nobody_is_called_late(world: World, start: Callable[..., Dialer], node: SimulatedNode) -> None:
    late = take(world, "+14155561000")
    sql("UPDATE contact SET expires_at = now() - interval '1 s'")
    start()
    wait_until(lambda: is_over(late), "the end of the late one")
    over = placed(world, late)
    assert (over.call_id, over.disposition, over.waits) == (None, "expired", False)
    assert read_ledger(node.ledger or "").dialled() == {}


def test_a_call_waits_while_its_gateway_is_off(
    world: World, start: Callable[..., Dialer], node: SimulatedNode
) -> None:
    sql("UPDATE gateway SET outbound_enabled = false")
    call_id = take(world, "+14155561000")
    dialer = start()
    says = "SELECT 1 FROM campaign WHERE id = %s AND blocked_reason = 'gateway_paused'"
    wait_until(lambda: sql(says, call_id), "the call to say why it waits")
    assert (placed(world, call_id).waits, read_ledger(node.ledger or "").dialled()) == (True, {})
    change(dialer, "UPDATE gateway SET outbound_enabled = true")
    wait_until(lambda: is_over(call_id), "the end of the call")
    assert read_ledger(node.ledger or "").dialled() == {"+14155561000": 1}


def claimed(campaign_id: uuid.UUID) -> int:
    return len(claimed_calls(campaign_id))


def claimed_calls(campaign_id: uuid.UUID) -> list[Claimed]:
    seen = due(str(campaign_id), 1)
    return claim(str(campaign_id), DIALER, [wanted(item) for item in seen])


def test_a_claimed_test_call_is_seen_that_may_not_leave_any_more(world: World) -> None:
    """Its permit lapsed, say, while the campaign that it tries was stopped, or its number suppressed for that."""
    barred, over, good = (make_campaign(world, 1, status=CampaignStatus.DRAFT) for _ in range(3))
    tests = [take(world, "+14155561000", test_of=campaign_id) for campaign_id in (barred, over, good)]
    (first,), (second,), (third,) = (claimed_calls(campaign_id) for campaign_id in tests)
    sql(
        "UPDATE campaign SET status = 'completed', end_reason = 'stopped', completed_at = now() WHERE id = %s",
        over,
    )
    sql(ENTRY, world.tenant_id, barred)
    calls = [first.call_id, second.call_id, third.call_id]
    seen = lookout.look(DIALER, Unsent(calls, [None] * 3)).suppressed
    assert set(seen) == {first.call_id, second.call_id}
    assert [claim_again(call_id, DIALER) is not None for call_id in calls] == [False, False, True]


def test_a_test_call_that_the_claim_leaves_is_cancelled_for_its_campaigns_list(world: World) -> None:
    campaign_id = make_campaign(world, 1, status=CampaignStatus.DRAFT)
    call_id, other = (take(world, "+14155561000", test_of=one) for one in (campaign_id, None))
    (left,), (free,) = due(str(call_id), 1), due(str(other), 1)
    sql(ENTRY, world.tenant_id, campaign_id)
    both = (left, free)
    numbers = [one.phone_number for one in both]
    done = suppressed_contacts.cancel_named(DIALER, [one.contact_id for one in both], numbers, [None, None])
    assert done.campaigns == (str(call_id),)


def test_news_of_a_campaigns_list_cancels_its_test_calls(world: World) -> None:
    campaign_id = make_campaign(world, 1, status=CampaignStatus.DRAFT)
    call_id, other = (take(world, "+14155561000", test_of=one) for one in (campaign_id, None))
    sql(ENTRY, world.tenant_id, campaign_id)
    sql("INSERT INTO suppression_news SELECT id FROM suppression")
    done = suppressed_contacts.cancel_slice(DIALER, suppressed_contacts.in_calls())
    assert done.campaigns == (str(call_id),)
    assert counts(other) == {"pending": 1}


def test_a_test_call_is_not_claimed_once_its_campaign_is_over(world: World) -> None:
    campaign_id = make_campaign(world, 1, status=CampaignStatus.DRAFT)
    first, second = (take(world, f"+1415556100{n}", test_of=campaign_id) for n in range(2))
    assert claimed(first) == 1
    sql(
        "UPDATE campaign SET status = 'completed', end_reason = 'stopped', completed_at = now() WHERE id = %s",
        campaign_id,
    )
    assert claimed(second) == 0
    assert counts(campaign_id) == {"pending": 1}, "what is tried stays as it is"


def test_a_test_call_is_not_claimed_to_whom_its_campaign_may_not_call(world: World) -> None:
    campaign_id = make_campaign(world, 1, status=CampaignStatus.DRAFT)
    call_id = take(world, "+14155561000", test_of=campaign_id)
    sql(ENTRY, world.tenant_id, campaign_id)
    assert claimed(call_id) == 0
