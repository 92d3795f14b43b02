"""The breaker for suspicious outcomes, as a campaign sees it: letting it go on all the same."""

from __future__ import annotations

from datetime import datetime

import structlog
from flask import Response

from api import notify
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import conflict
from api.idempotency import body_hash, once
from api.json_rows import stored_json
from api.resources import id_or_404
from api.routes.campaign_outcome_schemas import EXAMPLE_BREAKER
from api.routes.campaign_schemas import EXAMPLE_CAMPAIGN, OneCampaignSchema
from api.routes.campaigns import NOT_FOUND, campaign_or_404, one_campaign
from api.services import services
from api.times import to_rfc3339
from campaigns import outcome_breakers
from coordination.topics import Topic
from models import CAMPAIGN_ENDED

blp = Blueprint("breakers", description="What is held since most of its calls end suspiciously")
log = structlog.get_logger(__name__)

EXEMPT = EXAMPLE_BREAKER | {"held": [], "exempt_at": "2026-01-31T09:05:00.000Z", "exempt_by": "crm"}


@blp.route("/campaigns/<campaign_id>/breaker", methods=["DELETE"])
@requires("operate", errors={404: NOT_FOUND, 409: "Campaign is completed; no breaker holds it."}, once=True)
@blp.response(200, OneCampaignSchema, example=EXAMPLE_CAMPAIGN | {"breaker": EXEMPT})
def exempt_campaign(campaign_id: str) -> Response:
    """Exempt a campaign from the breaker

    From now on, and for as long as it runs, its calls leave whatever is held (`blocked_reason` breaker), and are not
    counted for a breaker; those of other campaigns stay held. What became of its calls so far stands. The log, and
    `breaker` of the campaign, say who did so and when.
    """
    caller, key = current_caller(), id_or_404(campaign_id, "Campaign")
    since: datetime | None = None

    def exempt() -> object:
        nonlocal since
        found = campaign_or_404(key)
        if found.status in CAMPAIGN_ENDED:
            raise conflict(f"Campaign is {found.status}; no breaker holds it.")
        since = outcome_breakers.exempt(key, caller.key_name)
        return stored_json(one_campaign(campaign_or_404(key)).get_data(as_text=True))

    answer = once(exempt, body_hash(None), status=200)
    if since is not None:
        log.warning(
            "breaker_exempted",
            campaign_id=str(key),
            tenant_id=caller.tenant_id,
            by=caller.key_name,
            at=to_rfc3339(since),
        )
    notify.dialers(services(), Topic.WAKE, {"campaign_id": str(key)})
    return answer.response()
