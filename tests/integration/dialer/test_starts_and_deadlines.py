"""Campaigns that start and end by themselves, on real rows: once, not early, and whatever state they are in."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import gevent
import psycopg
import pytest
from peewee import OperationalError

from campaigns import lifecycle, schedules
from campaigns.campaign_state import ActionResult
from campaigns.schedules import DueStart
from campaigns.stopping import cancel_slice
from dialer.lookout import look
from dialer.starts_and_deadlines import StartsAndDeadlines
from models import CampaignStatus, db, rows, transaction
from tests.factories import World, counts, make_campaign, make_world
from tests.integration.dialer.dialer_rig import Dialer, contacts_of, is_over
from tests.integration.dialer.test_claims_and_outcomes import DIALER, claim_all
from tests.waiting import HANG_SECONDS, wait_until

OTHER = "d0000000000f1"
SCHEDULED, PAUSED = CampaignStatus.SCHEDULED, CampaignStatus.PAUSED


class Told:
    """A dialer's part that starts and ends campaigns, and what it told."""

    def __init__(self, owner: str = DIALER, cannot_run: bool = False) -> None:
        self.messages: list[tuple[str, dict[str, object]]] = []
        self.nudges = 0
        self.timers: list[float] = []
        self.subject = StartsAndDeadlines(
            owner,
            lambda topic, payload: self.messages.append((topic, payload)),
            self.nudge,
            lambda campaign_id: cancel_slice(campaign_id, owner),
            lambda work: work(),
            lambda _: cannot_run,
            lambda seconds, _: self.timers.append(seconds),
        )

    def nudge(self) -> None:
        self.nudges += 1


@pytest.fixture
def told() -> Told:
    return Told()


def scheduled(world: World, contacts: int = 2, seconds: float = -1.0, **columns: Any) -> uuid.UUID:
    """A campaign that was to start so many seconds from now."""
    campaign_id = make_campaign(world, contacts, status=SCHEDULED, **columns)
    change(
        "UPDATE campaign SET scheduled_at = now() + make_interval(secs => %s), started_at = NULL,"
        " next_action_at = now() + make_interval(secs => %s) WHERE id = %s",
        seconds,
        seconds,
        campaign_id,
    )
    return campaign_id


def ends(campaign_id: uuid.UUID, seconds: float) -> None:
    change(
        "UPDATE campaign SET end_at = now() + make_interval(secs => %s) WHERE id = %s", seconds, campaign_id
    )


def change(statement: str, *values: object) -> None:
    with db.connection_context():
        rows(statement, *values)


def row(campaign_id: uuid.UUID) -> dict[str, Any]:
    with db.connection_context():
        (found,) = rows("SELECT * FROM campaign WHERE id = %s", campaign_id)
    return found


def again(campaign_id: uuid.UUID) -> None:
    """The time of its next try has come."""
    change("UPDATE campaign SET next_action_at = now() WHERE id = %s", campaign_id)


def due_starts() -> list[uuid.UUID]:
    return [due.campaign_id for due in schedules.starts()]


def starts_told(campaign_id: uuid.UUID) -> list[tuple[str, str]]:
    with db.connection_context():
        found = rows(
            "SELECT status, owner FROM transition WHERE campaign_id = %s AND contact_id IS NULL ORDER BY id",
            campaign_id,
        )
    return [(one["status"], one["owner"]) for one in found]


def test_a_campaign_whose_time_has_come_is_started_and_everybody_told(world: World, told: Told) -> None:
    campaign_id = scheduled(world)
    told.subject.round()
    found = row(campaign_id)
    assert (found["status"], found["scheduled_at"], found["next_action_at"]) == ("running", None, None)
    assert found["started_at"] is not None
    assert told.messages == [("wake", {"campaign_id": str(campaign_id), "generation": found["generation"]})]
    assert (starts_told(campaign_id), told.nudges) == ([("running", DIALER)], 1)
    told.subject.round()
    assert starts_told(campaign_id) == [("running", DIALER)]


