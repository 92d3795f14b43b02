"""Tenants, by the operator alone: made, changed, acted for."""

from __future__ import annotations

from typing import Any

from tests.integration.api.site import Site
from tests.integration.web import hostile
from tests.integration.web.browser import Browser

FORM = {"name": "Acme", "weight": "2", "hours": "any", "queues": "support, sales"}


def test_a_tenant_is_made_and_changed_by_the_platform_alone(site: Site) -> None:
    platform, admin = Browser(site, "platform"), Browser(site, "admin")
    (gateway,) = site.sql("SELECT id::text AS id FROM gateway WHERE name = 'trunk'")
    for browser, status in ((admin, 403), (platform, 303)):
        made = browser.post("/tenants", id="acme", gateway_ids=[gateway["id"]], **FORM)
        assert made.status_code == status, made.text

    def acme() -> dict[str, Any]:
        found: dict[str, Any] = site.get("/tenants/acme", role="platform").json
        return found

    first = acme()
    assert (first["gateway_ids"], first["queues"], first["weight"], first["default_windows"]) == (
        [gateway["id"]], ["support", "sales"], 2, None)  # fmt: skip
    hours = {"hours": "these", "windows.0.from": "9", "windows.0.to": "20", "windows.0.days": ["mon", "tue"],
             "time_zone": "Europe/Berlin", "holidays.country": "DE"}  # fmt: skip
    assert platform.post("/tenants/acme", **FORM | hours | {"retention_days": "90"}).status_code == 303
    now = acme()
    assert now == first | {
        "gateway_ids": [], "retention_days": 90, "default_time_zone": "Europe/Berlin",
        "default_windows": [{"from": "09:00", "to": "20:00", "days": ["mon", "tue"]}],
        "default_holidays": {"country": "DE", "region": None, "dates": []},
    }  # fmt: skip
    said = platform.text("/tenants")
    assert "Mon, Tue 09:00–20:00, by the clock where each person lives. Not on public holidays (DE)." in said
    form = platform.get("/tenants/acme").text
    assert 'name="windows.0.from" value="09:00"' in form
    rules = {"default_purpose": "debt", "policy_packs": "on"}
    kept = FORM | hours | {"retention_days": "90"}
    assert platform.post("/tenants/acme", **kept | rules).status_code == 303
    assert acme() == now | rules
    form = platform.get("/tenants/acme").text
    assert '<option value="debt" selected>' in form
    assert platform.post("/tenants/acme", **kept | dict.fromkeys(rules, "")).status_code == 303
    assert acme() == now
    refused = platform.post("/tenants/acme", **FORM | hours | {"time_zone": "", "name": "Typed"})
    assert (refused.status_code, "Time zone" in refused.text, 'value="Typed"' in refused.text) == (
        400,
        True,
        True,
    )
    assert acme() == now
    again = platform.post("/tenants", id="acme", **FORM)
    assert (again.status_code, "an id is not used again" in again.text) == (409, True)
    assert platform.get("/tenants/nobody").status_code == 404
    assert platform.post("/sessions/tenant", tenant="acme").status_code == 303
    assert "acme · platform" in platform.text("/tenants")
    site.sql("DELETE FROM board_session")
    site.sql("UPDATE tenant SET deleted_at = now() WHERE id = 'acme'")
    site.sql("DELETE FROM call_limits WHERE tenant_id = 'acme'")
    site.sql("DELETE FROM tenant WHERE id = 'acme'")


def test_the_limits_of_a_tenant_are_one_step_from_it(site: Site) -> None:
    platform = Browser(site, "platform")
    site.sql("UPDATE tenant SET name = 'Other Inc' WHERE id = 'other'")
    for page in ("/tenants", "/tenants/other"):
        assert 'aria-label="Limits of Other Inc"' in platform.get(page).text
    for after, there in (("/limits", "/limits"), ("//elsewhere.example", "/"), ("", "/")):
        led = platform.post("/sessions/tenant", tenant="other", after=after)
        assert (led.status_code, led.location) == (303, there)
    said = platform.text("/limits")
    assert "Limits of other" in said
    assert platform.post("/limits", concurrent_max="7").status_code == 303
    assert site.get("/call-limits", tenant="other").json["concurrent_max"] == 7
    assert site.get("/call-limits").json["concurrent_max"] is None


def test_hostile_words_do_nothing(site: Site) -> None:
    platform = Browser(site, "platform")
    site.sql("UPDATE gateway SET name = %s WHERE name = 'trunk'", hostile.NAME)
    site.sql("UPDATE tenant SET name = %s WHERE id = 'other'", hostile.NAME)
    for path in ("/tenants", "/tenants/other"):
        page = platform.get(path)
        assert (page.status_code, hostile.written_as_it_is(page.text)) == (200, []), path
    fields = dict.fromkeys(
        ("id", "name", "queues", "dialplan_context", "weight", "retention_days", "time_zone", "windows.0.from",
         "holidays.country", "holidays.dates", "gateway_ids", "default_purpose",
         "policy_packs"), hostile.NAME)  # fmt: skip
    for path in ("/tenants", "/tenants/other"):
        refused = platform.post(path, hours="these", **fields)
        assert (refused.status_code, hostile.written_as_it_is(refused.text)) == (400, []), path
    site.sql("UPDATE gateway SET name = 'trunk'")
    site.sql("UPDATE tenant SET name = id")
