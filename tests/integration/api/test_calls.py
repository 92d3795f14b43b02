"""Calls: every send as a row, found by its campaign, contact, disposition or state, and by an index."""

from __future__ import annotations

import re
from typing import Any

import pytest

from campaigns import call_counts
from models import db, new_id
from tests.integration.api.resource_routes import NOBODY, call_of
from tests.integration.api.site import Site
from tests.integration.web.statements import counted

FIELDS = [
    "id", "campaign_id", "contact_id", "phone_number", "caller_id", "seq", "attempt", "state", "node", "gateway_id",
    "disposition", "cause", "q850", "sip_status", "sip_phrase", "sip_603plus_reason", "hung_up_by", "created_at",
    "sent_at", "progress_at", "ring_at", "answered_at", "ended_at", "billsec", "recovered", "certain_billsec",
    "duration_ms", "pdd_ms", "ring_ms", "failover", "retry_seconds",
]  # fmt: skip
ENDED: dict[str, Any] = {
    "state": "ended",
    "attempt": 1,
    "ended_at": "2026-01-31T09:01:10Z",
    "answered_at": "2026-01-31T09:00:10.5Z",
    "disposition": "answered",
    "cause": "NORMAL_CLEARING",
    "q850": 16,
    "sip_status": 200,
    "sip_phrase": "OK",
    "sip_603plus_reason": 'Q.850;cause=21;text="url=https://redress.example"',
    "ring_at": "2026-01-31T09:00:02.5Z",
    "hung_up_by": "remote",
    "billsec": 60,
    "duration_ms": 70_000,
    "pdd_ms": 1200,
    "ring_ms": 8000,
}


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    assert response.json["total"] == len(response.json["calls"])
    return [call["id"] for call in response.json["calls"]]


def test_a_call_is_told_as_it_stands(site: Site) -> None:
    campaign_id = site.create(1)
    call_id = call_of(site, campaign_id)
    call = site.get(f"/calls/{call_id}", role="read").json
    assert list(call) == FIELDS
    assert (call["id"], call["campaign_id"], call["phone_number"]) == (call_id, campaign_id, "+14155550000")
    assert (call["seq"], call["attempt"], call["state"], call["node"]) == (1, None, "dispatching", "fs1")
    assert all(
        call[name] is None for name in FIELDS[10:] if name not in ("created_at", "recovered", "failover")
    )
    assert call["failover"] is call["recovered"] is False
    site.sql(f"UPDATE call SET {', '.join(f'{name} = %s' for name in ENDED)}", *ENDED.values())
    ended = site.get(f"/calls/{call_id}").json
    times = {
        "ended_at": "2026-01-31T09:01:10.000Z",
        "answered_at": "2026-01-31T09:00:10.500Z",
        "ring_at": "2026-01-31T09:00:02.500Z",
    }
    assert ended == call | ENDED | times
    assert site.get("/calls").json["calls"] == [ended]


def test_each_send_is_a_row_of_its_own_in_order(site: Site) -> None:
    campaign_id = site.create(1)
    refused = ENDED | {"attempt": None, "disposition": "congestion"}
    first = call_of(site, campaign_id, **refused)
    second = call_of(site, campaign_id, seq=2, **ENDED)
    third = call_of(site, campaign_id, seq=3)
    assert ids(site.get("/calls")) == [first, second, third]
    assert [call["attempt"] for call in site.get("/calls").json["calls"]] == [None, 1, None]


