"""How long the garbage collector stops a dialer while a backlog of events grows."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from typing import Any

import orjson

from bench.table import Bound, Figure
from dialer.gc_tuning import keep_collections_short
from freeswitch.decoding import decode_event
from tests.unit.freeswitch.samples import hangup

IN_PAIRS = True

LONGEST_MS = 50.0


def measure(_quick: bool) -> Sequence[Figure]:
    """A backlog of 100,000 events: how long the garbage collector stops everything while it grows."""
    body = orjson.dumps(hangup("USER_BUSY", 17))
    began = longest = 0.0

    def note(phase: str, _info: dict[str, Any]) -> None:
        nonlocal began, longest
        if phase == "start":
            began = time.thread_time()
        else:
            longest = max(longest, time.thread_time() - began)

    collector = keep_collections_short(lambda: 0)
    gc.callbacks.append(note)
    backlog = [decode_event(body) for _ in range(100_000)]
    gc.callbacks.remove(note)
    collector.kill()
    assert len(backlog) == 100_000
    what = "longest garbage collection of a backlog"
    return [Figure(what, longest * 1000, "ms of CPU", Bound.AT_MOST, LONGEST_MS, "what a call may wait")]
