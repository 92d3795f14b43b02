"""Refuses a start where no node can run the campaign's agent (`campaigns.agent_reports`)."""

from __future__ import annotations

import time
import uuid

from api.auth import current_caller
from api.errors import conflict
from api.routes.dialer_reports import living_dialers
from api.services import services
from api.transactions import transaction
from campaigns.agent_reports import missing, wanted_by
from coordination.errors import CoordinationError


def refuse_what_no_node_can_run(campaign_id: uuid.UUID) -> None:
    """Raise ApiError 409 where every node that was asked lacks something that the campaign's agent needs."""
    with transaction():
        wanted = wanted_by(campaign_id, current_caller().tenant_id, services().settings.sound_folder)
    if not wanted:
        return
    try:
        found = missing(wanted, living_dialers(), time.time())
    except CoordinationError:
        # Whoever starts it has other things to hear of then.
        return
    if found:
        named = "; ".join(f"{node} has no {', no '.join(what)}" for node, what in sorted(found.items()))
        raise conflict(f"No node can run the campaign's agent: {named}.", "agent_cannot_run")
