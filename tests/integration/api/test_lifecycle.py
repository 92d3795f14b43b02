"""Every state × action pair over HTTP, and what each leaves behind."""

from __future__ import annotations

import time
import uuid
from types import SimpleNamespace
from typing import Any

import gevent
import psycopg
import pytest
from gevent.pool import Group

from api import notify
from api.notify import unpublished
from api.routes.stream_access import authorise_token, snapshot
from campaigns import stopping
from campaigns.campaign_state import WEB
from campaigns.lifecycle import complete_if_exhausted
from campaigns.lifecycle_table import LIFECYCLE, Action, Verdict
from campaigns.stopping import cancel_slice
from coordination.control_bus import ControlBus
from coordination.membership import Fenced, Membership
from live.admission import Admission
from models import CampaignStatus, transaction
from tests.integration.api.site import Site, SomebodyLives, lose_redis
from tests.judging import Judge
from tests.waiting import HANG_SECONDS, wait_until

PAIRS = [(state, action) for state in CampaignStatus for action in Action]


def act(site: Site, campaign_id: str, action: str, **options: Any) -> Any:
    if action == Action.DELETE:
        return site.delete(f"/campaigns/{campaign_id}", **options)
    return site.post(f"/campaigns/{campaign_id}/{action}", **options)


def transitions(site: Site, campaign_id: str) -> list[tuple[int, str, str | None]]:
    found = site.sql(
        "SELECT version, status, cause FROM transition WHERE campaign_id = %s AND contact_id IS NULL ORDER BY id",
        campaign_id,
    )
    return [(row["version"], row["status"], row["cause"]) for row in found]


@pytest.mark.parametrize(("state", "action"), PAIRS)
def test_every_action_in_every_state(site: Site, state: CampaignStatus, action: Action) -> None:
    campaign_id = site.in_state(state)
    before = site.get(f"/campaigns/{campaign_id}").json
    response = act(site, campaign_id, action)
    after = site.get(f"/campaigns/{campaign_id}")
    answer = LIFECYCLE[state][action]
    # What became of its calls is told of one campaign that is asked for, once it has ended.
    told = {name: value for name, value in (after.json or {}).items() if name != "outcomes"}
    if answer is Verdict.REFUSED:
        assert response.status_code == 409
        assert response.text.startswith(f"Campaign is {state}; it cannot be ")
        assert after.json == before
        assert transitions(site, campaign_id) == []
    elif answer is Verdict.DELETED:
        assert (response.status_code, response.data) == (204, b"")
        assert after.status_code == 404
    elif answer is Verdict.UNCHANGED:
        assert (response.status_code, response.json, after.json) == (200, told, before)
        assert transitions(site, campaign_id) == []
    else:
        assert (response.status_code, response.json) == (200, told)
        assert after.json["status"] == answer
        version = 1 if state in ("draft", "scheduled") else 2
        assert transitions(site, campaign_id) == [(version, answer, after.json["end_reason"])]


@pytest.mark.parametrize("action", Action)
def test_no_action_on_what_is_not_there(site: Site, action: Action) -> None:
    gone = site.create()
    site.delete(f"/campaigns/{gone}")
    for campaign_id in (gone, "019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01", "no-such-id", "%00", "x" * 65):
        response = act(site, campaign_id, action)
        assert (response.status_code, response.text) == (404, "Campaign not found")


def test_start_clears_the_schedule_and_keeps_the_first_start_time(site: Site) -> None:
    campaign_id = site.in_state("scheduled")
    started = act(site, campaign_id, "start").json
    assert (started["scheduled_at"], started["next_action_at"]) == (None, None)
    assert started["started_at"] is not None
    assert act(site, campaign_id, "pause").json["blocked_reason"] == "paused"
    resumed = act(site, campaign_id, "resume").json
    assert (resumed["started_at"], resumed["blocked_reason"]) == (started["started_at"], None)


