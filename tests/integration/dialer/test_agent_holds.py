"""Five calls in a row that could not be given to an agent hold its campaigns, over all dialers, until it can run."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any, cast

import pytest
from peewee import OperationalError

from campaigns import agent_holds, lifecycle
from campaigns.lifecycle_errors import NotAllowedError
from dialer.capacity.agent_breaker import AgentBreaker
from dialer.dispatch.plan_rows import running
from dialer.node_needs import NodeNeeds
from dialer.record.outcome_rows import Ended
from freeswitch.cluster import Cluster
from models import Agent, db, rows, transaction
from tests.factories import World, make_campaign
from tests.unit.dialer.factories import make_call, make_commit
from tests.unit.dialer.test_node_needs import FakeLink

SAY = {"type": "playback", "say": "Hello"}


@pytest.fixture
def campaign_id(world: World) -> uuid.UUID:
    """A running campaign whose agent speaks."""
    found = make_campaign(world, 3)
    with db.connection_context():
        Agent.update(action=SAY).execute()
    return found


def end(
    breaker: AgentBreaker, campaign_id: uuid.UUID, *dispositions: str, cause: str = "NO_SPEECH_MODULE"
) -> None:
    for disposition in dispositions:
        call = make_call(campaign_id=str(campaign_id), sent_at=1.0)
        ended = Ended(
            call.call_id, "pending", False, 60.0, 0.0, 1.0, disposition, cause, answered=disposition != "busy"
        )
        breaker.after_commit(make_commit({call.call_id: ended}, call))


def agent() -> dict[str, Any]:
    with db.connection_context():
        (row,) = rows("SELECT failures_in_row, held_at, held_reason, probe_at FROM agent")
    return row


def held(campaign_id: uuid.UUID) -> str | None:
    return running()[str(campaign_id)].held


def test_five_failures_in_a_row_hold_the_campaigns_whoever_counted_them(campaign_id: uuid.UUID) -> None:
    told: list[str] = []
    here, there = AgentBreaker(lambda: told.append("here")), AgentBreaker(lambda: told.append("there"))
    end(here, campaign_id, "agent_failed", "agent_failed", "busy")
    end(there, campaign_id, "agent_failed", "agent_failed")
    assert (held(campaign_id), told) == (None, [])
    end(here, campaign_id, "agent_failed")
    assert (held(campaign_id), told) == ("agent", ["here"])
    assert agent()["held_reason"] == "NO_SPEECH_MODULE"


@pytest.mark.parametrize("ran", ["answered", "abandoned"])
def test_a_call_that_was_given_to_the_agent_begins_the_count_anew(campaign_id: uuid.UUID, ran: str) -> None:
    one, other = AgentBreaker(lambda: None), AgentBreaker(lambda: None)
    end(one, campaign_id, *["agent_failed"] * 4)
    end(other, campaign_id, ran)
    other.round()
    end(one, campaign_id, *["agent_failed"] * 4)
    assert held(campaign_id) is None


@pytest.mark.parametrize("shared", [False, True])
def test_one_that_ran_between_two_failures_counts_although_nobody_wrote_it_down_yet(
    campaign_id: uuid.UUID, world: World, shared: bool
) -> None:
    """Each in a commit of its own, all within a second; the agent may be another campaign's as well."""
    beside = make_campaign(world, 3) if shared else campaign_id
    breaker = AgentBreaker(lambda: None)
    end(breaker, campaign_id, "agent_failed")
    for _ in range(4):
        end(breaker, beside, "answered")
        end(breaker, campaign_id, "agent_failed")
    assert (held(campaign_id), agent()["failures_in_row"]) == (None, 1)
    end(breaker, campaign_id, *["agent_failed"] * 4)
    assert held(campaign_id) == "agent"


def test_one_that_ran_is_not_forgotten_where_the_database_is_away_when_the_next_fails(
    campaign_id: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("it is away")

    breaker = AgentBreaker(lambda: None)
    end(breaker, campaign_id, *["agent_failed"] * 4, "answered")
    with monkeypatch.context() as patched:
        patched.setattr(agent_holds, "have_run", away)
        end(breaker, campaign_id, "agent_failed")
    end(breaker, campaign_id, "agent_failed")
    assert (held(campaign_id), agent()["failures_in_row"]) == (None, 1)


def probe(campaign_id: uuid.UUID, flite: str, *, of: str = "fs1") -> None:
    with db.connection_context():
        db.execute_sql("UPDATE agent SET probe_at = now()")
    links = {
        "fs0": FakeLink({"module_exists mod_flite": "true"}),
        of: FakeLink({"module_exists mod_flite": flite}),
    }
    cluster = cast(Cluster, SimpleNamespace(links=links, connected=lambda: list(links.values())))
    NodeNeeds(cluster, "/sounds", lambda _work, _seconds: True, lambda: None).probe()


def test_a_held_agent_goes_on_once_every_node_has_what_it_failed_for(campaign_id: uuid.UUID) -> None:
    end(AgentBreaker(lambda: None), campaign_id, *["agent_failed"] * 5)
    probe(campaign_id, "false")
    assert held(campaign_id) == "agent"
    assert agent()["probe_at"] is not None
    probe(campaign_id, "true")
    assert held(campaign_id) is None
    assert agent() == dict(agent_holds.LET_GO)


def test_what_cannot_be_asked_for_is_not_let_go_by_a_probe(campaign_id: uuid.UUID) -> None:
    end(AgentBreaker(lambda: None), campaign_id, *["agent_failed"] * 5, cause="NOT_SPOKEN")
    probe(campaign_id, "true")
    assert held(campaign_id) == "agent"
    assert agent()["probe_at"] is None


@pytest.mark.parametrize("paused", [False, True])
def test_somebody_who_resumes_lets_the_agent_go(campaign_id: uuid.UUID, world: World, paused: bool) -> None:
    end(AgentBreaker(lambda: None), campaign_id, *["agent_failed"] * 5)
    with transaction():
        if paused:
            lifecycle.pause(campaign_id, world.tenant_id)
        result = lifecycle.resume(campaign_id, world.tenant_id)
    assert (result.status, result.changed) == ("running", paused)
    assert held(campaign_id) is None


def test_a_running_campaign_whose_agent_is_not_held_cannot_be_resumed(
    campaign_id: uuid.UUID, world: World
) -> None:
    with transaction(), pytest.raises(NotAllowedError):
        lifecycle.resume(campaign_id, world.tenant_id)
