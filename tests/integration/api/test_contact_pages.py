"""Contacts by status: the same as a filter over the whole list gives, in any pages, and no more read than a page."""

from __future__ import annotations

import random
from itertools import product
from typing import Any
from urllib.parse import urlencode

import pytest

from campaigns import contact_pages
from campaigns.contact_pages import BLOCK
from tests.integration.api.plans import plans_of, read
from tests.integration.api.site import Site

STATUSES = ("pending", "originated", "connected", "completed", "failed", "cancelled")


def scattered(site: Site, count: int, seed: int) -> str:
    """A campaign whose contacts are in any state; of the pending, some wait for another call, in no order."""
    drawn = random.Random(seed)
    campaign_id = site.create(count)
    for position in range(1, count + 1):
        status = drawn.choice(STATUSES)
        if status != "pending":
            site.move_contact(campaign_id, position, status)
    site.sql(
        "UPDATE contact SET next_attempt_at = now() + interval '1 second' * ((position * 7919) %% 100)"
        " WHERE campaign_id = %s AND status = 'pending' AND (position * 31) %% 3 = 0",
        campaign_id,
    )
    site.sql(
        "UPDATE contact SET disposition = (ARRAY['busy', 'no_answer', 'answered'])[position %% 3 + 1]"
        " WHERE campaign_id = %s AND (status <> 'pending' OR next_attempt_at IS NOT NULL)",
        campaign_id,
    )
    return campaign_id


FILTERS: tuple[dict[str, str], ...] = (
    {},
    *({"status": status} for status in STATUSES),
    {"disposition": "busy"},
    {"disposition": "invalid"},
    *({"disposition": "no_answer", "status": status} for status in STATUSES),
)


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("gaps", [False, True])
def test_pages_by_status_are_the_list_without_the_others(site: Site, order: str, gaps: bool) -> None:
    campaign_id = scattered(site, 60, seed=3)
    if gaps:
        site.sql("UPDATE campaign SET import_suppressed = 1 WHERE id = %s", campaign_id)
    path = f"/campaigns/{campaign_id}/contacts"
    everybody = site.get(f"{path}?limit=1000").json["contacts"]
    assert len(everybody) == 60
    if order == "newest":
        everybody.reverse()
    for asked, limit in product(FILTERS, (1, 3, 100)):
        expected = [contact for contact in everybody if asked.items() <= contact.items()]
        assert expected or "invalid" in asked.values() or asked.get("status") == "pending", asked
        query = asked | {"order": order, "limit": str(limit)}
        by_offset: list[Any] = []
        by_start: list[Any] = []
        while page := site.get(path, query_string=query | {"offset": len(by_offset)}).json:
            assert page["total"] == (None if "disposition" in asked else len(expected))
            if not page["contacts"]:
                break
            by_offset += page["contacts"]
        while True:
            start = {"starting_after": by_start[-1]["id"]} if by_start else {}
            page = site.get(path, query_string=query | start).json
            if not page["contacts"]:
                break
            by_start += page["contacts"]
        assert by_offset == by_start == expected, (asked, limit)


def test_a_stopped_list_is_told_as_cancelled_from_either_end(site: Site) -> None:
    campaign_id = scattered(site, 30, seed=5)
    site.sql("UPDATE campaign SET stopping_at = now() WHERE id = %s", campaign_id)
    path = f"/campaigns/{campaign_id}/contacts"
    everybody = site.get(f"{path}?limit=1000").json["contacts"]
    for asked in (
        {"status": "cancelled"},
        {"status": "pending"},
        {"status": "cancelled", "disposition": "busy"},
    ):
        expected = [contact for contact in everybody if asked.items() <= contact.items()]
        assert bool(expected) == (asked["status"] == "cancelled")
        assert site.get(path, query_string=asked).json["contacts"] == expected
        newest = site.get(path, query_string=asked | {"order": "newest"}).json["contacts"]
        assert newest == expected[::-1]


