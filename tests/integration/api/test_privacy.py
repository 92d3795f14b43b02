"""Erasing a person's data: what is answered and promised at once, and what of the number is kept."""

from __future__ import annotations

from structlog.testing import capture_logs

from api import start_check
from coordination.topics import Topic
from tests.integration.api.site import PEPPER, Site
from tests.integration.api.test_suppressions import ANN, HASH, about, enter, entered


def test_a_number_is_suppressed_at_once_by_its_hash_alone(site: Site) -> None:
    entered(site, number=ANN)
    key = {"Idempotency-Key": "k"}
    asked = site.post("/privacy/erase", json={"number": "+1 415 555 0101"}, role="admin", headers=key)
    assert (asked.status_code, asked.json["status"]) == (202, "pending")
    assert site.bus.messages[-1] == (Topic.SUPPRESS, {"scope": "demo", "number": ANN})
    assert site.bus.awaited[-1] == Topic.SUPPRESS
    (entry,) = about(site, ANN)
    assert (entry["erased"], entry["number"], entry["source"]) == (True, None, "erasure")
    (kept,) = site.sql("SELECT body_hash, body FROM idempotency")
    assert (ANN in kept["body"], kept["body_hash"]) == (False, HASH(ANN).hex())
    again = site.post("/privacy/erase", json={"number": ANN}, role="admin", headers=key)
    assert again.json == asked.json
    path = f"/privacy/erasures/{asked.json['id']}"
    assert site.get(path, role="admin").json == asked.json
    assert site.get(path, role="admin", tenant="other").status_code == 404
    assert site.get(path).status_code == 403
    site.sql("UPDATE erasure SET number = NULL, done_at = now()")
    assert site.get(path, role="admin").json["status"] == "done"


def test_a_prefix_that_is_the_whole_number_goes_where_it_is_nobody_elses(site: Site) -> None:
    """In Germany other numbers begin with it: these would be called without it."""
    house = "+493012345678"
    for prefix in (ANN, ANN[:-1], house):
        entered(site, prefix=prefix)
    for number in (ANN, house):
        assert site.post("/privacy/erase", json={"number": number}, role="admin").status_code == 202
    assert [one["prefix"] for one in about(site, ANN)] == [ANN[:-1], None]
    assert [one["prefix"] for one in about(site, house)] == [house, None]


def test_numbers_that_were_erased_under_another_secret_are_told_at_the_start(site: Site) -> None:
    site.post("/privacy/erase", json={"number": ANN}, role="admin")
    with capture_logs() as lines:
        assert start_check.look_at_database(PEPPER)
    assert lines == []
    site.sql("UPDATE api_key SET secret = NULL")
    with capture_logs() as lines:
        assert start_check.look_at_database("another secret, of another server")
    assert [line["event"] for line in lines] == ["erased_numbers_unknown"]
    assert "1 of the 1 numbers" in lines[0]["reason"]


def test_who_asks_twice_waits_for_one_thing_and_only_an_admin_may(site: Site) -> None:
    first, second = (site.post("/privacy/erase", json={"number": ANN}, role="admin").json for _ in range(2))
    assert first["id"] == second["id"]
    assert site.post("/privacy/erase", json={"number": ANN}).status_code == 403
    assert site.post("/privacy/erase", json={"number": "Ann"}, role="admin").status_code == 400
    assert enter(site, number=ANN).status_code == 201
