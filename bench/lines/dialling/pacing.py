"""What it costs to keep how fast each campaign is dialled, beside the dialling itself.

The same rows for the same campaigns, written to the same PostgreSQL and taken away again, by a process that does
nothing else: beside all that the dialer and PostgreSQL spend on dialling them, of which it is a part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from statistics import median

from bench.stand import Load, Stand, Window, load, rounds, seconds, stand
from bench.table import Bound, Figure, Row
from dialer.dispatch import pace_log
from dialer.dispatch.pace_log import PaceLog
from models import connect

CAMPAIGNS = 20
BATCHES = 25
"""Looks a second in which every campaign asks for calls: more than there are."""
SECONDS, QUICK_SECONDS = 2_000, 400
A_DAY_AGO = -90_000.0
"""Rows of then are taken away at once."""


def measure(quick: bool) -> Sequence[Row]:
    """Twenty campaigns without a cap, each of which has something to say in every second."""
    with stand() as at:
        dialled = load(at, CAMPAIGNS, 600 if quick else 3_000)
        windows = [_window(at, dialled, quick) for _ in range(rounds(quick))]
        dispatch = median((one.spent.dialer + one.spent.postgres) / one.seconds for one in windows)
        ours, theirs = _keeping(at, dialled.campaigns, QUICK_SECONDS if quick else SECONDS)
    beside = f"dialling: {dispatch:.2f} cores; keeping: {ours * 1e3:.2f} ms a second, PostgreSQL {theirs * 1e3:.2f}"
    what = f"CPU of keeping the pacing of {CAMPAIGNS} campaigns, of that of dialling them"
    return [Figure(what, (ours + theirs) / dispatch * 100, "%", Bound.AT_MOST, 2.0, beside)]


def _window(at: Stand, dialled: Load, quick: bool) -> Window:
    with dialled.dialled():
        window = at.window(seconds(quick))
    assert dialled.left(), "the lists were at their end"
    return window


def _keeping(at: Stand, campaigns: Sequence[str], count: int) -> tuple[float, float]:
    """CPU seconds of this process and of PostgreSQL for each second that is kept, and forgotten."""
    pool = connect(at.database_url, pool_size=1)
    clock = time.monotonic()
    pace_log.CLOCK_SECONDS = math.inf
    log = PaceLog("d000000000000", lambda _campaign: 10, lambda _campaign: None)
    log.counts.now = lambda: clock
    log.write(())
    assert log.counts.offset is not None
    log.counts.offset += A_DAY_AGO
    before, began = at.spent().postgres, time.process_time()
    for _ in range(count):
        for _ in range(BATCHES):
            for campaign_id in campaigns:
                log.counts.note(campaign_id, 2, 2, None)
        clock += 1.0
        log.write(campaigns)
    pace_log.purge()
    ours, theirs = time.process_time() - began, at.spent().postgres - before
    pool.close_all()
    return ours / count, theirs / count
