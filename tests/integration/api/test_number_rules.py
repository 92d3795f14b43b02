"""What the operator lets a tenant call holds wherever a number comes in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.resource_routes import LIMITS
from tests.integration.api.site import Site

CANADA, GERMANY, PREMIUM = "+14165550101", "+493023125001", "+19002345678"
LIST = f"phone_number\n+12025550101\n{CANADA}\n{GERMANY}\n{PREMIUM}\n"


def limits(site: Site, **changes: Any) -> Any:
    return site.request(
        "PUT", "/call-limits", json=LIMITS | changes, role="platform", headers={"X-Tenant": "demo"}
    )


def rejected(site: Site, path: str) -> list[str]:
    return [line.split(",")[1] for line in site.get(path.removeprefix("/api/v1")).text.splitlines()[1:]]


def test_what_is_not_allowed_comes_into_no_list(site: Site) -> None:
    before = site.post("/campaigns", data=site.form(LIST)).json
    assert rejected(site, before["import"]["rejects_url"]) == ["premium"]
    assert limits(site, allowed_countries=["US"]).json["allowed_countries"] == ["US"]
    told = site.post("/campaigns/preview", data=site.form(LIST)).json
    assert [(one["code"], one["rows"]) for one in told["codes"]] == [
        ("country_not_allowed", 2),
        ("premium", 1),
    ]
    made = site.post("/campaigns", data=site.form(LIST)).json
    assert rejected(site, made["import"]["rejects_url"]) == [
        "country_not_allowed",
        "country_not_allowed",
        "premium",
    ]
    body = {"contacts": [{"phone_number": number} for number in ("+12025550102", CANADA)]}
    added = site.post(f"/campaigns/{made['id']}/contacts", json=body).json
    assert [one["code"] for one in added["results"]] == [None, "country_not_allowed"]
    call = {"agent_id": site.agent_id, "from_number": "+14155550100", "to_number": GERMANY}
    (own,) = site.sql("SELECT e164 FROM phone_number WHERE id = %s", site.phone_number_id)
    single = site.post("/calls/originate", json=call | {"from_number": own["e164"]})
    assert (single.status_code, "allowed_countries" in single.text) == (400, True)
    # Who is in a list stays; a clone is a new one.
    site.sql("UPDATE contact SET status = 'failed', waiting = false WHERE campaign_id = %s", before["id"])
    clone = site.post(f"/campaigns/{before['id']}/clone?status=failed")
    assert (clone.status_code, clone.json["counts"]["total"]) == (201, 1), clone.text


def test_premium_rate_numbers_are_called_where_the_operator_says_so(site: Site) -> None:
    assert limits(site, premium_allowed=True).status_code == 200
    made = site.post("/campaigns", data=site.form(LIST)).json
    assert (made["import"]["accepted"], made["import"]["invalid"]) == (4, 0)
    # What is left out stays.
    assert limits(site).json["premium_allowed"] is True
    assert limits(site, premium_allowed=False, allowed_countries=None).json["premium_allowed"] is False
    # Who is in a list stays; a clone is a new one, of which countries alone say nothing here.
    site.sql("UPDATE contact SET status = 'failed', waiting = false WHERE campaign_id = %s", made["id"])
    clone = site.post(f"/campaigns/{made['id']}/clone?status=failed")
    assert (clone.status_code, clone.json["counts"]["total"]) == (201, 3), clone.text
    called = site.sql("SELECT phone_number FROM contact WHERE campaign_id = %s", clone.json["id"])
    assert PREMIUM not in [one["phone_number"] for one in called]


@pytest.mark.parametrize("given", [[], ["USA"], ["us"], ["ZZ"], "US", [1]])
def test_what_is_no_list_of_countries_is_refused(site: Site, given: object) -> None:
    refused = limits(site, allowed_countries=given)
    assert refused.status_code == 400
    assert "allowed_countries" in refused.text


def test_no_tenant_lets_itself_call_more(site: Site) -> None:
    assert (
        site.request("PUT", "/call-limits", json=LIMITS | {"premium_allowed": True}, role="admin").status_code
        == 403
    )
