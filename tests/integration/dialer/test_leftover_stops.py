"""A stop is a mark: who dials or records goes by it at once, and who dies before the list is done is followed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import gevent
import pytest

from campaigns import lifecycle, stopping
from campaigns.campaign_state import WEB
from campaigns.stopping import cancel_slice, left_over
from dialer.fault_points import FaultPoint
from dialer.leftover_stops import LeftoverStops
from dialer.record.outcome_rows import write
from models import Contact, db, rows
from tests.factories import World, counts, make_campaign
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all, ended
from tests.waiting import HANG_SECONDS

OTHER = "d0000000000f1"
LIST = 10
ROUND = """
import sys
from pathlib import Path
from campaigns import stopping
from dialer.fault_points import arm
from dialer.leftover_stops import LeftoverStops
from models import connect
stopping.SLICE = 4
connect(sys.argv[1])
arm(Path(sys.argv[2]))
LeftoverStops(sys.argv[3], lambda: True, lambda: None).round()
"""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "SLICE", 4)


def stop(world: World, campaign_id: uuid.UUID) -> None:
    with db.connection_context(), db.atomic():
        assert lifecycle.stop(campaign_id, world.tenant_id).changed


def age(seconds: float) -> None:
    with db.connection_context():
        rows("UPDATE campaign SET stopping_at = stopping_at - make_interval(secs => %s)", seconds)


def finisher(owner: str, turn: bool = True) -> LeftoverStops:
    return LeftoverStops(owner, lambda: turn, lambda: None)


def told(campaign_id: uuid.UUID) -> list[tuple[str, bool]]:
    """The transitions of the campaign in their order: status, and whether of the campaign itself."""
    with db.connection_context():
        found = rows(
            "SELECT status, contact_id IS NULL AS own FROM transition WHERE campaign_id = %s ORDER BY id",
            campaign_id,
        )
    return [(row["status"], row["own"]) for row in found]


def kept_counts_are_right(campaign_id: uuid.UUID) -> dict[str, int]:
    with db.connection_context():
        found = rows(
            "SELECT status, count(*)::int AS n FROM contact WHERE campaign_id = %s GROUP BY status",
            campaign_id,
        )
    kept = counts(campaign_id)
    assert kept == {row["status"]: row["n"] for row in found}
    return kept


def test_from_the_mark_on_nobody_is_claimed_or_tried_again_and_the_end_is_told_last(world: World) -> None:
    campaign_id = make_campaign(world, LIST, retries_per_contact=3)
    busy, unsent = claim_all(campaign_id, limit=2)
    stop(world, campaign_id)
    # What a dialer of any release goes by.
    with db.connection_context():
        (campaign,) = rows("SELECT status, end_reason, generation FROM campaign WHERE id = %s", campaign_id)
    assert campaign == {"status": "completed", "end_reason": "stopped", "generation": 1}
    assert claim_all(campaign_id) == []
    assert not lifecycle.complete_if_exhausted(campaign_id, OTHER)
    write(DIALER, [], [], [ended(busy.call_id, "pending")])
    assert kept_counts_are_right(campaign_id) == {"pending": 8, "originated": 1, "failed": 1}
    assert ("completed", True) not in told(campaign_id)
    for pending, cancelled in ((4, 4), (0, 8)):
        done = cancel_slice(campaign_id, WEB)
        assert done is not None
        left = kept_counts_are_right(campaign_id)
        assert (left.get("pending", 0), left["cancelled"], done.cancelled) == (pending, cancelled, 4)
    assert ("completed", True) not in told(campaign_id), "that nobody is left is known with the next"
    done = cancel_slice(campaign_id, WEB)
    assert done is not None
    assert done.over
    assert told(campaign_id)[-1] == ("completed", True)
    assert cancel_slice(campaign_id, WEB) is None
    write(DIALER, [], [], [ended(unsent.call_id, "pending", counts=False, disposition=None, sent_age=None)])
    assert kept_counts_are_right(campaign_id) == {"failed": 1, "cancelled": 9}
    assert told(campaign_id).count(("completed", True)) == 1


def test_a_slice_holds_up_no_outcome_of_its_campaign(world: World) -> None:
    campaign_id = make_campaign(world, LIST, retries_per_contact=3)
    (call,) = claim_all(campaign_id, limit=1)
    stop(world, campaign_id)
    with db.connection_context(), db.atomic():
        assert cancel_slice(campaign_id, WEB) is not None
        writing = gevent.spawn(write, DIALER, [], [], [ended(call.call_id, "failed")])
        writing.get(timeout=HANG_SECONDS / 10)
    assert kept_counts_are_right(campaign_id) == {"pending": 5, "cancelled": 4, "failed": 1}


def test_one_at_a_time_cancels_and_who_is_being_claimed_is_left_for_later(world: World) -> None:
    campaign_id = make_campaign(world, 3)
    stop(world, campaign_id)
    with db.connection_context(), db.atomic():
        # As a claim that began before the stop.
        rows("SELECT 1 FROM contact WHERE campaign_id = %s AND position = 1 FOR UPDATE", campaign_id)
        one = gevent.spawn(cancel_slice, campaign_id, OTHER).get(timeout=HANG_SECONDS / 10)
    assert one == stopping.Slice(cancelled=2, over=False)
    with db.connection_context(), db.atomic():
        assert cancel_slice(campaign_id, WEB) == stopping.Slice(cancelled=1, over=True)
        assert gevent.spawn(cancel_slice, campaign_id, OTHER).get(timeout=HANG_SECONDS / 10) is None
    assert kept_counts_are_right(campaign_id) == {"cancelled": 3}


def test_who_stops_on_the_way_is_followed_once_his_mark_is_old_and_by_one(world: World) -> None:
    campaign_id = make_campaign(world, LIST)
    stop(world, campaign_id)
    assert cancel_slice(campaign_id, WEB) is not None
    finisher(OTHER).round()
    assert kept_counts_are_right(campaign_id) == {"pending": 6, "cancelled": 4}, "its mark is young"
    age(3)
    with db.connection_context():
        assert left_over() == [campaign_id]
    finisher(OTHER, turn=False).round()
    assert kept_counts_are_right(campaign_id) == {"pending": 6, "cancelled": 4}, "it is another's turn"
    finisher(OTHER).round()
    assert kept_counts_are_right(campaign_id) == {"cancelled": LIST}
    assert told(campaign_id) == [("cancelled", False)] * LIST + [("completed", True)]
    with db.connection_context():
        assert left_over() == []


def test_a_canceller_that_is_killed_between_two_slices_leaves_the_rest_to_the_next(
    world: World, database_url: str, tmp_path: Path
) -> None:
    campaign_id = make_campaign(world, LIST)
    stop(world, campaign_id)
    age(3)
    (tmp_path / FaultPoint.SLICE_CANCELLED).write_text("KILL")
    command: list[Any] = [sys.executable, "-c", ROUND, database_url, tmp_path, DIALER]
    killed = subprocess.run(command, check=False, env=os.environ, timeout=HANG_SECONDS)
    assert killed.returncode == -signal.SIGKILL
    assert kept_counts_are_right(campaign_id) == {"pending": 6, "cancelled": 4}
    finisher(OTHER).round()
    assert kept_counts_are_right(campaign_id) == {"cancelled": LIST}
    assert told(campaign_id) == [("cancelled", False)] * LIST + [("completed", True)]
    with db.connection_context():
        assert Contact.select().where(Contact.version != 1).count() == 0
