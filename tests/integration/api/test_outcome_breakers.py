"""What a campaign says of the breaker that holds its calls, and letting it go on all the same."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from models import new_id
from tests.integration.api.site import Site

CAUSES = '[{"cause": "UNALLOCATED_NUMBER", "sip_status": 404, "calls": 17}]'


def held(site: Site, *, gateway_id: str = "", prefix: str = "", caller_id: str = "") -> str:
    breaker_id = str(new_id())
    site.sql(
        "INSERT INTO breaker (id, gateway_id, prefix, caller_id, top_causes, probe_at)"
        " VALUES (%s, %s, %s, %s, %s::jsonb, now() + interval '60 s') RETURNING id",
        breaker_id, gateway_id, prefix, caller_id, CAUSES,
    )  # fmt: skip
    return breaker_id


def caller_id(site: Site) -> str:
    (row,) = site.sql("SELECT e164 FROM phone_number WHERE id = %s", site.phone_number_id)
    found: str = row["e164"]
    return found


def gateway_id(site: Site) -> str:
    (row,) = site.sql("SELECT gateway_id::text AS id FROM phone_number WHERE id = %s", site.phone_number_id)
    found: str = row["id"]
    return found


def get(site: Site, campaign_id: str) -> Any:
    return site.get(f"/campaigns/{campaign_id}").json


def test_a_campaign_whose_caller_id_is_held_says_so_with_the_top_causes(site: Site) -> None:
    campaign_id = site.in_state("running")
    assert "breaker" not in get(site, campaign_id)
    held(site, caller_id=caller_id(site))
    told = get(site, campaign_id)["breaker"]
    assert (told["exempt_at"], told["exempt_by"]) == (None, None)
    (found,) = told["held"]
    assert (found["caller_id"], found["gateway_id"], found["prefix"]) == (caller_id(site), None, None)
    assert found["top_causes"] == [{"cause": "UNALLOCATED_NUMBER", "sip_status": 404, "calls": 17}]
    assert found["probe_at"] > found["held_at"]
    assert found["held_at"].endswith("Z")


def test_a_destination_is_told_to_whom_it_holds_back_or_who_tripped_it(site: Site) -> None:
    campaign_id = site.in_state("running")
    breaker_id = held(site, gateway_id=gateway_id(site), prefix="+44")
    held(site, gateway_id=str(new_id()), prefix="+1")
    assert "breaker" not in get(site, campaign_id)
    site.sql("UPDATE campaign SET blocked_reason = 'breaker' RETURNING id")
    assert [one["prefix"] for one in get(site, campaign_id)["breaker"]["held"]] == ["+44"]
    site.sql("UPDATE campaign SET blocked_reason = NULL RETURNING id")
    site.sql(
        "INSERT INTO breaker_tally (campaign_id, gateway_id, prefix, caller_id, calls, suspicious_calls, breaker_id)"
        " VALUES (%s, 'g', '+44', '+1', 1, '[]', %s) RETURNING id",
        campaign_id, breaker_id,
    )  # fmt: skip
    assert [one["prefix"] for one in get(site, campaign_id)["breaker"]["held"]] == ["+44"]


def test_who_exempts_a_campaign_stands_in_it_and_in_the_log(site: Site) -> None:
    campaign_id, other = site.in_state("running"), site.in_state("running")
    held(site, caller_id=caller_id(site))
    with structlog.testing.capture_logs() as logs:
        response = site.delete(f"/campaigns/{campaign_id}/breaker", role="operate")
    assert response.status_code == 200
    told = get(site, campaign_id)["breaker"]
    assert response.json["breaker"] == told
    assert (told["held"], told["exempt_at"] is not None) == ([], True)
    (line,) = [line for line in logs if line["event"] == "breaker_exempted"]
    assert (line["campaign_id"], line["by"], line["at"]) == (
        campaign_id,
        told["exempt_by"],
        told["exempt_at"],
    )
    # That campaign alone, and once: who said so first stands.
    assert len(get(site, other)["breaker"]["held"]) == 1
    with structlog.testing.capture_logs() as logs:
        again = site.delete(f"/campaigns/{campaign_id}/breaker", role="admin").json["breaker"]
    assert (again, [line for line in logs if line["event"] == "breaker_exempted"]) == (told, [])


def test_an_exemption_that_is_sent_again_gets_its_first_answer(site: Site) -> None:
    campaign_id, once = site.in_state("running"), {"headers": {"Idempotency-Key": "k1"}}
    first = site.delete(f"/campaigns/{campaign_id}/breaker", **once)
    assert first.json == get(site, campaign_id)
    site.sql(
        "UPDATE campaign SET status = 'completed', completed_at = now(), end_reason = 'exhausted' RETURNING id"
    )
    again = site.delete(f"/campaigns/{campaign_id}/breaker", **once)
    assert (again.status_code, again.data) == (200, first.data)
    assert site.delete(f"/campaigns/{campaign_id}/breaker").status_code == 409


def test_a_campaign_may_be_exempt_before_it_starts(site: Site) -> None:
    campaign_id = site.in_state("draft")
    assert site.delete(f"/campaigns/{campaign_id}/breaker").json["breaker"]["exempt_at"] is not None
    assert site.post(f"/campaigns/{campaign_id}/start").status_code == 200


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_a_campaign_that_has_ended_cannot_be_exempt(site: Site, state: str) -> None:
    response = site.delete(f"/campaigns/{site.in_state(state)}/breaker")
    assert (response.status_code, response.text) == (409, f"Campaign is {state}; no breaker holds it.")


def test_anothers_campaign_cannot_be_exempt(site: Site) -> None:
    campaign_id = site.in_state("running")
    assert site.delete(f"/campaigns/{campaign_id}/breaker", tenant="other").status_code == 404
    assert site.delete(f"/campaigns/{campaign_id}/breaker", role="read").status_code == 403
