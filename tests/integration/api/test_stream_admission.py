"""What the database says of those who listen: whose key, tenant or campaign is gone."""

from __future__ import annotations

import uuid
from typing import Any

from api.routes.stream_access import FIND, taken
from live.admission import Admission, Taken
from tests.integration.api.site import TENANT, Site


def key_id(site: Site, role: str, tenant: str = TENANT) -> str:
    (row,) = site.sql("SELECT id::text FROM api_key WHERE tenant_id = %s AND role = %s", tenant, role)
    found: str = row["id"]
    return found


def status(site: Site, path: str) -> int:
    """Of a stream, whose body never ends."""
    with site.client().get(f"/api/v1{path}", buffered=False) as response:
        return int(response.status_code)


def token_of(site: Site, campaign_id: str, **options: Any) -> str:
    made = site.post(f"/campaigns/{campaign_id}/events/token", role="read", **options)
    assert made.status_code == 201, made.text
    return f"/campaigns/{campaign_id}/events?token={made.json['token']}"


def test_a_token_ends_with_the_key_that_made_it(site: Site) -> None:
    campaign_id = site.create(1)
    stream = token_of(site, campaign_id)
    assert status(site, stream) == 200
    assert site.delete(f"/api-keys/{key_id(site, 'read')}", role="admin").status_code == 204
    refused = site.client().get(f"/api/v1{stream}")
    assert (refused.status_code, refused.text) == (
        401,
        "The key that the token was made with is not valid any more.",
    )


def test_a_token_of_a_deleted_tenant_opens_nothing(site: Site) -> None:
    stream = token_of(site, site.in_state("completed"))
    assert site.delete(f"/tenants/{TENANT}", role="platform", tenant="other").status_code == 204
    assert status(site, stream) == 401


def test_keys_tenants_and_campaigns_that_are_gone_are_told_and_no_others(site: Site) -> None:
    kept, gone = site.create(1), site.create(1)
    mine, platforms = (
        Admission(TENANT, key_id(site, "read")),
        Admission(TENANT, key_id(site, "platform", "other")),
    )
    nobodys = Admission(TENANT, str(uuid.uuid4()))
    with site.app.app_context():
        assert taken([], []) == Taken()
        assert taken([mine, platforms], [kept, gone]) == Taken()
        site.delete(f"/campaigns/{gone}")
        assert taken([mine, nobodys], [kept, gone]) == Taken(frozenset({nobodys}), frozenset({gone}))
        site.sql("UPDATE tenant SET deleted_at = now() WHERE id = 'other'")
        assert taken([mine, platforms], []) == Taken(frozenset({platforms}))
        site.sql("UPDATE tenant SET deleted_at = now() WHERE id = %s", TENANT)
        assert taken([mine], []) == Taken(frozenset({mine}))


def test_a_stream_of_what_has_ended_does_not_end_before_its_last_events_are_published(site: Site) -> None:
    campaign_id = site.in_state("completed")
    site.sql(
        "INSERT INTO outbox (owner, id, campaign_id, transition_ids) VALUES ('d1', 1, %s, '{1}')", campaign_id
    )
    assert site.sql(FIND, campaign_id, TENANT) == [{"status": "stopping"}]
    site.sql("DELETE FROM outbox")
    # Nor before its own end is, which no row of the outbox names.
    site.sql(
        "INSERT INTO transition (campaign_id, version, status, cause, owner)"
        " VALUES (%s, 3, 'completed', 'exhausted', 'd1')",
        campaign_id,
    )
    assert site.sql(FIND, campaign_id, TENANT) == [{"status": "stopping"}]
    site.sql("UPDATE transition SET published = true")
    assert site.sql(FIND, campaign_id, TENANT) == [{"status": "completed"}]


def test_whether_an_end_is_published_is_found_without_reading_every_transition(site: Site) -> None:
    campaign_id = site.in_state("completed")
    # Of a small table all is read, whatever index there is.
    site.sql(
        "INSERT INTO transition (campaign_id, contact_id, version, status, owner, published)"
        " SELECT %s, gen_random_uuid(), 1, 'completed', 'd1', n > 1000 FROM generate_series(1, 20000) AS n",
        campaign_id,
    )
    site.sql("ANALYZE transition")
    plan = "\n".join(row["QUERY PLAN"] for row in site.sql(f"EXPLAIN {FIND}", campaign_id, TENANT))
    assert "transition_of_campaign_untold" in plan
    assert "Seq Scan on transition" not in plan
