"""Who may listen to a campaign, and the figures that its snapshots carry: what the route and the hub ask for."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from api import times
from api.auth import authorized
from api.errors import ApiError, not_found
from api.routes.events import CampaignRef
from api.schemas import identifier
from api.services import Dialers
from api.transactions import transaction
from campaigns import queries
from live.admission import Admission, Taken
from models import rows

# One that was ended a moment ago has events yet to come: its stream does not end before them.
FIND = """
    SELECT CASE WHEN stopping_at IS NULL AND NOT EXISTS (SELECT FROM outbox WHERE campaign_id = campaign.id)
        AND NOT EXISTS (
            SELECT FROM transition WHERE campaign_id = campaign.id AND NOT published AND contact_id IS NULL)
        THEN status ELSE 'stopping' END AS status FROM campaign
    WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL"""

# The key is of one tenant, and may act for another.
GONE = """
    SELECT shown.tenant_id, shown.key_id::text, shown.session_id::text
    FROM unnest(%s::text[], %s::uuid[], %s::uuid[]) AS shown (tenant_id, key_id, session_id)
    WHERE NOT EXISTS (SELECT FROM tenant WHERE id = shown.tenant_id AND deleted_at IS NULL)
        OR NOT EXISTS (
            SELECT FROM api_key JOIN tenant ON tenant.id = api_key.tenant_id
            WHERE api_key.id = shown.key_id AND tenant.deleted_at IS NULL)
        OR shown.session_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM board_session WHERE id = shown.session_id AND expires_at > now())"""
DELETED = "SELECT id::text FROM campaign WHERE id = ANY(%s) AND deleted_at IS NOT NULL"


def authorise(campaign_id: str, role: str) -> CampaignRef:
    """The campaign, for the caller of this request. It counts against his rate, and is in flight no longer.

    Raises ApiError: 401, 403, 404, 429, 503.
    """
    with authorized(role) as caller:
        return _campaign(campaign_id, caller.admission())


def authorise_token(campaign_id: str, admission: Admission) -> CampaignRef:
    """The campaign, if the tenant still has it and the key is still there. Raises ApiError: 401, 404, 503."""
    if taken([admission], []).admissions:
        message = "The key that the token was made with is not valid any more."
        raise ApiError(401, message, headers={"WWW-Authenticate": "Bearer"})
    return _campaign(campaign_id, admission)


def taken(admissions: Collection[Admission], campaigns: Collection[str]) -> Taken:
    """Which of these admissions and campaigns are gone. Outside any request. Raises ApiError where the database is
    away."""
    shown = [*admissions]
    with transaction(writes=False):
        gone = rows(
            GONE,
            [one.tenant_id for one in shown],
            [uuid.UUID(one.key_id) for one in shown],
            [uuid.UUID(one.session_id) if one.session_id else None for one in shown],
        )
        deleted = rows(DELETED, [uuid.UUID(campaign_id) for campaign_id in campaigns])
    return Taken(
        frozenset(Admission(row["tenant_id"], row["key_id"], row["session_id"]) for row in gone),
        frozenset(row["id"] for row in deleted),
    )


def _campaign(campaign_id: str, admission: Admission) -> CampaignRef:
    found_id = identifier(campaign_id)
    if found_id is None:
        raise not_found("Campaign")
    with transaction():
        found = rows(FIND, found_id, admission.tenant_id)
    if not found:
        raise not_found("Campaign")
    return CampaignRef(admission, campaign_id, found[0]["status"])


def snapshot(dialers: Dialers, campaign_id: str) -> dict[str, object]:
    """A campaign's figures, outside any request. Raises LookupError where it is gone, ApiError where the database is
    away."""
    with transaction():
        figures = queries.snapshot(uuid.UUID(campaign_id))
    if figures is None:
        raise LookupError(f"campaign {campaign_id} is gone")
    blocked = dialers.blocked_reason(figures["status"], figures["blocked_reason"])
    return figures | {
        "blocked_reason": blocked,
        "scheduled_at": _told(figures["scheduled_at"]),
        "end_at": _told(figures["end_at"]),
        "at": times.to_rfc3339(figures["at"]),
    }


def _told(moment: datetime | None) -> str | None:
    return None if moment is None else times.to_rfc3339(moment)
