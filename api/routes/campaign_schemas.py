"""What a campaign and its contacts look like on the wire; the same schemas validate and document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NotRequired, TypedDict

import marshmallow as ma
import orjson
from apispec import APISpec
from marshmallow import fields

from api import schemas
from api.hangups import StillUpSchema
from api.paging import FilteredQuery, PageQuery, PageValues, SpanQuery, SpanValues, list_schema
from api.resources import Patch
from api.routes.policy_schemas import PolicyFields, PolicySchema
from api.routes.retry_schemas import RetryFields, RetryRulesSchema
from api.routes.window_schemas import (
    EXAMPLE_HOLIDAYS,
    EXAMPLE_WINDOWS,
    HolidaysSchema,
    HolidaysValue,
    WindowFields,
    WindowSpanSchema,
    WindowsValue,
    is_zone,
)
from campaigns import metadata
from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.dispositions import CONTACT_MEANINGS
from campaigns.policy_choice import CHOICES
from campaigns.policy_packs import PURPOSES
from campaigns.queries import ORDERS
from models import CampaignStatus, ContactStatus, DialOrder

DEFAULT_CONCURRENT = 5
NAME_MAX = 200

EXAMPLE_COUNTS = {
    "total": 1000,
    "pending": 988,
    "originated": 4,
    "connected": 1,
    "completed": 5,
    "failed": 2,
    "cancelled": 0,
}
EXAMPLE_CAMPAIGN: dict[str, object] = {
    "id": "019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01",
    "name": "Appointment reminders",
    "agent_id": "019ab0c4-1111-7aaa-8bbb-0123456789ab",
    "phone_number_id": "019ab0c4-2222-7aaa-8bbb-0123456789ab",
    "status": "running",
    "max_concurrent_calls": 5,
    "retries_per_contact": 1,
    "retry_delay_seconds": 300,
    "scheduled_at": None,
    "started_at": "2026-01-31T09:00:00.000Z",
    "completed_at": None,
    "created_at": "2026-01-31T08:55:00.000Z",
    "created_by": "crm",
    "counts": EXAMPLE_COUNTS,
    "end_reason": None,
    "blocked_reason": None,
    "blocked_since": None,
    "next_action_at": None,
    "weight": 1,
    "slow_start": False,
    "dial_order": "retries_first",
    "retry_rules": {},
    "keep_open": False,
    "end_at": "2026-01-31T17:00:00.000Z",
    "time_zone": "Europe/London",
    "external_id": "crm-0815",
    "metadata": {"owner": "sales"},
    "cloned_from": None,
    "windows": EXAMPLE_WINDOWS,
    "holidays": EXAMPLE_HOLIDAYS,
    "policy_packs": "on",
    "purpose": "sales",
    "key_column": None,
    "import": {
        "rows": 1003,
        "accepted": 1000,
        "duplicates": 2,
        "invalid": 1,
        "suppressed": 0,
        "columns": [{"header": "Имя", "column": "Имя", "variable": "carillon_imya"}],
        "warnings": [],
        "rejects_url": "/api/v1/campaigns/019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01/rejects",
    },
}
EXAMPLE_OUTCOMES = {
    "dispositions": {"answered": 612, "no_answer": 301, "busy": 87},
    "top_causes": [
        {"cause": "NORMAL_CLEARING", "sip_status": None, "calls": 612},
        {"cause": "NO_ANSWER", "sip_status": None, "calls": 301},
        {"cause": "USER_BUSY", "sip_status": 486, "calls": 87},
    ],
}
EXAMPLE_BREAKER: dict[str, object] = {
    "held": [
        {
            "gateway_id": "019ab0c4-3333-7aaa-8bbb-0123456789ab",
            "prefix": "+44",
            "caller_id": None,
            "held_at": "2026-01-31T09:01:00.000Z",
            "probe_at": "2026-01-31T09:02:00.000Z",
            "top_causes": [
                {"cause": "UNALLOCATED_NUMBER", "sip_status": 404, "calls": 17},
                {"cause": "CALL_REJECTED", "sip_status": 603, "calls": 3},
            ],
        }
    ],
    "exempt_at": None,
    "exempt_by": None,
}
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
}
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
    max_concurrent_calls: int
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


class CampaignFilters(PageValues, SpanValues):
    """A loaded CampaignQuery."""

    external_id: NotRequired[str]
    metadata: NotRequired[str]
    status: NotRequired[str]
    name: NotRequired[str]
    order: str
    include: NotRequired[str]


class ContactFilters(PageValues):
    """A loaded ContactQuery."""

    status: NotRequired[str]
    phone_number: NotRequired[str]
    external_id: NotRequired[str]
    metadata: NotRequired[str]


class RejectOptions(TypedDict):
    """A loaded RejectQuery."""

    addition: int


class StopOptions(TypedDict):
    """A loaded StopQuery."""

    hangup: bool


class NameAndCapFields(schemas.Schema):
    """What a campaign is called, and how many calls it may have."""

    name = schemas.Text(1, NAME_MAX, required=True)
    max_concurrent_calls = schemas.Integer(
        -schemas.INT_MAX,
        load_default=DEFAULT_CONCURRENT,
        metadata={
            "minimum": 1,
            "description": "The upper bound is the platform's setting. Started, the tenant's running campaigns "
            "together must fit into its concurrent_max.",
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
    """What to change of a campaign. scheduled_at only of one that was not started; null makes it a draft again."""


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


class CampaignBody(CampaignFields):
    """A new campaign with its contacts inline."""

    contacts = schemas.Items(
        fields.Raw(metadata={"type": "object"}),
        required=True,
        metadata={"description": "Objects with a phone_number; other keys become custom_fields."},
    )


class CampaignForm(CampaignFields):
    """A new campaign with its contacts as a CSV file. For the documentation: a form is read as it streams in."""

    contacts = fields.Raw(
        required=True,
        metadata={
            "type": "string",
            "format": "binary",
            "description": "CSV, or an XLSX workbook, with a header row and a phone_number column; 10 MB, 100,000 "
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


class CountsSchema(schemas.Schema):
    """How many contacts are in each state; they add up to the total."""

    total = schemas.Integer(required=True)
    pending = schemas.Integer(required=True)
    originated = schemas.Integer(required=True)
    connected = schemas.Integer(required=True)
    completed = schemas.Integer(required=True)
    failed = schemas.Integer(required=True)
    cancelled = schemas.Integer(required=True)


class ColumnSchema(schemas.Schema):
    """A column of the list, and how it travels."""

    # In the order in which PostgreSQL keeps the names of an object.
    column = schemas.Text(
        required=True, metadata={"description": "Its name in custom_fields and in an agent's templates."}
    )
    header = schemas.Text(
        required=True, metadata={"description": "As the list has it; empty of one without a name."}
    )
    variable = schemas.Text(required=True, metadata={"description": "The channel variable that carries it."})


class ImportSchema(schemas.Schema):
    """What became of the rows of the list."""

    rows = schemas.Integer(required=True)
    accepted = schemas.Integer(required=True)
    duplicates = schemas.Integer(required=True)
    invalid = schemas.Integer(required=True)
    suppressed = schemas.Integer(required=True)
    columns = schemas.Items(
        schemas.Nested(ColumnSchema),
        required=True,
        metadata={
            "description": "The columns beside the number. A name of any script is written in Latin letters for its "
            "variable; where two would be the same, the later one gets a number."
        },
    )
    warnings = schemas.Items(
        fields.String(),
        required=True,
        metadata={
            "description": "What was read otherwise than it stands there, or looks wrong, a sentence each."
        },
    )
    rejects_url = schemas.Text(required=True, metadata={"description": "CSV of the rejected rows."})


class CampaignSchema(schemas.Schema):
    """A campaign."""

    id = schemas.Id(required=True)
    name = schemas.Text(required=True)
    agent_id = schemas.Id(required=True)
    phone_number_id = schemas.Id(required=True)
    status = schemas.Choice(CampaignStatus, required=True)
    max_concurrent_calls = schemas.Integer(required=True)
    retries_per_contact = schemas.Integer(required=True)
    retry_delay_seconds = schemas.Integer(required=True)
    scheduled_at = schemas.Time(
        required=True,
        allow_none=True,
        metadata={"description": "When it is to start; null once it has been started."},
    )
    started_at = schemas.Time(required=True, allow_none=True)
    completed_at = schemas.Time(required=True, allow_none=True)
    created_at = schemas.Time(required=True)
    created_by = schemas.Text(required=True, metadata={"description": "The key that created it, by name."})
    counts = schemas.Nested(CountsSchema, required=True)
    end_reason = schemas.Choice(("stopped", "exhausted", "deadline", "error"), required=True, allow_none=True)
    blocked_reason = schemas.Word(
        BLOCKED_WORDS,
        "What held it back at the last decision: why nothing is being dialled right now, or why fewer than could be. "
        "null with the next decision to dial.",
        required=True,
        allow_none=True,
    )
    blocked_since = schemas.Time(
        required=True, allow_none=True, metadata={"description": "Since when blocked_reason has held."}
    )
    next_action_at = schemas.Time(
        required=True,
        allow_none=True,
        metadata={
            "description": "When blocked_reason can be over: the next retry or probe, the next opening of the "
            "calling window, a minute's or a day's calls; "
            "of a scheduled campaign when it is started, or tried again."
        },
    )
    weight = schemas.Integer(required=True)
    slow_start = schemas.Boolean(required=True)
    dial_order = schemas.Choice(DialOrder, required=True)
    retry_rules = schemas.Nested(
        RetryRulesSchema,
        required=True,
        metadata={"description": "As they were given; of what is left out the campaign's own fields hold."},
    )
    keep_open = schemas.Boolean(required=True)
    end_at = schemas.Time(required=True, allow_none=True, metadata={"description": "When it is to end."})
    time_zone = schemas.Text(
        required=True, allow_none=True, metadata={"description": "The zone in which its times were given."}
    )
    external_id = schemas.Text(required=True, allow_none=True)
    metadata = schemas.Object(required=True)
    cloned_from = schemas.Id(
        required=True, allow_none=True, metadata={"description": "The campaign that it repeats."}
    )
    windows = schemas.Items(
        schemas.Nested(WindowSpanSchema),
        required=True,
        allow_none=True,
        metadata={"description": "When its contacts may be called; null is at any time."},
    )
    holidays = schemas.Nested(
        HolidaysSchema,
        required=True,
        allow_none=True,
        metadata={"description": "When the window does not open."},
    )
    policy_packs = schemas.Choice(CHOICES, required=True)
    purpose = schemas.Choice(PURPOSES, required=True, allow_none=True)
    key_column = schemas.Text(required=True, allow_none=True)
    import_ = schemas.Nested(ImportSchema, required=True, data_key="import", attribute="import_")


class FiguresSchema(schemas.Schema):
    """How a campaign's calls go."""

    calls_ended = schemas.Integer(required=True, metadata={"description": "Placed, and over."})
    picked_up = schemas.Integer(
        required=True, metadata={"description": "Those of them that somebody picked up."}
    )
    calls_per_second = fields.Float(required=True, metadata={"description": "Placed, over the last 5 s."})


