"""Whether any node can run a campaign's agent, by what the dialers wrote of their nodes within the last seconds.

The API speaks to no node. What no dialer has asked for yet, or says nothing of, is no reason to refuse.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping

from api.auth import current_caller
from api.errors import conflict
from api.routes.dialer_reports import Dialers, living_dialers
from api.services import services
from api.transactions import transaction
from campaigns.agent_needs import lacking, needs
from coordination.errors import CoordinationError
from models import rows

FRESH_SECONDS = 10.0
"""What a dialer found longer ago says nothing."""

_AGENT = """
SELECT agent.name, agent.action, gateway.id::text AS gateway_id, gateway.dial_string
FROM campaign JOIN agent ON agent.id = campaign.agent_id
    LEFT JOIN gateway ON gateway.id::text = agent.action->>'gateway_id' AND gateway.deleted_at IS NULL
WHERE campaign.id = %s AND campaign.tenant_id = %s
"""


def refuse_what_no_node_can_run(campaign_id: uuid.UUID) -> None:
    """Raise ApiError 409 where every node that was asked lacks something that the campaign's agent needs."""
    with transaction():
        found = rows(_AGENT, campaign_id, current_caller().tenant_id)
    if not found:
        return
    (agent,) = found
    dial_strings = {agent["gateway_id"]: agent["dial_string"]} if agent["gateway_id"] else {}
    wanted = needs(agent["action"], services().settings.sound_folder, dial_strings)
    if not wanted:
        return
    try:
        lacks = lacks_by_node(living_dialers(), time.time())
    except CoordinationError:
        # Whoever starts it has other things to hear of then.
        return
    if missing := lacking(wanted, lacks):
        named = "; ".join(f"{node} has no {', no '.join(what)}" for node, what in sorted(missing.items()))
        raise conflict(f"No node can run the campaign's agent: {named}.", "agent_cannot_run")


def lacks_by_node(dialers: Dialers, now: float) -> Mapping[str, Collection[str]]:
    """What each node lacks, by who asked it last; of one that is connected and was not asked lately, nothing."""
    latest: dict[str, tuple[float, Collection[str]]] = {}
    for report in dialers.values():
        for node in report.get("nodes", ()):
            if node.get("connected"):
                latest.setdefault(node["name"], (0.0, ()))
        for name, asked in report.get("needs", {}).items():
            if now - asked["at"] < FRESH_SECONDS and asked["at"] > latest.get(name, (0.0, ()))[0]:
                latest[name] = asked["at"], asked["lacks"]
    return {name: lacks for name, (_, lacks) in latest.items()}
