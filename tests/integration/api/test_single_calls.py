"""Calls that are asked for one by one: what is taken, what is refused in which words, and how each is followed."""

from __future__ import annotations

import datetime as dt
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from api import retrying
from campaigns.expiry import expire_slice
from coordination.membership import Membership
from limits.caps import DayUse, LimiterSnapshot, OpenCall, RecentSend
from limits.keys import Keys
from limits.limiter import Limiter
from models import new_id
from tests.integration.api.resource_routes import call_of
from tests.integration.api.site import OTHER, TENANT, Site, SomebodyLives, lose_redis

PREFIX = "carillon:"
NUMBER = "+14155550123"
LIMIT_WORDS = [
    ("concurrent_max", "Concurrent call limit reached", "concurrent_limit"),
    ("calls_per_minute", "Call rate limit", "call_rate_limit"),
    ("daily_calls_max", "Daily call limit reached", "daily_call_limit"),
    ("daily_minutes_max", "Daily minute budget exhausted", "daily_minute_budget"),
]


def limiter_state(site: Site, *, live: int = 0, recent: int = 0, calls: int = 0, seconds: int = 0) -> None:
    """The limiter's state is whole, and says that the tenant uses so much."""
    site.services.redis.delete(Keys(PREFIX).epoch)
    Membership(site.services.redis, PREFIX, lease_seconds=600).register("d1", {})
    up = [OpenCall(f"c{n}", "d1", "c", TENANT, "gw", "fs1", f"+{n}") for n in range(live)]
    sent = [RecentSend(f"s{n}", TENANT, "gw", "fs1", 1_000) for n in range(recent)]
    today = dt.datetime.now(dt.UTC).date()
    state = LimiterSnapshot(today, up, sent, [DayUse(TENANT, calls, seconds)])
    assert Limiter(site.services.redis, PREFIX, "d1").rebuild(lambda: state)


@pytest.fixture
def ready(site: Site) -> Site:
    """A site whose limiter's state is whole."""
    limiter_state(site)
    return site


def originate(site: Site, *, to: str = NUMBER, headers: Any = None, **changes: Any) -> Any:
    body = {"agent_id": site.agent_id, "from_number": "+14155550100", "to_number": to} | changes
    return site.post("/calls/originate", json=body, headers=headers)


def cap(site: Site, **limits: int) -> None:
    for name, limit in limits.items():
        site.sql(f"UPDATE call_limits SET {name} = %s WHERE tenant_id = %s", limit, TENANT)


def test_a_call_is_taken_as_a_campaign_of_its_own_that_no_list_shows(ready: Site) -> None:
    taken = originate(ready)
    assert taken.status_code == 201, taken.text
    body = taken.json
    assert (body["state"], body["phone_number"], body["caller_id"]) == ("queued", NUMBER, "+14155550100")
    assert body["id"] == body["campaign_id"]
    bound = dt.datetime.fromisoformat(body["expires_at"]) - dt.datetime.fromisoformat(body["created_at"])
    assert bound == dt.timedelta(seconds=30)
    assert ready.bus.topics() == ["wake"]
    assert ready.get("/campaigns").json["total"] == 0
    campaign = ready.get(f"/campaigns/{body['id']}").json
    assert (campaign["status"], campaign["counts"]["pending"], campaign["created_by"]) == (
        "running",
        1,
        "operate key",
    )
    assert (campaign["retries_per_contact"], campaign["max_concurrent_calls"]) == (0, 1)
    waiting = ready.get(f"/calls/{body['id']}", role="read").json
    assert (waiting["state"], waiting["seq"], waiting["node"]) == ("queued", 0, None)
    assert waiting["contact_id"] == body["contact_id"]
    assert ready.get("/calls").json["total"] == 0


def test_by_its_id_the_last_send_is_told(ready: Site) -> None:
    taken = originate(ready).json
    call_of(ready, taken["id"], state="ended", ended_at="2026-01-31T09:00:00Z", disposition="congestion")
    last = call_of(ready, taken["id"], seq=2, attempt=1)
    assert ready.get(f"/calls/{taken['id']}").json == ready.get(f"/calls/{last}").json
    assert ready.get(f"/calls/{taken['id']}", tenant=OTHER).status_code == 404
    campaign_id = ready.create(1)
    assert ready.get(f"/calls/{campaign_id}").status_code == 404, (
        "only single calls are found by their campaign"
    )


