"""Caller ids and gateways: what they may be, and what keeps one from being deleted."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from models import db, rows
from tests.integration.api.resource_routes import NOBODY
from tests.integration.api.site import Site

CARRIER = {"name": "carrier", "dial_string": "sofia/gateway/carrier/{number}"}


def ask(site: Site, method: str, path: str, **options: Any) -> Any:
    return site.request(method, path, **({"role": "platform"} | options))


def gateway(site: Site, **changes: Any) -> str:
    response = ask(site, "POST", "/gateways", json=CARRIER | changes)
    assert response.status_code == 201, response.text
    found: str = response.json["id"]
    return found


def test_a_number_has_defaults_and_belongs_to_the_tenant_acted_for(site: Site) -> None:
    gateway_id = gateway(site)
    body = {"e164": "+442079460000", "gateway_id": gateway_id}
    response = ask(site, "POST", "/phone-numbers", json=body, headers={"X-Tenant": "other"})
    assert response.status_code == 201
    number = response.json
    assert (number["outbound_enabled"], number["agent_id"]) == (True, None)
    path = f"/phone-numbers/{number['id']}"
    assert site.get(path, role="read", tenant="other").json == number
    assert site.get(path, role="admin").status_code == 404
    assert site.get("/phone-numbers").json["total"] == 1


REFUSED_NUMBERS: list[tuple[dict[str, Any], str | None]] = [
    ({"e164": "4155550123"}, None),
    (
        {"e164": "+1 415 555 0123"},
        "e164 is '+1 415 555 0123'; it must be in E.164, which is +14155550123.",
    ),
    ({"e164": "+1555"}, None),
    ({"e164": "+19005550123"}, None),
    ({"e164": "+999123456789"}, None),
    ({"e164": "+1415555012３"}, None),
    ({"e164": "+14155550123;ext=1"}, None),
    ({"gateway_id": NOBODY}, f"gateway_id is '{NOBODY}'; it must be the id of a gateway."),
    ({"gateway_id": "x"}, "gateway_id is 'x'; it must be the id of a gateway."),
    ({"gateway_id": None}, "gateway_id is null; it must not be null."),
    ({"agent_id": NOBODY}, f"agent_id is '{NOBODY}'; it must be the id of an agent of the tenant."),
    ({"agent_id": "\0"}, "agent_id is '\\x00'; it must be the id of an agent of the tenant."),
    ({"outbound_enabled": 1}, "outbound_enabled is 1; it must be true or false."),
]


def test_a_numbers_field_that_breaks_its_rule_is_named(site: Site) -> None:
    gateway_id = gateway(site)
    for changes, text in REFUSED_NUMBERS:
        body = {"e164": "+14155550123", "gateway_id": gateway_id} | changes
        for response in (
            ask(site, "POST", "/phone-numbers", json=body),
            ask(site, "PATCH", f"/phone-numbers/{site.phone_number_id}", json=changes),
        ):
            assert response.status_code == 400, changes
            assert text is None or response.text == text
            assert response.text.startswith(f"{next(iter(changes))} is ")
            assert "; it must " in response.text
        assert site.get("/phone-numbers").json["total"] == 1


def test_an_agent_of_another_tenant_is_no_agent(site: Site) -> None:
    body = {"e164": "+14155550123", "gateway_id": gateway(site), "agent_id": site.agent_id}
    response = ask(site, "POST", "/phone-numbers", json=body, headers={"X-Tenant": "other"})
    assert response.status_code == 400
    assert response.text.endswith("it must be the id of an agent of the tenant.")


def test_a_number_is_unique_among_the_living_of_all_tenants(site: Site) -> None:
    body = {"e164": "+14155550100", "gateway_id": gateway(site)}
    for tenant in ("demo", "other"):
        taken = ask(site, "POST", "/phone-numbers", json=body, headers={"X-Tenant": tenant})
        assert (taken.status_code, taken.text) == (409, "The number +14155550100 exists.")
    second = ask(site, "POST", "/phone-numbers", json=body | {"e164": "+14155550101"}).json
    moved = ask(site, "PATCH", f"/phone-numbers/{second['id']}", json={"e164": "+14155550100"})
    assert (moved.status_code, moved.text) == (409, "The number +14155550100 exists.")
    assert ask(site, "DELETE", f"/phone-numbers/{site.phone_number_id}").status_code == 204
    assert ask(site, "POST", "/phone-numbers", json=body, headers={"X-Tenant": "other"}).status_code == 201


@pytest.mark.parametrize("state", ["draft", "scheduled", "running", "paused", "completed", "failed"])
def test_a_number_of_an_unfinished_campaign_is_not_deleted(site: Site, state: str) -> None:
    campaign_id = site.in_state(state)
    response = ask(site, "DELETE", f"/phone-numbers/{site.phone_number_id}")
    if state in ("completed", "failed"):
        assert response.status_code == 204
        assert site.get(f"/phone-numbers/{site.phone_number_id}").status_code == 404
    else:
        assert response.status_code == 409
        assert response.text == (
            f"Phone number is used by campaign 'Reminders' ({campaign_id}, {state}); it cannot be deleted."
        )


def test_a_number_that_is_disabled_starts_no_new_campaign(site: Site) -> None:
    path = f"/phone-numbers/{site.phone_number_id}"
    site.bus.messages.clear()
    assert ask(site, "PATCH", path, json={"outbound_enabled": False}).json["outbound_enabled"] is False
    assert site.bus.topics() == ["wake"]
    assert site.post("/campaigns", data=site.form("phone_number\n+14155550123\n")).status_code == 400


REFUSED_GATEWAYS: list[tuple[dict[str, Any], str | None]] = [
    ({"name": ""}, "name is ''; it must have 1 to 200 characters."),
    ({"dial_string": "sofia/gateway/carrier/1"}, None),
    ({"dial_string": "{absolute_codec_string=PCMU}sofia/gateway/c/{number}"}, None),
    ({"dial_string": "sofia/gateway/c/{number}|sofia/gateway/d/1"}, None),
    ({"dial_string": "sofia/gateway/c/{number}&system(id)"}, None),
    ({"cps": 0}, "cps is 0; it must be a whole number from 1 to 100000."),
    ({"cps": "9"}, "cps is '9'; it must be a whole number."),
    ({"channels": 100_001}, "channels is 100001; it must be a whole number from 1 to 100000."),
    ({"prefixes": "+44"}, "prefixes is '+44'; it must be a list."),
    ({"prefixes": ["+1", "44"]}, None),
    ({"prefixes": ["+1", "+1"]}, None),
    ({"prefixes": ["+1;x=y"]}, None),
    ({"prefixes": [f"+1{n}" for n in range(1001)]}, None),
    ({"cost": -0.01}, "cost is -0.01; it must be a number from 0 to 1000000."),
    ({"cost": "0.01"}, "cost is '0.01'; it must be a number."),
    ({"cost": True}, "cost is true; it must be a number."),
    ({"failover": [NOBODY]}, None),
    ({"failover": ["x"]}, None),
    ({"failover": [NOBODY, NOBODY]}, None),
    ({"failover": [f"{n}" for n in range(10)]}, None),
    (
        {"caller_id_header": "diversion"},
        "caller_id_header is 'diversion'; it must be one of from, pai, rpid.",
    ),
    ({"caller_id_format": "e.164"}, "caller_id_format is 'e.164'; it must be one of e164, digits."),
]


def test_a_gateways_field_that_breaks_its_rule_is_named(site: Site) -> None:
    gateway_id = gateway(site)
    for changes, text in REFUSED_GATEWAYS:
        for response in (
            ask(site, "POST", "/gateways", json=CARRIER | {"name": "second"} | changes),
            ask(site, "PATCH", f"/gateways/{gateway_id}", json=changes),
        ):
            assert response.status_code == 400, changes
            assert text is None or response.text == text
            assert re.match(rf"{next(iter(changes))}(\.\d+)? is .*; it must ", response.text), response.text
        assert ask(site, "GET", f"/gateways/{gateway_id}").json["dial_string"] == CARRIER["dial_string"]


def test_an_entry_that_breaks_its_rule_is_named_by_its_place(site: Site) -> None:
    own = gateway(site)
    for changes, text in (
        (
            {"prefixes": ["+1", "44"]},
            "prefixes.1 is '44'; it must be a plus and 1 to 15 digits, such as +44.",
        ),
        ({"failover": [NOBODY]}, f"failover.0 is '{NOBODY}'; it must be the id of another gateway."),
        ({"failover": [own]}, f"failover.0 is '{own}'; it must be the id of another gateway."),
    ):
        response = ask(site, "PATCH", f"/gateways/{own}", json=changes)
        assert (response.status_code, response.text) == (400, text)


def test_a_gateway_says_what_it_carries_and_who_carries_it_instead(site: Site) -> None:
    second = gateway(site, name="second")
    routing = {
        "prefixes": ["+1", "+442"],
        "cost": 0.0085,
        "failover": [second],
        "caller_id_header": "pai",
        "caller_id_format": "digits",
    }
    first = gateway(site, **routing)
    for found in (
        ask(site, "GET", f"/gateways/{first}").json,
        next(one for one in ask(site, "GET", "/gateways").json["gateways"] if one["id"] == first),
    ):
        assert routing.items() <= found.items()
    plain = ask(site, "GET", f"/gateways/{second}").json
    defaults: dict[str, object] = {
        "prefixes": [],
        "cost": None,
        "failover": [],
        "caller_id_header": "from",
        "caller_id_format": "e164",
    }
    assert defaults.items() <= plain.items()
    changed = ask(site, "PATCH", f"/gateways/{first}", json={"cost": None, "failover": []}).json
    assert (changed["cost"], changed["failover"], changed["prefixes"]) == (None, [], ["+1", "+442"])


def test_a_gateway_that_another_fails_over_to_is_not_deleted(site: Site) -> None:
    second = gateway(site, name="second")
    first = gateway(site, failover=[second])
    kept = ask(site, "DELETE", f"/gateways/{second}")
    assert (kept.status_code, kept.text) == (
        409,
        "Gateway 'carrier' fails over to it; it cannot be deleted.",
    )
    assert ask(site, "DELETE", f"/gateways/{first}").status_code == 204
    assert ask(site, "DELETE", f"/gateways/{second}").status_code == 204
    gone = ask(site, "POST", "/gateways", json=CARRIER | {"failover": [second]})
    assert gone.text == f"failover.0 is '{second}'; it must be the id of another gateway."


def test_a_gateways_name_is_unique_among_the_living(site: Site) -> None:
    first, second = gateway(site), gateway(site, name="second", cps=10, channels=20)
    taken = "A gateway named 'carrier' exists."
    for method, path, body in (
        ("POST", "/gateways", CARRIER),
        ("PATCH", f"/gateways/{second}", {"name": "carrier"}),
    ):
        response = ask(site, method, path, json=body)
        assert (response.status_code, response.text) == (409, taken)
    assert ask(site, "GET", f"/gateways/{second}").json["name"] == "second"
    assert ask(site, "DELETE", f"/gateways/{first}").status_code == 204
    patched = ask(site, "PATCH", f"/gateways/{second}", json={"name": "carrier", "cps": None})
    assert (patched.json["name"], patched.json["cps"], patched.json["channels"]) == ("carrier", None, 20)


def test_a_gateway_in_use_is_not_deleted(site: Site) -> None:
    gateway_id = gateway(site)
    number = ask(site, "POST", "/phone-numbers", json={"e164": "+14155550123", "gateway_id": gateway_id}).json
    ask(site, "PATCH", "/tenants/demo", json={"gateway_ids": [gateway_id]})
    path = f"/gateways/{gateway_id}"
    refused = ask(site, "DELETE", path)
    assert (refused.status_code, refused.text) == (
        409,
        "Gateway is used by the number +14155550123; it cannot be deleted.",
    )
    ask(site, "DELETE", f"/phone-numbers/{number['id']}")
    refused = ask(site, "DELETE", path)
    assert (refused.status_code, refused.text) == (
        409,
        "Gateway is granted to tenant demo; it cannot be deleted.",
    )
    ask(site, "PATCH", "/tenants/demo", json={"gateway_ids": []})
    assert ask(site, "DELETE", path).status_code == 204
    assert ask(site, "GET", path).status_code == 404
    body = {"e164": "+14155550124", "gateway_id": gateway_id}
    assert ask(site, "POST", "/phone-numbers", json=body).status_code == 400


def test_no_tenants_key_sees_a_dial_string(site: Site) -> None:
    number = site.get(f"/phone-numbers/{site.phone_number_id}", role="admin")
    assert "dial_string" not in number.text
    shown = ask(site, "GET", f"/gateways/{number.json['gateway_id']}", role="admin")
    assert (shown.status_code, shown.json["dial_string"]) == (200, None)
    assert ask(site, "GET", f"/gateways/{number.json['gateway_id']}", role="read").status_code == 403


def test_a_gateway_says_for_which_destinations_it_is_paused_and_can_be_resumed_for_them(site: Site) -> None:
    gateway_id = gateway(site)
    with db.connection_context():
        rows(
            "INSERT INTO gateway_prefix (gateway_id, prefix, faults_in_row, paused_at, paused_reason, probe_at)"
            " VALUES (%s, '+44', 5, now(), '403 Forbidden', now() + interval '60 s'),"
            " (%s, '+49', 2, NULL, '403 Forbidden', NULL)",
            gateway_id,
            gateway_id,
        )
    told = ask(site, "GET", f"/gateways/{gateway_id}").json
    assert (told["paused_at"], told["paused_reason"], told["probe_at"]) == (None, None, None)
    ((paused),) = told["paused_prefixes"]
    assert (paused["prefix"], paused["paused_reason"]) == ("+44", "403 Forbidden")
    assert paused["probe_at"] > paused["paused_at"]
    listed = ask(site, "GET", "/gateways").json["gateways"]
    assert [one["paused_prefixes"] for one in listed if one["id"] == gateway_id] == [[paused]]
    assert ask(site, "PATCH", f"/gateways/{gateway_id}", json={"cps": 7}).json["paused_prefixes"] == [paused]
    assert ask(site, "POST", f"/gateways/{gateway_id}/resume").json["paused_prefixes"] == []
    assert ask(site, "GET", f"/gateways/{gateway_id}").json["paused_prefixes"] == []


def test_a_paused_gateway_says_why_and_can_be_resumed(site: Site) -> None:
    gateway_id = gateway(site)
    site.sql(
        "UPDATE gateway SET paused_at = now(), paused_reason = '403 Forbidden', probe_at = now(), probes = 3,"
        " faults_in_row = 5 WHERE id = %s",
        uuid.UUID(gateway_id),
    )
    paused = ask(site, "GET", f"/gateways/{gateway_id}").json
    assert paused["paused_reason"] == "403 Forbidden"
    assert paused["paused_at"].endswith("Z")
    site.bus.messages.clear()
    resumed = ask(site, "POST", f"/gateways/{gateway_id}/resume")
    assert (resumed.status_code, resumed.json["paused_at"], resumed.json["paused_reason"]) == (
        200,
        None,
        None,
    )
    assert site.bus.topics() == ["wake"]
    (row,) = site.sql(
        "SELECT probe_at, probes, faults_in_row FROM gateway WHERE id = %s", uuid.UUID(gateway_id)
    )
    assert row == {"probe_at": None, "probes": 0, "faults_in_row": 0}
    assert ask(site, "POST", f"/gateways/{gateway_id}/resume").status_code == 200


def test_what_was_done_with_a_gateway_is_told_with_who_did_it_and_what_was_before(site: Site) -> None:
    gateway_id = gateway(site, cps=40)
    path = f"/gateways/{gateway_id}"

    def told() -> list[tuple[str, dict[str, Any]]]:
        log = ask(site, "GET", f"{path}/log").json["gateway_log"]
        assert {one["by"] for one in log} == {"platform key"}
        assert all(one["at"].endswith("Z") for one in log)
        return [(one["action"], one["changes"]) for one in log]

    assert told() == [("created", {})]
    # What is said again as it is, or is refused, happened not.
    assert ask(site, "PATCH", path, json={"cps": 40}).status_code == 200
    assert ask(site, "PATCH", path, json={"cps": 20, "name": "trunk"}).status_code == 409
    assert len(told()) == 1
    secret = "sofia/gateway/other/{number}"
    assert ask(site, "PATCH", path, json={"cps": 20, "prefixes": ["+1"]}).status_code == 200
    assert ask(site, "PATCH", path, json={"channels": 5, "dial_string": secret}).status_code == 200
    assert ask(site, "POST", f"{path}/resume").status_code == 200
    assert told() == [
        ("resumed", {}),
        ("changed", {"channels": [None, 5], "dial_string": [None, None]}),
        ("changed", {"cps": [40, 20], "prefixes": [[], ["+1"]]}),
        ("created", {}),
    ]
    page = ask(site, "GET", f"{path}/log?limit=1&offset=1").json
    assert (page["total"], [one["action"] for one in page["gateway_log"]]) == (4, ["changed"])
    assert site.get(f"{path}/log", role="admin").status_code == 403
    assert ask(site, "DELETE", path).status_code == 204
    (last,) = site.sql("SELECT action, by FROM gateway_log WHERE gateway_id = %s ORDER BY id DESC LIMIT 1",
                       uuid.UUID(gateway_id))  # fmt: skip
    assert last == {"action": "deleted", "by": "platform key"}


def test_a_gateway_is_switched_off_and_on_and_says_since_when_and_by_whom(site: Site) -> None:
    gateway_id = gateway(site)
    path = f"/gateways/{gateway_id}"
    site.sql(
        "UPDATE gateway SET paused_at = now(), paused_reason = '403', probe_at = now(), probes = 3,"
        " faults_in_row = 5 WHERE id = %s",
        uuid.UUID(gateway_id),
    )
    before = ask(site, "GET", path).json
    assert (before["outbound_enabled"], before["switched_off_at"], before["switched_off_by"]) == (
        True,
        None,
        None,
    )
    off = ask(site, "PATCH", path, json={"outbound_enabled": False}).json
    assert (off["outbound_enabled"], off["switched_off_by"]) == (False, "platform key")
    assert ask(site, "PATCH", path, json={"outbound_enabled": False, "cps": 4}).json == off | {
        "cps": 4,
        "rate_now": 4,
    }
    hidden = ask(site, "GET", path, role="admin").json
    assert (hidden["switched_off_at"], hidden["switched_off_by"]) == (off["switched_off_at"], None)
    assert ask(site, "PATCH", path, json={"outbound_enabled": True, "cps": None}).json == before
    (row,) = site.sql("SELECT probes, faults_in_row FROM gateway WHERE id = %s", uuid.UUID(gateway_id))
    assert row == {"probes": 3, "faults_in_row": 5}
    log = ask(site, "GET", f"{path}/log").json["gateway_log"]
    assert [one["changes"].get("outbound_enabled") for one in log] == [
        [False, True],
        None,
        [True, False],
        None,
    ]
    second = ask(site, "POST", "/gateways", json=CARRIER | {"name": "second", "outbound_enabled": False})
    assert second.json["switched_off_at"].endswith("Z")


def test_a_gateway_is_not_switched_off_beside_a_dialer_that_would_go_on_by_it(site: Site) -> None:
    gateway_id = gateway(site)
    path = f"/gateways/{gateway_id}"
    site.sql("INSERT INTO dialer (id, knows) VALUES ('d1', 69)")
    for method, where, body in (
        ("PATCH", path, {"outbound_enabled": False}),
        ("POST", "/gateways", CARRIER | {"name": "second", "outbound_enabled": False}),
    ):
        refused = ask(site, method, where, json=body)
        assert (refused.status_code, refused.text) == (
            409,
            "A dialer of an older release, which would go on by it, is still running.",
        )
    assert ask(site, "PATCH", path, json={"outbound_enabled": True, "cps": 4}).status_code == 200
    site.sql("UPDATE dialer SET settled_at = now()")
    assert ask(site, "PATCH", path, json={"outbound_enabled": False}).status_code == 200


def test_an_operator_of_a_tenant_sees_gateways_without_what_is_the_platforms_own(site: Site) -> None:
    secret = "sofia/gateway/carrier/{number}"
    body = {"name": "carrier", "dial_string": secret, "cost": 0.5}
    gateway_id = site.request("POST", "/gateways", role="platform", json=body).json["id"]
    for role in ("operate", "admin"):
        shown = site.get(f"/gateways/{gateway_id}", role=role)
        assert (shown.status_code, shown.json["name"]) == (200, "carrier")
        assert (shown.json["dial_string"], shown.json["cost"]) == (None, None)
        listed = site.get("/gateways", role=role)
        assert secret not in listed.text
        assert "carrier" in [row["name"] for row in listed.json["gateways"]]
    assert site.get(f"/gateways/{gateway_id}", role="platform").json["dial_string"] == secret
    assert site.get("/gateways", role="read").status_code == 403


def test_a_gateway_says_how_its_calls_of_the_last_hour_ended(site: Site) -> None:
    gateway_id = gateway(site)
    assert ask(site, "GET", f"/gateways/{gateway_id}").json["last_hour"] == {
        "calls": 0,
        "refused": 0,
        "refusals": [],
    }
    full = "NORMAL_TEMPORARY_FAILURE"
    for minutes, lane, status, cause, calls in (
        (1, "d1", 0, "", 40), (1, "d1", 503, full, 3), (7, "d2", 503, full, 2), (7, "d2", 0, "GATEWAY_DOWN", 1),
        (65, "d2", 403, "CALL_REJECTED", 9),
    ):  # fmt: skip
        site.sql(
            "INSERT INTO gateway_count VALUES (now() - make_interval(mins => %s), %s, %s, %s, %s, %s)",
            minutes, uuid.UUID(gateway_id), lane, status, cause, calls)  # fmt: skip
    told = ask(site, "GET", f"/gateways/{gateway_id}").json["last_hour"]
    assert told == {
        "calls": 46,
        "refused": 6,
        "refusals": [
            {"cause": full, "sip_status": 503, "calls": 5},
            {"cause": "GATEWAY_DOWN", "sip_status": None, "calls": 1},
        ],
    }
    listed = ask(site, "GET", "/gateways").json["gateways"]
    assert [one["last_hour"] for one in listed if one["id"] == gateway_id] == [told]
    assert ask(site, "PATCH", f"/gateways/{gateway_id}", json={"cps": 7}).json["last_hour"] == told
    assert ask(site, "POST", f"/gateways/{gateway_id}/resume").json["last_hour"] == told
    # It is of all tenants.
    assert ask(site, "GET", f"/gateways/{gateway_id}", role="admin").json["last_hour"] is None
