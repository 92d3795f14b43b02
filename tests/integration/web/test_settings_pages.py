"""What a campaign needs around it: made and changed by whoever may, refused in the API's own words."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from models import new_id
from tests.integration.api.resource_routes import NODES
from tests.integration.api.site import OTHER, Site, lose_redis
from tests.integration.web import hostile
from tests.integration.web.browser import Browser, words
from tests.integration.web.statements import MOST_STATEMENTS, counted

AGENT = {
    "kind": "say",
    "value": "Hello",
    "ring_timeout_seconds": "30",
    "max_call_seconds": "60",
    "name": "Desk",
}


def test_each_page_is_for_its_role(site: Site) -> None:
    pages = {"/agents": "read", "/numbers": "read", "/limits": "read", "/defaults": "read",
             "/campaigns/new": "operate", "/keys": "admin", "/cluster": "platform", "/tenants": "platform",
             "/suppressions": "read"}  # fmt: skip
    order = ["read", "operate", "admin", "platform"]
    for role in order:
        browser = Browser(site, role)
        # Those of what campaigns are made from lead to each other.
        front = browser.get("/").text + browser.get("/agents").text
        for path, least in pages.items():
            may = order.index(role) >= order.index(least)
            assert browser.get(path).status_code == (200 if may else 403), (role, path)
            assert (f'href="{path}"' in front) == may, (role, path)


def test_an_agent_is_made_changed_and_deleted_by_an_admin(site: Site) -> None:
    admin = Browser(site, "admin")
    assert "A new agent" not in Browser(site, "operate").text("/agents")
    assert Browser(site, "operate").post("/agents", **AGENT).status_code == 403
    assert admin.post("/agents", **AGENT | {"kind": "tone", "value": "%(100,0,640)"}).status_code == 303
    (made,) = [agent for agent in site.get("/agents").json["agents"] if agent["name"] == "Desk"]
    assert made["action"] == {"type": "playback", "tone": "%(100,0,640)"}
    assert "Hears the tone %(100,0,640)." in admin.text("/agents", done="saved")
    form = admin.get(f"/agents/{made['id']}").text
    assert 'value="%(100,0,640)"' in form
    changed = {**AGENT, "kind": "conference", "value": "a b"}
    refused = admin.post(f"/agents/{made['id']}", **changed)
    assert (refused.status_code, "action.room is &#39;a b&#39;" in refused.text) == (400, True)
    assert 'value="a b"' in refused.text
    assert admin.post(f"/agents/{made['id']}", **changed | {"value": "room"}).status_code == 303
    assert site.get(f"/agents/{made['id']}").json["action"] == {"type": "conference", "room": "room"}
    missing = admin.post("/agents", **AGENT | {"name": "", "ring_timeout_seconds": "x"})
    assert (missing.status_code, 'role="alert"' in missing.text) == (400, True)
    assert Browser(site, "admin", OTHER).post(f"/agents/{made['id']}/delete").status_code == 404
    assert admin.post(f"/agents/{made['id']}/delete").status_code == 303
    assert admin.get(f"/agents/{made['id']}").status_code == 404


def filled_in(page: str) -> dict[str, str]:
    """The form of an agent as its page fills it in."""
    found: dict[str, str] = {"filled": html.unescape(re.findall(r'name="filled" value="([^"]*)"', page)[0])}
    return found | {name: str(value) for name, value in json.loads(found["filled"]).items()}


def test_a_form_of_an_agent_changes_nothing_but_what_was_changed_in_it(site: Site) -> None:
    action = {"type": "playback", "say": {"text": "Hello {first_name}", "voice": "awb"}}
    body = {"name": "Voice", "action": action, "safe_harbour": {"say": {"text": "Sorry", "voice": "rms"}},
            "variables": ["first_name", "a, b"]}  # fmt: skip
    made: Any = site.post("/agents", role="admin", json=body).json
    site.sql("UPDATE agent SET held_at = now(), held_reason = 'no such voice' WHERE id = %s", made["id"])
    admin, path = Browser(site, "admin"), f"/agents/{made['id']}"

    def now() -> Any:
        return site.get(path).json

    held, page = now(), admin.get(path).text
    said = admin.text("/agents")
    assert "Hears “Hello {first_name}”, spoken by awb." in said
    assert "Whom nobody joins in time hears “Sorry”, spoken by rms." in said
    for part in ('name="voice" type="text" value="awb"', 'name="message_voice" type="text" value="rms"',
                 "first_name\na, b</textarea>"):  # fmt: skip
        assert part in page, part
    form = filled_in(page)
    assert admin.post(path, **form).status_code == 303
    assert now() == held
    assert admin.post(path, **form | {"ring_timeout_seconds": "45"}).status_code == 303
    assert now() == held | {"ring_timeout_seconds": 45}
    # What somebody else changed meanwhile stays, too, after a form that was refused and is sent again.
    other: Any = {"type": "playback", "say": {"text": "Good day", "voice": "kal"}}
    assert site.request("PATCH", path, role="admin", json={"action": other}).status_code == 200
    refused = admin.post(path, **form | {"ring_timeout_seconds": "1"})
    assert refused.status_code == 400
    again = re.findall(r'name="filled" value="([^"]*)"', refused.text)
    assert html.unescape(again[0]) == form["filled"]
    assert admin.post(path, **form | {"max_call_seconds": "90"}).status_code == 303
    assert (now()["action"], now()["max_call_seconds"]) == (other, 90)
    changed = {"voice": "slt", "message": "", "columns": "these", "variables": "first_name\r\n\r\n"}
    assert admin.post(path, **form | changed).status_code == 303
    assert now()["action"]["say"] == {"text": "Hello {first_name}", "voice": "slt"}
    assert (now()["safe_harbour"], now()["variables"]) == (None, ["first_name"])
    refused = admin.post(path, **form | {"voice": "nobody"})
    assert (refused.status_code, "Voice is &#39;nobody&#39;" in refused.text) == (400, True), refused.text
    for odd in ("[" * 20_000, json.dumps(json.loads(form["filled"]) | {"variables": 5, "value": [1]})):
        assert admin.post(path, **form | {"filled": odd}).status_code == 303, odd[:40]
    assert admin.post(path, **form | {"columns": "all", "filled": "[1]"}).status_code == 303
    assert (now()["variables"], now()["safe_harbour"]) == (None, {"say": {"text": "Sorry", "voice": "rms"}})


def test_a_number_is_given_and_switched_off_by_the_platform_alone(site: Site) -> None:
    platform, admin = Browser(site, "platform"), Browser(site, "admin")
    (gateway,) = site.sql("SELECT id::text AS id FROM gateway WHERE name = 'trunk'")
    body = {"e164": "+14155550177", "gateway_id": gateway["id"], "outbound_enabled": "y"}
    assert admin.post("/numbers", **body).status_code == 403
    refused = platform.post("/numbers", **body | {"e164": "12"})
    assert (refused.status_code, "e164" in refused.text) == (400, True)
    assert platform.post("/numbers", **body).status_code == 303
    (number,) = [
        one for one in site.get("/phone-numbers").json["phone_numbers"] if one["e164"] == "+14155550177"
    ]
    assert "+14155550177 may call by gateway trunk" in admin.text("/numbers")
    assert platform.post(f"/numbers/{number['id']}/disable").status_code == 303
    assert "switched off" in admin.text("/numbers")
    assert admin.post(f"/numbers/{number['id']}/enable").status_code == 403
    assert platform.post(f"/numbers/{number['id']}/delete").status_code == 303


def test_a_key_is_shown_once_and_ends_its_sessions_when_it_is_taken_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.auth.CACHE_SECONDS", 0.0)
    admin = Browser(site, "admin")
    assert 'value="platform"' not in admin.get("/keys").text
    assert admin.post("/keys", name="x", role="platform").status_code == 400
    made = admin.post("/keys", name="maria", role="operate").text
    (key,) = re.findall(r"<pre>(sk_demo_[\w-]+)</pre>", made)
    assert key not in admin.get("/keys").text
    maria = Browser(site, None)
    maria.client.post("/sign-in", data={"key": key})
    assert "demo · operate" in maria.text("/")
    (row,) = site.sql("SELECT id FROM api_key WHERE name = 'maria'")
    assert admin.post(f"/keys/{row['id']}/delete").status_code == 303
    assert maria.get("/").status_code == 303


def test_limits_are_read_by_the_tenant_and_set_by_the_platform(site: Site) -> None:
    platform, admin = Browser(site, "platform"), Browser(site, "admin")
    assert admin.post("/limits", concurrent_max="9").status_code == 403
    assert platform.post("/limits", concurrent_max="-1").status_code == 400
    huge = platform.post("/limits", concurrent_max="9" * 20)
    assert (huge.status_code, "Calls at once" in huge.text, f'value="{"9" * 20}"' in huge.text) == (
        400,
        True,
        True,
    )
    assert platform.post("/limits", concurrent_max="9", daily_calls_max="0").status_code == 303
    assert (
        "Calls at once 9 Of these, kept for single calls 0 Calls in a minute no limit Calls in a day (UTC) 0"
        in admin.text("/limits")
    )
    assert platform.post("/limits", number_gap_seconds="60", number_calls_24h="3").status_code == 303
    kept = {
        "number_gap_seconds": 60,
        "number_calls_24h": 3,
        "reserved_concurrency": 0,
        "premium_allowed": False,
    }
    assert site.get("/call-limits").json == dict.fromkeys(site.get("/call-limits").json) | kept
    assert platform.post("/limits", number_gap_seconds="0").status_code == 303


def test_which_countries_may_be_called_is_read_by_the_tenant_and_set_by_the_platform(site: Site) -> None:
    platform, admin = Browser(site, "platform"), Browser(site, "admin")
    said = admin.text("/limits")
    assert "Countries that may be called any Premium-rate numbers may be called no" in said
    assert platform.post("/limits", allowed_countries="us, CA", premium_allowed="y").status_code == 303
    set_so = site.get("/call-limits").json
    assert (set_so["allowed_countries"], set_so["premium_allowed"]) == (["US", "CA"], True)
    said = admin.text("/limits")
    assert "Countries that may be called US, CA Premium-rate numbers may be called yes" in said
    page = platform.get("/limits").text
    assert re.search(r'name="allowed_countries"[^>]* value="US CA"', page)
    # Saved as it is shown, nothing of it is lost.
    assert platform.post("/limits", allowed_countries="US CA", premium_allowed="y").status_code == 303
    assert site.get("/call-limits").json == set_so
    # Nor by a page that somebody had open before there were these fields.
    assert platform.post("/limits", daily_calls_max="").status_code == 303
    assert site.get("/call-limits").json == set_so
    refused = platform.post("/limits", allowed_countries="US Utopia", premium_allowed="y")
    assert (refused.status_code, "Country 2 is" in refused.text) == (400, True), refused.text
    assert 'value="US Utopia"' in refused.text
    assert platform.post("/limits", allowed_countries="").status_code == 303
    now = site.get("/call-limits").json
    assert (now["allowed_countries"], now["premium_allowed"]) == (None, False)


def test_test_numbers_are_read_by_the_tenant_and_set_by_its_admin(site: Site) -> None:
    admin, operator = Browser(site, "admin"), Browser(site, "operate")
    assert "Test calls go nowhere yet" in operator.text("/limits")
    typed = {"test_numbers": "+1 415 555 0123\r\n\r\n+14155550124, +1 (415) 555-0123\n"}
    assert operator.post("/limits/test-numbers", **typed).status_code == 403
    saved = admin.post("/limits/test-numbers", **typed)
    assert (saved.status_code, saved.headers["Location"]) == (303, "/limits?done=saved")
    assert site.get("/test-numbers").json == {"test_numbers": ["+14155550123", "+14155550124"]}
    assert "+14155550123 +14155550124" in operator.text("/limits")
    assert 'name="test_numbers"' not in operator.get("/limits").text
    assert "+14155550123\n+14155550124</textarea>" in admin.get("/limits").text
    refused = admin.post("/limits/test-numbers", test_numbers="+14155550125\n<b>12")
    assert (refused.status_code, "Test number 2 is" in refused.text) == (400, True), refused.text
    assert "+14155550125\n&lt;b&gt;12</textarea>" in refused.text
    assert "+14155550123" not in Browser(site, "admin", OTHER).text("/limits")
    assert admin.post("/limits/test-numbers", test_numbers="").status_code == 303
    assert site.get("/test-numbers").json == {"test_numbers": []}


def test_the_cluster_is_told_node_by_node_and_drained_from_there(site: Site) -> None:
    settings = site.services.settings
    site.use(settings=replace(settings, nodes=NODES))
    try:
        platform = Browser(site, "platform")
        said = platform.text("/cluster")
        assert "fs1 127.0.0.1:8021 nobody tells" in said
        assert "No dialer is alive" in said
        assert "trunk works" in said
        assert platform.post("/cluster/nodes/fs1/drain").status_code == 303
        assert "draining" in platform.text("/cluster/part")
        assert platform.post("/cluster/nodes/fs1/undrain").status_code == 303
        assert platform.post("/cluster/nodes/nobody/drain").status_code == 404
        assert Browser(site, "admin").post("/cluster/nodes/fs1/drain").status_code == 403
    finally:
        site.use(settings=settings)
        site.sql("DELETE FROM node_drain")


def test_what_the_doctor_found_stands_beside_each_node_with_since_when(site: Site) -> None:
    settings = site.services.settings
    site.use(settings=replace(settings, nodes=NODES))
    try:
        platform = Browser(site, "platform")
        assert "nobody tells not examined yet" in platform.text("/cluster")
        site.sql(
            "INSERT INTO node_examination (node, dialer_id, ended_at) VALUES ('fs1', 'd1', '2026-01-31T09:00:00Z')"
        )
        assert "nobody tells examined 09:00:00 UTC: nothing to mend" in platform.text("/cluster/part")
        for code, seen in (("clock", "09:00"), ("paused", "08:00")):
            site.sql(
                "INSERT INTO node_finding (node, code, subject, sentence, since, seen_at) VALUES"
                " ('fs1', %s, '', %s, '2026-01-31T07:00:00Z', %s)",
                code,
                f"it is {code}: <b>mend it</b>.",
                f"2026-01-31T{seen}:00Z",
            )
        page = platform.get("/cluster/part").text
        assert "it is clock: &lt;b&gt;mend it&lt;/b&gt;." in page
        said = words(page)
        assert "examined 09:00:00 UTC: 2 to mend" in said
        assert "mend it</b>. since 2026-01-31 07:00 UTC it is paused" in said
        assert "since 2026-01-31 07:00 UTC, last seen 2026-01-31 08:00 UTC" in said
    finally:
        site.use(settings=settings)


def test_a_gateway_says_what_refused_its_calls_in_the_last_hour(site: Site) -> None:
    platform = Browser(site, "platform")
    assert "trunk works not known not known no call all numbers" in platform.text("/cluster")
    (gateway,) = site.sql("SELECT id FROM gateway")
    for status, cause, calls in (
        (0, "", 3388),
        (503, "NORMAL_TEMPORARY_FAILURE", 10),
        (0, "GATEWAY_DOWN", 2),
    ):
        site.sql(
            "INSERT INTO gateway_count VALUES (now(), %s, 'd1', %s, %s, %s)",
            gateway["id"],
            status,
            cause,
            calls,
        )
    said = platform.text("/cluster/part")
    assert "12 of 3,400 503 no room at the carrier: 10 the gateway is down: 2 all numbers" in said


def test_the_calls_that_a_gateway_may_have_are_changed_and_the_change_is_told(site: Site) -> None:
    platform = Browser(site, "platform")
    (gateway,) = [one for one in site.get("/gateways").json["gateways"] if one["name"] == "trunk"]
    path = f"/cluster/gateways/{gateway['id']}"
    assert f'href="{path}"' in platform.get("/cluster").text
    assert "Nothing since this is written down." in platform.text(path)
    for cps, channels in (("40", "100"), ("20", "")):
        assert platform.post(path, cps=cps, channels=channels).status_code == 303
    told = site.get(f"/gateways/{gateway['id']}", role="platform").json
    assert (told["cps"], told["channels"]) == (20, None)
    said = platform.text(path)
    assert "platform key changed it. calls a second: 40 → 20 calls at once: 100 → no limit" in said
    refused = platform.post(path, cps="0", channels="many")
    assert (refused.status_code, 'value="many"' in refused.text) == (400, True)
    assert 'role="alert"' in refused.text
    admin = Browser(site, "admin")
    assert (admin.get(path).status_code, admin.post(path, cps="1").status_code) == (403, 403)
    assert platform.post("/cluster/gateways/nothing", cps="1").status_code == 404
    # A dial string may hold a password.
    secret = {"dial_string": "sofia/gateway/secret/{number}"}
    assert (
        site.request("PATCH", f"/gateways/{gateway['id']}", role="platform", json=secret).status_code == 200
    )
    said = platform.text(path)
    assert "platform key changed it and where its calls go." in said
    assert "sofia" not in said


def test_a_gateway_is_switched_off_and_on_again_at_the_board(site: Site) -> None:
    platform = Browser(site, "platform")
    (gateway,) = [one for one in site.get("/gateways").json["gateways"] if one["name"] == "trunk"]
    path = f"/cluster/gateways/{gateway['id']}"
    assert "Switch off" in platform.text(path)
    assert platform.post(f"{path}/off").status_code == 303
    assert "Switch on" in platform.text(path)
    assert "trunk off off since" in platform.text("/cluster")
    assert "by platform key" in platform.text("/cluster")
    assert platform.post(f"{path}/on").status_code == 303
    said = platform.text(path)
    assert "platform key changed it. its switch: off → on" in said
    assert "trunk works" in platform.text("/cluster")
    site.sql("INSERT INTO dialer (id, knows) VALUES ('d1', 69)")
    refused = platform.post(f"{path}/off")
    assert (refused.status_code, 'role="alert"' in refused.text) == (409, True)
    assert Browser(site, "admin").post(f"{path}/off").status_code == 403
    assert platform.post("/cluster/gateways/nothing/off").status_code == 404


def test_without_redis_the_cluster_says_what_is_not_known_and_the_rest_stands(site: Site) -> None:
    settings = site.services.settings
    site.use(settings=replace(settings, nodes=NODES))
    find_redis = lose_redis(site)
    try:
        platform = Browser(site, "platform")
        for path in ("/cluster", "/cluster/part"):
            said = platform.text(path)
            assert "fs1 127.0.0.1:8021 nobody tells" in said
            assert "trunk works" in said
            assert "How much is in use is not known just now" in said
            assert "Which dialers are alive is not known just now: Redis is out of reach." in said
            assert "No dialer is alive" not in said
    finally:
        find_redis()
        site.use(settings=settings)


def test_the_form_of_a_campaign_goes_to_the_api_under_the_session(site: Site) -> None:
    browser = Browser(site)
    page = browser.get("/campaigns/new").text
    for field in site.fields():
        assert f'name="{field}"' in page, field
    assert 'data-target="/api/v1/campaigns"' in page
    sent = {"headers": {"X-CSRF-Token": browser.csrf(), "Accept": "application/json"}}
    csv = "phone_number\n+14155550000\nx\n"
    made: Any = browser.client.post("/api/v1/campaigns", data=site.form(csv, slow_start=True), **sent)
    assert made.status_code == 201, made.text
    assert "1 of 2 rows of the list were taken" in browser.text(f"/campaigns/{made.json['id']}")
    refused: Any = browser.client.post("/api/v1/campaigns", data=site.form("x\n1\n"), **sent)
    assert (refused.status_code, "phone_number" in refused.json["detail"]) == (400, True)
    assert browser.client.post("/api/v1/campaigns", data=site.form(csv)).status_code == 403
    assert "Two things are missing first" in Browser(site, "operate", OTHER).text("/campaigns/new")


def test_hostile_names_do_nothing_on_any_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    name = hostile.NAME
    site.sql("INSERT INTO agent (id, tenant_id, name, action) VALUES (%s, 'demo', %s, %s::jsonb)", new_id(), name,
             '{"type": "park"}')  # fmt: skip
    said = {"text": name, "voice": name}
    (made,) = site.sql(
        "UPDATE agent SET held_at = now(), held_reason = %s, action = %s::jsonb, safe_harbour = %s::jsonb,"
        " variables = %s::jsonb WHERE name = %s RETURNING id",
        name, json.dumps({"type": "playback", "say": said}), json.dumps({"say": said}),
        json.dumps([hostile.COLUMN]), name)  # fmt: skip
    site.sql("INSERT INTO gateway (id, name, dial_string, paused_at, probe_at, paused_reason)"
             " VALUES (%s, %s, 'x', now(), now(), %s)",
             new_id(), name, name)  # fmt: skip
    site.sql("UPDATE tenant SET name = %s", name)
    site.sql("UPDATE api_key SET name = %s WHERE role <> 'read'", name)
    browser = Browser(site, "platform")
    browser.client.post("/sign-in", data={"key": "x"}, headers={"User-Agent": name})
    site.sql("UPDATE board_session SET user_agent = %s", name)
    browser.post("/halt")
    asked: list[Any] = counted(monkeypatch)
    pages = (
        "/agents",
        f"/agents/{made['id']}",
        "/numbers",
        "/keys",
        "/limits",
        "/cluster",
        "/sessions",
        "/halt",
        "/campaigns/new",
        "/",
    )
    for path in pages:
        asked.clear()
        page = browser.get(path)
        assert (page.status_code, hostile.written_as_it_is(page.text)) == (200, []), path
        assert len(asked) <= MOST_STATEMENTS, (path, asked)
    forms: dict[str, dict[str, str]] = {
        "/agents": AGENT | {"kind": "conference"} | dict.fromkeys(
            ("name", "value", "voice", "variables", "message_value", "message_voice"), name),
        f"/agents/{made['id']}": AGENT | dict.fromkeys(("kind", "filled", "columns", "message"), name),
        "/keys": {"name": name, "role": name},
        "/numbers": {"e164": name, "gateway_id": name},
    }  # fmt: skip
    for path, fields in forms.items():
        page = browser.post(path, **fields)
        assert (page.status_code, hostile.written_as_it_is(page.text)) == (400, []), path
    site.sql("DELETE FROM gateway WHERE name = %s", name)
    site.sql("UPDATE api_key SET name = role || ' key'")
