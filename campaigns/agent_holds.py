"""Agents whose calls could not be given to them, so many in a row that none leaves any more: held, and let go.

Counted over all dialers in the agent's row. What holds an agent holds all of its campaigns (`blocked_reason: agent`)
until the nodes say that it can run again, or somebody starts or resumes one of them or changes the agent's action.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from models import db, rows

FAILURES_THAT_HOLD = 5
FIRST_PROBE_SECONDS = 2
PROBE_SECONDS = 10

LET_GO: Mapping[str, Any] = {"failures_in_row": 0, "held_at": None, "held_reason": None, "probe_at": None}
"""The columns of an agent that is not held."""

_FAILED = """
WITH before AS (
    SELECT agent.id, CASE WHEN %(ran)s THEN 0 ELSE agent.failures_in_row END + %(failures)s AS failures,
        agent.held_at IS NULL AS free
    FROM agent JOIN campaign ON campaign.agent_id = agent.id
    WHERE campaign.id = %(campaign)s FOR NO KEY UPDATE OF agent
), counted AS (
    SELECT id, failures, free AND failures >= %(hold)s AS holding FROM before
)
UPDATE agent SET failures_in_row = counted.failures,
    held_at = CASE WHEN holding THEN now() ELSE agent.held_at END,
    held_reason = CASE WHEN holding THEN %(cause)s ELSE agent.held_reason END,
    probe_at = CASE WHEN holding THEN now() + make_interval(secs => %(probe)s) ELSE agent.probe_at END
FROM counted WHERE agent.id = counted.id RETURNING agent.id::text AS agent_id, agent.name, counted.holding
"""
_RAN = """
UPDATE agent SET failures_in_row = 0 FROM campaign
WHERE campaign.id = ANY(%s::uuid[]) AND agent.id = campaign.agent_id
    AND agent.failures_in_row > 0 AND agent.held_at IS NULL
"""
_RELEASE_OF = """
UPDATE agent SET failures_in_row = 0, held_at = NULL, held_reason = NULL, probe_at = NULL
FROM campaign WHERE campaign.id = %s AND agent.id = campaign.agent_id
    AND (agent.held_at IS NOT NULL OR agent.failures_in_row > 0) RETURNING agent.id
"""
_DUE = """
SELECT id::text AS agent_id, action, held_reason AS cause, held_at::text FROM agent
WHERE held_at IS NOT NULL AND probe_at <= now() AND deleted_at IS NULL ORDER BY probe_at LIMIT 50
"""
_PROBED = """
UPDATE agent SET probe_at = CASE WHEN %(again)s THEN now() + make_interval(secs => %(seconds)s) END,
    held_at = CASE WHEN %(works)s THEN NULL ELSE held_at END,
    held_reason = CASE WHEN %(works)s THEN NULL ELSE held_reason END,
    failures_in_row = CASE WHEN %(works)s THEN 0 ELSE failures_in_row END
WHERE id = %(agent)s AND held_at = %(held_at)s::timestamptz RETURNING name
"""


@dataclass(frozen=True, slots=True)
class HeldAgent:
    """An agent that is held, and whose turn it is to be probed."""

    agent_id: str
    action: Mapping[str, Any]
    cause: str
    held_at: str


def failed(campaign_id: str, failures: int, cause: str, *, ran: bool) -> tuple[str, str] | None:
    """So many calls of a campaign in a row, the last ones, could not be given to its agent; `ran`: one before them
    was. The id and the name of an agent that is held by that, and was not before."""
    parameters = {
        "campaign": campaign_id,
        "failures": failures,
        "cause": cause,
        "ran": ran,
        "hold": FAILURES_THAT_HOLD,
        "probe": FIRST_PROBE_SECONDS,
    }
    found = db.execute_sql(_FAILED, parameters).fetchall()
    return next(((agent_id, name) for agent_id, name, holding in found if holding), None)


def have_run(campaign_ids: Collection[str]) -> None:
    """Calls of these campaigns were given to their agents: the count begins anew."""
    rows(_RAN, list(campaign_ids))


def release(campaign_id: uuid.UUID) -> bool:
    """Somebody lets a campaign's agent go; whether there was anything to let go."""
    return bool(rows(_RELEASE_OF, campaign_id))


def due() -> list[HeldAgent]:
    """Held agents that are to be probed now."""
    return [HeldAgent(**row) for row in rows(_DUE)]


def probed(agent: HeldAgent, works: bool | None) -> str | None:
    """What a probe said; None for what cannot be asked, which only somebody can let go. The name of an agent that is
    let go by it."""
    parameters = {
        "agent": agent.agent_id,
        "held_at": agent.held_at,
        "works": works is True,
        "again": works is False,
        "seconds": PROBE_SECONDS,
    }
    found = db.execute_sql(_PROBED, parameters).fetchall()
    return found[0][0] if found and works else None
