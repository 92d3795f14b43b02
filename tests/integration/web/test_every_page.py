"""Every page: closed to what is elsewhere, told nothing of another tenant, and asks little of the database."""

from __future__ import annotations

from typing import Any

import pytest

from api import auth
from tests.integration.api.resource_routes import call_of
from tests.integration.api.site import Site
from tests.integration.api.test_outcome_breakers import caller_id, gateway_id, held
from tests.integration.web.browser import Browser
from tests.integration.web.every_page import addresses, is_page
from tests.integration.web.statements import MOST_STATEMENTS, counted


def known(site: Site) -> dict[str, list[str]]:
    """What stands in the addresses of pages."""
    campaign_id, over = site.create(3), site.create(2)
    site.sql("UPDATE campaign SET status = 'running', started_at = now() WHERE id = %s", campaign_id)
    call_id = call_of(site, campaign_id)
    held(site, caller_id=caller_id(site))
    held(site, gateway_id=gateway_id(site), prefix="+44")
    site.sql("UPDATE campaign SET blocked_reason = 'breaker' WHERE id = %s", campaign_id)
    site.post(f"/campaigns/{over}/stop")
    (contact,) = site.sql(
        "SELECT id::text AS id FROM contact WHERE campaign_id = %s AND position = 1", campaign_id
    )
    entry = site.post("/suppressions", json={"number": "+12025550177", "source": "phone"}).json["id"]
    erasure = site.post("/privacy/erase", role="admin", json={"number": "+12025550178"}).json["id"]
    return {
        "campaign_id": [campaign_id, over],
        "contact_id": [contact["id"]],
        "call_id": [call_id],
        "suppression_id": [entry],
        "erasure_id": [erasure],
        "agent_id": [site.agent_id],
        "gateway_id": [gateway_id(site)],
        "tenant_id": ["demo"],
    }


def test_every_page_is_shown_closed_to_others_and_asks_little(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, browser = known(site), Browser(site, "platform")
    # Whose session it is, is otherwise known for half a second: of one page in some it is among what that asks.
    monkeypatch.setattr(auth, "CACHE_SECONDS", 0.0)
    assert "held since" in browser.text(f"/campaigns/{values['campaign_id'][0]}")
    asked: list[Any] = counted(monkeypatch)
    pages = 0
    for address in addresses(site.app, values):
        asked.clear()
        answer = browser.get(address, follow_redirects=True)
        # A contact is of one of the campaigns.
        missing = values["contact_id"][0] in address and values["campaign_id"][1] in address
        assert answer.status_code == (404 if missing else 200), (address, answer.text)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy, address
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "onclick=" not in answer.text
        assert "style=" not in answer.text, address
        assert len(asked) <= MOST_STATEMENTS, (address, [" ".join(one.split())[:150] for one in asked])
        pages += is_page(answer.text)
    assert pages > 30


def test_nothing_is_shown_to_another_tenant_or_to_nobody(site: Site) -> None:
    values = known(site)
    platforms = ("tenant_id", "gateway_id")
    ids = [one for name, found in values.items() if name not in platforms for one in found]
    other, nobody = Browser(site, "platform", tenant="other"), Browser(site, None)
    for address in addresses(site.app, values):
        if address != "/sign-in":
            assert nobody.get(address).status_code == 303, address
        if any(one in address for one in ids):
            assert other.get(address).status_code == 404, address
