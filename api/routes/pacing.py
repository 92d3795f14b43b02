"""A campaign's pacing, second by second."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from flask import Response
from marshmallow import fields

from api import schemas, times
from api.auth import requires
from api.blueprint import Blueprint
from api.json_rows import json_answer
from api.resources import id_or_404, invalid
from api.routes.campaigns import NOT_FOUND, campaign_or_404
from api.routes.nodes import nodes_taking_calls
from api.routes.reduced_rates import rates_now
from api.transactions import transaction
from campaigns import pace_history, pace_rates
from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.pace_rates import Configured, Terms
from limits.rate_cuts import Kind

blp = Blueprint("pacing", description="How fast campaigns are dialled, and what holds them back")

STEP_MAX = 3600
EXAMPLE_STEP: dict[str, object] = {
    "at": "2026-01-31T09:00:00.000Z",
    "offered": 30,
    "admitted": 20,
    "live_calls": 14,
    "cap": "gateway_cps",
}
EXAMPLE_RATE: dict[str, object] = {"cap": "gateway_cps", "calls_per_second": 20.0}
EXAMPLE: dict[str, object] = {
    "from": "2026-01-31T09:00:00.000Z",
    "to": "2026-01-31T09:05:00.000Z",
    "step_seconds": 1,
    "pacing": [EXAMPLE_STEP],
    "rates": [EXAMPLE_RATE],
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


class PaceRateSchema(schemas.Schema):
    """A rate that calls are held to."""

    cap = schemas.Word(
        {word: BLOCKED_WORDS[word] for word in pace_rates.RATES}, "Whose rate it is.", required=True
    )
    calls_per_second = fields.Float(
        required=True,
        metadata={
            "description": "Of all nodes that take calls, of all gateways that the campaign may leave by, of its "
            "tenant, or of how far its slow start has come; less than was set where a node or gateway refused."
        },
    )


PacingSchema = schemas.Schema.from_dict(
    {
        "from": schemas.Time(required=True),
        "to": schemas.Time(required=True),
        "step_seconds": schemas.Integer(required=True),
        "pacing": schemas.Items(schemas.Nested(PaceStepSchema), required=True),
        "rates": schemas.Items(
            schemas.Nested(PaceRateSchema),
            required=True,
            metadata={
                "description": "The rates that its calls are held to now, whenever it was dialled. What is "
                "unlimited, or not known, is not there."
            },
        ),
    },
    name="Pacing",
)


@blp.route("/campaigns/<campaign_id>/pacing")
@requires("read", errors={404: NOT_FOUND})
@blp.arguments(PacingQuery, location="query")
@blp.response(200, PacingSchema, example=EXAMPLE)
def get_pacing(query: PacingValues, campaign_id: str) -> Response:
    """Get a campaign's pacing

    For each step what was offered, admitted and in progress, and what held it back, over all dialers; of the last 24
    hours. A second in which nothing was offered and nothing was in progress is not there. Beside that, how high each
    rate is that its calls are held to now.
    """
    found_id = id_or_404(campaign_id, "Campaign")
    try:
        asked = pace_history.span(query.get("from"), query.get("to"), query["step_seconds"], times.utcnow())
    except pace_history.SpanRefusedError as error:
        raise invalid(error.field, times.to_rfc3339(error.value), error.rule) from error
    with transaction(writes=False):
        campaign_or_404(found_id)
        steps = pace_history.pace(found_id, asked)
        terms = Terms.of(found_id)
    gateways = rates_now(Kind.GATEWAY, {route.id: route.cps for route in terms.gateways})
    nodes = [Configured(node["cps"], node["rate_now"]) for node in nodes_taking_calls()]
    told: dict[str, object] = {
        "from": asked.start,
        "to": asked.end,
        "step_seconds": asked.step_seconds,
        "pacing": steps,
        "rates": pace_rates.rates(terms, nodes, gateways),
    }
    return json_answer(told)