class ListedCampaignSchema(CampaignSchema):
    """A campaign in a list."""

    figures = schemas.Nested(FiguresSchema, metadata={"description": "Only with include=figures."})


class OneCampaignQuery(schemas.Schema):
    """What to tell of one campaign beside itself."""

    include = schemas.Choice(
        ("outcomes",), metadata={"description": "What became of its calls so far, before it has ended too."}
    )


class CauseSchema(schemas.Schema):
    """A cause with which calls ended."""

    cause = schemas.Text(required=True, allow_none=True)
    sip_status = schemas.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The carrier's final response, where there was one."},
    )
    calls = schemas.Integer(required=True)


class OutcomesSchema(schemas.Schema):
    """What became of a campaign's calls."""

    dispositions = schemas.Object(
        required=True, metadata={"description": "How many of all its calls ended so, by disposition."}
    )
    top_causes = schemas.Items(
        schemas.Nested(CauseSchema),
        required=True,
        metadata={"description": "The three most frequent causes of its last 1,000 calls."},
    )


class HeldCallsSchema(schemas.Schema):
    """Calls that are held: all by a gateway to one destination, or all of a caller id."""

    gateway_id = schemas.Id(required=True, allow_none=True)
    prefix = schemas.Text(
        required=True,
        allow_none=True,
        metadata={"description": "Where they go: what the numbers start with."},
    )
    caller_id = schemas.Text(required=True, allow_none=True, metadata={"description": "E.164"})
    held_at = schemas.Time(required=True)
    probe_at = schemas.Time(
        required=True, metadata={"description": "When one call may try whether they get through again."}
    )
    top_causes = schemas.Items(
        schemas.Nested(CauseSchema),
        required=True,
        metadata={"description": "The three most frequent causes of the calls that tripped it."},
    )


