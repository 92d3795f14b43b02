"""Whether any node can run a campaign's agent, by what the dialers wrote of their nodes within the last seconds.

What no dialer has asked for yet, or says nothing of, is no reason to think that none can.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from campaigns.agent_needs import Need, lacking, needs
from models import rows

FRESH_SECONDS = 10.0
"""What a dialer found longer ago says nothing."""

_AGENT = """
SELECT agent.name, agent.action, agent.safe_harbour, gateway.id::text AS gateway_id, gateway.dial_string
FROM campaign JOIN agent ON agent.id = campaign.agent_id
    LEFT JOIN gateway ON gateway.id::text = agent.action->>'gateway_id' AND gateway.deleted_at IS NULL
WHERE campaign.id = %s AND campaign.tenant_id = %s
"""

Reports = Mapping[str, Mapping[str, Any]]
"""The living dialers by id, and what each says of itself."""


def wanted_by(campaign_id: uuid.UUID, tenant_id: str, sound_folder: str) -> tuple[Need, ...]:
    """What a tenant's campaign needs of a node, on the connection that this greenlet holds; nothing where there is no
    such campaign."""
    found = rows(_AGENT, campaign_id, tenant_id)
    if not found:
        return ()
    (agent,) = found
    dial_strings = {agent["gateway_id"]: agent["dial_string"]} if agent["gateway_id"] else {}
    return needs(agent["action"], sound_folder, dial_strings, agent["safe_harbour"])


def missing(wanted: Collection[Need], reports: Reports, now: float) -> dict[str, list[str]]:
    """By node, what it lacks of `wanted`, where every node lacks some; else empty. `now` in seconds of the epoch."""
    return lacking(wanted, lacks_by_node(reports, now)) if wanted else {}


def lacks_by_node(reports: Reports, now: float) -> Mapping[str, Collection[str]]:
    """What each node lacks, by who asked it last of those that look for sounds in one folder; of one that is
    connected and was not asked lately, nothing."""
    latest: dict[tuple[str, str], tuple[float, Collection[str]]] = {}
    for report in reports.values():
        for node in report.get("nodes", ()):
            if node.get("connected"):
                latest.setdefault((node["name"], ""), (0.0, ()))
        for name, asked in report.get("needs", {}).items():
            of_folder = name, asked.get("folder", "")
            if now - asked["at"] < FRESH_SECONDS and asked["at"] > latest.get(of_folder, (0.0, ()))[0]:
                latest[of_folder] = asked["at"], asked["lacks"]
    found: dict[str, set[str]] = {}
    for (name, _), (_, lacks) in latest.items():
        found.setdefault(name, set()).update(lacks)
    return found


def looked_for_elsewhere(file: Need, sound_folder: str, reports: Reports, now: float) -> bool:
    """Whether other living dialers look for sounds in another folder, and no node is known to have this file, whose
    path is of ours: who has the right folder cannot be told, and a person would hear nothing."""
    asked = [one for report in reports.values() for one in report.get("needs", {}).values()]
    # One of an older release says it with its first answers alone.
    said = [*(report.get("sound_folder", sound_folder) for report in reports.values()),
            *(one.get("folder", sound_folder) for one in asked)]  # fmt: skip
    if all(folder == sound_folder for folder in said):
        return False
    ours = (one for one in asked if one.get("folder") == sound_folder and now - one["at"] < FRESH_SECONDS)
    return all(str(file) in one["lacks"] for one in ours)
