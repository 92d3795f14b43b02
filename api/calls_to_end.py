"""Has calls ended, by a halt or by `stop?hangup=true`, and says which nodes have not ended theirs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import gevent

from api import schemas
from api.transactions import transaction
from campaigns import calls_to_end
from campaigns.calls_to_end import StillUp

ANSWER_SECONDS = 2.0
"""A node that can be reached has ended its calls long before."""
POLL_SECONDS = 0.05

EXAMPLE = [{"node": "fs2", "calls": 3}]


class StillUpSchema(schemas.Schema):
    """Calls of one node that have to end and are not known to be over."""

    node = schemas.Text(required=True)
    calls = schemas.Integer(required=True)


def mark(calls: Callable[[], None]) -> None:
    """Commit that these calls have to end."""
    with transaction():
        calls()


def wait_until_over(scope: str, campaign_id: uuid.UUID | None = None) -> list[StillUp]:
    """What is still up of the calls that have to end, at the latest after ANSWER_SECONDS: at nodes that could not be
    reached, or do not answer. Their calls end once they can."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        with transaction(writes=False):
            left = calls_to_end.still_up(scope, campaign_id)
        if not left or time.monotonic() >= deadline:
            return left
        gevent.sleep(POLL_SECONDS)
