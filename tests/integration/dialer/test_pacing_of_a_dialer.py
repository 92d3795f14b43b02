"""One dialer from outside: it begins slowly, says so, keeps how fast it was, and is as fast as it may be at last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from campaigns.slow_start import LAST_LEVEL
from models import db, rows
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def sql(statement: str, *values: Any) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(statement, *values)


def test_a_slow_start_is_told_kept_and_over_when_its_last_level_is_reached(
    world: World, start: Callable[[], Dialer]
) -> None:
    campaign_id = make_campaign(world, 300, max_concurrent_calls=50, slow_start=True)

    def reason() -> str | None:
        (row,) = sql("SELECT blocked_reason AS reason FROM campaign WHERE id = %s", campaign_id)
        found: str | None = row["reason"]
        return found

    def paces(condition: str) -> int:
        (row,) = sql(
            f"SELECT count(*) AS n FROM campaign_pace WHERE campaign_id = %s AND {condition}", campaign_id
        )
        found: int = row["n"]
        return found

    dialer = start()
    wait_until(lambda: reason() == "slow_start", "the word")
    wait_until(lambda: paces("admitted > 0 AND cap = 'slow_start'") > 1, "seconds that are kept")
    assert sql("SELECT level, generation FROM campaign_ramp WHERE campaign_id = %s", campaign_id) == [
        {"level": 0, "generation": 0}
    ]
    assert {row["dialer_id"] for row in sql("SELECT dialer_id FROM campaign_pace")} == {dialer.id}

    def all_kept() -> bool:
        (kept,) = sql("SELECT sum(admitted) AS calls, max(second) AS last FROM campaign_pace")
        (placed,) = sql("SELECT count(*) AS calls FROM call WHERE created_at < %s", kept["last"])
        return bool(kept["calls"] >= placed["calls"] > 0)

    wait_until(all_kept, "all that was admitted before the last second that is kept")
    sql("UPDATE campaign_ramp SET level = %s", LAST_LEVEL)
    wait_until(lambda: reason() is None, "the end of the slow start")
    wait_until(lambda: paces("admitted > 10") > 0, "a second at the full rate")
