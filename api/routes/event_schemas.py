"""What a campaign's event stream says: the data of each kind of event, for the document."""

from __future__ import annotations

from typing import Final

from apispec import APISpec
from marshmallow import fields

from api import schemas
from api.routes.campaign_schemas import CountsSchema
from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.dispositions import CONTACT_MEANINGS
from models import CampaignStatus, ContactStatus

END_REASONS = ("stopped", "exhausted", "deadline", "error")


class SnapshotEventSchema(schemas.Schema):
    """Without a name: the campaign's figures, at once and then every 2 s while it runs or waits for its start."""

    campaign_id = schemas.Id(required=True)
    status = schemas.Choice(CampaignStatus, required=True)
    counts = schemas.Nested(CountsSchema, required=True)
    in_flight = schemas.Integer(required=True, metadata={"description": "originated and connected."})
    calls_per_second = fields.Float(required=True, metadata={"description": "Placed, over the last 5 s."})
    blocked_reason = schemas.Word(
        BLOCKED_WORDS, "What held it back at the last decision.", required=True, allow_none=True
    )
    scheduled_at = schemas.Time(required=True, allow_none=True)
    end_at = schemas.Time(required=True, allow_none=True)
    at = schemas.Time(required=True)


class ContactEventSchema(schemas.Schema):
    """`event: contact`: one change of a contact."""

    campaign_id = schemas.Id(required=True)
    contact_id = schemas.Id(required=True)
    phone_number = schemas.Text(required=True, metadata={"description": "E.164"})
    status = schemas.Choice(ContactStatus, required=True)
    disposition = schemas.Word(CONTACT_MEANINGS, "How its call ended.", required=True, allow_none=True)
    attempt = schemas.Integer(required=True, allow_none=True)
    call_id = schemas.Id(required=True, allow_none=True)
    cause = schemas.Text(required=True, allow_none=True)
    at = schemas.Time(required=True)


class CampaignEventSchema(schemas.Schema):
    """`event: campaign`: one change of the campaign."""

    campaign_id = schemas.Id(required=True)
    status = schemas.Choice(CampaignStatus, required=True)
    end_reason = schemas.Choice(END_REASONS, required=True, allow_none=True)
    at = schemas.Time(required=True)


_KINDS: Final = {
    "message": ("SnapshotEvent", SnapshotEventSchema),
    "contact": ("ContactEvent", ContactEventSchema),
    "campaign": ("CampaignEvent", CampaignEventSchema),
}
"""What each event holds, by its name."""

EVENTS_OF_ANSWER: Final = {
    "x-events": {kind: {"$ref": f"#/components/schemas/{name}"} for kind, (name, _) in _KINDS.items()}
}
"""What the document says of the stream's 200, in the schemas that `describe_events` adds."""


def describe_events(spec: APISpec) -> None:
    """Let the document say what the events of the stream hold."""
    for name, schema in _KINDS.values():
        spec.components.schema(name, schema=schema)
