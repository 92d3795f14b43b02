"""A campaign's pacing over HTTP: what may be changed and when, and what is told of each second."""

from __future__ import annotations

from typing import Any

import pytest

from coordination.membership import Membership
from limits.rate_cuts import Kind, RateCuts
from tests.integration.api.site import Site

DIAL = "sofia/gateway/west/{number}"
BEGIN = "2026-01-31T09:00:00.000Z"


def write(site: Site, campaign_id: str, dialer: str, second: int, *figures: object) -> None:
    """What one dialer says of a second after BEGIN: offered, admitted, live calls and the cap."""
    site.sql(
        "INSERT INTO campaign_pace VALUES (%s, %s::timestamptz + %s * interval '1 s', %s, %s, %s, %s, %s)",
        campaign_id,
        BEGIN,
        second,
        dialer,
        *figures,
    )


def steps(site: Site, campaign_id: str, **query: object) -> list[dict[str, Any]]:
    response = site.get(f"/campaigns/{campaign_id}/pacing", role="read", query_string=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json["pacing"]
    return found


def test_a_weight_and_a_slow_start_may_be_changed_until_the_campaign_ends(site: Site) -> None:
    campaign_id = site.in_state("running")
    site.bus.messages.clear()
    response = site.request("PATCH", f"/campaigns/{campaign_id}", json={"weight": 3})
    assert (response.status_code, response.json["weight"], response.json["slow_start"]) == (200, 3, False)
    assert site.bus.messages == [("wake", {"campaign_id": campaign_id})]
    response = site.request("PATCH", f"/campaigns/{campaign_id}", json={"slow_start": True})
    assert (response.json["weight"], response.json["slow_start"]) == (3, True)
    assert (
        site.request("PATCH", f"/campaigns/{campaign_id}").json == site.get(f"/campaigns/{campaign_id}").json
    )
    for state in ("completed", "failed"):
        ended = site.in_state(state)
        response = site.request("PATCH", f"/campaigns/{ended}", json={"weight": 3})
        assert (response.status_code, response.text) == (409, f"Campaign is {state}; it cannot be changed.")
        assert site.get(f"/campaigns/{ended}").json["weight"] == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"weight": 0}, "weight is 0; it must be a whole number from 1 to 100."),
        ({"weight": 101}, "weight is 101; it must be a whole number from 1 to 100."),
        ({"weight": 1.5}, "weight is 1.5; it must be a whole number."),
        ({"weight": None}, "weight is null; it must not be null."),
        ({"slow_start": 1}, "slow_start is 1; it must be true or false."),
    ],
)
def test_a_wrong_change_is_refused_by_name(site: Site, body: dict[str, Any], message: str) -> None:
    campaign_id = site.create()
    response = site.request("PATCH", f"/campaigns/{campaign_id}", json=body)
    assert (response.status_code, response.text) == (400, message)


def test_another_tenants_campaign_has_no_pacing(site: Site) -> None:
    campaign_id = site.create()
    assert site.request("PATCH", f"/campaigns/{campaign_id}", json={}, tenant="other").status_code == 404
    assert site.get(f"/campaigns/{campaign_id}/pacing", tenant="other").status_code == 404


def test_each_second_is_told_over_all_dialers(site: Site) -> None:
    campaign_id, other = site.create(), site.create()
    write(site, campaign_id, "d1", 0, 5, 4, 10, None)
    write(site, campaign_id, "d2", 0, 3, 1, 7, "gateway_cps")
    write(site, campaign_id, "d2", 2, 0, 0, 6, None)
    write(site, other, "d1", 1, 9, 9, 9, "node_cps")
    span = {"from": BEGIN, "to": "2026-01-31T09:00:03Z"}
    assert steps(site, campaign_id, **span) == [
        {"at": BEGIN, "offered": 8, "admitted": 5, "live_calls": 17, "cap": "gateway_cps"},
        {"at": "2026-01-31T09:00:02.000Z", "offered": 0, "admitted": 0, "live_calls": 6, "cap": None},
    ]
    # The end is without its own moment, and so what follows begins there.
    assert len(steps(site, campaign_id, **{"from": BEGIN, "to": "2026-01-31T09:00:02Z"})) == 1


def test_a_longer_step_adds_up_what_was_called_and_tells_the_most_that_was_in_progress(site: Site) -> None:
    campaign_id = site.create()
    for second, live in enumerate((3, 9, 5, 4)):
        write(site, campaign_id, "d1", second, 2, 1, live, "slow_start" if second < 3 else "node_cps")
    found = steps(site, campaign_id, **{"from": BEGIN, "to": "2026-01-31T09:01:00Z", "step_seconds": 3})
    assert found == [
        {"at": BEGIN, "offered": 6, "admitted": 3, "live_calls": 9, "cap": "slow_start"},
        {"at": "2026-01-31T09:00:03.000Z", "offered": 2, "admitted": 1, "live_calls": 4, "cap": "node_cps"},
    ]


