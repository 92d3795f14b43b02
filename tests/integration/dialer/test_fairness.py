"""Campaigns that share a cap share it: none starves because another is always there first."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from models import CampaignStatus, db
from simulator.ledger import read_ledger, window_peak
from simulator.process import SimulatedNode
from tests.examples import first
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer
from tests.judging import Judge
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[SimulatedNode]:
    with SimulatedNode(speed=20, ledger=tmp_path / "ledger") as running:
        yield running


def sent(node: SimulatedNode) -> Counter[str]:
    assert node.ledger is not None
    return Counter(line.campaign for line in read_ledger(node.ledger).originates)


@pytest.mark.parametrize("cap", first("cps = 20", "channels = 2"))
def test_two_campaigns_on_one_gateway_both_get_their_part(
    world: World, node: SimulatedNode, database_url: str, redis_url: str, *, cap: str, judge: Judge
) -> None:
    campaigns: list[uuid.UUID] = [
        make_campaign(world, 150, max_concurrent_calls=50, status=CampaignStatus.RUNNING) for _ in range(3)
    ]
    with db.connection_context():
        db.execute_sql(f"UPDATE gateway SET {cap}")
        # Everybody answers at once and talks for a fifth of a second; each campaign has numbers of its own.
        for index, campaign_id in enumerate(campaigns):
            db.execute_sql(
                "UPDATE contact SET phone_number = '+1415' || %s || lpad(position::text, 4, '0') || '10'"
                " WHERE campaign_id = %s",
                (index + 1, campaign_id),
            )

    def enough() -> bool:
        return sent(node).total() >= 120

    with ExitStack() as stack:
        dialer = Dialer(database_url, redis_url, f"{node.url}?name=fs1&cps=500")
        stack.callback(dialer.die)
        dialer.start()
        wait_until(enough, "120 calls")
    if cap.startswith("cps"):
        times = [line.t for line in read_ledger(node.ledger or "").originates]
        # One good second: a busy machine may miss turns at any other time.
        judge.at_least(window_peak(times, 1.0), 0.9 * 20, "calls of the best second")
    shares = [sent(node)[str(campaign_id)] for campaign_id in campaigns]
    assert min(shares) >= 0.15 * sum(shares), shares