def test_the_calls_of_a_contact_that_one_page_has_are_not_counted_besides(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = site.create(1)
    calls = [call_of(site, campaign_id, seq=seq, **(ENDED | {"attempt": seq})) for seq in (1, 2, 3)]
    contact = site.get(f"/campaigns/{campaign_id}/contacts").json["contacts"][0]["id"]
    asked = counted(monkeypatch)
    for limit, statements in ((100, 2), (3, 3), (2, 3)):
        asked.clear()
        found = site.get(f"/calls?contact_id={contact}&limit={limit}").json
        assert (found["total"], [call["id"] for call in found["calls"]]) == (3, calls[:limit])
        assert len([sql for sql in asked if "FROM call" in sql or "FROM contact" in sql]) == statements
    assert site.get(f"/calls?contact_id={contact}&limit=2&offset=2").json["total"] == 3
    assert site.get(f"/calls?contact_id={contact}&limit=9&starting_after={calls[0]}").json["total"] == 3
    assert site.get(f"/calls?contact_id={contact}&disposition=invalid").json == {
        "calls": [], "total": 0, "limit": 100, "offset": 0}  # fmt: skip


def test_filters_narrow_together(site: Site) -> None:
    one, other = site.create(1), site.create(1)
    busy = call_of(site, one, **(ENDED | {"disposition": "busy"}))
    answered = call_of(site, one, seq=2, **(ENDED | {"attempt": 2}))
    ringing = call_of(site, other, state="ringing")
    contact_id = site.get(f"/calls/{busy}").json["contact_id"]
    assert ids(site.get("/calls")) == [busy, answered, ringing]
    assert ids(site.get(f"/calls?campaign_id={one}")) == [busy, answered]
    assert ids(site.get(f"/calls?campaign_id={other}")) == [ringing]
    assert ids(site.get(f"/calls?contact_id={contact_id}")) == [busy, answered]
    assert ids(site.get("/calls?disposition=busy")) == [busy]
    assert ids(site.get("/calls?state=ringing")) == [ringing]
    assert ids(site.get(f"/calls?campaign_id={one}&contact_id={contact_id}&disposition=answered")) == [
        answered
    ]
    assert ids(site.get(f"/calls?campaign_id={other}&contact_id={contact_id}")) == []
    assert ids(site.get(f"/calls?campaign_id={one}&state=ringing")) == []


@pytest.mark.parametrize("name", ["campaign_id", "contact_id"])
@pytest.mark.parametrize("value", [NOBODY, "x", "%00", "a'b"])
def test_a_filter_that_names_nothing_finds_nothing(site: Site, name: str, value: str) -> None:
    call_of(site, site.create(1))
    assert ids(site.get(f"/calls?{name}={value}")) == []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("state=over", "state is 'over'; it must be one of dispatching, ringing, answered, ended."),
        ("disposition=ok", "disposition is 'ok'; it must be one of answered, abandoned, agent_failed, "),
        ("campaign_id=", "campaign_id is ''; it must be an id of 1 to 64 characters."),
        ("state=ended&state=ringing", "'state' is given 2 times; once is the rule."),
        ("status=ended", "status is not known here; known are "),
    ],
)
def test_a_filter_that_cannot_be_is_400(site: Site, query: str, text: str) -> None:
    response = site.get(f"/calls?{query}")
    assert response.status_code == 400
    assert response.text.startswith(text)


def test_nothing_of_another_tenants_calls_is_seen(site: Site) -> None:
    campaign_id = site.create(1)
    call_id = call_of(site, campaign_id)
    contact_id = site.get(f"/calls/{call_id}").json["contact_id"]
    other = {"role": "admin", "tenant": "other"}
    for query in ("", f"?campaign_id={campaign_id}", f"?contact_id={contact_id}", "?state=dispatching"):
        assert ids(site.get(f"/calls{query}", **other)) == []
    assert site.get(f"/calls/{call_id}", **other).status_code == 404


def test_calls_of_a_deleted_campaign_stay_on_record(site: Site) -> None:
    campaign_id = site.create(1)
    call_id = call_of(site, campaign_id, **ENDED)
    assert site.delete(f"/campaigns/{campaign_id}").status_code == 204
    assert ids(site.get(f"/calls?campaign_id={campaign_id}")) == [call_id]


def many(site: Site, campaign_ids: list[str], sends: int = 1) -> None:
    """Give every contact of these campaigns `sends` ended calls."""
    site.sql(
        """
        INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, attempt, state, generation, phone_number,
            caller_id, gateway_id, node, dialer_id, sent_by, created_at, ended_at, disposition)
        SELECT gen_random_uuid(), 'demo', campaign_id, id, seq, seq, 'ended', 1, phone_number,
            '+14155550100', %s, 'fs1', 'd1', 'd1', now() - interval '1 second' * position, now(),
            (ARRAY['answered', 'busy', 'no_answer'])[position %% 3 + 1]
        FROM contact, generate_series(1, %s) AS seq WHERE campaign_id = ANY(%s::uuid[])""",
        new_id(),
        sends,
        campaign_ids,
    )
    site.sql("ANALYZE call")


