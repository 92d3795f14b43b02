"""Where somebody may ask a contact to go, from every state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from campaigns.contact_changes import Asked, ContactRefusedError, TimeRefusedError, asked_for
from models import CONTACT_REQUESTS, ContactStatus

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
OUT, IN, AT, NULL = (
    {"status": "cancelled"},
    {"status": "pending"},
    {"next_attempt_at": LATER},
    {"next_attempt_at": None},
)
CANCELLED, BACK, CALLBACK = (
    Asked(ContactStatus.CANCELLED, None, callback=False),
    Asked(ContactStatus.PENDING, None, callback=False),
    Asked(ContactStatus.PENDING, LATER, callback=True),
)
ALLOWED = {
    "pending": {0: CANCELLED, 1: BACK, 2: CALLBACK, 3: BACK},
    "failed": {1: BACK, 2: CALLBACK},
    "cancelled": {0: CANCELLED, 1: BACK, 2: CALLBACK},
    "completed": {2: CALLBACK},
}


@pytest.mark.parametrize(("status", "which"), list(product(ContactStatus, range(4))))
def test_every_request_in_every_state(status: ContactStatus, which: int) -> None:
    changes: Any = (OUT, IN, AT, NULL)[which]
    expected = ALLOWED.get(status, {}).get(which)
    if expected is None:
        with pytest.raises(ContactRefusedError, match="Contact is"):
            asked_for(changes, status, NOW)
        return
    assert asked_for(changes, status, NOW) == expected
    assert expected.to in CONTACT_REQUESTS[status]


def test_a_time_that_cannot_be_is_refused_and_nothing_asked_is_nothing_done() -> None:
    with pytest.raises(
        TimeRefusedError, match=r"next_attempt_at is 2027-03-01T11:59:59.000Z; it must not be in"
    ):
        asked_for({"next_attempt_at": NOW - timedelta(seconds=1)}, ContactStatus.PENDING, NOW)
    with pytest.raises(TimeRefusedError, match="cannot be given with the status cancelled"):
        asked_for({"status": "cancelled", "next_attempt_at": LATER}, ContactStatus.PENDING, NOW)
    assert asked_for({}, ContactStatus.CONNECTED, NOW) is None
