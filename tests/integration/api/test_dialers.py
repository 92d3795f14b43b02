"""Dialers: who lives, how long the lease of each still runs, what each does, and from whom it took over."""

from __future__ import annotations

import pytest

from coordination.errors import MembershipUnavailable
from coordination.membership import Membership
from tests.integration.api.resource_routes import call_of
from tests.integration.api.site import Site

NODES = [
    {"name": "fs1", "connected": True, "calls_per_second": 1.2, "last_error": None},
    {"name": "fs2", "connected": False, "calls_per_second": 0.3, "last_error": "refused"},
]


def test_dialers_are_told_with_their_leases_and_whom_they_took_over_from(site: Site) -> None:
    membership = Membership(site.services.redis, site.services.settings.redis_prefix)
    membership.register("d2", {"nodes": NODES})
    site.sql(
        "INSERT INTO dialer (id, started_at, settled_at, heir) VALUES"
        " ('d0', '2026-01-31T08:00:00Z', '2026-01-31T09:00:00Z', 'd2'),"
        " ('d1', '2026-01-31T09:00:00Z', NULL, 'd2'), ('d2', '2026-01-31T10:00:00Z', NULL, NULL),"
        " ('dx', '2026-01-31T07:00:00Z', '2026-01-31T08:00:00Z', 'gone')"
    )
    campaign_id = site.create(1)
    call_of(site, campaign_id, dialer_id="d1")
    found = site.get("/dialers", role="platform").json
    assert found["total"] == 2
    dead, alive = found["dialers"]
    assert dead == {
        "id": "d1", "state": "dead", "started_at": "2026-01-31T09:00:00.000Z", "lease_seconds": 0.0, "calls": 1,
        "calls_per_second": 0.0, "nodes": 0, "nodes_connected": 0, "errors": [], "heir": "d2", "took_over": [],
    }  # fmt: skip
    assert 0 < alive.pop("lease_seconds") <= membership.lease_seconds
    assert alive == {
        "id": "d2", "state": "alive", "started_at": "2026-01-31T10:00:00.000Z", "calls": 0, "calls_per_second": 1.5,
        "nodes": 2, "nodes_connected": 1, "errors": [{"node": "fs2", "error": "refused"}], "heir": None,
        "took_over": [
            {"id": "d1", "started_at": "2026-01-31T09:00:00.000Z", "settled_at": None},
            {"id": "d0", "started_at": "2026-01-31T08:00:00.000Z", "settled_at": "2026-01-31T09:00:00.000Z"},
        ],
    }  # fmt: skip
    membership.leave("d2")
    assert [one["state"] for one in site.get("/dialers", role="platform").json["dialers"]] == ["dead", "dead"]


def test_one_without_a_row_is_told_too_and_what_it_took_over_is_bounded(site: Site) -> None:
    membership = Membership(site.services.redis, site.services.settings.redis_prefix)
    membership.register("fresh", {})
    site.sql(
        "INSERT INTO dialer (id, settled_at, heir)"
        " SELECT 'old' || n, timestamptz '2026-01-31T08:00:00Z' + n * interval '1 minute', 'fresh'"
        " FROM generate_series(10, 40) AS n"
    )
    (alive,) = site.get("/dialers", role="platform").json["dialers"]
    assert (alive["id"], alive["state"], alive["started_at"], alive["nodes"]) == ("fresh", "alive", None, 0)
    assert [one["id"] for one in alive["took_over"]] == [f"old{n}" for n in range(40, 30, -1)]
    page = site.get("/dialers?limit=1&offset=1", role="platform").json
    assert (page["dialers"], page["total"]) == ([], 1)


def test_without_redis_nobody_is_said_to_be_dead(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise MembershipUnavailable("reading the membership", "away")

    monkeypatch.setattr(Membership, "alive", away)
    refused = site.get("/dialers", role="platform")
    assert (refused.status_code, refused.text) == (503, "Redis is not reachable; try again.")