def called(site: Site, count: int) -> tuple[str, list[dict[str, Any]]]:
    """A campaign in which each was called at up to three times; its calls."""
    campaign_id = site.create(count)
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, state, generation, phone_number,"
        " caller_id, gateway_id, node, dialer_id, sent_by, created_at, ended_at, disposition)"
        " SELECT gen_random_uuid(), 'demo', campaign_id, id, seq, seq, 'ended', 1, phone_number, '+14155550100', id,"
        " 'fs1', 'd1', 'd1', timestamptz '2026-03-01T09:00:00Z' + seq * interval '1 hour'"
        " + (position * 7919 %% 60) * interval '1 minute', now(),"
        " (ARRAY['busy', 'no_answer', 'answered'])[(position + seq) %% 3 + 1]"
        " FROM contact CROSS JOIN generate_series(1, 3) AS seq WHERE campaign_id = %s AND seq <= position %% 4",
        campaign_id,
    )
    calls = site.sql("SELECT * FROM call WHERE campaign_id = %s ORDER BY created_at, id", campaign_id)
    return campaign_id, calls


def test_who_was_called_at_a_time_in_the_order_of_the_calls(site: Site) -> None:
    campaign_id, calls = called(site, 40)
    path = f"/campaigns/{campaign_id}/contacts"
    times = (None, "2026-03-01T10:30:00+00:00", "2026-03-01T12:00:00+00:00", "2026-03-01T20:00:00+00:00")
    for since, before, ended in product(times, times, (None, "busy", "invalid")):
        if since is before is None or (since and before and since >= before):
            continue
        then = [
            call
            for call in calls
            if (since is None or call["created_at"].isoformat() >= since)
            and (before is None or call["created_at"].isoformat() < before)
        ]
        last = {call["contact_id"]: call for call in sorted(then, key=lambda call: call["seq"])}
        expected = [
            str(call["contact_id"])
            for call in then
            if last[call["contact_id"]] is call and ended in (None, call["disposition"])
        ]
        query: dict[str, Any] = {"limit": 1000} | ({} if ended is None else {"disposition": ended})
        query |= ({"from": since} if since else {}) | ({"to": before} if before else {})
        for order, wanted in (("oldest", expected), ("newest", expected[::-1])):
            found = site.get(path, query_string=query | {"order": order}).json
            assert found["total"] is None
            assert [contact["id"] for contact in found["contacts"]] == wanted, (query, order)
            paged: list[str] = []
            while page := site.get(
                path,
                query_string=query
                | {"order": order, "limit": 7}
                | ({"starting_after": paged[-1]} if paged else {}),
            ).json["contacts"]:
                paged += [contact["id"] for contact in page]
            assert paged == wanted


def test_what_cannot_be_asked_together_is_400(site: Site) -> None:
    campaign_id, _ = called(site, 4)
    path = f"/campaigns/{campaign_id}/contacts"
    since = {"from": "2026-03-01T10:30:00Z"}
    for asked in (since | {"status": "failed"}, {"to": "2026-03-01T10:30:00Z", "external_id": "x"}):
        refused = site.get(path, query_string=asked)
        assert refused.status_code == 400
        assert "it must not be given with a status, external_id or metadata" in refused.text
    assert site.get(path, query_string=since | {"phone_number": "+14155550000"}).status_code == 400
    assert "must be one of answered" in site.get(path, query_string={"disposition": "ok"}).text
    never = site.sql("SELECT id FROM contact WHERE campaign_id = %s AND position = 4", campaign_id)[0]["id"]
    refused = site.get(path, query_string=since | {"starting_after": str(never)})
    assert (refused.status_code, "that was called then" in refused.text) == (400, True)
    assert site.get(path, query_string=since, tenant="other").status_code == 404


