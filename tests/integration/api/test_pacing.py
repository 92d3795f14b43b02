"""A campaign's pacing over HTTP: what may be changed and when, and what is told of each second."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.site import Site

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