class BreakerSchema(schemas.Schema):
    """What is held of a campaign's calls since at least half of at least 20 of their like ended suspiciously within
    120 s."""

    held = schemas.Items(schemas.Nested(HeldCallsSchema), required=True)
    exempt_at = schemas.Time(
        required=True, allow_none=True, metadata={"description": "Since when its calls leave all the same."}
    )
    exempt_by = schemas.Text(
        required=True, allow_none=True, metadata={"description": "The key that said so, by name."}
    )


class MemberSchema(schemas.Schema):
    """One campaign of a family."""

    id = schemas.Id(required=True)
    name = schemas.Text(required=True)
    status = schemas.Choice(CampaignStatus, required=True)
    cloned_from = schemas.Id(required=True, allow_none=True)
    counts = schemas.Nested(CountsSchema, required=True)


class FamilySchema(schemas.Schema):
    """The campaigns that repeat one another, oldest first, and the counts of all their contacts: who is called again
    is in several of them."""

    campaigns = schemas.Items(schemas.Nested(MemberSchema), required=True)
    counts = schemas.Nested(CountsSchema, required=True)


class OneCampaignSchema(CampaignSchema):
    """A campaign, what became of its calls, what a breaker holds of them, and what policy packs ask of it."""

    policy = schemas.Nested(
        PolicySchema, metadata={"description": "Only where policy packs bind it: what they ask, and why."}
    )

    outcomes = schemas.Nested(
        OutcomesSchema,
        metadata={"description": "Of one that has ended; of another with include=outcomes."},
    )
    purged_at = schemas.Time(
        metadata={"description": "Only where its contacts and calls are gone: since when (retention_days)."}
    )
    family = schemas.Nested(
        FamilySchema, metadata={"description": "Only of a campaign that was cloned, or is a clone."}
    )
    breaker = schemas.Nested(
        BreakerSchema, metadata={"description": "Only where something is held, or the campaign is exempt."}
    )


