"""What clients call campaigns and contacts, and find them by."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.site import Site


def found(site: Site, path: str, name: str, **query: Any) -> list[str]:
    answer = site.get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    assert answer.json["total"] == len(answer.json[name])
    return [one["id"] for one in answer.json[name]]


def test_campaigns_are_found_by_what_their_client_calls_them(site: Site) -> None:
    form = site.create(1, external_id="crm-1", metadata='{"owner": "sales", "city": "Oslo"}')
    body = site.fields(external_id="crm-1", metadata={"owner": "support"}) | {
        "contacts": [{"phone_number": "+14155550001"}]
    }
    other = site.post("/campaigns", json=body).json
    assert (other["external_id"], other["metadata"]) == ("crm-1", {"owner": "support"})
    site.create(1)
    assert found(site, "/campaigns", "campaigns", external_id="crm-1") == [form, other["id"]]
    assert found(site, "/campaigns", "campaigns", external_id="crm-1", metadata="owner:sales") == [form]
    assert found(site, "/campaigns", "campaigns", metadata="owner:nobody") == []
    changed = site.request("PATCH", f"/campaigns/{form}", json={"external_id": None, "metadata": {"a": "b"}})
    assert (changed.json["external_id"], changed.json["metadata"]) == (None, {"a": "b"})
    assert found(site, "/campaigns", "campaigns", metadata="a:b") == [form]
    assert site.get("/campaigns", tenant="other", query_string={"metadata": "a:b"}).json["total"] == 0


def test_contacts_are_found_by_what_their_client_calls_them(site: Site) -> None:
    text = f"phone_number,external_id\n+14155550001,lead-1\n+14155550002,{'x' * 900}\n+14155550003,\n"
    created = site.post("/campaigns", data=site.form(text)).json
    path = f"/campaigns/{created['id']}/contacts"
    leads = [
        {"phone_number": "+14155550004", "external_id": "lead-4", "metadata": {"owner": "sales"}},
        {"phone_number": "+14155550005", "metadata": {"owner": "sales", "vip": "yes"}},
    ]
    ids = [one["contact_id"] for one in site.post(path, json={"contacts": leads}).json["results"]]
    listed = site.get(path).json["contacts"]
    assert [one["external_id"] for one in listed] == ["lead-1", "x" * 900, "", "lead-4", None]
    assert (listed[3]["metadata"], listed[0]["metadata"]) == ({"owner": "sales"}, {})
    assert listed[3]["custom_fields"] == {"external_id": "lead-4"}
    assert found(site, path, "contacts", external_id="lead-4") == ids[:1]
    assert found(site, path, "contacts", external_id="x" * 900) == [listed[1]["id"]]
    assert found(site, path, "contacts", metadata="owner:sales") == ids
    assert (
        found(site, path, "contacts", metadata="owner:sales", external_id="lead-4", status="pending")
        == ids[:1]
    )
    site.post(f"/campaigns/{created['id']}/stop")
    assert found(site, path, "contacts", metadata="vip:yes", status="pending") == []
    assert found(site, path, "contacts", metadata="vip:yes", status="cancelled") == ids[1:]
    assert site.get(path, tenant="other", query_string={"metadata": "vip:yes"}).status_code == 404


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"metadata": "owner"}, "metadata is 'owner'; it must be key:value."),
        ({"external_id": ""}, "external_id is ''; it must have 1 to 1000 characters."),
    ],
)
def test_a_filter_that_is_none_is_refused(site: Site, query: dict[str, str], message: str) -> None:
    campaign_id = site.create(1)
    for path in ("/campaigns", f"/campaigns/{campaign_id}/contacts"):
        answer = site.get(path, query_string=query)
        assert (answer.status_code, answer.text) == (400, message)
    refused = site.request("PATCH", f"/campaigns/{campaign_id}", json={"metadata": {"a": 1}})
    assert (refused.status_code, refused.text.startswith("metadata is ")) == (400, True)
    contacts = [{"phone_number": "+14155559001", "metadata": "x"}]
    added = site.post(f"/campaigns/{campaign_id}/contacts", json={"contacts": contacts})
    assert (added.status_code, added.text.startswith("contacts[0].metadata is 'x'; it must be")) == (
        400,
        True,
    )
