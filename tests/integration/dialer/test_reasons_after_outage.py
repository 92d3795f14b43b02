"""While Redis is away a campaign says so, since when it is not dialled, and no longer once it is dialled again."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.valkey import EmbeddedValkey
from models import CampaignStatus, db, rows
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer
from tests.judging import Judge
from tests.waiting import HANG_SECONDS, wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

STATE = """
SELECT blocked_reason AS reason, blocked_since AS since, now() AS now, (
    SELECT count(*) FROM call WHERE campaign_id = campaign.id) AS calls, (
    SELECT max(created_at) FROM call WHERE campaign_id = campaign.id) AS last
FROM campaign WHERE id = %s
"""


def state(campaign_id: uuid.UUID) -> dict[str, Any]:
    with db.connection_context():
        (row,) = rows(STATE, campaign_id)
    return row


@contextmanager
def away(valkey: EmbeddedValkey, how: str) -> Iterator[None]:
    """Redis does not answer, or loses its memory besides."""
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(valkey.pid, signal.SIGCONT if how == "silent" else signal.SIGKILL)
    if how == "emptied":
        valkey.restart()


@pytest.mark.parametrize("how", ["silent", "emptied"])
def test_no_redis_is_told_with_its_time_and_gone_with_the_first_call_after(
    world: World,
    node: SimulatedNode,
    database_url: str,
    redis_url: str,
    *,
    valkey: EmbeddedValkey,
    judge: Judge,
    how: str,
) -> None:
    campaign_id = make_campaign(world, 600, max_concurrent_calls=50, status=CampaignStatus.RUNNING)
    with db.connection_context():
        db.execute_sql("UPDATE gateway SET cps = 20")
    dialer = Dialer(database_url, redis_url, f"{node.url}?name=fs1&cps=500").start()
    try:
        wait_until(lambda: state(campaign_id)["calls"] >= 20, "the first calls")
        with away(valkey, how):
            wait_until(lambda: state(campaign_id)["reason"] == "no_redis", "the word")
            blocked = state(campaign_id)
            assert blocked["last"] <= blocked["since"] <= blocked["now"]
        dialled = gone = None
        until = time.monotonic() + HANG_SECONDS
        while gone is None:
            now = state(campaign_id)
            assert time.monotonic() < until, now
            if dialled is None and now["calls"] > blocked["calls"]:
                dialled = now["last"]
            if now["reason"] is None:
                gone = now
        assert gone["since"] is None
        # Nothing takes the word back without a call; how soon after the first it is, real seconds say.
        assert gone["calls"] > blocked["calls"]
        judge.at_most(
            (gone["now"] - (dialled or gone["last"])).total_seconds(), 0.5, "seconds until it was gone"
        )
        # A Redis that answers late, for which a busy machine suffices, is told of once more.
        again = 0
        until = time.monotonic() + HANG_SECONDS
        while (later := state(campaign_id))["calls"] < gone["calls"] + 20:
            assert time.monotonic() < until, later
            again += later["reason"] is not None
        judge.at_most(again, 0, "times that a reason was told of though calls were dialled")
    finally:
        dialer.die()