class StoppedSchema(CampaignSchema):
    """A campaign that was stopped."""

    still_up = schemas.Items(
        schemas.Nested(StillUpSchema),
        metadata={
            "description": "With hangup=true: nodes that have not ended their calls, with how many. They could not be"
            " reached; their calls end as soon as a dialer reaches them."
        },
    )


class ContactSchema(schemas.Schema):
    """A contact of a campaign."""

    id = schemas.Id(required=True)
    phone_number = schemas.Text(
        required=True, metadata={"description": "E.164; `erased` once the person's data was."}
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


class ClientKeyQuery(schemas.Schema):
    """What a client calls what it looks for."""

    external_id = schemas.Text(1, 1000)
    metadata = schemas.Text(
        3, 600, metadata={"description": "key:value, both as they were given.", "example": "owner:sales"}
    )


class CampaignQuery(PageQuery, ClientKeyQuery, SpanQuery):
    """Which campaigns."""

    status = schemas.Choice(CampaignStatus)
    name = schemas.Text(
        1, NAME_MAX, metadata={"description": "What the name has in it, in letters of either case."}
    )
    order = schemas.Choice(ORDERS, load_default="oldest")
    include = schemas.Choice(("figures",), metadata={"description": "How their calls go, too."})


class ContactQuery(FilteredQuery, ClientKeyQuery):
    """Which contacts. With an external_id or metadata a page goes by offset, not by starting_after."""

    status = schemas.Choice(ContactStatus)
    phone_number = schemas.Text(
        1, 32, metadata={"description": "The one of this number, in E.164.", "example": "+14155550123"}
    )

    @ma.validates_schema
    def check_number(self, data: Mapping[str, object], **_: object) -> None:
        """A campaign has a number once: there is nothing to filter or to page through."""
        others = {"status", "starting_after", "external_id", "metadata"}
        if "phone_number" in data and data.keys() & others:
            raise ma.ValidationError(
                "it must not be given with another filter or starting_after", "phone_number"
            )


class RejectQuery(schemas.Schema):
    """Of which list."""

    addition = schemas.Integer(
        0,
        load_default=0,
        metadata={
            "description": "0 is the list that the campaign was made with; those that were added follow."
        },
    )


class StopQuery(schemas.Schema):
    """How to stop."""

    hangup = schemas.Boolean(
        load_default=False, metadata={"description": "End the calls in flight within 5 s."}
    )


CampaignList = list_schema("campaigns", ListedCampaignSchema)
ContactList = list_schema("contacts", ContactSchema)


def say_upper_bound(spec: APISpec, most: int) -> None:
    """Let the document say how many calls at a time this platform allows a campaign to be asked for."""
    for schema in spec.components.schemas.values():
        bounded = schema.get("properties", {}).get("max_concurrent_calls", {})
        if bounded.get("minimum") == 1:
            bounded["maximum"] = most
