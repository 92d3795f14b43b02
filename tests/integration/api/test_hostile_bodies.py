"""No body is an error of ours, holds up anybody, or costs memory: what cannot be read is refused in a sentence."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import gevent
import orjson
import pytest

from api.routes import list_body
from api.uploads import MAX_FIELD_BYTES
from tests.integration.api.resource_routes import ROUTES, create_one_of_each, with_ids
from tests.integration.api.site import Site

DEEP = b"[" * 100_000
LONG_INTEGER = b"9" * 4301


def send(site: Site, body: bytes, path: str = "/campaigns", method: str = "POST") -> Any:
    return site.request(method, path, role="platform", data=body, content_type="application/json")


def create(site: Site, contacts: str, **fields: Any) -> Any:
    body = orjson.dumps(site.fields(**fields)).decode()
    return send(site, f'{body[:-1]}, "contacts": {contacts}}}'.encode())


def test_no_route_takes_a_body_that_cannot_be_read_for_an_error_of_ours(site: Site) -> None:
    routes = [(route.method, with_ids(route, create_one_of_each(site))[0]) for route in ROUTES]
    campaign = site.create(1)
    routes += [
        ("POST", "/campaigns"),
        ("PATCH", f"/campaigns/{campaign}"),
        ("POST", f"/campaigns/{campaign}/start"),
        ("POST", f"/campaigns/{campaign}/events/token"),
        ("POST", "/halt"),
        ("DELETE", "/halt"),
    ]
    for method, path in routes:
        if method == "GET":
            continue
        for body in (DEEP, b'{"name":' + DEEP, b'{"name":' + LONG_INTEGER + b"}", b'{"name":"\xff"}'):
            answer = send(site, body, path, method)
            assert answer.status_code in (400, 404, 415), (method, path, body[:20], answer.text)


def test_a_number_of_thousands_of_digits_is_refused_by_its_field(site: Site) -> None:
    for body in (LONG_INTEGER, b"-" + LONG_INTEGER):
        text = orjson.dumps(site.fields()).decode()[:-1]
        answer = send(
            site,
            f'{text}, "max_concurrent_calls": {body.decode()}, "contacts": [{{"phone_number": "x"}}]}}'.encode(),
        )
        assert answer.status_code == 400
        assert answer.text.startswith("max_concurrent_calls is ")
        assert "; it must be a whole number" in answer.text


def test_a_number_that_no_database_holds_is_refused_where_any_object_may_stand(site: Site) -> None:
    for number in (str(10**30), LONG_INTEGER.decode()):
        body = f'{{"name": "Desk", "action": {{"type": "conference", "room": {number}}}}}'
        for headers in ({}, {"Idempotency-Key": "k1"}):
            answer = site.post(
                "/agents", role="admin", data=body, content_type="application/json", headers=headers
            )
            assert answer.status_code == 400, answer.text


def test_a_number_of_thousands_of_digits_in_a_list_is_refused_with_its_row(site: Site) -> None:
    made = create(site, f'[{{"phone_number": {LONG_INTEGER.decode()}}}, {{"phone_number": "+14155550100"}}]')
    assert made.status_code == 201, made.text
    assert made.json["import"]["invalid"] == 1


@pytest.mark.parametrize("short", [True, False], ids=["here", "elsewhere"])
@pytest.mark.parametrize(
    ("contacts", "message"),
    [
        ('[{"phone_number": "+14155550100"}, x]', "contacts is not JSON: contacts[1] cannot be read."),
        ('[{"phone_number": NaN,}]', "contacts is not JSON: contacts[0] cannot be read."),
        ("7", "contacts is 7; it must be a list of objects."),
        ('{"a": 1}', "contacts is {'a': 1}; it must be a list of objects."),
        ("null", "contacts is required."),
        ("[]", "contacts is empty; it must have an object for each contact."),
        ("[7]", "contacts[0] is '7'; every contact must be an object of columns."),
    ],
)
def test_a_list_that_cannot_be_read_says_where(
    site: Site, monkeypatch: pytest.MonkeyPatch, contacts: str, message: str, short: bool
) -> None:
    monkeypatch.setattr(list_body, "SHORT_BYTES", 10**9 if short else 0)
    refused = create(site, contacts)
    assert (refused.status_code, refused.text) == (400, message)


def test_the_fields_are_checked_before_a_row_is_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_body, "elements", lambda _: pytest.fail("a row was read"))
    monkeypatch.setattr(list_body, "read_in_process", lambda *_: pytest.fail("a row was read"))
    refused = create(site, "[" + '{"phone_number": "+14155550100"},' * 100_000 + "x]", retries_per_contact=6)
    assert refused.text == "retries_per_contact is 6; it must be a whole number from 0 to 5."
    long = create(site, '[{"phone_number": "+14155550100"}]', name="x" * MAX_FIELD_BYTES)
    assert (long.status_code, long.text) == (
        413,
        f"name has more than {MAX_FIELD_BYTES} bytes, the most a field may have.",
    )


def test_the_rows_of_a_body_are_read_only_in_its_turn(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_body, "QUEUE_SECONDS", 0.01)
    monkeypatch.setattr(list_body, "elements", lambda _: pytest.fail("a row was read"))
    with ExitStack() as taken:
        for _ in range(list_body.IMPORTS_AT_ONCE):
            taken.enter_context(list_body.import_slot("other"))
        refused = create(site, '[{"phone_number": "+14155550100"}]')
    assert (refused.status_code, refused.text) == (503, "Too many imports at once.")


def test_of_a_million_keys_the_first_is_refused(site: Site) -> None:
    body = orjson.dumps({f"key{n}": n for n in range(500_000)})
    assert len(body) > 8_500_000
    refused = send(site, body)
    assert refused.status_code == 400
    assert refused.text.startswith("key0 is not known here; known are ")
    assert refused.text.endswith(", contacts.")
    small = orjson.dumps({f"key{n}": n for n in range(15_000)})
    assert send(site, small, "/tenants").text.startswith("key0 is not known here; known are ")


@pytest.mark.full
def test_nobody_waits_while_a_body_is_read_that_is_no_standard_json(site: Site) -> None:
    """A timer is due, and runs, many times while the body is looked through."""
    ran: list[float] = []

    def tick() -> None:
        while True:
            gevent.sleep(0.001)
            ran.append(time.monotonic())

    ticking = gevent.spawn(tick)
    try:
        refused = create(site, "[" + '{"phone_number":NaN},' * 400_000 + "1]")
    finally:
        ticking.kill()
    assert refused.status_code == 400
    assert len(ran) > 20
