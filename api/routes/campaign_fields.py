"""What may be said of a campaign that is made or changed: the fields of its bodies and forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NotRequired, TypedDict

import marshmallow as ma
import orjson
from apispec import APISpec
from marshmallow import fields

from api import schemas
from api.resources import Patch
from api.routes.campaign_schemas import EXAMPLE_CAMPAIGN
from api.routes.policy_schemas import PolicyFields
from api.routes.retry_schemas import RetryFields
from api.routes.window_schemas import (
    EXAMPLE_HOLIDAYS,
    EXAMPLE_WINDOWS,
    HolidaysValue,
    WindowFields,
    WindowsValue,
    is_zone,
)
from campaigns import metadata
from campaigns.duplicates import DUPLICATES, MOST_HOURS, Duplicates

DEFAULT_CONCURRENT = 5
NAME_MAX = 200
EXAMPLE_BODY: dict[str, object] = {
    "name": "Appointment reminders",
    "agent_id": EXAMPLE_CAMPAIGN["agent_id"],
    "phone_number_id": EXAMPLE_CAMPAIGN["phone_number_id"],
    "max_concurrent_calls": 5,
    "time_zone": "Europe/London",
    "windows": EXAMPLE_WINDOWS,
    "holidays": EXAMPLE_HOLIDAYS,
    "contacts": [{"phone_number": "+14155550123", "first_name": "Ada"}],
}


class CampaignValues(TypedDict):
    """Loaded CampaignFields."""

    name: str
    agent_id: str
    phone_number_id: str
    max_concurrent_calls: int | None
    retries_per_contact: int
    retry_delay_seconds: int
    scheduled_at: datetime | None
    end_at: datetime | None
    time_zone: str | None
    weight: int
    slow_start: bool
    keep_open: bool
    external_id: str | None
    metadata: dict[str, str]
    default_region: str | None
    retry_rules: dict[str, object]
    dial_order: str
    windows: NotRequired[WindowsValue]
    holidays: NotRequired[HolidaysValue]
    policy_packs: NotRequired[str]
    purpose: NotRequired[str | None]
    key_column: str | None
    duplicates: str
    duplicates_hours: int | None


class CampaignChanges(TypedDict, total=False):
    """A loaded CampaignPatch."""

    name: str
    max_concurrent_calls: int
    weight: int
    slow_start: bool
    keep_open: bool
    external_id: str | None
    metadata: dict[str, str]
    scheduled_at: datetime | None
    end_at: datetime | None
    time_zone: str | None
    retries_per_contact: int
    retry_delay_seconds: int
    retry_rules: dict[str, object]
    dial_order: str
    windows: WindowsValue
    holidays: HolidaysValue
    policy_packs: str
    purpose: str | None
    key_column: str | None


CALLS_AT_ONCE: Final = (
    "The upper bound is the platform's setting. Started, the tenant's running campaigns together must fit into its "
    "concurrent_max."
)


class NameAndCapFields(schemas.Schema):
    """What a campaign is called, and how many calls it may have."""

    name = schemas.Text(1, NAME_MAX, required=True)
    max_concurrent_calls = schemas.Integer(
        -schemas.INT_MAX,
        load_default=None,
        metadata={
            "minimum": 1,
            "description": "Left out: the tenant's default_max_concurrent_calls (/defaults), or else "
            f"{DEFAULT_CONCURRENT}. {CALLS_AT_ONCE}",
        },
    )


class Metadata(schemas.Object):
    """What a client keeps for itself; in a form it is the text of a JSON object."""

    def _deserialize(
        self, value: object, attr: str | None, data: Mapping[str, object] | None, **kwargs: object
    ) -> dict[str, str]:
        try:
            return metadata.checked(orjson.loads(value) if isinstance(value, str) else value)
        except orjson.JSONDecodeError as error:
            raise ma.ValidationError(metadata.RULE) from error
        except ValueError as error:
            raise ma.ValidationError(str(error)) from error


class ClientKeyFields(schemas.Schema):
    """What a client calls a campaign."""

    external_id = schemas.Text(
        1,
        255,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "What its client calls it; found by ?external_id=. Several may have the same."
        },
    )
    metadata = Metadata(
        load_default=dict,
        metadata={
            "description": f"For its client's own use, found by ?metadata=key:value: up to {metadata.MOST_KEYS} "
            f"texts of up to {metadata.LONGEST_VALUE} characters. A change replaces all of it.",
            "additionalProperties": {"type": "string"},
            "example": {"owner": "sales"},
        },
    )


class KeepOpenField(schemas.Schema):
    """Whether a campaign waits for more contacts."""

    keep_open = schemas.Boolean(
        load_default=False,
        metadata={
            "description": "Go on where nobody is left to call, for contacts that are added while it runs. Switched "
            "off, it ends as soon as nobody is left."
        },
    )


class PacingFields(schemas.Schema):
    """What of a campaign's pacing may be changed at any time."""

    weight = schemas.Weight(
        load_default=1,
        metadata={
            "description": "Its share beside the tenant's other campaigns: beside one of weight 1, one of 3 gets "
            "three calls in four while both have enough to call. What one does not use the others get."
        },
    )
    slow_start = schemas.Boolean(
        load_default=False,
        metadata={
            "description": "Begin at a tenth of the rate that it could get, and double that every 10 s in which no "
            "node or gateway refuses a call. Meanwhile blocked_reason is slow_start."
        },
    )