def test_stop_cancels_what_is_pending_and_leaves_what_is_in_flight(site: Site) -> None:
    campaign_id = site.in_state("running", contacts=5)
    site.move_contact(campaign_id, 1, "originated")
    site.move_contact(campaign_id, 2, "connected")
    site.sql(
        "UPDATE contact SET attempts = 1, disposition = 'busy', next_attempt_at = now() + interval '1 hour'"
        " WHERE campaign_id = %s AND position = 3",
        campaign_id,
    )
    stopped = act(site, campaign_id, "stop").json
    assert (stopped["status"], stopped["end_reason"]) == ("completed", "stopped")
    assert stopped["completed_at"] is not None
    assert stopped["counts"] == {
        "total": 5, "pending": 0, "originated": 1, "connected": 1, "completed": 0, "failed": 0, "cancelled": 3,
    }  # fmt: skip
    contacts = site.get(f"/campaigns/{campaign_id}/contacts").json["contacts"]
    assert [contact["status"] for contact in contacts] == ["originated", "connected", *["cancelled"] * 3]
    assert contacts[2]["next_attempt_at"] is None
    told = site.sql(
        "SELECT t.version, t.status, t.disposition, t.attempt, t.owner FROM transition t"
        " JOIN contact c ON c.id = t.contact_id WHERE t.campaign_id = %s ORDER BY c.position",
        campaign_id,
    )
    first, *rest = [tuple(row.values()) for row in told]
    assert first == (1, "cancelled", "busy", 1, "web")
    assert rest == [(1, "cancelled", None, None, "web")] * 2


def test_a_campaign_with_calls_in_flight_cannot_be_deleted(site: Site) -> None:
    campaign_id = site.in_state("running")
    site.move_contact(campaign_id, 1, "connected")
    act(site, campaign_id, "pause")
    response = act(site, campaign_id, "delete")
    assert response.status_code == 409
    assert response.text == "Campaign has 1 calls in flight; it can be deleted when they have ended."
    site.end_calls("completed")
    assert act(site, campaign_id, "delete").status_code == 204


def test_the_budget_names_who_holds_it(site: Site) -> None:
    site.sql("UPDATE call_limits SET concurrent_max = 8 WHERE tenant_id = 'demo'")
    first, second = site.create(name="First"), site.create(name="Second", max_concurrent_calls=4)
    assert act(site, first, "start").status_code == 200
    for state in ("start", "resume"):
        if state == "resume":
            site.sql("UPDATE campaign SET status = 'paused' WHERE id = %s", second)
        refused = act(site, second, state, headers={"Accept": "application/problem+json"})
        assert refused.status_code == 409
        assert refused.json["code"] == "budget_exceeded"
        assert refused.json["detail"] == (
            "The campaign's max_concurrent_calls is 4 and running campaigns hold 5 of the tenant's concurrent_max"
            f" of 8: First (5, {first})."
        )
    act(site, first, "pause")
    assert act(site, second, "resume").status_code == 200


def test_a_budget_of_null_is_unlimited_and_one_of_zero_blocks(site: Site) -> None:
    campaign_id = site.create()
    site.sql("UPDATE call_limits SET concurrent_max = 0 WHERE tenant_id = 'demo'")
    assert act(site, campaign_id, "start").status_code == 409
    site.sql("UPDATE call_limits SET concurrent_max = NULL WHERE tenant_id = 'demo'")
    assert act(site, campaign_id, "start").status_code == 200


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE agent SET deleted_at = now()", "The campaign's agent has been deleted."),
        ("UPDATE phone_number SET deleted_at = now()", "The campaign's phone number has been deleted."),
        ("UPDATE phone_number SET tenant_id = 'other'", "The campaign's phone number has been deleted."),
        (
            "UPDATE phone_number SET outbound_enabled = false",
            "The campaign's phone number is not enabled for outbound calls.",
        ),
    ],
)
def test_a_campaign_starts_only_with_what_it_needs(site: Site, change: str, reason: str) -> None:
    campaign_id = site.create()
    site.sql(change)
    response = act(site, campaign_id, "start")
    assert (response.status_code, response.text) == (409, reason)


def test_resuming_a_campaign_with_nobody_left_completes_it(site: Site) -> None:
    campaign_id = site.in_state("paused", contacts=1)
    site.move_contact(campaign_id, 1, "completed")
    resumed = act(site, campaign_id, "resume").json
    assert (resumed["status"], resumed["end_reason"]) == ("completed", "exhausted")
    assert transitions(site, campaign_id) == [(2, "running", None), (3, "completed", "exhausted")]


def test_a_campaign_is_exhausted_once_and_only_with_nobody_left(site: Site) -> None:
    campaign_id = site.in_state("running", contacts=2)
    wanted = site.sql("SELECT id FROM campaign")[0]["id"]
    site.move_contact(campaign_id, 1, "failed")
    assert not complete_if_exhausted(wanted, "d000000000001")
    site.move_contact(campaign_id, 2, "originated")
    assert not complete_if_exhausted(wanted, "d000000000001")
    site.end_calls("failed")
    with transaction():
        assert complete_if_exhausted(wanted, "d000000000001")
    assert not complete_if_exhausted(wanted, "d000000000002")
    assert transitions(site, campaign_id) == [(2, "completed", "exhausted")]
    assert site.sql("SELECT owner FROM transition")[0]["owner"] == "d000000000001"


