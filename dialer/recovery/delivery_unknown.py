"""Notes calls whose delivery is unknown: their node may still have them in a buffer, so nobody resends them.

The dialer that wrote a call knows whether its node has acknowledged it, or has let go of the connection. Whoever
takes the call over knows nothing of that: its row says so before, and such a call is never sent again. Used by
recovery when a connection is lost, and by a process that ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import gevent

from dialer.live_calls import LiveCall
from models import db

LOOK_SECONDS = 0.1

NOTE = """
UPDATE call SET doubtful = true
WHERE id = ANY(%s::uuid[]) AND dialer_id = %s AND state = 'dispatching' AND sent_at IS NULL
"""
"""Notes of calls that nobody knows whether their orders arrived."""


def unproven(calls: Iterable[LiveCall]) -> list[LiveCall]:
    """Those that were written and neither shown nor refused, and that their node may not have read yet."""
    return [
        call
        for call in calls
        if call.maybe_undelivered
        and call.sent_at is not None
        and call.refusal is None
        and not call.seen
        and not call.over
    ]


def wait_for_delivery(calls: Iterable[LiveCall], until: float) -> None:
    """Wait until nothing of `calls`, which is walked through again and again, is unproven; till `until` at most."""
    while unproven(calls) and time.monotonic() < until:
        gevent.sleep(LOOK_SECONDS)


def note(dialer_id: str, calls: Sequence[LiveCall]) -> None:
    """Let the rows of these calls say that their delivery is unknown, those that are this dialer's and that nobody
    has seen.

    Raises what a database that is away raises.
    """
    if calls:
        with db.connection_context():
            db.execute_sql(NOTE, ([call.call_id for call in calls], dialer_id))
