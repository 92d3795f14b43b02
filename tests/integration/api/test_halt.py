"""The panic switch."""

from __future__ import annotations

import pytest

from api.times import from_rfc3339
from tests.integration.api.site import Site

NOTHING = {"halted": False, "tenant": None, "all": None}


def test_a_halt_stands_until_it_is_deleted(site: Site) -> None:
    assert site.get("/halt").json == NOTHING
    response = site.post("/halt")
    assert response.status_code == 200
    assert response.json["halted"] is True
    assert response.json["tenant"]["by"] == "operate key"
    assert from_rfc3339(response.json["tenant"]["at"])
    assert site.post("/halt", json={}).json == response.json
    assert site.get("/halt", role="read").json == response.json
    assert site.get("/halt", tenant="other").json == NOTHING
    assert site.delete("/halt").status_code == 204
    assert site.delete("/halt").status_code == 204
    assert site.get("/halt").json == NOTHING
    assert site.bus.messages == [("halt", {"scope": "demo"})] * 2 + [("unhalt", {"scope": "demo"})] * 2


def test_the_platform_halts_everything(site: Site) -> None:
    everything = {"json": {"all": True}, "role": "platform"}
    assert site.post("/halt", **everything).json["all"]["by"] == "platform key"
    seen = site.get("/halt", tenant="other").json
    assert (seen["halted"], seen["tenant"], seen["all"]["by"]) == (True, None, "platform")
    site.delete("/halt", tenant="other")
    assert site.get("/halt", tenant="other").json["halted"] is True
    assert site.delete("/halt", **everything).status_code == 204
    assert site.get("/halt", tenant="other").json == NOTHING
    assert [payload["scope"] for _, payload in site.bus.messages] == ["*", "other", "*"]


@pytest.mark.parametrize("role", ["operate", "admin"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_only_the_platform_speaks_for_everyone(site: Site, role: str, method: str) -> None:
    response = site.request(method, "/halt", json={"all": True}, role=role)
    assert response.status_code == 403
    assert site.get("/halt").json == NOTHING
    assert site.bus.messages == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"all": "yes"}, "all is 'yes'; it must be true or false."),
        ({"al": True}, "al is not known here; known are all."),
        ([], "The body is not valid; it must be an object."),
    ],
)
def test_a_wrong_body_is_refused(site: Site, body: object, message: str) -> None:
    response = site.post("/halt", json=body, role="platform")
    assert (response.status_code, response.text) == (400, message)


def test_other_content_types_and_broken_json_are_refused(site: Site) -> None:
    assert site.post("/halt", data="all=true", content_type="text/plain").status_code == 415
    broken = site.post("/halt", data="{", content_type="application/json")
    assert (broken.status_code, broken.text) == (400, "The body is not JSON.")
