"""What a campaign's retry rules look like on the wire."""

from __future__ import annotations

import marshmallow as ma

from api import schemas
from campaigns.retry_rules import (
    LARGEST_FACTOR,
    LONGEST_DELAY_SECONDS,
    MOST_RETRIES,
    PLAIN,
    RULED,
    SHORTEST_DELAY_SECONDS,
    Growth,
)
from models import DialOrder

DEFAULT_DELAY_SECONDS = 300
EXAMPLE_RETRY_RULES: dict[str, object] = {
    "busy": {"delay_seconds": 300, "retries": 3},
    "no_answer": {"delay_seconds": 3600, "factor": 2, "max_delay_seconds": 14_400},
}


class RetryRuleSchema(schemas.Schema):
    """What follows a call that ended so; what is left out is the campaign's own."""

    delay_seconds = schemas.Integer(
        SHORTEST_DELAY_SECONDS,
        LONGEST_DELAY_SECONDS,
        metadata={
            "description": "From the end of the first attempt to the second. Left out: retry_delay_seconds."
        },
    )
    factor = schemas.Number(
        1,
        LARGEST_FACTOR,
        metadata={
            "description": "How many times the first delay the second one is.",
            "default": PLAIN.factor,
        },
    )
    growth = schemas.Choice(
        Growth,
        metadata={
            "description": "How delays go on growing: `exponential` by the factor each time (60, 120, 240 s with 2), "
            "`linear` by as much each time (60, 120, 180 s).",
            "default": str(PLAIN.growth),
        },
    )
    max_delay_seconds = schemas.Integer(
        SHORTEST_DELAY_SECONDS,
        LONGEST_DELAY_SECONDS,
        metadata={"description": "No delay grows beyond it."},
    )
    retries = schemas.Integer(
        0,
        MOST_RETRIES,
        metadata={
            "description": "Who has been called again so often, for whatever reason, is not called again after a "
            "call that ended so; 0: never. Left out: retries_per_contact. After `rejected` once at the most."
        },
    )

    @ma.validates_schema
    def _bounds(self, data: dict[str, int], **_: object) -> None:
        first, most = data.get("delay_seconds"), data.get("max_delay_seconds")
        if first is not None and most is not None and most < first:
            raise ma.ValidationError(f"it must be at least delay_seconds, {first}", "max_delay_seconds")


RetryRulesSchema = schemas.Schema.from_dict(
    {str(disposition): schemas.Nested(RetryRuleSchema) for disposition in RULED}, name="RetryRules"
)


class RetryFields(schemas.Schema):
    """When who was not reached is called again, and who goes first."""

    retries_per_contact = schemas.Integer(
        0,
        5,
        load_default=0,
        metadata={
            "description": "How often who was busy, did not answer or could not be reached is called again. Changed, "
            "it holds for calls that end then; who has failed stays so (`POST …/retry` calls him again)."
        },
    )
    retry_delay_seconds = schemas.Integer(
        SHORTEST_DELAY_SECONDS,
        LONGEST_DELAY_SECONDS,
        load_default=DEFAULT_DELAY_SECONDS,
        metadata={
            "description": "From the end of a call to the next. Changed, it holds for calls that end then; who "
            "waits already keeps his time."
        },
    )
    dial_order = schemas.Choice(
        DialOrder,
        load_default=DialOrder.RETRIES_FIRST,
        metadata={
            "description": "Who is called first: retries that are due, so that a long list does not keep them "
            "waiting, or contacts that were never called. Callbacks go before both."
        },
    )
    retry_rules = schemas.Nested(
        RetryRulesSchema,
        load_default=dict,
        metadata={
            "description": "By how a call ended, where that is not as retry_delay_seconds and retries_per_contact "
            "say. In a form: JSON. Changed, they are replaced as a whole, and hold for calls that end then.",
            "example": EXAMPLE_RETRY_RULES,
        },
    )
