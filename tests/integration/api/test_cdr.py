"""Call records from the nodes: who may post them, what is kept of them, and that posting again changes nothing."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

import models
from api.routes import cdr
from freeswitch.action_proofs import ActionKind
from freeswitch.hangup import hangup_from_event, hangup_from_variables
from models import new_id
from tests.integration.api.site import SharedSites, Site

KEY = "the-key-of-the-nodes"
VARIABLES = {
    "hangup_cause": "USER_BUSY",
    "hangup_cause_q850": "17",
    "sip_invite_failure_status": "486",
    "sip_invite_failure_phrase": "Busy Here",
    "sip_hangup_disposition": "recv_refuse",
    "sip_gateway_name": "carrier",
    "start_uepoch": "1795428430560506",
    "end_uepoch": "1795428430580506",
    "billsec": "0",
    "mduration": "20",
    "carillon_first_name": "Ann",
    "switch_r_sdp": "v=0\r\n",
}


@pytest.fixture
def site(sites: SharedSites, redis_url: str) -> Iterator[Site]:
    with sites.site(CARILLON_CDR_KEY=KEY) as found:
        yield found


def record(call_id: object, **variables: Any) -> dict[str, Any]:
    return {
        "core-uuid": "c",
        "switchname": "fs1",
        "variables": VARIABLES | {"uuid": str(call_id)} | variables,
    }


def post(
    site: Site,
    body: Any,
    *,
    key: str | None = KEY,
    path: str = "/freeswitch/cdr",
    query: str = "?node=fs1",
    **options: Any,
) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return site.client().post(f"{path}{query}", data=data, headers=headers | options)


def post_together(site: Site, body: Any, **options: Any) -> Any:
    return post(site, body, path="/freeswitch/cdrs", **options)


def call(site: Site, *, ended: str | None = None, told: bool = False) -> uuid.UUID:
    """A call of ours: open, or closed that long ago, with or without the switch's word."""
    campaign_id = site.create(1)
    call_id = new_id()
    site.sql(
        "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, state, generation, phone_number, caller_id,"
        " gateway_id, node, dialer_id, sent_by, ended_at, duration_ms)"
        " SELECT %s, 'demo', campaign_id, id, 1, %s, 1, phone_number, '+14155550100', %s, 'fs1', 'd1', 'd1',"
        " now() - %s::interval, %s FROM contact WHERE campaign_id = %s",
        call_id,
        "ringing" if ended is None else "ended",
        new_id(),
        ended,
        20 if told else None,
        campaign_id,
    )
    site.bus.messages.clear()
    return call_id


def inbox(site: Site) -> list[dict[str, Any]]:
    return site.sql("SELECT * FROM cdr_inbox ORDER BY received_at")


def test_a_record_of_an_open_call_is_kept_and_the_dialers_are_told(site: Site) -> None:
    call_id = call(site)
    response = post(site, record(call_id))
    assert (response.status_code, response.data) == (204, b"")
    (row,) = inbox(site)
    assert (row["uuid"], row["node"], row["applied_at"]) == (call_id, "fs1", None)
    assert site.bus.topics() == ["cdr"]


def test_only_what_says_how_the_call_ended_is_kept(site: Site) -> None:
    given = record(call(site), sip_reason="x" * 10_000, sip_603plus_reason="a\0b", billmsec=["1", "2"])
    assert post(site, given).status_code == 204
    kept = inbox(site)[0]["variables"]
    assert set(kept) <= cdr.STORED_VARIABLES
    assert (len(kept["sip_reason"]), kept["sip_603plus_reason"]) == (500, "ab")
    assert "billmsec" not in kept
    bounded = given["variables"] | {"sip_reason": "x" * 500, "sip_603plus_reason": "ab"}
    assert hangup_from_variables(kept) == hangup_from_variables(bounded)


