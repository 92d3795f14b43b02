"""What a single call is asked for with, a test call too, and what is answered where it was taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from api import schemas

EXAMPLE_BODY = {
    "agent_id": "019ab0c4-6000-7c00-8d00-00000000b001",
    "from_number": "+14155550100",
    "to_number": "+14155550123",
}
EXAMPLE: dict[str, object] = {
    "id": "019ab0c4-9100-7c00-8d00-00000000d001",
    "state": "queued",
    "campaign_id": "019ab0c4-9100-7c00-8d00-00000000d001",
    "contact_id": "019ab0c4-9101-7c00-8d00-00000000d002",
    "phone_number": "+14155550123",
    "caller_id": "+14155550100",
    "created_at": "2026-01-31T09:00:00.000Z",
    "expires_at": "2026-01-31T09:00:30.000Z",
}


class OriginateValues(TypedDict):
    """A loaded OriginateBody."""

    agent_id: str
    from_number: str
    to_number: str
    custom_fields: Mapping[str, object]


class TestValues(TypedDict):
    """A loaded TestCallBody."""

    to_number: str
    custom_fields: NotRequired[Mapping[str, object]]


class CalledFields(schemas.Schema):
    """Whom a single call is to."""

    to_number = schemas.Text(
        1,
        50,
        required=True,
        metadata={"description": "Who is called; without a + a number of the caller's country."},
    )
    custom_fields = schemas.Object(
        metadata={
            "description": "What the columns of a list are: variables, and what an agent's templates are of."
        }
    )


class OriginateBody(CalledFields):
    """A call to place."""

    agent_id = schemas.Id(required=True, metadata={"description": "An agent of the tenant."})
    from_number = schemas.Text(
        1,
        50,
        required=True,
        metadata={"description": "The caller id, in E.164: a phone number of the tenant."},
    )


class TestCallBody(CalledFields):
    """A test call to place; without custom_fields with those of the first contact of the list."""


class SingleCallSchema(schemas.Schema):
    """A call that was taken, and is placed at once."""

    id = schemas.Id(
        required=True, metadata={"description": "`GET /calls/{id}` tells how far it is, and how it ended."}
    )
    state = schemas.Choice(("queued",), required=True)
    campaign_id = schemas.Id(
        required=True,
        metadata={
            "description": "The same: `GET /campaigns/{id}/events` streams it, `POST /campaigns/{id}/stop` keeps it "
            "from leaving and, with `hangup=true`, ends it."
        },
    )
    contact_id = schemas.Id(
        required=True, metadata={"description": "`GET /calls?contact_id=` lists its sends."}
    )
    phone_number = schemas.Text(required=True)
    caller_id = schemas.Text(required=True)
    created_at = schemas.Time(required=True)
    expires_at = schemas.Time(
        required=True, metadata={"description": "Where it has not left by then, it never does: `expired`."}
    )
