"""Windows that close, at the switch: how late an originate reaches the node after its contact's window has closed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import gevent
import pytest

from models import db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.factories import World
from tests.integration.dialer.dialer_rig import Dialer
from tests.integration.dialer.test_windows import change, windowed
from tests.judging import Judge
from tests.waiting import wait_until

GROUP, CLOSINGS = 7, 100
OPEN_SECONDS, CLOSED_SECONDS = 0.4, 1.2
LATEST_SECONDS = 1.0


def blocked_reason(campaign_id: UUID) -> str | None:
    (found,) = change("SELECT blocked_reason FROM campaign WHERE id = %s", campaign_id)
    said: str | None = found["blocked_reason"]
    return said


@pytest.mark.full
def test_a_hundred_closings_let_nothing_out_later_than_a_second(
    world: World, start: Callable[..., Dialer], node: SimulatedNode, tmp_path: Path, judge: Judge
) -> None:
    campaign_id = windowed(world, GROUP, contacts=2_000)
    change("UPDATE campaign SET max_concurrent_calls = 100 WHERE id = %s", campaign_id)
    change(
        "INSERT INTO opening SELECT %s, %s, at, at + make_interval(secs => %s) FROM ("
        " SELECT now() + make_interval(secs => 3 + n * %s) AS at FROM generate_series(1, %s) AS n) AS moments",
        campaign_id,
        GROUP,
        OPEN_SECONDS,
        OPEN_SECONDS + CLOSED_SECONDS,
        CLOSINGS,
    )
    start()
    gevent.sleep(3 + (CLOSINGS + 1) * (OPEN_SECONDS + CLOSED_SECONDS))
    # Nothing is said to hold a campaign back whose last call left a moment ago.
    wait_until(lambda: blocked_reason(campaign_id) == "window", "the word for a window that has closed")
    with db.connection_context():
        openings = rows(
            "SELECT extract(epoch FROM opens_at)::float8 AS opens, extract(epoch FROM closes_at)::float8 AS closes"
            " FROM opening WHERE campaign_id = %s ORDER BY opens_at",
            campaign_id,
        )
    moments = [one.t for one in read_ledger(tmp_path / "ledger").originates]
    opens = [one["opens"] for one in openings]
    late = [at - openings[bisect_right(opens, at) - 1]["closes"] for at in moments]
    within = {bisect_right(opens, at) for at in moments}
    assert len(within) > CLOSINGS / 2, "too few openings were used to say anything"
    assert min(moments) >= opens[0]
    judge.at_most(max(late), LATEST_SECONDS, "seconds after a window had closed")
