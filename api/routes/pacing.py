"""A campaign's pacing: changing it while the campaign runs, and what came of it, second by second."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict, cast

from flask import Response

from api import notify, schemas, times
from api.auth import current_caller, requires
from api.blueprint import Blueprint
from api.errors import ApiError, conflict, not_found
from api.json_rows import json_answer
from api.resources import id_or_404, invalid
from api.routes.campaign_schemas import EXAMPLE_CAMPAIGN, CampaignChanges, CampaignPatch, CampaignSchema
from api.routes.campaigns import NOT_FOUND, campaign_or_404
from api.services import services
from api.transactions import transaction
from campaigns import pacing, schedule_changes
from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.campaign_state import WEB
from campaigns.lifecycle_errors import CampaignNotFoundError
from campaigns.queries import CampaignRow
from campaigns.schedule_changes import ScheduleChanges
from coordination.topics import Topic

blp = Blueprint("pacing", description="How fast campaigns are dialled, and what holds them back")

STEP_MAX = 3600
EXAMPLE_STEP: dict[str, object] = {
    "at": "2026-01-31T09:00:00.000Z",
    "offered": 30,
    "admitted": 20,
    "live_calls": 14,
    "cap": "gateway_cps",
}
EXAMPLE: dict[str, object] = {
    "from": "2026-01-31T09:00:00.000Z",
    "to": "2026-01-31T09:05:00.000Z",
    "step_seconds": 1,
    "pacing": [EXAMPLE_STEP],
}

PacingValues = TypedDict("PacingValues", {"from": datetime, "to": datetime, "step_seconds": int}, total=False)
"""A loaded PacingQuery."""

PacingQuery = schemas.Schema.from_dict(
    {
        "from": schemas.Time(metadata={"description": "300 steps before `to` where it is left out."}),
        "to": schemas.Time(
            metadata={
                "description": "Without this moment itself; at most 3,600 steps after `from`. Left out, it is now, "
                "or 3,600 steps after `from` where that is earlier."
            }
        ),
        "step_seconds": schemas.Integer(
            1, STEP_MAX, load_default=1, metadata={"description": "How long a step is."}
        ),
    },
    name="PacingQuery",
)


class PaceStepSchema(schemas.Schema):
    """A step of a campaign's pacing, over all dialers."""

    at = schemas.Time(
        required=True, metadata={"description": "When it begins: at a whole multiple of its length."}
    )
    offered = schemas.Integer(
        required=True,
        metadata={
            "description": "Calls that the caps were asked for; one that is denied is asked for again."
        },
    )
    admitted = schemas.Integer(required=True, metadata={"description": "Calls that got their turn."})
    live_calls = schemas.Integer(
        required=True, metadata={"description": "Calls in progress, at the most of any second."}
    )
    cap = schemas.Word(
        BLOCKED_WORDS, "What held it back; of several the most frequent.", required=True, allow_none=True
    )


PacingSchema = schemas.Schema.from_dict(
    {
        "from": schemas.Time(required=True),
        "to": schemas.Time(required=True),
        "step_seconds": schemas.Integer(required=True),
        "pacing": schemas.Items(schemas.Nested(PaceStepSchema), required=True),
    },
    name="Pacing",
)


@blp.route("/campaigns/<campaign_id>", methods=["PATCH"])
@requires("operate", errors={404: NOT_FOUND, 409: "Campaign is completed; it cannot be changed."})
@blp.arguments(CampaignPatch, required=False, example={"weight": 3})
@blp.response(200, CampaignSchema, example=EXAMPLE_CAMPAIGN | {"weight": 3})
def patch_campaign(body: CampaignChanges, campaign_id: str) -> CampaignRow:
    """Change a campaign's pacing or schedule

    What is left out stays as it is. A weight holds from the next call on. A slow start that is set while the campaign
    runs begins then, and one that is taken away is over at once. When it ends may be changed until it has ended, when
    it starts until it is started: a draft that gets a scheduled_at is scheduled, and with null it is a draft again.
    """
    found_id = id_or_404(campaign_id, "Campaign")
    asked, paced = _parted(body)
    with transaction():
        try:
            pacing.change(found_id, current_caller().tenant_id, paced)
            if asked:
                schedule_changes.change(found_id, asked, times.utcnow())
        except CampaignNotFoundError as error:
            raise not_found("Campaign") from error
        except (pacing.CampaignEndedError, schedule_changes.StartFixedError) as error:
            raise conflict(str(error)) from error
        except schedule_changes.ScheduleRefusedError as error:
            raise ApiError(400, str(error)) from error
        changed = campaign_or_404(found_id)
    notify.dialers(services(), Topic.WAKE, {"campaign_id": str(found_id)})
    if "scheduled_at" in asked:
        notify.publish_later(services(), found_id, WEB)
    return changed


def _parted(body: CampaignChanges) -> tuple[ScheduleChanges, dict[str, object]]:
    """What is asked of the schedule, and of the pacing."""
    asked: ScheduleChanges = {}
    if "scheduled_at" in body:
        asked["scheduled_at"] = body["scheduled_at"]
    if "end_at" in body:
        asked["end_at"] = body["end_at"]
    if "time_zone" in body:
        asked["time_zone"] = body["time_zone"]
    return asked, {name: value for name, value in body.items() if name not in asked}


@blp.route("/campaigns/<campaign_id>/pacing")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(PacingQuery, location="query")
@blp.response(200, PacingSchema, example=EXAMPLE)
def get_pacing(query: PacingValues, campaign_id: str) -> Response:
    """Get a campaign's pacing

    For each step what was offered, admitted and in progress, and what held it back, over all dialers; of the last 24
    hours. A second in which nothing was offered and nothing was in progress is not there.
    """
    found_id = id_or_404(campaign_id, "Campaign")
    try:
        asked = pacing.span(query.get("from"), query.get("to"), query["step_seconds"], times.utcnow())
    except pacing.SpanRefusedError as error:
        raise invalid(error.field, times.to_rfc3339(error.value), error.rule) from error
    with transaction(writes=False):
        campaign_or_404(found_id)
        steps = pacing.pace(found_id, asked)
    return json_answer(
        {
            "from": asked.start,
            "to": asked.end,
            "step_seconds": asked.step_seconds,
            "pacing": cast("object", steps),
        }
    )
