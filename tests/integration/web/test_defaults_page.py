"""A tenant's defaults for its campaigns: read by everybody of it, set by its own admin."""

from __future__ import annotations

from typing import Any

from tests.integration.api.site import OTHER, Site
from tests.integration.web import hostile
from tests.integration.web.browser import Browser

HOURS = {"hours": "these", "windows.0.from": "9", "windows.0.to": "20", "windows.0.days": ["mon", "tue"],
         "time_zone": "Europe/Berlin", "holidays.country": "de"}  # fmt: skip
NOTHING = {
    "default_windows": None,
    "default_holidays": None,
    "default_time_zone": None,
    "default_max_concurrent_calls": None,
    "policy_packs": None,
    "default_purpose": None,
}


def now(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.get("/defaults").json
    return found


def test_an_admin_sets_them_for_its_own_tenant(site: Site) -> None:
    admin, reader = Browser(site, "admin"), Browser(site, "read")
    assert now(site) == NOTHING
    assert "as the installation has it" in reader.text("/defaults")
    assert Browser(site, "operate").post("/defaults", **HOURS).status_code == 403
    saved = admin.post("/defaults", default_max_concurrent_calls="7", **HOURS)
    assert saved.status_code == 303, saved.text
    assert saved.headers["Location"] == "/defaults?done=saved"
    assert now(site) == {
        "default_windows": [{"from": "09:00", "to": "20:00", "days": ["mon", "tue"]}],
        "default_holidays": {"country": "DE", "region": None, "dates": []},
        "default_time_zone": "Europe/Berlin",
        "default_max_concurrent_calls": 7,
        "policy_packs": None,
        "default_purpose": None,
    }
    assert site.get("/defaults", tenant=OTHER).json == NOTHING
    form = admin.get("/defaults").text
    for part in ('name="windows.0.from" value="09:00"', 'value="7"', 'value="Europe/Berlin"'):
        assert part in form, part
    said = reader.text("/defaults")
    assert "Mon, Tue 09:00–20:00, by the clock where each person lives. Not on public holidays (DE)." in said
    assert admin.post("/defaults", hours="any").status_code == 303
    assert now(site) == NOTHING


def test_what_was_typed_stays_where_no_hours_were_said(site: Site) -> None:
    typed = {
        "hours": "these",
        "time_zone": "Europe/Paris",
        "holidays.country": "fr",
        "holidays.dates": "2026-12-24",
    }
    for browser, path in (
        (Browser(site, "admin"), "/defaults"),
        (Browser(site, "platform"), "/tenants/demo"),
    ):
        again = browser.post(path, **typed)
        assert again.status_code == 400, path
        for part in ('value="Europe/Paris"', 'name="holidays.country" value="FR"', ">2026-12-24</textarea>"):
            assert part in again.text, (path, part)
    assert now(site) == NOTHING


def test_what_calls_are_for_and_which_rules_bind_is_set_and_told(site: Site) -> None:
    admin, reader = Browser(site, "admin"), Browser(site, "read")
    assert "What the calls are for not said Rules of law bind where a purpose is said" in reader.text(
        "/defaults"
    )
    assert "as usual here: not said" in Browser(site).text("/campaigns/new")
    rules = {"hours": "any", "default_purpose": "sales", "policy_packs": ""}
    assert admin.post("/defaults", **rules).status_code == 303
    assert now(site) == NOTHING | {"default_purpose": "sales"}
    assert "What the calls are for selling" in reader.text("/defaults")
    assert '<option value="sales" selected>' in admin.get("/defaults").text
    new = Browser(site).get("/campaigns/new").text
    assert "as usual here: selling" in new
    # The rules need a time zone, which the browser says where the tenant has none.
    assert "data-needs-zone" in new
    zone = {"time_zone": "Europe/Berlin", "policy_packs": "off"}
    assert admin.post("/defaults", **rules | zone).status_code == 303
    assert now(site) == NOTHING | {"default_purpose": "sales", "default_time_zone": "Europe/Berlin",
                                   "policy_packs": "off"}  # fmt: skip
    new = Browser(site).get("/campaigns/new").text
    assert ("as usual here: do not bind" in new, "data-needs-zone" in new) == (True, False)
    # A page that somebody had open before there were these fields says nothing of them.
    assert admin.post("/defaults", hours="any").status_code == 303
    assert now(site) == NOTHING | {"default_purpose": "sales", "policy_packs": "off"}
    refused = admin.post(
        "/defaults", **rules | {"default_purpose": hostile.NAME, "policy_packs": hostile.NAME}
    )
    assert (refused.status_code, hostile.written_as_it_is(refused.text)) == (400, [])
    assert admin.post("/defaults", hours="any", default_purpose="", policy_packs="").status_code == 303
    assert now(site) == NOTHING


def test_what_is_refused_stays_in_its_fields_and_changes_nothing(site: Site) -> None:
    admin = Browser(site, "admin")
    for wrong, says in (
        ({"time_zone": ""}, "Time zone"),
        ({"windows.0.from": "25"}, "25"),
        ({"default_max_concurrent_calls": "0"}, "0"),
        ({"default_max_concurrent_calls": "many"}, "many"),
    ):
        refused = admin.post("/defaults", **HOURS | {"default_max_concurrent_calls": "9"} | wrong)
        assert (refused.status_code, 'role="alert"' in refused.text) == (400, True), wrong
        assert says in refused.text, wrong
    assert now(site) == NOTHING
    refused = admin.post("/defaults", **HOURS | {"default_max_concurrent_calls": hostile.NAME})
    assert (refused.status_code, hostile.written_as_it_is(refused.text)) == (400, [])