def test_nothing_starts_early_and_the_next_moment_is_known(world: World, told: Told) -> None:
    assert (schedules.next_due(), look(DIALER).next_due) == (None, None)
    far = scheduled(world, seconds=3600.0)
    soon = scheduled(world, seconds=60.0)
    told.subject.round()
    assert (row(far)["status"], row(soon)["status"], told.messages) == ("scheduled", "scheduled", [])
    seconds = look(DIALER).next_due
    assert seconds is not None
    assert 0 < seconds <= 60
    # Held against whoever takes it for due, as one whose clock is ahead.
    assert schedules.start(DueStart(soon, world.tenant_id), DIALER) is None
    assert row(soon)["status"] == "scheduled"


def test_after_a_downtime_it_starts_once(world: World, told: Told) -> None:
    campaign_id = scheduled(world, seconds=-86_400.0)
    seconds = look(DIALER).next_due
    assert seconds is not None
    assert seconds < 0
    for _ in range(2):
        told.subject.round()
    assert starts_told(campaign_id) == [("running", DIALER)]


def test_of_two_dialers_at_once_one_starts_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign_id = scheduled(world)
    (due,) = schedules.starts()
    real = lifecycle.start
    others: list[Any] = []

    def beside_another(*given: Any) -> ActionResult:
        if not others:
            others.append(None)
            others.append(gevent.spawn(schedules.start, due, OTHER).get(timeout=HANG_SECONDS))
        return real(*given)

    monkeypatch.setattr(lifecycle, "start", beside_another)
    started = schedules.start(due, DIALER)
    assert started is not None
    assert started.changed
    assert others == [None, None], "the other leaves it to who has the lock"
    assert starts_told(campaign_id) == [("running", DIALER)]
    assert row(campaign_id)["generation"] == 1


@pytest.mark.parametrize("meanwhile", ["paused", "draft"])
def test_who_has_seen_it_due_starts_nothing_that_was_changed_since(world: World, meanwhile: str) -> None:
    """Another dialer started it and somebody paused it; or somebody took its schedule back."""
    campaign_id = scheduled(world)
    (due,) = schedules.starts()
    change("UPDATE campaign SET status = %s WHERE id = %s", meanwhile, campaign_id)
    assert schedules.start(due, DIALER) is None
    assert row(campaign_id)["status"] == meanwhile


def test_over_budget_it_stays_scheduled_says_so_and_is_tried_again(world: World, told: Told) -> None:
    change("UPDATE call_limits SET concurrent_max = 8")
    running = make_campaign(world, 1)
    campaign_id = scheduled(world)
    told.subject.round()
    found = row(campaign_id)
    assert (found["status"], found["blocked_reason"], found["generation"]) == ("scheduled", "budget", 0)
    assert found["scheduled_at"] < found["blocked_since"] < found["next_action_at"]
    assert (due_starts(), told.messages) == ([], []), "not at every look"
    seconds = schedules.next_due()
    assert seconds is not None
    assert 0 < seconds <= schedules.AGAIN_SECONDS
    again(campaign_id)
    told.subject.round()
    assert row(campaign_id)["blocked_since"] == found["blocked_since"]
    with transaction():
        lifecycle.stop(running, world.tenant_id)
    again(campaign_id)
    told.subject.round()
    found = row(campaign_id)
    assert (found["status"], found["blocked_reason"], found["blocked_since"]) == ("running", None, None)


@pytest.mark.parametrize(
    ("broken", "mended", "word"),
    [
        ("UPDATE agent SET deleted_at = now()", "UPDATE agent SET deleted_at = NULL", "agent"),
        ("UPDATE agent SET held_at = now()", "UPDATE agent SET held_at = NULL", "agent"),
        (
            "UPDATE phone_number SET outbound_enabled = false",
            "UPDATE phone_number SET outbound_enabled = true",
            "caller_id",
        ),
        (
            "UPDATE phone_number SET deleted_at = now()",
            "UPDATE phone_number SET deleted_at = NULL",
            "caller_id",
        ),
    ],
)
def test_without_what_it_needs_it_stays_scheduled_until_that_is_back(
    world: World, told: Told, broken: str, mended: str, word: str
) -> None:
    campaign_id = scheduled(world)
    change(broken)
    told.subject.round()
    assert (row(campaign_id)["status"], row(campaign_id)["blocked_reason"]) == ("scheduled", word)
    change(mended)
    again(campaign_id)
    told.subject.round()
    assert (row(campaign_id)["status"], row(campaign_id)["blocked_reason"]) == ("running", None)


