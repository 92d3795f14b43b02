"""A long list: others are served while it is imported and while it is stopped. `bench/lines/api/`: how fast.

100,000 contacts are stopped in every run and imported under `--full`; 20,000 are imported otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import orjson
import pytest

from models import new_id
from tests.integration.api.site import Site, csv_of

CONTACTS = 100_000
PAUSE_SECONDS = 0.02


def served_beside(site: Site, work: Callable[[], Any]) -> tuple[Any, int]:
    """What the work comes to, and how many other requests were answered meanwhile.

    Others ask some fifty times a second. Back to back, each turn that the work gives away would be filled by a whole
    request, and what is measured would be how many of those a machine can answer.
    """
    served = 0

    def others() -> None:
        nonlocal served
        while True:
            assert site.get("/campaigns").status_code == 200
            served += 1
            gevent.sleep(PAUSE_SECONDS)

    asking = gevent.spawn(others)
    try:
        return work(), served
    finally:
        asking.kill()


def csv_form(site: Site, count: int) -> dict[str, Any]:
    return site.multipart(csv_of(count))


def json_body(site: Site, count: int) -> dict[str, Any]:
    contacts = [
        {"phone_number": f"+1415{5550000 + n:07d}", "first_name": f"Person {n}"} for n in range(count)
    ]
    body = orjson.dumps(site.fields() | {"contacts": contacts})
    return {"data": body, "content_type": "application/json"}


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (csv_form, CONTACTS // 5),
        (json_body, CONTACTS // 5),
        pytest.param(csv_form, CONTACTS, marks=pytest.mark.full),
        pytest.param(json_body, CONTACTS, marks=pytest.mark.full),
    ],
)
def test_an_import_never_holds_others_up(
    site: Site, body: Callable[[Site, int], dict[str, Any]], count: int
) -> None:
    given = body(site, count)
    response, served = served_beside(site, lambda: site.post("/campaigns", **given))
    assert response.status_code == 201
    assert response.json["counts"]["pending"] == count
    assert served > 2


def seeded(site: Site) -> str:
    """A running campaign of 100,000, put there without an import."""
    campaign_id = site.in_state("running", contacts=1)
    site.sql(
        "INSERT INTO contact (id, campaign_id, position, phone_number) SELECT gen_random_uuid(), %s, n, '+1'||n"
        " FROM generate_series(2, %s) AS n",
        campaign_id,
        CONTACTS,
    )
    site.sql("UPDATE campaign_count SET pending = %s WHERE campaign_id = %s", CONTACTS, campaign_id)
    return campaign_id


@pytest.mark.full
def test_a_stop_cancels_a_hundred_thousand_at_once(site: Site) -> None:
    campaign_id = seeded(site)
    site.move_contact(campaign_id, 7, "originated")
    site.sql("UPDATE contact SET call_id = %s WHERE call_id IS NOT NULL", new_id())
    response, served = served_beside(site, lambda: site.post(f"/campaigns/{campaign_id}/stop"))
    assert response.status_code == 200
    assert response.json["counts"]["cancelled"] == CONTACTS - 1
    assert served > 0