def test_every_call_of_a_campaign_is_found_once_page_by_page(site: Site) -> None:
    campaign_id = site.create(250)
    many(site, [campaign_id])
    pages = [
        site.get(f"/calls?campaign_id={campaign_id}&limit=100&offset={offset}").json
        for offset in (0, 100, 200)
    ]
    found = [call for page in pages for call in page["calls"]]
    assert len({call["id"] for call in found}) == len(found) == 250
    assert {page["total"] for page in pages} == {250}
    assert [call["created_at"] for call in found] == sorted(call["created_at"] for call in found)
    busy = site.get(f"/calls?campaign_id={campaign_id}&disposition=busy&limit=1000").json
    assert (busy["total"], len(busy["calls"])) == (83 + 1, 84)


def test_no_call_is_skipped_or_repeated_while_states_change_under_the_filter(site: Site) -> None:
    campaign_id = site.create(9)
    many(site, [campaign_id])
    # Several of one moment, as one claim makes them.
    site.sql("UPDATE call SET created_at = date_trunc('minute', created_at)")
    every = ids(site.get("/calls"))
    query = "/calls?state=ended&limit=3"
    seen = [call["id"] for call in site.get(query).json["calls"]]
    changed = [every[0], every[2], every[4]]
    site.sql("UPDATE call SET state = 'answered', ended_at = NULL WHERE id = ANY(%s::uuid[])", changed)
    for _ in range(2):
        page = site.get(f"{query}&starting_after={seen[-1]}").json
        assert (page["total"], page["offset"]) == (6, 0)
        seen += [call["id"] for call in page["calls"]]
    assert seen == every[:4] + every[5:]
    rest = site.get(f"/calls?campaign_id={campaign_id}&starting_after={every[6]}").json
    assert [call["id"] for call in rest["calls"]] == every[7:]


def test_a_page_starts_after_a_call_of_the_tenant(site: Site) -> None:
    call_id = call_of(site, site.create(1))
    for start, options in ((call_id, {"tenant": "other"}), (new_id(), {}), ("x", {})):
        response = site.get(f"/calls?starting_after={start}", **options)
        assert (response.status_code, response.text) == (
            400,
            f"starting_after is '{start}'; it must be the id of a call of yours.",
        )


