"""What do-not-call entries look like on the wire; the same schemas validate and document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NotRequired, TypedDict

import marshmallow as ma

from api import schemas
from api.paging import FilteredQuery, PageValues, list_schema
from campaigns.suppression_list import REASON_MAX, SOURCE_MAX

MOST_COUNTED = 10_000
"""So many entries are counted, for whoever looks at a list."""
ALL = "Of the platform, for every tenant; for role platform."
EXAMPLE_BODY: dict[str, object] = {
    "number": "+14155550123",
    "source": "phone",
    "reason": "Asked not to be called.",
}
EXAMPLE: dict[str, object] = {
    "id": "019ab0c4-8888-7aaa-8bbb-0123456789ab",
    **EXAMPLE_BODY,
    "prefix": None,
    "campaign_id": None,
    "expires_at": None,
    "erased": False,
    "platform": False,
    "created_by": "crm",
    "created_at": "2026-01-31T09:00:00.000Z",
}
EXAMPLE_LIST = {"suppressions": [EXAMPLE], "total": 1, "limit": 100, "offset": 0}
EXAMPLE_IMPORT = {
    "rows": 3,
    "added": 1,
    "unchanged": 1,
    "invalid": 1,
    "faults": ["line 4: '555' has too few digits for a phone number"],
}


class CommonValues(TypedDict):
    """What an entry and a list of entries have in common, loaded."""

    campaign_id: str | None
    source: str
    reason: str | None
    expires_at: datetime | None
    all: bool


class EntryValues(CommonValues):
    """A loaded SuppressionBody."""

    number: str | None
    prefix: str | None


class ListValues(CommonValues):
    """Loaded SuppressionFields."""

    default_region: str | None


class ScopeValues(TypedDict):
    """A loaded ScopeQuery."""

    all: bool


class EntryFilters(PageValues):
    """A loaded SuppressionQuery."""

    all: bool
    number: NotRequired[str]
    order: str


class SuppressionCommon(schemas.Schema):
    """What an entry and a list of entries have in common."""

    campaign_id = schemas.Id(
        load_default=None,
        allow_none=True,
        metadata={"description": "For this campaign alone; null: for all."},
    )
    source = schemas.Text(
        1, SOURCE_MAX, load_default="api", metadata={"description": "Where the word came from."}
    )
    reason = schemas.Text(0, REASON_MAX, load_default=None, allow_none=True)
    expires_at = schemas.Time(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "When it binds no more; null: never. A shorter one changes no entry that is there."
        },
    )
    all = schemas.Boolean(load_default=False, metadata={"description": ALL})

    @ma.validates_schema
    def check_scope(self, data: Mapping[str, object], **_: object) -> None:
        """The platform's have no campaign."""
        if data.get("all") and data.get("campaign_id"):
            raise ma.ValidationError("it must not be given with all: true", "campaign_id")


class SuppressionBody(SuppressionCommon):
    """A new entry: a number, or what numbers begin with."""

    number = schemas.Text(
        1, 40, load_default=None, allow_none=True, metadata={"description": "With + and its country code."}
    )
    prefix = schemas.Text(
        1, 40, load_default=None, allow_none=True, metadata={"description": "+ and up to 15 digits."}
    )

    @ma.validates_schema
    def check_what(self, data: Mapping[str, object], **_: object) -> None:
        """One of the two is given."""
        if (data.get("number") is None) == (data.get("prefix") is None):
            raise ma.ValidationError("exactly one of number and prefix must be given", "number")


class SuppressionFields(SuppressionCommon):
    """The single fields of an upload."""

    default_region = schemas.Text(
        2,
        2,
        load_default=None,
        allow_none=True,
        metadata={"description": "The country of numbers without a +."},
    )


class SuppressionForm(SuppressionFields):
    """An upload."""

    entries = schemas.Text(
        required=True,
        metadata={
            "format": "binary",
            "description": "CSV of up to 1,000,000 rows and 50 MB with a phone_number column, in which a cell that"
            " ends with * is a prefix. Columns source, reason and expires_at are used where they are filled, others"
            " are not.",
        },
    )
    encoding = schemas.Text(metadata={"description": "By its IANA name; detected where it is left out."})


class SuppressionSchema(schemas.Schema):
    """An entry of a do-not-call list."""

    id = schemas.Id(required=True)
    number = schemas.Text(required=True, allow_none=True, metadata={"description": "E.164"})
    prefix = schemas.Text(required=True, allow_none=True)
    campaign_id = schemas.Id(required=True, allow_none=True)
    source = schemas.Text(required=True)
    reason = schemas.Text(required=True, allow_none=True)
    expires_at = schemas.Time(required=True, allow_none=True)
    erased = schemas.Boolean(
        required=True,
        metadata={"description": "The number was erased, and is known by a keyed hash alone."},
    )
    platform = schemas.Boolean(required=True, metadata={"description": "Binds every tenant."})
    created_by = schemas.Text(required=True, metadata={"description": "The key that entered it."})
    created_at = schemas.Time(required=True)


class ImportedSchema(schemas.Schema):
    """What became of an upload."""

    rows = schemas.Integer(required=True)
    added = schemas.Integer(
        required=True, metadata={"description": "Entries that are new, or last longer than they did."}
    )
    unchanged = schemas.Integer(required=True, metadata={"description": "Rows that were entered already."})
    invalid = schemas.Integer(required=True)
    faults = schemas.Items(
        schemas.Text(),
        required=True,
        metadata={"description": "What was wrong with the first 20 rows of those."},
    )


class ScopeQuery(schemas.Schema):
    """Whose entries."""

    all = schemas.Boolean(load_default=False, metadata={"description": ALL})


class SuppressionQuery(FilteredQuery):
    """Which entries."""

    all = schemas.Boolean(load_default=False, metadata={"description": ALL})
    number = schemas.Text(
        1,
        40,
        metadata={
            "description": "Those alone that are about this number, the platform's and prefixes included."
        },
    )
    order = schemas.Choice(
        ("oldest", "newest"), load_default="oldest", metadata={"description": "As they were entered."}
    )


SuppressionList = list_schema(
    "suppressions",
    SuppressionSchema,
    uncounted=f"null where there are more than {MOST_COUNTED}: nobody counts those.",
)