def test_the_number_that_was_called_is_not_kept(site: Site) -> None:
    """It may have been erased before a late record comes."""
    uri = {"sip_req_uri": "+14155550101@10.0.0.1:5060"}
    ended = {"sip_hangup_disposition": "", "sip_invite_failure_status": ""}
    told = [record(call(site), **ended), record(call(site), **ended, **uri)]
    for one in told:
        assert post(site, one).status_code == 204
    kept = [row["variables"] for row in inbox(site)]
    assert "4155550101" not in json.dumps(kept)
    read = [hangup_from_variables(variables) for variables in kept]
    assert [hangup is not None and hangup.invited for hangup in read] == [False, True]
    assert read == [hangup_from_variables(one["variables"]) for one in told]


def test_what_is_kept_is_what_the_dialers_read() -> None:
    """Neither package may import the other: this is where their two lists meet."""
    read: set[str] = set()

    class RecordingDict(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            read.add(name.removeprefix("variable_"))
            return super().get(name, default)

    hangup_from_event(RecordingDict())
    hangup_from_event(RecordingDict({f"variable_{name}": value for name, value in VARIABLES.items()}))
    for action in ActionKind:
        for cause in ("NO_ROUTE_DESTINATION", "DESTINATION_OUT_OF_ORDER"):
            answered = {
                "dialer_action": action,
                "answer_uepoch": "1",
                "hangup_cause": cause,
                "sip_hangup_disposition": "send_bye",
                "dialer_ran": "true",
                "originate_disposition": cause,
            }
            hangup_from_event(RecordingDict({f"variable_{name}": value for name, value in answered.items()}))
    assert read - {"Hangup-Cause"} == cdr.STORED_VARIABLES


def test_posting_again_changes_nothing(site: Site) -> None:
    call_id = call(site)
    first = post(site, record(call_id))
    again = post(site, record(call_id, billsec="9"))
    assert (first.status_code, again.status_code) == (204, 204)
    (row,) = inbox(site)
    assert row["variables"]["billsec"] == "0"
    assert site.bus.topics() == ["cdr"]


@pytest.mark.parametrize(
    ("ended", "told", "kept"),
    [
        (None, False, True),
        ("1 minute", False, True),
        ("23 hours", False, True),
        ("25 hours", False, False),
        ("1 s", True, False),
    ],
)
def test_a_record_is_kept_while_it_can_still_say_something(
    site: Site, ended: str | None, told: bool, kept: bool
) -> None:
    assert post(site, record(call(site, ended=ended, told=told))).status_code == 204
    assert bool(inbox(site)) is kept
    assert site.bus.topics() == (["cdr"] if kept else [])


def test_records_that_come_together_are_kept_as_each_would_be(site: Site) -> None:
    first, told, second = call(site), call(site, ended="1 hour", told=True), call(site)
    site.bus.messages.clear()
    body = [record(second), record(told), record(first), record(second), record("x" * 36)]
    answer = post_together(site, body)
    assert (answer.status_code, answer.json) == (200, {"refused": []})
    assert {(row["uuid"], row["node"], row["variables"]["hangup_cause"]) for row in inbox(site)} == {
        (first, "fs1", "USER_BUSY"),
        (second, "fs1", "USER_BUSY"),
    }
    assert site.bus.topics() == ["cdr"]
    assert post_together(site, body).json == {"refused": []}
    assert (len(inbox(site)), site.bus.topics()) == (2, ["cdr"])
    assert post_together(site, []).json == {"refused": []}


def test_of_records_that_come_together_those_that_are_none_are_named(site: Site) -> None:
    call_id = call(site)
    answer = post_together(site, [{}, record(call_id), [], {"variables": {"uuid": "u"}}])
    assert answer.status_code == 200
    assert [one["place"] for one in answer.json["refused"]] == [0, 2, 3]
    assert all("no call record" in one["detail"] for one in answer.json["refused"])
    assert [row["uuid"] for row in inbox(site)] == [call_id]


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b'"text"', b"[1", b"[" * 100_000])
def test_what_is_no_array_of_records_is_refused(site: Site, body: bytes) -> None:
    assert post_together(site, body).status_code == 400


