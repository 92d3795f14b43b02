"""A tenant's defaults for its campaigns: set by its own admin, within what the operator gave."""

from __future__ import annotations

from typing import Any

from tests.integration.api.site import Site

WORKDAY = [{"days": ["mon", "tue"], "from": "09:00", "to": "17:00"}]
NONE = dict.fromkeys(
    (
        "default_windows",
        "default_holidays",
        "default_time_zone",
        "default_max_concurrent_calls",
        "policy_packs",
        "default_purpose",
    )
)


def change(site: Site, role: str = "admin", **defaults: Any) -> Any:
    return site.request("PATCH", "/defaults", role=role, json=defaults)


def made(site: Site, **fields: Any) -> Any:
    body = site.fields(**fields) | {"contacts": [{"phone_number": "+14155550100"}]}
    answer = site.post("/campaigns", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json


def test_an_admin_sets_what_campaigns_have_that_say_nothing(site: Site) -> None:
    assert site.get("/defaults").json == NONE
    assert made(site)["max_concurrent_calls"] == 5
    answer = change(
        site,
        default_windows=WORKDAY,
        default_time_zone="Europe/Berlin",
        default_max_concurrent_calls=12,
    )
    assert answer.status_code == 200, answer.text
    assert site.get("/defaults", role="read").json == answer.json
    campaign = made(site)
    assert campaign["max_concurrent_calls"] == 12
    assert (campaign["windows"], campaign["time_zone"]) == (WORKDAY, "Europe/Berlin")
    assert made(site, max_concurrent_calls=3, windows=None)["max_concurrent_calls"] == 3
    # What is left out stays, and another tenant's are its own.
    assert change(site, default_max_concurrent_calls=None).json["default_windows"] == WORKDAY
    assert made(site)["max_concurrent_calls"] == 5
    assert site.get("/defaults", tenant="other").json == NONE


def test_an_admin_sets_what_calls_are_for_and_whether_rules_bind(site: Site) -> None:
    answer = change(site, default_purpose="emergency", default_time_zone="Europe/Berlin")
    assert answer.status_code == 200, answer.text
    assert site.get("/tenants/demo", role="platform").json["default_purpose"] == "emergency"
    campaign = made(site, windows=None)
    assert (campaign["purpose"], campaign["policy_packs"], campaign["time_zone"]) == (
        "emergency",
        "on",
        "Europe/Berlin",
    )
    assert change(site, policy_packs="off").json["policy_packs"] == "off"
    assert made(site)["policy_packs"] == "off"
    for wrong in ({"policy_packs": "maybe"}, {"default_purpose": "fun"}):
        assert change(site, **wrong).status_code == 400, wrong


def test_they_stay_within_what_the_operator_gave(site: Site) -> None:
    site.sql("UPDATE call_limits SET concurrent_max = 8 WHERE tenant_id = 'demo'")
    refused = change(site, default_max_concurrent_calls=9)
    rule = "default_max_concurrent_calls is 9; it must be 8 at most, the tenant's concurrent_max."
    assert (refused.status_code, refused.text) == (400, rule)
    assert change(site, default_max_concurrent_calls=8).status_code == 200
    site.sql("UPDATE call_limits SET concurrent_max = NULL WHERE tenant_id = 'demo'")
    most = site.services.settings.max_concurrent_calls_max
    refused = change(site, default_max_concurrent_calls=most + 1)
    assert (refused.status_code, "the most that a campaign may have" in refused.text) == (400, True)
    # Where the platform lets campaigns have fewer since, they have those.
    site.sql("UPDATE tenant SET default_max_concurrent_calls = %s WHERE id = 'demo'", most + 50)
    assert made(site)["max_concurrent_calls"] == most


def test_a_window_that_cannot_be_is_refused_as_the_operator_s(site: Site) -> None:
    refused = change(site, default_windows=WORKDAY)
    assert (refused.status_code, refused.text[:27]) == (400, "default_time_zone is null; ")
    assert change(site, default_max_concurrent_calls=0).status_code == 400


def test_nobody_less_than_an_admin_sets_them(site: Site) -> None:
    for role in ("read", "operate"):
        assert change(site, role, default_max_concurrent_calls=2).status_code == 403
    # And nothing else of a tenant is among them.
    refused = change(site, weight=9)
    assert (refused.status_code, "weight" in refused.text) == (400, True)