def test_a_contact_s_own_fields_are_all_that_is_told(site: Site) -> None:
    campaign_id = site.create(1)
    for query in ("", "?status=pending"):
        (contact,) = site.get(f"/campaigns/{campaign_id}/contacts{query}").json["contacts"]
        assert "position" not in contact


def test_no_more_is_read_than_the_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20,000 in front of which most were called already; the planner's choice, with its statistics."""
    campaign_id = site.create(1)
    site.sql(
        "INSERT INTO contact (id, campaign_id, position, phone_number, status, call_id)"
        " SELECT gen_random_uuid(), %s, n, '+1' || n, CASE WHEN n %% 4000 = 0 THEN 'originated'"
        " WHEN n < 14000 THEN 'completed' ELSE 'pending' END,"
        " CASE WHEN n %% 4000 = 0 THEN gen_random_uuid() END FROM generate_series(2, 20000) AS n",
        campaign_id,
    )
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, generation, phone_number, caller_id,"
        " gateway_id, node, dialer_id, sent_by)"
        " SELECT call_id, campaign.tenant_id, campaign.id, contact.id, 1, 1, 0, contact.phone_number, '+14155550100',"
        " phone_number.gateway_id, 'fs1', 'd1', 'd1' FROM contact JOIN campaign ON campaign.id = contact.campaign_id"
        " JOIN phone_number ON phone_number.id = campaign.phone_number_id WHERE call_id IS NOT NULL"
    )
    site.sql("ANALYZE contact")
    for status, after, order in product(("pending", "originated"), (0, 15_000), ("oldest", "newest")):
        path = f"{page(site, campaign_id, status, after)}&order={order}"
        plans = plans_of_contacts(site, path, monkeypatch)
        assert plans
        assert sum(read(plan) for plan in plans) <= 25, path


