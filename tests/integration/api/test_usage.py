"""What is in use, as the limiter counts it: beside the caps, in one look, for the operator alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from coordination.membership import Membership
from limits.caps import (
    CallCaps,
    DayUse,
    GatewayCaps,
    LimiterSnapshot,
    NodeCaps,
    OpenCall,
    PermitRequest,
    TenantCaps,
    Usage,
    WayUsage,
)
from limits.errors import LimiterUnavailable
from limits.limiter import Limiter
from tests.integration.api.site import Site

CAPS = TenantCaps(400, 6000, None, None)


def limiter(site: Site) -> Limiter:
    return Limiter(site.services.redis, site.services.settings.redis_prefix, "d1")


def snapshot(site: Site, gateway: str) -> LimiterSnapshot:
    """Two calls that are up, one of them with a second leg, and what was called today."""
    opened = OpenCall("a", "d1", "c", "demo", gateway, "fs1", "+1")
    legs = replace(opened, call_id="b", number="+2", second_leg_gateway_id=gateway)
    day = dt.datetime.fromtimestamp(site.services.redis.time()[0], dt.UTC).date()
    return LimiterSnapshot(day, [opened, legs], [], [DayUse("demo", 70, 90)])


def test_what_is_used_stands_beside_its_cap(site: Site) -> None:
    (gateway,) = site.sql("SELECT id::text AS id, cps, channels, name FROM gateway")
    site.sql("UPDATE call_limits SET concurrent_max = 400, daily_minutes_max = 90 WHERE tenant_id = 'demo'")
    campaign_id = site.create(1)
    site.sql("UPDATE campaign SET status = 'running', started_at = now() WHERE id = %s", campaign_id)
    dialer = limiter(site)
    Membership(site.services.redis, site.services.settings.redis_prefix).register("d1", {})
    assert dialer.rebuild(lambda: snapshot(site, gateway["id"]))
    caps = CallCaps("demo", "c", 10, CAPS, GatewayCaps(gateway["id"], None, None))
    (granted,) = dialer.acquire([NodeCaps("fs1", None, None)], [PermitRequest("new", "+3", caps, ["fs1"])])
    assert granted.call_id == "new"
    said = site.get("/usage", role="platform").json
    assert (said["known"], said["total"]) == (True, len(said["tenants"]))
    assert said["tenants"][0] == {
        "tenant_id": "demo",
        "name": said["tenants"][0]["name"],
        "running_campaigns": 1,
        "concurrent": 3,
        "concurrent_max": 400,
        "last_minute": 1,
        "calls_per_minute": None,
        "day_calls": 71,
        "daily_calls_max": None,
        "day_minutes": 1.5,
        "daily_minutes_max": 90,
    }
    other = next(one for one in said["tenants"] if one["tenant_id"] == "other")
    assert (other["concurrent"], other["last_minute"], other["day_minutes"]) == (0, 0, 0)
    (told,) = said["gateways"]
    assert told["gateway_id"] == gateway["id"]
    # Of the call with two legs by it, both.
    assert (told["concurrent"], told["channels"], told["cps"]) == (4, gateway["channels"], gateway["cps"])
    used = dialer.in_use(["demo", "other"], [gateway["id"]], ["fs1", "fs2"])
    assert used is not None
    assert used.tenants == {"demo": Usage(3, 1, 71, 90), "other": Usage(0, 0, 0, 0)}
    assert used.nodes["fs1"].concurrent == 3
    assert used.nodes["fs2"] == WayUsage(0, 0)


def test_tenants_are_read_page_by_page_those_that_dial_first(site: Site) -> None:
    assert limiter(site).rebuild(lambda: snapshot(site, "g"))
    campaign_id = site.create(1)
    site.sql("UPDATE campaign SET status = 'running', started_at = now() WHERE id = %s", campaign_id)
    first = site.get("/usage?limit=1", role="platform").json
    second = site.get("/usage?limit=1&offset=1", role="platform").json
    assert [one["tenants"][0]["tenant_id"] for one in (first, second)] == ["demo", "other"]
    assert first["total"] == second["total"] >= 2
    refused = site.get("/usage?limit=201", role="platform")
    assert (refused.status_code, "from 1 to 200" in refused.text) == (400, True)


def test_how_many_calls_of_redis_one_look_takes_does_not_depend_on_the_tenants(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert limiter(site).rebuild(lambda: snapshot(site, "g"))
    site.sql(
        "INSERT INTO tenant (id, name) SELECT 'many' || n, 'Many' FROM generate_series(1, 150) AS n"
        " ON CONFLICT DO NOTHING"
    )
    asked: list[Any] = []
    evalsha = site.services.redis.evalsha

    def noted(*given: Any) -> Any:
        asked.append(given)
        return evalsha(*given)

    monkeypatch.setattr(site.services.redis, "evalsha", noted)
    found = site.get("/usage?limit=200", role="platform").json
    assert len(found["tenants"]) >= 150
    # Which state it is of, and one look at it.
    assert len(asked) == 2
    site.sql("DELETE FROM tenant WHERE id LIKE 'many%%'")


@pytest.mark.parametrize("away", [True, False])
def test_nothing_is_made_up_while_nobody_knows(
    site: Site, monkeypatch: pytest.MonkeyPatch, away: bool
) -> None:
    """Before the state was built, and with Redis away."""
    if away:
        monkeypatch.setattr(Limiter, "in_use", _away)
    said = site.get("/usage", role="platform").json
    assert said["known"] is False
    for one in (*said["tenants"], *said["gateways"]):
        names = ("concurrent", "last_minute", "last_second", "day_calls", "day_minutes")
        assert {one[name] for name in names if name in one} == {None}


def _away(*_: object) -> None:
    raise LimiterUnavailable("reading usage", "away")
