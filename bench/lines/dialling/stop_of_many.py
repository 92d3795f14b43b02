"""A stop of 100,000 contacts while it is dialled: when the last call leaves, when all is done, what others notice."""

from __future__ import annotations

import time
from collections.abc import Sequence

import gevent

from bench.stand import Load, account, load, settled, stand, wait_for
from bench.table import Row, goal_at_most
from bench.windows import lags, percentile

OWN_RATE, OTHERS_RATE = 20, 40
WARM_UP_SECONDS, BEFORE_SECONDS, AFTER_SECONDS = 3.0, 5.0, 6.0
LAG_SHARE = 0.99


def measure(quick: bool) -> Sequence[Row]:
    """One tenant stops, another goes on."""
    count = 20_000 if quick else 100_000
    length = WARM_UP_SECONDS + BEFORE_SECONDS + AFTER_SECONDS
    with stand() as at:
        stopped = load(at, 1, count, gateway={"cps": OWN_RATE})
        others = load(at, 1, round(OTHERS_RATE * length * 3), gateway={"cps": OTHERS_RATE})
        (campaign,) = stopped.campaigns
        stopped.start()
        others.start()
        stopped.wait_begun()
        others.wait_begun()
        gevent.sleep(WARM_UP_SECONDS + BEFORE_SECONDS)
        asked = time.time()
        stopped.tenant.act(campaign, "stop")
        wait_for(lambda: done(stopped, campaign), "the end of the stop")
        took = time.time() - asked
        gevent.sleep(max(0.0, AFTER_SECONDS - took))
        others.pause()
        left = max(account(stopped).placed_at) - asked
        found = settled(others)
    before, during = (
        percentile(lags(found.ended, found.told, since, since + BEFORE_SECONDS), LAG_SHARE) * 1000
        for since in (asked - BEFORE_SECONDS, asked)
    )
    what = f"a stop of {count:,}"
    return [
        goal_at_most(f"last call after {what}", max(0.0, left * 1000), 100.0, "the request's start", "ms"),
        goal_at_most(what, took, 4.0, "until every contact is settled", "s"),
        goal_at_most(
            f"p99 from others' ends to their events during {what}",
            during,
            before + 100.0,
            f"before: {before:.0f} ms",
            "ms",
        ),
    ]


def done(stopped: Load, campaign: str) -> bool:
    """Whether every contact is settled."""
    counts = stopped.tenant.get(campaign)["counts"]
    return bool(counts["pending"] + counts["originated"] + counts["connected"] == 0)