def test_of_those_who_are_over_no_more_is_read_than_parts_in_which_there_are_any(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20,000, half of whom were called, few of those failed, and nobody was cancelled."""
    campaign_id = site.create(1)
    site.sql(
        "INSERT INTO contact (id, campaign_id, position, phone_number, status)"
        " SELECT gen_random_uuid(), %s, n, '+1' || n, CASE WHEN n > 10000 THEN 'pending' WHEN n %% 50 = 1"
        " THEN 'failed' ELSE 'completed' END FROM generate_series(2, 20000) AS n",
        campaign_id,
    )
    site.sql(
        "UPDATE contact SET disposition = CASE WHEN position %% 1000 = 501 THEN 'invalid' ELSE 'busy' END"
        " WHERE campaign_id = %s AND status = 'failed'",
        campaign_id,
    )
    site.sql("ANALYZE contact")
    ends = (*(f"status={status}" for status in ("completed", "failed", "cancelled")), "disposition=busy",
            "disposition=invalid", "disposition=answered")  # fmt: skip
    for asked, after, order in product(ends, (0, 5_000, 9_990, 10_000, 15_000), ("oldest", "newest")):
        path = f"{page(site, campaign_id, '', after).replace('status=', asked)}&order={order}"
        plans = plans_of_contacts(site, path, monkeypatch)
        assert plans
        # A part for each that is shown, at the most: of those whose number is none there is one in five parts.
        most = 10 * BLOCK if "invalid" in asked else 10 * (BLOCK // 50 + 1) * 50
        assert sum(read(plan) for plan in plans) <= most, (path, plans)


@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_of_a_list_in_which_next_to_nobody_is_both_a_few_parts_are_looked_at_and_the_next_page_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    """Of 20,000, in each part of which some failed and others picked up: two of them did both."""
    parts = 10
    monkeypatch.setattr(contact_pages, "MOST_PARTS", parts)
    campaign_id = over(site, 20_000, "n %% 2 = 1")
    site.sql(
        "UPDATE contact SET disposition = 'answered' WHERE campaign_id = %s AND position IN (7001, 7003)"
        " RETURNING id",
        campaign_id,
    )
    site.sql("ANALYZE contact")
    path = f"/campaigns/{campaign_id}/contacts"
    asked = {"status": "failed", "disposition": "answered", "order": order, "limit": "10"}
    found: list[str] = []
    starts: list[str | None] = [None]
    while True:
        query = urlencode(asked | ({"starting_after": starts[-1]} if starts[-1] else {}))
        plans = plans_of_contacts(site, f"{path}?{query}", monkeypatch)
        assert sum(read(plan) for plan in plans) <= (parts + 1) * BLOCK, plans
        page = site.get(f"{path}?{query}").json
        found += [contact["phone_number"] for contact in page["contacts"]]
        if page["looked_to"] is None:
            break
        starts.append(page["looked_to"])
    assert found == (["+17001", "+17003"] if order == "oldest" else ["+17003", "+17001"])
    assert len(starts) == len(set(starts)) > 20_000 // BLOCK // parts
    # A page that is full goes on behind its last, and one by offset is of as many parts more.
    whole = site.get(path, query_string=asked | {"status": "completed"}).json
    assert (len(whole["contacts"]), whole["looked_to"]) == (10, None)
    far = site.get(path, query_string=asked | {"status": "completed", "offset": 9_000}).json
    assert (len(far["contacts"]), far["looked_to"]) == (10, None)


def test_parts_in_which_nobody_is_one_of_two_are_not_looked_at(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20,000, of whom those in front picked up and those behind failed."""
    campaign_id = over(site, 20_000, "n > 10000")
    site.sql("ANALYZE contact")
    for status, disposition in (("failed", "answered"), ("completed", "busy")):
        path = f"/campaigns/{campaign_id}/contacts?status={status}&disposition={disposition}"
        plans = plans_of_contacts(site, path, monkeypatch)
        assert plans
        # Marks, of which there are two for each part, and the one part that has both.
        assert sum(read(plan) for plan in plans) <= 2 * BLOCK + 4 * 20_000 // BLOCK, plans
        assert site.get(path).json["looked_to"] is None


def over(site: Site, count: int, failed: str) -> str:
    """A campaign of so many contacts, whose calls were busy or picked up: those of these places `n` failed."""
    campaign_id = site.create(1)
    site.sql(
        "INSERT INTO contact (id, campaign_id, position, phone_number, status, disposition)"
        f" SELECT gen_random_uuid(), %s, n, '+1' || n, CASE WHEN {failed} THEN 'failed' ELSE 'completed' END,"
        f" CASE WHEN {failed} THEN 'busy' ELSE 'answered' END FROM generate_series(2, {count}) AS n RETURNING id",
        campaign_id,
    )
    return campaign_id


def test_of_who_was_called_at_a_time_no_more_calls_are_read_than_the_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id, calls = called(site, 4000)
    site.sql("ANALYZE")
    behind = f"&starting_after={calls[len(calls) // 2]['contact_id']}"
    for order, more in product(("oldest", "newest"), ("", behind, "&disposition=busy")):
        path = f"/campaigns/{campaign_id}/contacts?from=2026-03-01T09:00:00Z&limit=10&order={order}{more}"
        plans = plans_of_contacts(site, path, monkeypatch)
        assert plans
        assert sum(read(plan) for plan in plans) <= 200, (path, plans)


def page(site: Site, campaign_id: str, status: str, after: int) -> str:
    """The path of ten contacts in this state, from the beginning or after the contact at this position."""
    start = ""
    if after:
        (found,) = site.sql(
            "SELECT id FROM contact WHERE campaign_id = %s AND position = %s", campaign_id, after
        )
        start = f"&starting_after={found['id']}"
    return f"/campaigns/{campaign_id}/contacts?status={status}&limit=10{start}"


def plans_of_contacts(site: Site, path: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the statements of a request that read contacts did."""
    return plans_of(site, path, monkeypatch, " FROM contact ", " JOIN contact ")
