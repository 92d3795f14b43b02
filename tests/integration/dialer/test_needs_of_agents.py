"""What nodes are asked for: what agents need, those of campaigns that are not over first."""

from __future__ import annotations

import uuid
from typing import Any

from campaigns import agent_reports
from campaigns.agent_needs import Need, NeedKind, module
from dialer.node_needs import needed_by_agents
from models import Agent, Campaign, db
from tests.factories import World, make_campaign

SORRY = Need(NeedKind.FILE, "/sounds/sorry.wav")
CONFERENCE: dict[str, Any] = {"type": "conference", "room": "a"}


def test_the_safe_harbour_message_is_asked_for_as_the_action_is(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    with db.connection_context():
        Agent.update(action=CONFERENCE, safe_harbour={"file": "sorry.wav"}).execute()
        assert needed_by_agents("/sounds") == {module("mod_conference"), SORRY}
        assert set(agent_reports.wanted_by(campaign_id, world.tenant_id, "/sounds")) == needed_by_agents(
            "/sounds"
        )


def test_an_older_agent_of_a_campaign_that_is_not_over_goes_before_a_later_one(world: World) -> None:
    campaign_id = make_campaign(world, 1)
    with db.connection_context():
        Agent.update(action=CONFERENCE).execute()
        later = Agent.get()
        later.id, later.name, later.action = uuid.uuid4(), "later", {"type": "playback", "file": "later.wav"}
        later.created_at = later.created_at.replace(year=2100)
        later.save(force_insert=True)
        assert needed_by_agents("/sounds", most=1) == {module("mod_conference")}
        Campaign.update(deleted_at=later.created_at).where(Campaign.id == campaign_id).execute()
        assert needed_by_agents("/sounds", most=1) == {Need(NeedKind.FILE, "/sounds/later.wav")}