def test_records_that_come_together_need_the_key_and_have_a_bound(site: Site) -> None:
    given = [record(call(site))]
    assert post_together(site, given, key="wrong").status_code == 401
    assert post_together(site, [record(new_id(), x="y" * 300_000)]).status_code == 413
    assert post_together(site, given, query="?foo=1").status_code == 400
    assert inbox(site) == []


@pytest.mark.parametrize("of", [str(new_id()), "not-a-uuid", "x" * 36, "../../etc/passwd", 7])
def test_a_record_of_somebody_elses_call_is_accepted_and_dropped(site: Site, of: object) -> None:
    body = record("x")
    body["variables"]["uuid"] = of
    assert post(site, body).status_code == 204
    assert inbox(site) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"variables":[]}',
        b'{"variables":{"uuid":"u"}}',
        b'{"variables":{"hangup_cause":"X"}}',
        b"cdr=%7B%7D",
        b'{"variables":{"uuid":"u","hangup_cause":"X"}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_record_is_refused(site: Site, body: bytes) -> None:
    assert post(site, body).status_code == 400


def test_bytes_that_are_no_utf8_do_not_spoil_a_record(site: Site) -> None:
    text = json.dumps(record(call(site), sip_reason="caf@")).encode().replace(b"caf@", b"caf\xe9")
    assert post(site, text).status_code == 204
    assert inbox(site)[0]["variables"]["sip_reason"] == "caf\ufffd"


def test_the_node_is_named_by_its_shipper_or_by_itself(site: Site) -> None:
    first, second = call(site), call(site)
    assert post(site, record(first), query="?node=other.node-1").status_code == 204
    assert post(site, record(second), query="").status_code == 204
    assert [row["node"] for row in inbox(site)] == ["other.node-1", "fs1"]
    refused = post(site, record(call(site)), query="?node=a%0Ab")
    assert (refused.status_code, refused.text) == (
        400,
        "node is 'a\\nb'; it must be 1 to 64 letters, digits, '_', '.' or '-'.",
    )


def test_a_query_parameter_that_is_unknown_or_given_twice_is_refused(site: Site) -> None:
    call_id = call(site)
    for query, text in (
        ("?foo=1", "'foo' is not known here; query parameters are: node."),
        ("?node=fs1&Node=fs1", "'Node' is not known here; query parameters are: node."),
        ("?node=fs1&node=fs2", "'node' is given 2 times; once is the rule."),
    ):
        response = post(site, record(call_id), query=query)
        assert (response.status_code, response.text) == (400, text)
    assert inbox(site) == []


@pytest.mark.parametrize("key", [None, "", "wrong", KEY + "x", KEY.upper(), "ü"])
def test_only_the_key_opens(site: Site, key: str | None) -> None:
    call_id = call(site)
    response = post(site, record(call_id), key=key)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert inbox(site) == []


def test_a_tenants_key_does_not_open(site: Site) -> None:
    assert post(site, record(call(site)), key=f"sk_demo_platform-{'k' * 32}").status_code == 401


def test_basic_auth_opens_with_the_key_for_a_password(site: Site) -> None:
    for password, status in ((KEY, 204), ("wrong", 401)):
        response = site.client().post(
            "/freeswitch/cdr", data=json.dumps(record(call(site))), auth=("fs1", password)
        )
        assert response.status_code == status


def test_without_a_key_set_nothing_is_taken(sites: SharedSites, redis_url: str) -> None:
    with sites.site() as site:
        for key in (KEY, "", None):
            response = post(site, record(new_id()), key=key)
            assert response.status_code == 503
            assert "CARILLON_CDR_KEY" in response.text


def test_a_body_that_is_too_large_is_refused(site: Site) -> None:
    assert post(site, record(new_id(), x="y" * 300_000)).status_code == 413


def test_while_the_database_is_away_the_shipper_is_to_come_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = call(site)
    pool = models.db.obj
    pool.close_all()
    monkeypatch.setattr(pool, "connect_params", pool.connect_params | {"port": 1})
    response = post(site, record(call_id))
    assert response.status_code == 503
    assert "Retry-After" in response.headers