def test_a_campaign_that_has_ended_says_what_became_of_its_calls(site: Site) -> None:
    campaign_id = site.in_state("running", contacts=2)
    assert "outcomes" not in site.get(f"/campaigns/{campaign_id}").json
    site.sql(
        "UPDATE campaign SET status = 'completed', end_reason = 'exhausted', completed_at = now() RETURNING id"
    )
    for number in (1, 2):
        site.sql(
            "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, state, generation, phone_number,"
            " caller_id, gateway_id, node, dialer_id, sent_by, sent_at, ended_at, disposition, cause, sip_status)"
            " SELECT gen_random_uuid(), tenant_id, campaign_id, contact.id, 1, 'ended', 1, '+1', '+1',"
            " (SELECT id FROM gateway LIMIT 1), 'fs1', 'd', 'd', now(), now(), 'busy', 'USER_BUSY', 486"
            " FROM contact JOIN campaign ON campaign.id = campaign_id WHERE position = %s RETURNING id",
            number,
        )
    assert site.get(f"/campaigns/{campaign_id}").json["outcomes"] == {
        "calls_ended": 2,
        "picked_up": 0,
        "dispositions": {"busy": 2},
        "top_causes": [{"cause": "USER_BUSY", "sip_status": 486, "calls": 2}],
    }


def test_control_messages_carry_what_the_dialers_need(site: Site) -> None:
    campaign_id = site.create()
    act(site, campaign_id, "start")
    act(site, campaign_id, "pause")
    act(site, campaign_id, "resume")
    act(site, campaign_id, "stop", query_string={"hangup": "true"})
    act(site, campaign_id, "stop")
    named = {"campaign_id": campaign_id}
    assert site.bus.messages == [
        ("wake", named),
        ("wake", named | {"generation": 1}),
        ("hold", named | {"generation": 2}),
        ("wake", named | {"generation": 3}),
        ("hangup", named),
        ("hold", named | {"generation": 4}),
        # The first may have been answered that nobody could be told.
        ("hold", named | {"generation": 4}),
    ]


def with_leases_of(site: Site, seconds: float) -> Membership:
    """Leases that last for `seconds`, for the dialers and the API alike."""
    membership = Membership(site.services.redis, "carillon:", lease_seconds=seconds)
    site.use(membership=membership)
    return membership


def test_pause_waits_out_the_lease_of_a_dialer_that_does_not_answer(site: Site, judge: Judge) -> None:
    membership = site.services.membership
    assert isinstance(membership, Membership)
    for dialer_id in ("d000000000001", "d000000000002"):
        membership.register(dialer_id, {"nodes": []})
    site.bus.silent = {"d000000000002"}
    campaign_id = site.in_state("running")
    until = time.monotonic() + membership.remaining("d000000000002")
    begun = time.monotonic()
    assert act(site, campaign_id, "pause").status_code == 200
    assert time.monotonic() >= until - 0.1, "it might still send"
    judge.at_most(time.monotonic() - begun, 6.0, "seconds of a pause")
    with pytest.raises(Fenced):
        membership.renew("d000000000002", {})
    assert membership.fence("d000000000002") == 0


@pytest.mark.parametrize("seconds", [0.2, 1.5])
def test_a_silent_dialer_is_waited_for_as_long_as_a_lease_lasts(site: Site, seconds: float) -> None:
    membership = with_leases_of(site, seconds)
    site.bus.silent = {"d000000000001"}
    campaign_id = site.in_state("running")
    until = membership.register("d000000000001", {"nodes": []})
    assert act(site, campaign_id, "pause").status_code == 200
    assert time.monotonic() >= until - 0.002, "it may still send"


