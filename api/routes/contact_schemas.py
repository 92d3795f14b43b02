"""What the API shows of a contact."""

from __future__ import annotations

from marshmallow import fields

from api import schemas
from campaigns.dispositions import CONTACT_MEANINGS
from models import ContactStatus

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
