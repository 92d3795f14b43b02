"""What the API shows of a contact."""

from __future__ import annotations

from marshmallow import fields

from api import schemas
from campaigns.dispositions import CONTACT_MEANINGS
from campaigns.number_waits import NUMBER_CAP
from models import ContactStatus

WAIT_REASONS = {NUMBER_CAP: "The number is being called, or was called as often, or as lately, as it may be."}

EXAMPLE_CONTACT: dict[str, object] = {
    "id": "019ab0c4-7d2f-7c00-8d00-00000000a001",
    "phone_number": "+14155550123",
    "status": "completed",
    "disposition": "answered",
    "attempts": 1,
    "next_attempt_at": None,
    "last_cause": "NORMAL_CLEARING",
    "priority": 0,
    "expires_at": None,
    "external_id": None,
    "metadata": {},
    "custom_fields": {"first_name": "Ada"},
    "consent_at": None,
    "consent_source": None,
    "created_at": "2026-01-31T08:55:00.000Z",
    "updated_at": "2026-01-31T09:01:10.000Z",
    "phone_numbers": ["+14155550123"],
    "time_zones": ["America/Los_Angeles"],
    "wait_reason": None,
}


class ContactSchema(schemas.Schema):
    """A contact of a campaign."""

    id = schemas.Id(required=True)
    phone_number = schemas.Text(
        required=True,
        metadata={
            "description": "E.164; `erased` once the person's data was. Of a contact with several the one that is "
            "called next, or was called last."
        },
    )
    status = schemas.Choice(ContactStatus, required=True)
    disposition = schemas.Word(CONTACT_MEANINGS, "How its last call ended.", required=True, allow_none=True)
    attempts = schemas.Integer(required=True)
    next_attempt_at = schemas.Time(required=True, allow_none=True)
    last_cause = schemas.Text(required=True, allow_none=True)
    priority = schemas.Integer(
        required=True, metadata={"description": "The highest first of those that wait for their first call."}
    )
    expires_at = schemas.Time(
        required=True, allow_none=True, metadata={"description": "It is not called later."}
    )
    external_id = schemas.Text(
        required=True, allow_none=True, metadata={"description": "What its column of that name has."}
    )
    metadata = schemas.Object(required=True)
    custom_fields = schemas.Object(required=True)
    consent_at = schemas.Time(
        required=True,
        allow_none=True,
        metadata={"description": "From the list's column of this name: when the person agreed to be called."},
    )
    consent_source = schemas.Text(required=True, allow_none=True)
    created_at = schemas.Time(required=True)
    updated_at = schemas.Time(required=True)
    phone_numbers = schemas.Items(
        fields.String(),
        required=True,
        metadata={"description": "All of its numbers, in the order in which they are tried."},
    )
    time_zones = schemas.Items(
        fields.String(),
        required=True,
        metadata={
            "description": "The IANA zones in which it may be: by the list, or by its number; where neither says, "
            "that of the campaign, if it has one. A window has to be open in all of them."
        },
    )
    wait_reason = schemas.Word(
        WAIT_REASONS,
        "Why it is not called before next_attempt_at, where it does not wait for a retry or a callback.",
        required=True,
        allow_none=True,
    )
