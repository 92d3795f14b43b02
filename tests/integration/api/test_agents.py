"""Agents: what their fields may be, what the tenant was granted, and what keeps one from being deleted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.integration.api.resource_routes import NOBODY
from tests.integration.api.site import Site

ECHO = {"type": "echo"}


def create(site: Site, **changes: Any) -> Any:
    return site.post("/agents", role="admin", json={"name": "Desk", "action": ECHO} | changes)


def grant(site: Site, **columns: Any) -> str:
    """Give tenant demo a gateway, a queue and a context; the gateway's id."""
    (row,) = site.sql("SELECT gateway_id::text AS id FROM phone_number WHERE id = %s", site.phone_number_id)
    body = {"gateway_ids": [row["id"]], "queues": ["support@default"], "dialplan_context": "demo"} | columns
    assert site.request("PATCH", "/tenants/demo", role="platform", json=body).status_code == 200
    site.use(settings=replace(site.services.settings, audio_hosts=("cdn.example",), socket_hosts=("ivr",)))
    found: str = row["id"]
    return found


def test_what_is_left_out_has_the_contracts_defaults(site: Site) -> None:
    agent = create(site).json
    assert agent | {"id": "", "created_at": ""} == {
        "id": "",
        "name": "Desk",
        "action": ECHO,
        "safe_harbour": None,
        "ring_timeout_seconds": 30,
        "max_call_seconds": 1800,
        "variables": None,
        "held_at": None,
        "held_reason": None,
        "created_at": "",
    }
    assert site.get(f"/agents/{agent['id']}").json == agent


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name is ''; it must have 1 to 200 characters."),
    ({"name": "  "}, "name is '  '; it must not be blank."),
    (
        {"name": "x" * 201},
        "name is '" + "x" * 58 + "…; it must have 1 to 200 characters.",
    ),
    (
        {"name": "a\0b"},
        "name is 'a\\x00b'; it must be text without NUL or unpaired surrogates.",
    ),
    (
        {"ring_timeout_seconds": 14},
        "ring_timeout_seconds is 14; it must be a whole number from 15 to 120.",
    ),
    (
        {"ring_timeout_seconds": 121},
        "ring_timeout_seconds is 121; it must be a whole number from 15 to 120.",
    ),
    ({"ring_timeout_seconds": "30"}, "ring_timeout_seconds is '30'; it must be a whole number."),
    ({"ring_timeout_seconds": True}, "ring_timeout_seconds is true; it must be a whole number."),
    ({"ring_timeout_seconds": None}, "ring_timeout_seconds is null; it must not be null."),
    ({"max_call_seconds": 0}, "max_call_seconds is 0; it must be a whole number from 1 to 14400."),
    (
        {"max_call_seconds": 14_401},
        "max_call_seconds is 14401; it must be a whole number from 1 to 14400.",
    ),
    ({"variables": "name"}, "variables is 'name'; it must be a list."),
    ({"variables": [1]}, "variables.0 is 1; it must be text."),
    ({"variables": ["a", "a"]}, "variables is ['a', 'a']; it must name a column once."),
    (
        {"variables": ["x" * 65]},
        "variables.0 is '" + "x" * 58 + "…; it must have 1 to 64 characters.",
    ),
    (
        {"variables": [" a"]},
        "variables is [' a']; it must have column names as a list has them, without space around them.",
    ),
    (
        {"variables": ["a\nb"]},
        "variables is ['a\\nb']; it must have column names as a list has them, without space around them.",
    ),
    (
        {"variables": ["a\x07b"]},
        (
            "variables is ['a\\x07b']; "
            "it must be column names of at most 64 characters, none of them a control character."
        ),
    ),
    (
        {"variables": [f"c{n}" for n in range(65)]},
        (
            "variables is ['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', 'c8', 'c9'…; "
            "it must name 64 columns at most."
        ),
    ),
    ({"action": None}, "action is null; it must not be null."),
    (
        {"action": {}},
        "action.type is null; it must be one of playback, transfer, bridge, socket, conference, park, echo.",
    ),
    (
        {"action": {"type": "shell"}},
        (
            "action.type is 'shell'; "
            "it must be one of playback, transfer, bridge, socket, conference, park, echo."
        ),
    ),
    (
        {"action": {"type": "park", "then": "x"}},
        "action.then is 'x'; there is no such field for this type.",
    ),
    (
        {"action": {"type": "playback"}},
        "action.file is null; there must be exactly one of file, tone, say.",
    ),
    (
        {"action": {"type": "playback", "say": "Hi {\0}"}},
        (
            "action is {'type': 'playback', 'say': 'Hi {\\x00}'}; "
            "it must be text without NUL or unpaired surrogates."
        ),
    ),
    (
        {"action": {"type": "playback", "say": "Hi {\ud800}"}},
        (
            "action is {'type': 'playback', 'say': 'Hi {\\ud800}'}; "
            "it must be text without NUL or unpaired surrogates."
        ),
    ),
    (
        {"action": {"type": "playback", "say": "Hi ${x}"}},
        "action.say.text is 'Hi ${x}'; a column of the list stands in it as {column}, without a $ or more braces.",
    ),
    (
        {"action": {"type": "playback", "file": "../etc/passwd"}},
        "action.file is '../etc/passwd'; it must name a file, without .. and empty parts.",
    ),
    (
        {"action": {"type": "playback", "file": "https://evil.example/a.wav"}},
        "action.file is 'https://evil.example/a.wav'; evil.example is not a host that audio may come from.",
    ),
    (
        {"action": {"type": "transfer", "extension": "1 XML public"}},
        "action.extension is '1 XML public'; it must be 1 to 64 of 0-9 A-Z a-z _ * # -.",
    ),
    (
        {"action": {"type": "bridge", "gateway_id": NOBODY, "number": "+14155550123"}},
        f"action.gateway_id is '{NOBODY}'; it is not a gateway of the tenant.",
    ),
    (
        {"action": {"type": "bridge", "queue": "sales"}},
        "action.queue is 'sales'; it is not a queue of the tenant.",
    ),
    (
        {"action": {"type": "socket", "host": "evil.example", "port": 1}},
        "action.host is 'evil.example'; it is not a host that the platform allows.",
    ),
    (
        {"action": {"type": "conference", "room": "a b"}},
        "action.room is 'a b'; it must be 1 to 64 of 0-9 A-Z a-z _ -.",
    ),
    ({"safe_harbour": "sorry.wav"}, "safe_harbour is 'sorry.wav'; it must be an object."),
    (
        {"action": {"type": "playback", "say": {"text": "Hi", "voice": "b|c"}}},
        "action.say.voice is 'b|c'; it must be one of flite/awb, flite/kal, flite/rms, flite/slt.",
    ),
    ({"safe_harbour": {}}, "safe_harbour.file is null; there must be exactly one of file, say."),
    (
        {"safe_harbour": {"tone": "%(200,100,440)"}},
        "safe_harbour.tone is '%(200,100,440)'; there is no such field.",
    ),
    (
        {"safe_harbour": {"file": "../etc/passwd"}},
        "safe_harbour.file is '../etc/passwd'; it must name a file, without .. and empty parts.",
    ),
    (
        {"safe_harbour": {"say": "Hi {\0}"}},
        "safe_harbour is {'say': 'Hi {\\x00}'}; it must be text without NUL or unpaired surrogates.",
    ),
]