def test_calls_of_a_campaign_are_found_by_an_index(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign_ids = [site.create(50) for _ in range(20)]
    many(site, campaign_ids, sends=20)
    (first,) = site.get(f"/calls?campaign_id={campaign_ids[0]}&limit=1").json["calls"]
    contact_id = first["contact_id"]
    for query in (f"campaign_id={campaign_ids[3]}", f"campaign_id={campaign_ids[3]}&disposition=busy&state=ended",
                  f"contact_id={contact_id}",
                  f"campaign_id={campaign_ids[0]}&starting_after={first['id']}"):  # fmt: skip
        # Before these two, the call to start after is looked up by its id.
        plans = _plans(site, f"/calls?{query}&limit=100", monkeypatch)[-2:]
        # Of those that are over, the total is kept, and of a contact this page has all: no call is read for it.
        assert len(plans) == (1 if "state=ended" in query or "contact_id" in query else 2)
        for plan in plans:
            assert not OTHERS_READ.search(plan), plan
            assert any(index in plan for index in BY), plan


OTHERS_READ = re.compile(r"Seq Scan on (?!call_count)")
"""The counts, a handful here, may be read as a whole; of what was noted within the last seconds there is no index."""
BY = ("call_campaign", "call_ended_so", "call_unended", "call_contact_id_seq_key", "call_attempt")


def test_how_many_calls_there_are_is_told_without_reading_those_that_are_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_ids = [site.create(50) for _ in range(4)]
    many(site, campaign_ids, sends=20)
    under_way = site.create(2)
    for position in (1, 2):
        site.move_contact(under_way, position, "connected")
    call_counts.add_up()
    site.sql("ANALYZE")
    for query in ("", "disposition=busy", "state=ended", "state=ringing", "state=answered"):
        expected = site.sql(
            "SELECT count(*) AS n FROM call WHERE " + (query.replace("=", " = '") + "'" if query else "true")
        )
        assert site.get(f"/calls?{query}").json["total"] == expected[0]["n"], query
        (total, *listed) = _plans(site, f"/calls?{query}&limit=10", monkeypatch, analyze=True)
        # Of those that ended so, a page of each campaign.
        most = 20 if "disposition" not in query else 4 * 10
        for plan in (total, *(listed if query in ("state=ringing", "state=answered") else ())):
            assert not OTHERS_READ.search(plan), plan
            read = re.findall(r"on (?:call|call_count|call_count_change) .*rows=(\d+) loops=(\d+)", plan)
            assert sum(int(number) * int(loops) for number, loops in read) <= most, plan


def _plans(site: Site, path: str, monkeypatch: pytest.MonkeyPatch, *, analyze: bool = False) -> list[str]:
    """The plans of the statements about calls that a request runs."""
    plans: list[str] = []
    execute = db.obj.execute_sql

    def explained(sql: str, params: Any = None, *rest: Any) -> Any:
        if " FROM call " in sql:
            lines = execute(f"EXPLAIN (ANALYZE {'on' if analyze else 'off'}) {sql}", params).fetchall()
            plans.append("\n".join(line for (line,) in lines))
        return execute(sql, params, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(db.obj, "execute_sql", explained)
        assert site.get(path).status_code == 200
    return plans


def test_calls_are_found_by_their_time_and_their_number(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign_ids = [site.create(50) for _ in range(4)]
    many(site, campaign_ids, sends=20)
    site.sql(
        "UPDATE call SET created_at = timestamptz '2026-01-31T09:00:00Z' + seq * interval '1 hour'"
        " + (SELECT position FROM contact WHERE id = contact_id) * interval '1 s'"
    )
    site.sql("ANALYZE")
    every = site.get("/calls?limit=1").json["total"]
    asked = {"from": "2026-01-31T12:00:00+00:00", "to": "2026-01-31T13:00:00Z", "limit": 1000}
    found = site.get("/calls", query_string=asked).json
    assert found["total"] == len(found["calls"]) == 4 * 50
    assert {call["seq"] for call in found["calls"]} == {3}
    ended = site.get("/calls", query_string={"to": asked["from"], "state": "ended"}).json["total"]
    assert ended == 4 * 50 * 2
    assert site.get("/calls", query_string={"from": asked["to"]}).json["total"] == every - 4 * 50 * 3
    number = {"phone_number": found["calls"][0]["phone_number"], "order": "newest"}
    page = site.get("/calls", query_string=number | {"limit": 5}).json
    assert page["total"] == 4 * 20
    assert [call["seq"] for call in page["calls"]] == [20, 20, 20, 20, 19]
    assert {call["phone_number"] for call in page["calls"]} == {number["phone_number"]}
    one = site.get("/calls", query_string=number | asked | {"campaign_id": campaign_ids[1]}).json
    assert ([call["seq"] for call in one["calls"]], one["total"]) == ([3], 1)
    assert site.get("/calls", query_string={"phone_number": "+19995550123"}).json["total"] == 0
    for last in ("9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z"):
        assert site.get("/calls", query_string={"from": last}).json["total"] == 0
    assert site.get("/calls", query_string=number, tenant="other").json["total"] == 0
    refused = site.get("/calls", query_string={"from": asked["to"], "to": asked["from"]})
    assert (refused.status_code, "it must be before to" in refused.text) == (400, True)
    wrong = site.get("/calls?since=2026-01-31T09:00:00Z")
    assert "from" in wrong.text
    assert "from_" not in wrong.text
    for query in (
        "from=2026-01-31T12:00:00Z&to=2026-01-31T12:00:10Z",
        f"phone_number=%2B{number['phone_number'][1:]}",
    ):
        for plan in _plans(site, f"/calls?{query}&limit=10", monkeypatch):
            assert not OTHERS_READ.search(plan), plan


def test_calls_that_ended_so_are_found_without_reading_the_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handful among 20,000, of one campaign and of all, from either end and from anywhere between."""
    campaign_ids = [site.create(500) for _ in range(2)]
    many(site, campaign_ids, sends=20)
    rare = site.sql(
        "UPDATE call SET disposition = 'invalid' WHERE seq = 7 AND contact_id IN"
        " (SELECT id FROM contact WHERE position %% 100 = 3) RETURNING id, created_at"
    )
    call_counts.add_up()
    site.sql("ANALYZE")
    in_order = [str(row["id"]) for row in sorted(rare, key=lambda row: (row["created_at"], row["id"]))]
    assert len(in_order) == 10
    for which in ("", f"campaign_id={campaign_ids[0]}&"):
        query = f"/calls?{which}disposition=invalid"
        whole = site.get(query).json
        every = [call["id"] for call in whole["calls"]]
        assert whole["total"] == len(every) == (5 if which else 10)
        assert every == [one for one in in_order if one in every]
        assert [call["id"] for call in site.get(f"{query}&order=newest").json["calls"]] == every[::-1]
        paged: list[str] = []
        while page := site.get(f"{query}&limit=2&order=newest&starting_after={paged[-1]}" if paged else
                               f"{query}&limit=2&order=newest").json["calls"]:  # fmt: skip
            paged += [call["id"] for call in page]
        assert paged == every[::-1]
        assert [call["id"] for call in site.get(f"{query}&limit=3&offset=1").json["calls"]] == every[1:4]
        for more in ("", "&order=newest", f"&starting_after={every[2]}", "&from=2020-01-01T00:00:00Z"):
            for plan in _plans(site, f"{query}&limit=10{more}", monkeypatch, analyze=True):
                assert not OTHERS_READ.search(plan), plan
                assert sum(int(n) * int(loops) for n, loops in READ.findall(plan)) <= 20, plan


READ = re.compile(r"on call .*rows=(\d+) loops=(\d+)")


@pytest.mark.parametrize("folded", [True, False])
def test_how_many_calls_a_time_has_is_kept_by_the_day_and_counted_at_its_ends(
    site: Site, folded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_ids = [site.create(40) for _ in range(2)]
    many(site, campaign_ids, sends=3)
    site.sql(
        "UPDATE call SET created_at = timestamptz '2026-03-01T00:00:00Z' + seq * interval '23 hours'"
        " + (SELECT position FROM contact WHERE id = contact_id) * interval '1 hour'"
    )
    under_way = site.create(3)
    for position in (1, 2, 3):
        site.move_contact(under_way, position, "connected")
    site.sql("UPDATE call SET created_at = '2026-03-03T05:00:00Z' WHERE campaign_id = %s", under_way)
    if folded:
        call_counts.add_up()
    edges = ("2026-03-02T00:00:00Z", "2026-03-02T09:30:00Z", "2026-03-03T00:00:00Z", "2026-03-03T05:00:00Z",
             "2026-03-05T23:59:59Z", "2026-02-27T00:00:00Z")  # fmt: skip
    for since in (None, *edges):
        for before in (None, *edges):
            if since is not None and before is not None and since >= before:
                continue
            for more in ({}, {"state": "ended"}, {"state": "answered"}, {"disposition": "busy"},
                         {"campaign_id": campaign_ids[1]}):  # fmt: skip
                asked = {"limit": 1000} | ({} if since is None else {"from": since}) | more
                asked |= {} if before is None else {"to": before}
                found = site.get("/calls", query_string=asked).json
                assert found["total"] == len(found["calls"]), asked
    whole = {"from": "2026-02-01T00:00:00Z", "to": "2026-04-01T00:00:00Z", "state": "ended"}
    assert not [one for one in _statements(site, whole, monkeypatch) if "count(*)" in one]


def _statements(site: Site, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements about calls that a request runs."""
    run: list[str] = []
    execute = db.obj.execute_sql

    def noted(sql: str, params: Any = None, *rest: Any) -> Any:
        run.extend([sql] if " FROM call " in sql else [])
        return execute(sql, params, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(db.obj, "execute_sql", noted)
        assert site.get("/calls", query_string=asked).status_code == 200
    return run