def test_pause_waits_for_a_dialer_that_an_emptied_redis_has_forgotten(site: Site) -> None:
    forgotten = "d0000000000f1"
    site.bus.silent = {forgotten}
    membership = with_leases_of(site, 0.5)
    with psycopg.connect(site.database_url, application_name=f"carillon {forgotten}"):
        first, second = site.in_state("running"), site.in_state("running")
        begun = time.monotonic()
        waiting = gevent.spawn(act, site, first, "pause")
        wait_until(lambda: membership.fenced([forgotten]), what="the fence")
        assert act(site, second, "pause").status_code == 200
        assert time.monotonic() - begun >= 0.5, "fenced by somebody else, it may still send"
        assert membership.fence(forgotten) == 0
        assert waiting.get(timeout=HANG_SECONDS).status_code == 200
        site.bus.awaited.clear()
        assert act(site, first, "resume").status_code == 200
        assert site.bus.awaited == [], "nobody is waited for who is only told to go on"
    assert membership.fenced([forgotten, "d0000000000f2"]) == {forgotten}


STANDS = "{}, but Redis is unavailable: calls may leave for up to 5 s. {}"


@pytest.fixture(params=[True, False], ids=["known", "found"])
def away(site: Site, request: pytest.FixtureRequest) -> Site:
    """Redis is away, which is known, or has yet to be found by who tells the dialers; nobody waits for a lease."""
    lose_redis(site)
    bus = ControlBus(site.services.redis, "carillon:")
    if request.param:
        bus.notify = bus.notify_and_wait = pytest.fail  # type: ignore[assignment, method-assign]
        site.use(dialers=SomebodyLives(redis_is_away=True))
    site.use(control_bus=bus)
    return site


@pytest.fixture
def sleepless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "gevent", SimpleNamespace(sleep=lambda _seconds: pytest.fail("it waited")))


@pytest.mark.usefixtures("sleepless")
@pytest.mark.parametrize(
    ("action", "hang_up", "text", "status"),
    [
        ("pause", None, ("The campaign is paused", "Calls in progress finish."), "paused"),
        ("stop", None, ("The campaign is stopped", "Calls in progress finish."), "completed"),
        ("stop", "true", ("The campaign is stopped", "Calls in progress end when it is back."), "completed"),
    ],
)
def test_without_redis_the_mark_stands_and_the_answer_says_at_once_what_may_leave(
    away: Site, action: str, hang_up: str | None, text: tuple[str, str], status: str
) -> None:
    campaign_id = away.in_state("running")
    response = act(away, campaign_id, action, query_string={} if hang_up is None else {"hangup": hang_up})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert response.text == STANDS.format(*text)
    assert away.get(f"/campaigns/{campaign_id}").json["status"] == status


@pytest.mark.usefixtures("sleepless")
def test_without_redis_a_halt_stands_and_the_answer_says_at_once_what_may_leave(away: Site) -> None:
    response = away.post("/halt")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert response.text == STANDS.format("The halt stands", "Calls in progress end when it is back.")
    assert away.get("/halt").json["halted"] is True


def test_transitions_are_published_in_order_and_marked(site: Site) -> None:
    campaign_id = site.create(3)
    act(site, campaign_id, "start")
    act(site, campaign_id, "stop")
    wait_until(
        lambda: not site.sql("SELECT id FROM transition WHERE NOT published"),
        what="all transitions published",
    )
    assert site.services.redis.xlen(f"carillon:live:{campaign_id}") == 5
    told = [row["status"] for row in site.sql("SELECT status FROM transition ORDER BY id")]
    assert told == ["running", "cancelled", "cancelled", "cancelled", "completed"]


def test_of_twenty_simultaneous_starts_one_wins(site: Site) -> None:
    campaign_id = site.create()
    starts = [gevent.spawn(act, site, campaign_id, "start") for _ in range(20)]
    gevent.joinall(starts, raise_error=True)
    assert sorted(start.get().status_code for start in starts) == [200] + [409] * 19


