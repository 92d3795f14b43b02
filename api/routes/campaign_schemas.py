"""What the API shows of a campaign: its state, counts and import, and its family."""

from __future__ import annotations

from marshmallow import fields

from api import schemas
from api.calls_to_end import StillUpSchema
from api.paging import list_schema
from api.routes.campaign_outcome_schemas import (
    BreakerSchema,
    OutcomesSchema,
)
from api.routes.contact_schemas import ContactSchema
from api.routes.policy_schemas import PolicySchema
from api.routes.retry_schemas import RetryRulesSchema
from api.routes.window_schemas import (
    EXAMPLE_HOLIDAYS,
    EXAMPLE_WINDOWS,
    HolidaysSchema,
    WindowSpanSchema,
)
from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.duplicates import Duplicates
from campaigns.policy_choice import CHOICES
from campaigns.policy_packs import PURPOSES
from models import CampaignStatus, DialOrder

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
    "duplicates": "list",
    "duplicates_hours": None,
    "import": {
        "rows": 1003,
        "accepted": 1000,
        "duplicates": 2,
        "invalid": 1,
        "suppressed": 0,
        "recent": 0,
        "columns": [{"header": "Имя", "column": "Имя", "variable": "carillon_imya"}],
        "warnings": [],
        "rejects_url": "/api/v1/campaigns/019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01/rejects",
    },
}


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
    recent = schemas.Integer(
        required=True, metadata={"description": "Left out since the tenant called them lately (duplicates)."}
    )
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
    duplicates = schemas.Choice(Duplicates, required=True)
    duplicates_hours = schemas.Integer(required=True, allow_none=True)
    import_ = schemas.Nested(ImportSchema, required=True, data_key="import", attribute="import_")


class FiguresSchema(schemas.Schema):
    """How a campaign's calls go."""

    calls_ended = schemas.Integer(required=True, metadata={"description": "Placed, and over."})
    picked_up = schemas.Integer(
        required=True, metadata={"description": "Those of them that somebody picked up."}
    )
    calls_per_second = fields.Float(required=True, metadata={"description": "Placed, over the last 5 s."})


class WaitSchema(schemas.Schema):
    """Contacts that wait for the same opening of the calling window."""

    time_zones = schemas.Items(
        fields.String(),
        required=True,
        metadata={"description": "The IANA zones in which they may be; the window has to be open in all."},
    )
    opens_at = schemas.Time(required=True)
    contacts = schemas.Integer(required=True)
    more = schemas.Boolean(
        required=True, metadata={"description": "They are at least so many; nobody counts further."}
    )


class WaitingCampaignSchema(CampaignSchema):
    """A campaign, and who waits for its hours."""

    waits = schemas.Items(
        schemas.Nested(WaitSchema),
        metadata={
            "description": "Only of one whose blocked_reason is window: who waits for which opening, of the groups "
            "that open first; in a list of the first two, with include=figures."
        },
    )


class ListedCampaignSchema(WaitingCampaignSchema):
    """A campaign in a list."""

    figures = schemas.Nested(FiguresSchema, metadata={"description": "Only with include=figures."})


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


class OneCampaignSchema(WaitingCampaignSchema):
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


CampaignList = list_schema("campaigns", ListedCampaignSchema)
ContactList = list_schema(
    "contacts",
    ContactSchema,
    uncounted="null with a disposition, from or to: nobody counts those, and reading them all would take too long.",
    looked_to=schemas.Id(
        required=True,
        allow_none=True,
        metadata={
            "description": "With a disposition, where the page was ended before it was full since so many contacts "
            "were looked at: the last of them, the starting_after of the next page. null: a page that is not full is "
            "the last one."
        },
    ),
)
