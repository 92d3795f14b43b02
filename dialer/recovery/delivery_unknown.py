"""Calls that were written and of which nothing is proven: their node may still have them in a buffer.

The dialer that wrote a call knows whether its node has acknowledged it, or has let go of the connection. Whoever
takes the call over knows nothing of that: its row says so before, and such a call is never sent again. Used by
recovery when a connection is lost, and by a process that ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import gevent

from dialer.live_calls import Flight
from models import db

LOOK_SECONDS = 0.1

_NOTE = """
UPDATE call SET doubtful = true
WHERE id = ANY(%s::uuid[]) AND dialer_id = %s AND state = 'dispatching' AND sent_at IS NULL
"""


def unproven(flights: Iterable[Flight]) -> list[Flight]:
    """Those that were written and neither shown nor refused, and that their node may not have read yet."""
    return [
        flight
        for flight in flights
        if (flight.unanswered or flight.doubtful)
        and flight.sent_at is not None
        and flight.refusal is None
        and not flight.seen
        and not flight.over
    ]


def wait_for_proof(flights: Iterable[Flight], until: float) -> None:
    """Wait until nothing of `flights`, which is walked through again and again, is unproven; till `until` at most."""
    while unproven(flights) and time.monotonic() < until:
        gevent.sleep(LOOK_SECONDS)


def note(dialer_id: str, flights: Sequence[Flight]) -> None:
    """Let the rows of these calls say that they are in doubt, those that are this dialer's and that nobody has seen.

    Raises what a database that is away raises.
    """
    if flights:
        with db.connection_context():
            db.execute_sql(_NOTE, ([flight.call_id for flight in flights], dialer_id))
