"""What was written and is not proven is waited for at the end, but not for ever."""

from __future__ import annotations

import time
from typing import Any

import gevent
import pytest

from dialer.recovery.delivery_unknown import unproven, wait_for_proof
from tests.unit.dialer.factories import make_flight

SENT: dict[str, Any] = {"sent_at": 1.0}
AWAITED = SENT | {"unanswered": True}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (AWAITED, True),
        (SENT | {"doubtful": True}, True),
        (SENT, False),
        (AWAITED | {"created": True}, False),
        (AWAITED | {"over": True}, False),
        (AWAITED | {"refusal": "USER_BUSY"}, False),
        ({"doubtful": True}, False),
    ],
    ids=[
        "not acknowledged", "its connection given up", "acknowledged", "seen", "over", "refused",
        "taken over from who wrote it",
    ],
)  # fmt: skip
def test_which_calls_are_unproven(known: dict[str, Any], expected: bool) -> None:
    flight = make_flight(**known)
    assert unproven([flight]) == ([flight] if expected else [])


def test_an_acknowledgement_ends_the_wait() -> None:
    flight = make_flight(**AWAITED)
    waiting = gevent.spawn(wait_for_proof, [flight], time.monotonic() + 3600.0)
    gevent.idle()
    before = waiting.dead
    flight.unanswered = False
    waiting.join(timeout=20)
    assert (before, waiting.dead) == (False, True)


def test_the_wait_is_over_when_its_time_is() -> None:
    flight = make_flight(**AWAITED)
    wait_for_proof([flight], time.monotonic() + 0.01)
    assert unproven([flight]) == [flight]