def test_one_that_could_not_leave_is_over_whoever_lives(ready: Site) -> None:
    taken = originate(ready).json
    ready.sql("UPDATE contact SET expires_at = now() - interval '1 s'")
    late = ready.get(f"/calls/{taken['id']}").json
    assert (late["state"], late["disposition"]) == ("ended", "expired")
    assert expire_slice("d1")
    assert ready.get(f"/calls/{taken['id']}").json == late


def test_a_stop_keeps_it_from_leaving(ready: Site) -> None:
    taken = originate(ready).json
    assert ready.post(f"/campaigns/{taken['id']}/stop").status_code == 200
    over = ready.get(f"/calls/{taken['id']}").json
    assert (over["state"], over["disposition"]) == ("ended", None)


@pytest.mark.parametrize(("name", "word", "code"), LIMIT_WORDS, ids=[name for name, _, _ in LIMIT_WORDS])
def test_each_cap_refuses_in_the_words_of_the_contract(site: Site, name: str, word: str, code: str) -> None:
    limiter_state(site, live=2, recent=2, calls=2, seconds=120)
    cap(site, **{name: 2})
    refused = originate(site)
    assert (refused.status_code, refused.text) == (429, word)
    assert int(refused.headers["Retry-After"]) >= 1
    problem = originate(site, headers={"Accept": "application/problem+json"})
    assert problem.json["code"] == code
    assert site.sql("SELECT 1 FROM campaign") == []
    cap(site, **{name: 3})
    assert originate(site).status_code == 201


def test_those_that_wait_count_against_the_caps(ready: Site) -> None:
    cap(ready, concurrent_max=2)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: originate(ready, to=f"+1415555{1000 + n}"), range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 429, 429, 429, 429]
    ready.sql("UPDATE contact SET expires_at = now()")
    assert originate(ready).status_code == 201, "what has expired never leaves"


