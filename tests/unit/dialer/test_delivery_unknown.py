"""What was written and is not proven is waited for at the end, but not for ever."""

from __future__ import annotations

import time
from typing import Any

import gevent
import pytest

from dialer.live_calls import LiveState
from dialer.recovery.delivery_unknown import unproven, wait_for_delivery
from tests.unit.dialer.factories import make_call

SENT: dict[str, Any] = {"sent_at": 1.0}
AWAITED = SENT | {"state": LiveState.SENT}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (AWAITED, True),
        (SENT | {"delivery_unknown": True}, True),
        (SENT, False),
        (AWAITED | {"state": LiveState.SEEN}, False),
        (AWAITED | {"state": LiveState.OVER}, False),
        (AWAITED | {"refusal": "USER_BUSY"}, False),
        ({"delivery_unknown": True}, False),
    ],
    ids=[
        "not acknowledged", "its connection given up", "acknowledged", "seen", "over", "refused",
        "taken over from who wrote it",
    ],
)  # fmt: skip
def test_which_calls_are_unproven(known: dict[str, Any], expected: bool) -> None:
    call = make_call(**known)
    assert unproven([call]) == ([call] if expected else [])


def test_an_acknowledgement_ends_the_wait() -> None:
    call = make_call(**AWAITED)
    waiting = gevent.spawn(wait_for_delivery, [call], time.monotonic() + 3600.0)
    gevent.idle()
    before = waiting.dead
    call.acknowledge(0.0)
    waiting.join(timeout=20)
    assert (before, waiting.dead) == (False, True)


def test_the_wait_is_over_when_its_time_is() -> None:
    call = make_call(**AWAITED)
    wait_for_delivery([call], time.monotonic() + 0.01)
    assert unproven([call]) == [call]