def test_a_schedule_lets_no_held_agent_go(world: World, told: Told) -> None:
    change("UPDATE agent SET held_at = now(), held_reason = 'X'")
    scheduled(world)
    told.subject.round()
    with db.connection_context():
        assert rows("SELECT 1 FROM agent WHERE held_at IS NOT NULL")


def test_where_no_node_can_run_its_agent_it_stays_scheduled(world: World) -> None:
    campaign_id = scheduled(world)
    Told(cannot_run=True).subject.round()
    assert (row(campaign_id)["status"], row(campaign_id)["blocked_reason"]) == ("scheduled", "agent")


def test_a_fault_in_one_start_keeps_no_other_waiting(
    world: World, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = scheduled(world, seconds=-2.0), scheduled(world)
    real = lifecycle.start

    def faulty(campaign_id: uuid.UUID, *given: Any) -> ActionResult:
        if campaign_id == first:
            raise ValueError("broken")
        return real(campaign_id, *given)

    monkeypatch.setattr(lifecycle, "start", faulty)
    told.subject.round()
    assert (row(first)["status"], row(second)["status"]) == ("scheduled", "running")
    assert (told.timers, due_starts()) == ([], []), "and it is not tried without a pause"


@pytest.mark.parametrize("status", ["draft", "scheduled", "running", "paused"])
def test_at_its_deadline_the_rest_is_cancelled_whatever_state_it_is_in(
    world: World, told: Told, status: str
) -> None:
    campaign_id = make_campaign(world, 3, status=CampaignStatus(status))
    ends(campaign_id, 60.0)
    told.subject.round()
    assert row(campaign_id)["status"] == status, "not early"
    ends(campaign_id, -1.0)
    told.subject.round()
    found = row(campaign_id)
    assert (found["status"], found["end_reason"], found["blocked_reason"]) == ("completed", "deadline", None)
    assert found["stopping_at"] is None
    assert counts(campaign_id) == {"cancelled": 3}
    assert told.messages == [("hold", {"campaign_id": str(campaign_id), "generation": found["generation"]})]
    assert starts_told(campaign_id) == [("completed", DIALER)]
    assert look(DIALER).next_due is None


def test_at_its_deadline_calls_in_progress_go_on_and_nobody_else_is_called(world: World, told: Told) -> None:
    campaign_id = make_campaign(world, 3)
    (call,) = claim_all(campaign_id, limit=1)
    ends(campaign_id, -1.0)
    assert claim_all(campaign_id) == [], "from that moment on, whoever has seen it"
    told.subject.round()
    assert counts(campaign_id) == {"originated": 1, "cancelled": 2}
    with db.connection_context():
        (found,) = rows("SELECT ended_at, hangup_at FROM call WHERE id = %s", call.call_id)
    assert found == {"ended_at": None, "hangup_at": None}


def test_what_is_to_be_over_already_is_never_started(world: World, told: Told) -> None:
    campaign_id = scheduled(world, seconds=-7200.0)
    ends(campaign_id, -3600.0)
    assert due_starts() == []
    assert schedules.start(DueStart(campaign_id, world.tenant_id), DIALER) is None
    told.subject.round()
    assert (row(campaign_id)["end_reason"], row(campaign_id)["started_at"]) == ("deadline", None)


def test_a_deadline_that_was_moved_since_ends_nothing(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    ends(campaign_id, -1.0)
    assert schedules.ends() == [campaign_id]
    ends(campaign_id, 60.0)
    assert schedules.end(campaign_id) is None
    assert row(campaign_id)["status"] == "running"


def test_a_deleted_campaign_neither_starts_nor_ends(world: World) -> None:
    for campaign_id in (scheduled(world), make_campaign(world, 1, status=PAUSED)):
        ends(campaign_id, -1.0 if row(campaign_id)["status"] == "paused" else 60.0)
        change("UPDATE campaign SET deleted_at = now() WHERE id = %s", campaign_id)
    assert (due_starts(), schedules.ends(), look(DIALER).next_due) == ([], [], None)


@pytest.fixture
def dialled(world: World, start: Callable[[], Dialer]) -> Dialer:
    return start()


def test_a_dialer_starts_a_schedule_dials_it_and_tells_it(world: World, dialled: Dialer) -> None:
    campaign_id = scheduled(world, 2, refused=False)
    wait_until(lambda: is_over(campaign_id), "the calls")
    assert counts(campaign_id).keys() <= {"completed", "failed"}
    wait_until(lambda: all_published(campaign_id), "the stream")
    assert [status for status, _ in starts_told(campaign_id)] == ["running", "completed"]


def test_a_dialer_ends_a_paused_campaign_at_its_deadline(world: World, dialled: Dialer) -> None:
    campaign_id = make_campaign(world, 5, status=PAUSED)
    ends(campaign_id, -1.0)
    wait_until(lambda: contacts_of(campaign_id) == {"cancelled": 5}, "the list")
    wait_until(lambda: all_published(campaign_id), "the stream")
    assert [status for status, _ in starts_told(campaign_id)] == ["completed"]


def all_published(campaign_id: uuid.UUID) -> bool:
    with db.connection_context():
        (found,) = rows(
            "SELECT count(*) FILTER (WHERE contact_id IS NULL) > 0 AND bool_and(published) AS done"
            " FROM transition WHERE campaign_id = %s AND contact_id IS NULL",
            campaign_id,
        )
    return bool(found["done"])


def test_other_tenants_budgets_are_their_own(world: World, told: Told) -> None:
    change("UPDATE call_limits SET concurrent_max = 5")
    other = make_world("acme", "+14155550101", concurrent_max=5)
    ids = [scheduled(one) for one in (world, other)]
    told.subject.round()
    assert [row(one)["status"] for one in ids] == ["running", "running"]


def test_who_keeps_a_tenant_or_a_campaign_locked_keeps_nobody_elses_waiting(
    world: World, told: Told, database_url: str
) -> None:
    other = scheduled(make_world("other", "+14155550177"), seconds=-0.5)
    locked = scheduled(world)
    for lock in ("tenant WHERE id = %s", "campaign WHERE tenant_id = %s"):
        with psycopg.connect(database_url) as holder:
            holder.execute(f"SELECT 1 FROM {lock} FOR NO KEY UPDATE", (world.tenant_id,))
            told.subject.round()
        assert row(locked)["status"] == "scheduled"
        assert row(other)["status"] == "running"
    told.subject.round()
    assert row(locked)["status"] == "running"


def test_what_nobody_foresaw_keeps_nobody_waiting_and_is_tried_again_later(
    world: World, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = scheduled(world, seconds=-2.0), scheduled(world)
    over, ended = scheduled(world, seconds=60.0), scheduled(world, seconds=60.0)
    ends(over, -2.0)
    ends(ended, -1.0)
    start, end = schedules.start, schedules.end

    def starts_but(due: DueStart, owner: str) -> ActionResult | None:
        if due.campaign_id == broken:
            raise RuntimeError
        return start(due, owner)

    def ends_but(campaign_id: uuid.UUID) -> ActionResult | None:
        if campaign_id == over:
            raise OperationalError("canceling statement due to statement timeout")
        return end(campaign_id)

    monkeypatch.setattr(schedules, "start", starts_but)
    monkeypatch.setattr(schedules, "end", ends_but)
    told.subject.round()
    found = [row(campaign_id)["status"] for campaign_id in (broken, fine, over, ended)]
    assert found == ["scheduled", "running", "scheduled", "completed"]
    assert told.timers == []
    assert due_starts() == []
    again(broken)
    assert due_starts() == [broken]
