"""Who may listen to a campaign, and the figures that its snapshots carry: what the route and the hub ask for."""

from __future__ import annotations

import uuid

from api import times
from api.auth import authorized
from api.errors import not_found
from api.routes.events import CampaignRef
from api.schemas import identifier
from api.services import Dialers
from api.transactions import transaction
from campaigns import queries
from models import rows

# One that was ended a moment ago has events yet to come: its stream does not end before them.
FIND = """
    SELECT CASE WHEN stopping_at IS NULL THEN status ELSE 'stopping' END AS status FROM campaign
    WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL"""


def authorise(campaign_id: str, role: str) -> CampaignRef:
    """The campaign, for the caller of this request. It counts against his rate, and is in flight no longer.

    Raises ApiError: 401, 403, 404, 429, 503.
    """
    with authorized(role) as caller:
        return authorise_tenant(campaign_id, caller.tenant_id)


def authorise_tenant(campaign_id: str, tenant_id: str) -> CampaignRef:
    """The campaign, if `tenant_id` still has it. Raises ApiError: 404, 503."""
    found_id = identifier(campaign_id)
    if found_id is None:
        raise not_found("Campaign")
    with transaction():
        found = rows(FIND, found_id, tenant_id)
    if not found:
        raise not_found("Campaign")
    return CampaignRef(tenant_id, campaign_id, found[0]["status"])


def snapshot(dialers: Dialers, campaign_id: str) -> dict[str, object]:
    """A campaign's figures, outside any request. Raises LookupError where it is gone, ApiError where the database is
    away."""
    with transaction():
        figures = queries.snapshot(uuid.UUID(campaign_id))
    if figures is None:
        raise LookupError(f"campaign {campaign_id} is gone")
    blocked = dialers.blocked_reason(figures["status"], figures["blocked_reason"])
    return figures | {"blocked_reason": blocked, "at": times.to_rfc3339(figures["at"])}