class ScheduleFields(schemas.Schema):
    """When a campaign starts and ends by itself."""

    scheduled_at = schemas.ZonedTime(
        load_default=None,
        metadata={
            "description": "When a dialer starts it, once and at most 1 s late; not in the past. Where it cannot be "
            "started then (budget, agent, caller_id) it stays scheduled, blocked_reason says why, and it is tried "
            "again every 5 s. Without an offset it is a time of time_zone: one that its clocks skip stands for the "
            "first moment after the gap, one that they show twice for the first of both."
        },
    )
    end_at = schemas.ZonedTime(
        load_default=None,
        metadata={
            "description": "When it ends at most 1 s later, whatever state it is in: who has not been called is "
            "cancelled, end_reason is deadline, and calls in progress go on. Later than scheduled_at and than now; "
            "without an offset as scheduled_at.",
            "example": "2027-03-28T17:00:00",
        },
    )
    time_zone = schemas.Text(
        1,
        64,
        load_default=None,
        validate=[is_zone],
        metadata={
            "description": "The IANA zone of times without an offset, and of contacts whose own is not known, for "
            "windows. Times are kept as instants and shown in UTC: a zone that is changed by itself moves none.",
            "example": "Europe/Berlin",
        },
    )


class ChangeableFields(
    NameAndCapFields,
    RetryFields,
    ScheduleFields,
    WindowFields,
    PolicyFields,
    PacingFields,
    KeepOpenField,
    ClientKeyFields,
):
    """What of a campaign may be changed until it has ended."""


class CampaignPatch(Patch, ChangeableFields):
    """What to change of a campaign. Of one that has started scheduled_at stays, or is taken away (null); a scheduled
    one is a draft again by null."""

    # What a new one leaves out, and asks for nothing by null, is asked for here.
    max_concurrent_calls = schemas.Integer(
        -schemas.INT_MAX, metadata={"minimum": 1, "description": CALLS_AT_ONCE}
    )


class CampaignFields(ChangeableFields):
    """The single fields of a new campaign; its list comes beside them."""

    agent_id = schemas.Id(required=True, metadata={"description": "An agent of the tenant."})
    phone_number_id = schemas.Id(
        required=True, metadata={"description": "A number of the tenant that is enabled for outbound calls."}
    )
    default_region = schemas.Text(
        2,
        2,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The country (ISO 3166, `GB`) of the list's numbers without a +. Left out: the country of "
            "the phone number that calls.",
            "example": "GB",
        },
    )

    duplicates = schemas.Choice(
        Duplicates,
        load_default=Duplicates.LIST.value,
        metadata={
            "description": "What becomes of a row with a number that was there before.\n\n"
            + "\n".join(f"- `{word}`: {meaning}" for word, meaning in DUPLICATES.items())
        },
    )
    duplicates_hours = schemas.Integer(
        1,
        MOST_HOURS,
        load_default=None,
        allow_none=True,
        metadata={"description": "With duplicates `recent`, and with nothing else: for how long back."},
    )

    @ma.validates_schema
    def check_hours(self, data: Mapping[str, object], **_: object) -> None:
        """Hours go with `recent` alone."""
        recent, hours = data.get("duplicates") == Duplicates.RECENT, data.get("duplicates_hours")
        if recent and hours is None:
            raise ma.ValidationError("it is required where duplicates is recent", "duplicates_hours")
        if hours is not None and not recent:
            raise ma.ValidationError("it can only be given where duplicates is recent", "duplicates_hours")


class CampaignBody(CampaignFields):
    """A new campaign with its contacts inline."""

    contacts = schemas.Items(
        fields.Raw(metadata={"type": "object"}),
        required=True,
        metadata={
            "description": "Objects with a phone_number; phone_number_2 to phone_number_5 are further numbers of the "
            "contact, and other keys become custom_fields."
        },
    )


class CampaignForm(CampaignFields):
    """A new campaign with its contacts as a CSV file. For the documentation: a form is read as it streams in."""

    contacts = fields.Raw(
        required=True,
        metadata={
            "type": "string",
            "format": "binary",
            "description": "CSV, or an XLSX workbook, with a header row and a phone_number column, and perhaps "
            "phone_number_2 to phone_number_5 (or phone_2 …) with further numbers of the contact; 10 MB, 100,000 "
            "rows and 200 columns at most. A workbook's number is read with all of its digits, a day as 2026-01-31.",
        },
    )
    encoding = schemas.Text(
        1,
        40,
        metadata={
            "description": "The text encoding of the list (`windows-1251`). Left out: UTF-8, or what a byte order "
            "mark says; bytes that are neither are taken for Windows-1252 where that makes words, and "
            "`import.warnings` says so.",
            "example": "windows-1251",
        },
    )
    sheet = schemas.Text(
        1,
        31,
        metadata={
            "description": "The sheet of a workbook. Left out: the first that is shown and not empty; where there "
            "are others, `import.warnings` says which was read.",
            "example": "Leads",
        },
    )


def say_upper_bound(spec: APISpec, most: int) -> None:
    """Let the document say how many calls at a time this platform allows a campaign to be asked for."""
    for schema in spec.components.schemas.values():
        bounded = schema.get("properties", {}).get("max_concurrent_calls", {})
        if bounded.get("minimum") == 1:
            bounded["maximum"] = most
