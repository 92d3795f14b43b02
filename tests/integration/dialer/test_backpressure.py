"""What refuses for want of capacity is asked for less, by every dialer, and no contact pays for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from limits.rate_cuts import Kind, RateCuts
from models import CampaignStatus, db, rows
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import PREFIX, Dialer, change, is_over
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def dialer(world: World, database_url: str, redis_url: str, node: SimulatedNode) -> Iterator[Dialer]:
    made = Dialer(database_url, redis_url, f"{node.url}?name=fs1&cps=50")
    yield made
    made.end()


def test_a_carrier_without_capacity_is_asked_for_half(world: World, dialer: Dialer) -> None:
    campaign_id = make_campaign(world, 150, max_concurrent_calls=30)
    with db.connection_context():
        # One that refuses every call is paused: one that is full lets others through between its refusals.
        rows(
            "UPDATE contact SET phone_number = '+141555' || lpad(position::text, 3, '0')"
            " || CASE WHEN position %% 3 = 0 THEN '04' ELSE '10' END WHERE campaign_id = %s",
            campaign_id,
        )
    dialer.start()
    gateway = (Kind.GATEWAY, str(world.gateway_id))
    wait_until(lambda: RateCuts(dialer.redis, PREFIX).read([gateway]), "a cut")
    # It is cut again while it goes on refusing, and begins to come back.
    wait_until(lambda: (dialer.process.backpressure.cps(*gateway, 50) or 50) < 50, "the dialer to heed it")
    with db.connection_context():
        refused = rows("SELECT attempts FROM contact WHERE carrier_refusals > 0 AND status = 'pending'")
    assert refused
    assert {row["attempts"] for row in refused} == {0}


def test_a_node_that_refuses_is_asked_for_half(world: World, dialer: Dialer, node: SimulatedNode) -> None:
    node.fault("pause")
    make_campaign(world, 6)
    dialer.start()
    wait_until(lambda: dialer.process.backpressure.cps(Kind.NODE, "fs1", 50) == 25, "a cut")
    (caps,) = dialer.process.nodes_view.offers()[0]
    assert (caps.name, caps.cps) == ("fs1", 25)
    with db.connection_context():
        refused = rows("SELECT attempts, free_sends FROM contact WHERE free_sends > 0")
    assert refused
    assert {row["attempts"] for row in refused} == {0}


def test_a_node_that_refuses_every_call_is_shown_with_why_and_its_campaign_says_so(
    world: World, dialer: Dialer, node: SimulatedNode
) -> None:
    node.fault("pause")
    campaign_id = make_campaign(world, 6)
    dialer.start()

    def campaign() -> dict[str, object]:
        with db.connection_context():
            (row,) = rows("SELECT blocked_reason, next_action_at FROM campaign WHERE id = %s", campaign_id)
        return row

    wait_until(lambda: campaign()["blocked_reason"] == "node_refuses", "the campaign to say so")
    (shown,) = dialer.process.nodes_view.info(dialer.process.node_health)
    assert (shown["connected"], shown["unanswered"]) == (True, 0)
    assert shown["last_error"].startswith("refuses calls: ")
    assert shown["error_since"] is not None
    node.clear()
    with db.connection_context():
        db.execute_sql("UPDATE contact SET next_attempt_at = NULL WHERE status = 'pending'")
    wait_until(lambda: campaign()["blocked_reason"] != "node_refuses", "it to go on")


def test_a_node_that_lost_what_it_counts_with_is_asked_for_half_and_its_contacts_are_called_later(
    world: World, dialer: Dialer, node: SimulatedNode
) -> None:
    campaign = make_campaign(world, 6, status=CampaignStatus.PAUSED, refused=False)
    dialer.start()
    wait_until(dialer.process.cluster.connected, "the link")
    link = dialer.process.cluster.links["fs1"]
    link.api("unload mod_hash")
    change(dialer, "UPDATE campaign SET status = 'running' WHERE id = %s", campaign)
    wait_until(lambda: dialer.process.backpressure.cps(Kind.NODE, "fs1", 50) == 25, "a cut")
    with db.connection_context():
        refused = rows("SELECT attempts, free_sends, status FROM contact WHERE free_sends > 0")
    assert refused
    assert {(row["attempts"], row["status"]) for row in refused} <= {(0, "pending"), (1, "originated")}
    link.api("load mod_hash")
    wait_until(lambda: is_over(campaign), "the end")
    with db.connection_context():
        unknown = rows("SELECT id FROM contact WHERE disposition = 'outcome_unknown'")
        counted = rows("SELECT DISTINCT attempts FROM contact")
    assert unknown == []
    assert counted == [{"attempts": 1}]
