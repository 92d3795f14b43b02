"""What a rebuilt limiter is told of the calls that left not long ago."""

from __future__ import annotations

import pytest

from dialer.capacity.limiter_snapshot import snapshot
from models import db, rows
from tests.factories import World, make_campaign
from tests.integration.dialer.test_claims_and_outcomes import claim_all

OURS = "sent_by = dialer_id"
TAKEN_OVER = "sent_by = 'd0000000000fe'"


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        (f"{OURS}, sent_at = now() - interval '50 s'", 50),
        (f"{OURS}, sent_at = now() - interval '70 s'", None),
        (f"{OURS}, sent_at = NULL", 0),
        (f"{TAKEN_OVER}, sent_at = now() - interval '70 s'", 0),
        (f"{TAKEN_OVER}, sent_at = now() - interval '70 s', answered_at = now() - interval '40 s'", 40),
        (
            f"{TAKEN_OVER}, sent_at = now() - interval '70 s', state = 'ended', ended_at = now() - interval '20 s'",
            20,
        ),
        (f"{OURS}, sent_at = NULL, state = 'ended', ended_at = now()", None),
    ],
    ids=["sent", "sent long ago", "perhaps sent", "perhaps sent again", "answered", "ended", "never sent"],
)
def test_a_call_counts_from_the_latest_moment_at_which_it_may_have_left(
    world: World, row: str, seconds: int | None
) -> None:
    claim_all(make_campaign(world, 1))
    with db.connection_context():
        rows(f"UPDATE call SET {row}")
    ages = [send.age_ms for send in snapshot().recent]
    if seconds is None:
        assert ages == []
    else:
        (age,) = ages
        assert age >= 1000 * seconds
        assert age // 1000 in range(seconds, seconds + 10)