def test_a_field_that_breaks_its_rule_is_named(site: Site) -> None:
    grant(site)
    for changes, text in REFUSED:
        for response in (
            create(site, **changes),
            site.request("PATCH", f"/agents/{site.agent_id}", role="admin", json=changes),
        ):
            assert response.status_code == 400, (changes, response.text)
            assert response.text == text
        assert site.get(f"/agents/{site.agent_id}").json["action"] == {"type": "park"}
        assert site.get("/agents").json["total"] == 1


def test_every_kind_of_action_is_kept_as_it_was_given(site: Site) -> None:
    gateway_id = grant(site)
    for action in (
        {"type": "playback", "file": "welcome/{language}.wav"},
        {"type": "playback", "file": "https://cdn.example/a.wav"},
        {"type": "playback", "tone": "%(200,100,440)"},
        {"type": "playback", "say": {"text": "Hello {first_name}", "voice": "flite/slt"}},
        {"type": "transfer", "extension": "{extension}"},
        {"type": "bridge", "gateway_id": gateway_id, "number": "{callback}"},
        {"type": "bridge", "queue": "support@default"},
        {"type": "socket", "host": "ivr", "port": 8084},
        {"type": "conference", "room": "team-1"},
        {"type": "park"},
        {"type": "echo"},
    ):
        response = create(site, action=action, variables=["first_name", "Order ID"])
        assert response.status_code == 201, response.text
        found = site.get(f"/agents/{response.json['id']}").json
        assert (found["action"], found["variables"]) == (action, ["first_name", "Order ID"])