def test_of_a_long_list_the_rest_is_cancelled_after_the_answer_and_shown_so_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "SLICE", 3)
    later = Collected()
    site.use(background=later)
    campaign_id = site.in_state("running", contacts=8)
    site.move_contact(campaign_id, 1, "connected")
    site.sql(
        "UPDATE contact SET attempts = 1, disposition = 'busy', next_attempt_at = now() + interval '1 hour'"
        " WHERE campaign_id = %s AND position = 8",
        campaign_id,
    )
    stopped = act(site, campaign_id, "stop").json
    waiting = "SELECT count(*) AS n FROM contact WHERE campaign_id = %s AND status = 'pending'"
    for left in (4, 1, 0):
        assert site.sql(waiting, campaign_id)[0]["n"] == left
        shown = site.get(f"/campaigns/{campaign_id}").json
        assert (shown["status"], shown["end_reason"]) == ("completed", "stopped")
        assert (shown["counts"]["pending"], shown["counts"]["cancelled"]) == (0, 7)
        assert shown["counts"] == stopped["counts"]
        figures = snapshot_of(site, campaign_id)
        assert (figures["counts"], figures["status"]) == (shown["counts"], "completed")
        listed = site.get(f"/campaigns/{campaign_id}/contacts").json
        assert [one["status"] for one in listed["contacts"]] == ["connected", *["cancelled"] * 7]
        assert {one["next_attempt_at"] for one in listed["contacts"]} == {None}
        of_status = f"/campaigns/{campaign_id}/contacts?status="
        assert site.get(of_status + "pending").json["contacts"] == []
        cancelled = site.get(of_status + "cancelled").json
        assert (len(cancelled["contacts"]), cancelled["total"]) == (7, 7)
        over = left == 0
        assert bool(transitions(site, campaign_id)) == over
        refused = act(site, campaign_id, "resume")
        assert (refused.status_code, refused.text) == (409, "Campaign is completed; it cannot be resumed.")
        deleted = act(site, campaign_id, "delete")
        assert deleted.status_code == 409
        assert deleted.text.startswith(
            "Campaign has 1 calls" if over else "Campaign is being stopped; it can "
        )
        (key,) = site.sql("SELECT id::text FROM api_key WHERE tenant_id = 'demo' AND role = 'read'")
        admission = Admission("demo", key["id"])
        with site.app.app_context():
            assert authorise_token(campaign_id, admission).status == "stopping"
        if left:
            cancel_slice(uuid.UUID(campaign_id), WEB)
    site.sql("UPDATE transition SET published = true")
    with site.app.app_context():
        assert authorise_token(campaign_id, admission).status == "completed"
    assert transitions(site, campaign_id) == [(2, "completed", "stopped")]
    assert [job.__name__ for job in later.jobs] == ["_go_on"]


class Collected(Group):
    """Work for after an answer that is not begun."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Any] = []

    def spawn(self, job: Any, *_: Any) -> None:  # type: ignore[override]  # nothing is begun
        self.jobs.append(job)


def snapshot_of(site: Site, campaign_id: str) -> Any:
    with site.app.app_context():
        return snapshot(site.services.dialers, campaign_id)


def test_what_is_left_of_a_long_list_is_cancelled_and_told_in_the_background(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "SLICE", 3)
    campaign_id = site.in_state("running", contacts=10)
    assert act(site, campaign_id, "stop").json["counts"]["cancelled"] == 10
    wait_until(
        lambda: site.services.redis.xlen(f"carillon:live:{campaign_id}") == 11,
        what="all transitions published",
    )
    entries: Any = site.services.redis.xrange(f"carillon:live:{campaign_id}")
    assert [fields["kind"] for _, fields in entries] == ["contact"] * 10 + ["campaign"]


def test_an_end_is_told_after_what_a_dialer_has_yet_to_tell(site: Site) -> None:
    site.use(background=Collected())
    campaign_id = site.in_state("running", contacts=1)
    site.sql(
        "INSERT INTO transition (campaign_id, version, status, owner) VALUES (%s, 1, 'running', 'd000000000001')",
        campaign_id,
    )
    act(site, campaign_id, "stop")
    contact_id = str(site.sql("SELECT id FROM contact")[0]["id"])
    for subjects, waits in (([contact_id], True), ([contact_id, "campaign"], False)):
        with site.app.app_context():
            events, held = unpublished(uuid.UUID(campaign_id), WEB)
        assert ([event.subject for _, event in events], held) == (subjects, waits)
        site.sql("UPDATE transition SET published = true WHERE owner <> 'web'")


@pytest.mark.parametrize("table", ["contact", "transition"])
def test_a_stop_stands_where_the_rest_of_its_list_cannot_be_cancelled_and_is_gone_on_with(
    site: Site, table: str
) -> None:
    campaign_id = site.in_state("running")
    site.sql(f"ALTER TABLE {table} RENAME TO away")
    stopped = act(site, campaign_id, "stop")
    assert (stopped.status_code, stopped.json["status"]) == (200, "completed")
    site.sql(f"ALTER TABLE away RENAME TO {table}")
    assert [row["status"] for row in site.sql("SELECT DISTINCT status FROM contact")] == ["pending"]
    assert act(site, campaign_id, "stop").status_code == 200
    assert [row["status"] for row in site.sql("SELECT DISTINCT status FROM contact")] == ["cancelled"]
    assert transitions(site, campaign_id) == [(2, "completed", "stopped")]