def test_without_a_span_the_last_300_steps_are_told(site: Site) -> None:
    campaign_id = site.create()
    # The first is young enough for as long as this machine may take until it is read.
    for age, offered in ((240, 1), (301, 2), (0, 3)):
        site.sql(
            "INSERT INTO campaign_pace"
            " VALUES (%s, date_trunc('second', now() - %s * interval '1 s'), 'd1', %s, 0, 0)",
            campaign_id,
            age,
            offered,
        )
    assert [step["offered"] for step in steps(site, campaign_id)] == [1, 3]
    assert [step["offered"] for step in steps(site, campaign_id, step_seconds=3600)] in ([6], [3, 3], [2, 4])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"from": "today"}, None),
        ({"to": "2026-01-31T09:00:00"}, None),
        ({"step_seconds": 0}, "step_seconds is 0; it must be a whole number from 1 to 3600."),
        ({"from": BEGIN, "to": BEGIN}, f"from is '{BEGIN}'; it must be before to."),
        ({"from": "2999-01-01T00:00:00Z"}, "from is '2999-01-01T00:00:00.000Z'; it must be before to."),
        ({"from": "9999-12-31T23:59:59Z"}, "from is '9999-12-31T23:59:59.000Z'; it must be before to."),
        ({"to": "0001-01-01T00:00:00Z"}, "from is '0001-01-01T00:00:00.000Z'; it must be before to."),
        (
            {"from": BEGIN, "to": "2026-01-31T10:00:01Z"},
            "to is '2026-01-31T10:00:01.000Z'; it must be at most 3600 steps of 1 s after from.",
        ),
        ({"until": BEGIN}, "until is not known here; known are from, to, step_seconds."),
    ],
)
def test_a_wrong_span_is_refused_by_name(site: Site, query: dict[str, Any], message: str | None) -> None:
    response = site.get(f"/campaigns/{site.create()}/pacing", query_string=query)
    assert response.status_code == 400
    assert response.text.startswith(next(iter(query))) or message is not None
    assert message is None or response.text == message


def test_the_rates_that_its_calls_are_held_to_are_told_beside_it(site: Site) -> None:
    """Of two nodes, a third of which is drained; of a gateway that refused, and one that is failed over to."""
    campaign_id = site.in_state("running")
    path = f"/campaigns/{campaign_id}/pacing"
    assert site.get(path).json["rates"] == []
    membership = Membership(site.services.redis, site.services.settings.redis_prefix)
    up = [{"name": name, "connected": True, "source": "api"} for name in ("fs1", "fs2", "fs3")]
    membership.register("d0192f3a4b5c6", {"nodes": up})
    for name, cps in (("fs1", 30), ("fs2", 20), ("fs3", 50)):
        node = {"name": name, "host": f"{name}.example", "port": 8021, "password": "secret", "cps": cps}
        assert site.post("/nodes", role="platform", json=node).status_code == 201
    assert site.post("/nodes/fs3/drain", role="platform").status_code == 200
    (own,) = site.sql(
        "UPDATE gateway SET cps = 12 WHERE id = (SELECT gateway_id FROM phone_number WHERE id = %s) RETURNING id",
        site.phone_number_id,
    )
    other = site.post("/gateways", role="platform", json={"name": "west", "dial_string": DIAL, "cps": 8}).json
    patched = site.request(
        "PATCH", f"/gateways/{own['id']}", role="platform", json={"failover": [other["id"]]}
    )
    assert patched.status_code == 200, patched.text
    cuts = RateCuts(site.services.redis, site.services.settings.redis_prefix)
    assert cuts.record_refusal(Kind.GATEWAY, str(own["id"]), 12)
    site.sql(
        "INSERT INTO call_limits (tenant_id, calls_per_minute) VALUES ('demo', 600)"
        " ON CONFLICT (tenant_id) DO UPDATE SET calls_per_minute = 600 RETURNING tenant_id"
    )
    site.sql("UPDATE campaign SET slow_start = true, generation = 3 WHERE id = %s RETURNING id", campaign_id)
    for generation, expected in ((2, 1.0), (3, 4.0)):
        # That of an earlier run says nothing.
        site.sql(
            "INSERT INTO campaign_ramp (campaign_id, generation, level) VALUES (%s, %s, 2)"
            " ON CONFLICT (campaign_id) DO UPDATE SET generation = excluded.generation RETURNING level",
            campaign_id,
            generation,
        )
        told = {rate["cap"]: rate["calls_per_second"] for rate in site.get(path, role="read").json["rates"]}
        # What was cut comes back, a tenth every five seconds.
        assert 14.0 <= told.pop("gateway_cps") < 20.0
        assert told == {"node_cps": 50.0, "tenant_minute": 10.0, "slow_start": expected}
    site.sql("UPDATE gateway SET paused_at = now(), probe_at = now() WHERE id = %s RETURNING id", own["id"])
    told = {rate["cap"]: rate["calls_per_second"] for rate in site.get(path).json["rates"]}
    assert told["gateway_cps"] == 8.0
    site.sql(
        "UPDATE gateway SET paused_at = NULL, probe_at = NULL, outbound_enabled = false WHERE id = %s RETURNING id",
        own["id"],
    )
    told = {rate["cap"]: rate["calls_per_second"] for rate in site.get(path).json["rates"]}
    assert told["gateway_cps"] == 8.0, "switched off as paused"