def test_the_message_for_whom_nobody_joins_is_kept_and_can_be_taken_away(site: Site) -> None:
    grant(site)
    message = {"say": {"text": "Sorry, {first_name}", "voice": "flite/slt"}}
    agent = create(site, safe_harbour=message).json
    path = f"/agents/{agent['id']}"
    assert site.get(path).json["safe_harbour"] == message
    for changed in ({"file": "https://cdn.example/sorry.wav"}, None):
        response = site.request("PATCH", path, role="admin", json={"safe_harbour": changed})
        assert (response.status_code, response.json) == (200, agent | {"safe_harbour": changed})


def test_what_the_platform_took_away_can_no_longer_be_asked_for(site: Site) -> None:
    gateway_id = grant(site)
    actions = (
        {"type": "bridge", "gateway_id": gateway_id, "number": "+14155550123"},
        {"type": "bridge", "queue": "support@default"},
        {"type": "transfer", "extension": "100"},
    )
    assert all(create(site, action=action).status_code == 201 for action in actions)
    grant(site, gateway_ids=[], queues=[], dialplan_context=None)
    assert all(create(site, action=action).status_code == 400 for action in actions)


def test_a_patch_changes_what_it_names_and_wakes_the_dialers(site: Site) -> None:
    campaign_id = site.create(1)
    site.post(f"/campaigns/{campaign_id}/start")
    path = f"/agents/{site.agent_id}"
    before = site.get(path).json
    site.bus.messages.clear()
    changed = site.request("PATCH", path, role="admin", json={"max_call_seconds": 60, "variables": ["a"]})
    assert changed.json == before | {"max_call_seconds": 60, "variables": ["a"]}
    assert site.bus.topics() == ["wake"]
    assert site.request("PATCH", path, role="admin", json={"variables": None}).json["variables"] is None
    assert site.sql("SELECT variables IS NULL AS unset FROM agent") == [{"unset": True}]


@pytest.mark.parametrize("state", ["draft", "scheduled", "running", "paused"])
def test_an_agent_of_an_unfinished_campaign_is_not_deleted(site: Site, state: str) -> None:
    campaign_id = site.in_state(state)
    response = site.delete(f"/agents/{site.agent_id}", role="admin")
    assert response.status_code == 409
    assert response.text == (
        f"Agent is used by campaign 'Reminders' ({campaign_id}, {state}); it cannot be deleted."
    )
    assert site.get(f"/agents/{site.agent_id}").status_code == 200


@pytest.mark.parametrize("state", ["completed", "failed", "deleted"])
def test_an_agent_of_finished_campaigns_is_deleted_for_good(site: Site, state: str) -> None:
    campaign_id = site.in_state("draft" if state == "deleted" else state)
    if state == "deleted":
        assert site.delete(f"/campaigns/{campaign_id}").status_code == 204
    path = f"/agents/{site.agent_id}"
    patched = site.request(
        "PATCH", f"/phone-numbers/{site.phone_number_id}", role="platform", json={"agent_id": site.agent_id}
    )
    assert patched.json["agent_id"] == site.agent_id
    assert site.delete(path, role="admin").status_code == 204
    assert site.delete(path, role="admin").status_code == 404
    assert site.get(path).status_code == 404
    assert site.request("PATCH", path, role="admin", json={"name": "x"}).status_code == 404
    assert site.get("/agents").json["agents"] == []
    assert site.get(f"/phone-numbers/{site.phone_number_id}").json["agent_id"] is None
    response = site.post("/campaigns", data=site.form("phone_number\n+14155550123\n"))
    assert response.status_code == 400
    assert response.text.startswith("agent_id is ")


def test_every_page_tells_how_many_there_are(site: Site) -> None:
    """The fixture's agent and two more: pages that are full, short, empty and beyond the end."""
    for name in ("One", "Two"):
        create(site, name=name)
    for limit, offset, told in (
        (2, 0, 2),
        (2, 2, 1),
        (3, 0, 3),
        (1, 2, 1),
        (2, 3, 0),
        (100, 0, 3),
        (100, 7, 0),
    ):
        page = site.get(f"/agents?limit={limit}&offset={offset}").json
        assert (page["total"], len(page["agents"])) == (3, told), (limit, offset)
