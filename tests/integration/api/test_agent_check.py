"""A start is refused where no node could run the campaign's agent, by what the dialers wrote of their nodes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from coordination.errors import MembershipUnavailable
from tests.integration.api.site import TENANT, Site

SAY = {"type": "playback", "say": "Hello"}
NODES = [{"name": "fs1", "connected": True}, {"name": "fs2", "connected": True}]
WITHOUT = {"lacks": ["module mod_flite"]}


class Dialers:
    """A membership in which one dialer says this of its nodes."""

    lease_seconds = 5.0

    def __init__(self, needs: Mapping[str, Any] | None) -> None:
        self._needs = needs

    def alive(self) -> Mapping[str, Mapping[str, object]]:
        if self._needs is None:
            raise MembershipUnavailable("reading the membership", "gone")
        now = time.time()
        asked = {
            node: {"at": now - said.get("ago", 1.0), "lacks": said["lacks"]}
            for node, said in self._needs.items()
        }
        return {"d1": {"nodes": NODES, "needs": asked}, "old": {"nodes": NODES}}

    def fenced(self, _ids: object) -> set[str]:
        return set()

    def fence(self, _id: str) -> float:
        return 0.0


def started(
    site: Site, needs: Mapping[str, Any] | None, action: Mapping[str, Any] = SAY, state: str = "draft"
) -> Any:
    agent = site.request("PATCH", f"/agents/{site.agent_id}", json={"action": dict(action)}, role="admin")
    assert agent.status_code == 200, agent.text
    campaign_id = site.in_state(state)
    site.use(membership=Dialers(needs))
    return site.post(f"/campaigns/{campaign_id}/{'resume' if state == 'paused' else 'start'}")


@pytest.mark.parametrize("state", ["draft", "paused"])
def test_a_start_that_no_node_could_serve_is_refused_with_what_is_missing_where(
    site: Site, state: str
) -> None:
    refused = started(site, {"fs1": WITHOUT, "fs2": WITHOUT}, state=state)
    assert refused.status_code == 409
    assert "fs1 has no module mod_flite; fs2 has no module mod_flite" in refused.text


@pytest.mark.parametrize(
    ("needs", "action"),
    [
        ({"fs1": WITHOUT, "fs2": {"lacks": []}}, SAY),
        ({"fs1": WITHOUT}, SAY),
        ({"fs1": WITHOUT, "fs2": WITHOUT | {"ago": 11.0}}, SAY),
        ({"fs1": WITHOUT, "fs2": WITHOUT}, {"type": "park"}),
        ({}, SAY),
    ],
    ids=["one has it", "one was not asked", "long ago", "needs nothing", "nobody asked"],
)
def test_a_node_that_may_run_it_is_enough(
    site: Site, needs: Mapping[str, Any], action: Mapping[str, Any]
) -> None:
    assert started(site, needs, action).status_code == 200


def test_without_redis_nothing_is_known_and_nothing_refused_for_it(site: Site) -> None:
    assert started(site, None).status_code == 200


def test_what_an_agent_is_held_for_is_shown_and_gone_with_another_action(site: Site) -> None:
    site.sql(
        "UPDATE agent SET held_at = now(), held_reason = 'FILE_NOT_FOUND', failures_in_row = 5 WHERE tenant_id = %s",
        TENANT,
    )
    shown = site.get(f"/agents/{site.agent_id}", role="read").json
    assert shown["held_reason"] == "FILE_NOT_FOUND"
    assert shown["held_at"] is not None
    renamed = site.request("PATCH", f"/agents/{site.agent_id}", json={"name": "x"}, role="admin").json
    assert renamed["held_reason"] == "FILE_NOT_FOUND"
    changed = site.request("PATCH", f"/agents/{site.agent_id}", json={"action": SAY}, role="admin").json
    assert (changed["held_at"], changed["held_reason"]) == (None, None)