def test_whoever_waits_for_another_call_of_the_tenant_keeps_no_connection(
    ready: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that waited in the database would keep a connection of the few from everybody else's requests."""
    monkeypatch.setattr(retrying, "WAIT_SECONDS", 0.0)
    with psycopg.connect(ready.database_url) as another:
        another.execute("SELECT pg_advisory_xact_lock(hashtextextended('single call ' || %s, 0))", [TENANT])
        busy = originate(ready)
        told = "Other calls of the tenant are being taken; this one was not."
        assert (busy.status_code, busy.text) == (503, told)
    assert originate(ready).status_code == 201


def test_the_same_key_takes_one_call(ready: Site) -> None:
    first, again = (originate(ready, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.json == again.json
    assert again.headers["Idempotent-Replayed"] == "true"
    assert originate(ready, to="+14155550124", headers={"Idempotency-Key": "k1"}).status_code == 409
    ready.use(dialers=Nobody())
    assert originate(ready, headers={"Idempotency-Key": "k1"}).json == first.json
    assert len(ready.sql("SELECT 1 FROM campaign")) == 1


class Nobody(SomebodyLives):
    """No dialer lives."""

    def blocked_reason(self, _status: str, _said: str | None, /) -> str | None:
        return "no_dialer"


def test_nothing_is_taken_that_nobody_could_place(ready: Site) -> None:
    ready.use(dialers=Nobody())
    nobody = originate(ready)
    assert (nobody.status_code, nobody.text) == (503, "No dialer is running; the call was not taken.")
    ready.use(dialers=SomebodyLives())
    ready.services.redis.delete(Keys(PREFIX).epoch)
    assert originate(ready).status_code == 503, "nobody dials while the caps are not known"
    lose_redis(ready)
    assert originate(ready).text == "Redis is unavailable; the call was not taken."
    assert ready.sql("SELECT 1 FROM campaign") == []


def test_what_is_not_the_tenants_is_not_found(ready: Site) -> None:
    assert originate(ready, agent_id=str(new_id())).text == "Agent not found"
    assert originate(ready, from_number="+14155559999").text == "Phone number not found"
    ready.sql("UPDATE phone_number SET outbound_enabled = false")
    refused = originate(ready)
    assert (refused.status_code, "not enabled" in refused.text) == (409, True)


def test_a_number_or_column_that_cannot_be_called_is_named(ready: Site) -> None:
    wrong = originate(ready, to="555")
    assert wrong.status_code == 400
    assert wrong.text.startswith("to_number is '555'; ")
    ready.sql("UPDATE agent SET action = %s", '{"type": "transfer", "extension": "{desk}"}')
    assert originate(ready).status_code == 400, "a column of the agent is missing"
    bad = originate(ready, custom_fields={"desk": "1;rm"})
    assert (bad.status_code, "desk" in bad.text) == (400, True)
    assert originate(ready, custom_fields={"desk": "100"}).status_code == 201


def test_halts_suppressions_and_windows_hold(ready: Site) -> None:
    ready.sql("INSERT INTO halt (scope, at, by) VALUES ('demo', now(), 'x')")
    halted = originate(ready, headers={"Accept": "application/json"})
    assert (halted.status_code, halted.json["code"]) == (409, "halted")
    ready.sql("DELETE FROM halt")
    ready.post("/suppressions", json={"number": NUMBER, "source": "phone"})
    suppressed = originate(ready)
    assert (suppressed.status_code, suppressed.text) == (409, "The number is on a do-not-call list.")
    ready.sql("DELETE FROM suppression")
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).strftime("%a").lower()
    ready.sql(
        "UPDATE tenant SET default_windows = %s, default_time_zone = 'UTC'",
        f'[{{"from": "00:00", "to": "24:00", "days": ["{tomorrow}"]}}]',
    )
    outside = originate(ready)
    assert outside.status_code == 409
    assert outside.text.startswith("It is outside the calling window, which opens at ")
    assert ready.sql("SELECT 1 FROM campaign") == []
    ready.sql('UPDATE tenant SET default_windows = \'[{"from": "00:00", "to": "24:00"}]\'')
    assert originate(ready).status_code == 201


def test_policy_packs_bind_a_single_call_as_they_do_a_campaign(ready: Site) -> None:
    """In Germany nobody is called to sell something who has not agreed to it."""
    ready.sql(
        "UPDATE tenant SET policy_packs = 'on', default_purpose = 'sales', default_time_zone = 'Europe/Berlin'"
    )
    refused = originate(ready, to="+493012345678")
    assert (refused.status_code, "consent" in refused.text) == (400, True), refused.text
    allow(ready, "+493012345678")
    campaign_id = ready.create(1, policy_packs="off")
    assert trial(ready, campaign_id, "+493012345678").status_code == 201, "as its campaign says"


def test_an_older_dialer_is_waited_for(ready: Site) -> None:
    ready.sql("INSERT INTO dialer (id, postmaster_started_at, knows) VALUES ('old', now(), 47)")
    assert originate(ready).status_code == 409
    assert ready.request("PUT", "/call-limits", role="platform", json=LIMITS).status_code == 409
    ready.sql("UPDATE dialer SET settled_at = now()")
    assert (
        ready.request("PUT", "/call-limits", role="platform", json=LIMITS).json["reserved_concurrency"] == 2
    )


LIMITS = {
    "concurrent_max": 10,
    "calls_per_minute": None,
    "daily_calls_max": None,
    "daily_minutes_max": None,
    "reserved_concurrency": 2,
}


def test_what_is_kept_for_single_calls_is_not_in_the_budget_of_campaigns(ready: Site) -> None:
    ready.request("PUT", "/call-limits", role="platform", json=LIMITS)
    assert originate(ready).status_code == 201, "a single call takes nothing of the budget"
    refused = ready.post(f"/campaigns/{ready.create(1, max_concurrent_calls=9)}/start")
    assert refused.status_code == 409
    assert "concurrent_max of 10, of which 2 are kept for single calls" in refused.text
    assert ready.post(f"/campaigns/{ready.create(1, max_concurrent_calls=8)}/start").status_code == 200


# Test calls.


def allow(site: Site, *numbers: str) -> None:
    site.request("PUT", "/test-numbers", role="admin", json={"test_numbers": list(numbers)})


def trial(site: Site, campaign_id: str, to: str = NUMBER, **body: Any) -> Any:
    return site.post(f"/campaigns/{campaign_id}/test-call", json={"to_number": to, **body})


def test_the_list_of_test_numbers_is_the_tenants_own(site: Site) -> None:
    put = site.request(
        "PUT", "/test-numbers", role="admin", json={"test_numbers": ["+1 415-555-0123", NUMBER]}
    )
    assert put.json == {"test_numbers": [NUMBER]} == site.get("/test-numbers", role="read").json
    assert site.get("/test-numbers", tenant=OTHER).json == {"test_numbers": []}
    wrong = site.request("PUT", "/test-numbers", role="admin", json={"test_numbers": [NUMBER, "415"]})
    assert wrong.text.startswith("test_numbers[1] is '415'; ")
    many = {"test_numbers": [NUMBER] * 101}
    assert site.request("PUT", "/test-numbers", role="admin", json=many).status_code == 400


def test_a_campaign_is_tried_on_an_allowed_number_and_stays_as_it_is(ready: Site) -> None:
    campaign_id = ready.create(3, max_concurrent_calls=7)
    before = ready.get(f"/campaigns/{campaign_id}").json
    refused = trial(ready, campaign_id)
    assert refused.status_code == 400
    assert "it must be one of the tenant's test numbers" in refused.text
    allow(ready, NUMBER)
    taken = trial(ready, campaign_id)
    assert taken.status_code == 201, taken.text
    assert ready.get(f"/campaigns/{campaign_id}").json == before
    (contact,) = ready.get(f"/campaigns/{taken.json['id']}/contacts").json["contacts"]
    assert contact["custom_fields"] == {"first_name": "Person 0"}, "those of the first contact of the list"
    assert ready.get("/campaigns").json["total"] == 1
    own = trial(ready, campaign_id, custom_fields={"first_name": "Ann"}).json
    (contact,) = ready.get(f"/campaigns/{own['id']}/contacts").json["contacts"]
    assert contact["custom_fields"] == {"first_name": "Ann"}


def lender(site: Site, **columns: str) -> str:
    """A campaign whose list has these columns; its id."""
    body = site.fields() | {"contacts": [{"phone_number": "+14155559001", **columns}]}
    created = site.post("/campaigns", json=body)
    assert created.status_code == 201, created.text
    campaign_id: str = created.json["id"]
    return campaign_id


def contact_of(site: Site, campaign_id: str) -> dict[str, Any]:
    (contact,) = site.get(f"/campaigns/{campaign_id}/contacts").json["contacts"]
    return dict(contact)


def test_a_test_call_is_lent_the_columns_that_its_agent_needs_and_no_other(ready: Site) -> None:
    allow(ready, NUMBER)
    action = '{"type": "transfer", "extension": "1{desk_no}"}'
    ready.sql("UPDATE agent SET action = %s, variables = %s", action, '["City"]')
    columns = {"Desk No": "23", "City": "Ulm", "ssn": "078-05-1120"}
    taken = trial(ready, lender(ready, **columns))
    assert taken.status_code == 201, taken.text
    assert contact_of(ready, taken.json["id"])["custom_fields"] == {"Desk No": "23", "City": "Ulm"}
    ready.sql("UPDATE agent SET variables = NULL")
    taken = trial(ready, lender(ready, **columns))
    assert contact_of(ready, taken.json["id"])["custom_fields"] == columns, "with NULL all travel"


def test_a_test_number_is_judged_by_itself(ready: Site) -> None:
    """Not by where the first contact of the list is, nor by what that one agreed to."""
    allow(ready, NUMBER)
    theirs = {
        "time_zone": "Asia/Tokyo",
        "consent_at": "2026-01-31",
        "consent_source": "form",
        "country": "JP",
    }
    campaign_id = lender(ready, **theirs)
    taken = trial(ready, campaign_id, to="(415) 555-0123")
    assert taken.status_code == 201, taken.text
    contact = contact_of(ready, taken.json["id"])
    assert contact["custom_fields"] == theirs
    assert (contact["phone_number"], contact["consent_at"], contact["consent_source"]) == (NUMBER, None, None)
    assert zones_of(ready, taken.json["id"]) == [["America/Los_Angeles"]]
    own = trial(ready, campaign_id, custom_fields=theirs | {"country": "US"}).json["id"]
    assert zones_of(ready, own) == [["Asia/Tokyo"]], "what is said of the test number itself"
    assert contact_of(ready, own)["consent_source"] == "form"


def zones_of(site: Site, campaign_id: str) -> list[list[str]]:
    return [
        row["zones"]
        for row in site.sql("SELECT zones FROM campaign_zone WHERE campaign_id = %s", campaign_id)
    ]


def test_a_test_call_keeps_to_the_campaigns_own_list_and_window(ready: Site) -> None:
    allow(ready, NUMBER)
    campaign_id = ready.create(1)
    entry = {"number": NUMBER, "source": "phone", "campaign_id": campaign_id}
    assert ready.post("/suppressions", json=entry).status_code == 201
    assert trial(ready, campaign_id).text == "The number is on a do-not-call list."
    assert originate(ready).status_code == 201, "that entry is of the campaign alone"
    day = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).strftime("%a").lower()
    windows = f'[{{"from": "00:00", "to": "24:00", "days": ["{day}"]}}]'
    shut = ready.create(1, windows=windows, time_zone="UTC")
    assert trial(ready, shut).text.startswith("It is outside the calling window")


def test_what_concerns_a_campaign_concerns_its_test_calls_that_wait(ready: Site) -> None:
    allow(ready, NUMBER)
    campaign_id, other = ready.create(1), ready.create(1)
    mine, others = trial(ready, campaign_id).json["id"], trial(ready, other).json["id"]
    ready.bus.messages.clear()
    ready.post("/suppressions", json={"number": NUMBER, "source": "phone", "campaign_id": campaign_id})
    held = [said["campaign_id"] for topic, said in ready.bus.messages if topic == "suppress"]
    assert held == [campaign_id, mine]
    ready.bus.messages.clear()
    assert ready.post(f"/campaigns/{campaign_id}/stop").status_code == 200
    held = [said["campaign_id"] for topic, said in ready.bus.messages if topic == "hold"]
    assert held == [campaign_id, mine]
    assert ready.get(f"/calls/{mine}").json["state"] == "ended"
    assert ready.get(f"/campaigns/{mine}").json["counts"]["cancelled"] == 1
    assert ready.get(f"/calls/{others}").json["state"] == "queued"


def test_nobody_tries_what_has_ended_or_is_anothers(ready: Site) -> None:
    allow(ready, NUMBER)
    campaign_id = ready.create(1)
    assert trial(ready, str(new_id())).status_code == 404
    path = f"/campaigns/{campaign_id}/test-call"
    assert ready.post(path, tenant=OTHER, json={"to_number": NUMBER}).status_code == 404
    assert ready.post(path, role="read", json={"to_number": NUMBER}).status_code == 403
    ready.post(f"/campaigns/{campaign_id}/stop")
    ended = trial(ready, campaign_id)
    assert (ended.status_code, ended.text) == (
        409,
        "The campaign has ended; no test call of it can be placed.",
    )


def test_the_clients_own_words_of_a_campaign_find_no_single_call(ready: Site) -> None:
    originate(ready)
    assert ready.get("/campaigns?status=running").json["total"] == 0


def test_nobody_makes_more_of_a_single_call(ready: Site) -> None:
    taken = originate(ready).json
    campaign, contact = (
        f"/campaigns/{taken['id']}",
        f"/campaigns/{taken['id']}/contacts/{taken['contact_id']}",
    )
    before = ready.get(campaign).json
    more = {"contacts": [{"phone_number": "+14155550124"}]}
    csv = {"contacts": (io.BytesIO(b"phone_number\n+14155550125\n"), "more.csv")}
    refused = [
        ready.post(f"{campaign}/contacts", json=more),
        ready.post(f"{campaign}/contacts", data=csv),
        ready.request("PATCH", campaign, json={"max_concurrent_calls": 100}),
        ready.request("PATCH", campaign, json={"keep_open": True}),
        ready.request("PATCH", contact, json={"next_attempt_at": "2099-01-01T00:00:00Z"}),
        ready.post(f"{campaign}/retry", json={"dispositions": ["busy"]}),
        ready.post(f"{campaign}/clone?status=pending"),
        *(ready.post(f"{campaign}/{action}") for action in ("pause", "start", "resume")),
    ]
    words = "Campaign is a single call; it can be stopped or hung up on, and not changed."
    assert [(answer.status_code, answer.text) for answer in refused] == [(409, words)] * len(refused)
    assert ready.get(campaign).json == before
    assert len(ready.sql("SELECT 1 FROM contact")) == 1
    assert len(ready.sql("SELECT 1 FROM campaign")) == 1
    assert ready.post(f"{campaign}/stop?hangup=true").status_code == 200
