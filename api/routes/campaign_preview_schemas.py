"""What is told of a list that nobody imports."""

from __future__ import annotations

from marshmallow import fields

from api import schemas
from api.routes.campaign_fields import NAME_MAX, CampaignBody, CampaignFields, CampaignForm
from api.routes.policy_schemas import EXAMPLE_BINDING, BindingSchema

FORMATS = ("json", "csv")
USES = {
    "number": "It holds the number that is called.",
    "further_number": "It holds a number that is called where those before it do not answer.",
    "custom_field": "It is kept as a custom field.",
    "country": "Says of which country the number beside it is; kept as a custom field, too.",
    "area_code": "Says in which area the number beside it is; kept as a custom field, too.",
    "time_zone": "Says in which time zone the contact is; kept as a custom field, too.",
    "consent_at": "Says when the person agreed to be called; kept as a custom field, too.",
    "consent_source": "Says where the person agreed to be called; kept as a custom field, too.",
}
REPEATS = {
    "number": "One number stands on several rows: it may be a switchboard, or fill the gaps of a list.",
    "person": "Several rows differ in nothing but the number: one person may be called at each.",
}
EXAMPLE_PREVIEW: dict[str, object] = {
    "refused": None,
    "rows": 1003,
    "accepted": 1000,
    "duplicates": 2,
    "invalid": 1,
    "suppressed": 0,
    "recent": 0,
    "cancelled": 0,
    "encoding": "utf-8",
    "delimiter": ";",
    "sheet": None,
    "columns": [
        {"header": "phone_number", "column": "phone_number", "variable": None, "used_for": "number"},
        {"header": "Имя", "column": "Имя", "variable": "carillon_imya", "used_for": "custom_field"},
    ],
    "first_rows": [
        {
            "line": 2,
            "cells": {"phone_number": "(415) 555-0123", "Имя": "Ada"},
            "phone_number": "+14155550123",
            "code": None,
            "reason": None,
        }
    ],
    "codes": [
        {
            "code": "excel_scientific",
            "rows": 1,
            "remedy": "The digits are lost in this file: export the list anew, with the column formatted as text.",
            "examples": [
                {
                    "line": 7,
                    "raw": "1.4155E+10;Bob",
                    "reason": "'1.4155E+10' was rounded by a spreadsheet, which lost digits; format the column as "
                    "text",
                    "column": "phone_number",
                }
            ],
        }
    ],
    "countries": [{"country": "US", "contacts": 998}, {"country": "GB", "contacts": 2}],
    "zones": [{"zones": ["America/Los_Angeles"], "contacts": 1000}],
    "policy": EXAMPLE_BINDING,
    "repeats": [{"what": "number", "value": "+14155550123", "first_line": 2, "rows": 3}],
    "warnings": [
        "the numbers are of 2 countries (998 in US, 2 in GB); look whether all of them are meant",
    ],
}


class _OptionalFields(schemas.Schema):
    """What a list can be looked at without."""

    name = schemas.Text(1, NAME_MAX, load_default=None, allow_none=True)
    agent_id = schemas.Id(
        load_default=None,
        allow_none=True,
        metadata={"description": "Whose templates the rows have to fit. Left out: they are judged by none."},
    )
    phone_number_id = schemas.Id(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "Its country is that of numbers without a +, unless default_region says it."
        },
    )


class PreviewFields(_OptionalFields, CampaignFields):
    """As of a new campaign; what does not matter for its list may be left out."""


class PreviewBody(_OptionalFields, CampaignBody):
    """A list with its contacts inline, as of a new campaign."""


class PreviewForm(_OptionalFields, CampaignForm):
    """A list as a file, as of a new campaign. For the documentation: a form is read as it streams in."""


class RefusedSchema(schemas.Schema):
    """Why a list would be refused as a whole."""

    code = schemas.Text(required=True, metadata={"description": "Stable; for programs."})
    reason = schemas.Text(required=True, metadata={"description": "As the 400 of an upload says it."})
    guess = schemas.Text(
        required=True,
        allow_none=True,
        metadata={
            "description": "Of a list without a phone_number column the one that probably holds the numbers: all "
            "else is told, and corrected, as if it were named so."
        },
    )


class PreviewColumnSchema(schemas.Schema):
    """A column of the list, and how it is understood."""

    header = schemas.Text(required=True, metadata={"description": "As the list has it."})
    column = schemas.Text(required=True, metadata={"description": "Its name in custom_fields."})
    variable = schemas.Text(
        required=True, allow_none=True, metadata={"description": "The channel variable that carries it."}
    )
    used_for = schemas.Word(USES, "", required=True)


class PreviewRowSchema(schemas.Schema):
    """A row of the list, and what would become of it."""

    line = schemas.Integer(required=True, metadata={"description": "In a file from 1, the header's."})
    cells = schemas.Object(
        required=True, metadata={"description": "By column; empty where the row has none."}
    )
    phone_number = schemas.Text(
        required=True, allow_none=True, metadata={"description": "E.164; null of a row that is rejected."}
    )
    code = schemas.Text(required=True, allow_none=True)
    reason = schemas.Text(required=True, allow_none=True)


class RejectExampleSchema(schemas.Schema):
    """A row that would be rejected."""

    line = schemas.Integer(required=True)
    raw = schemas.Text(required=True, metadata={"description": "Its text, up to 1,000 characters."})
    reason = schemas.Text(required=True)
    column = schemas.Text(required=True, allow_none=True)


class CodeSchema(schemas.Schema):
    """Rows that would be rejected for one reason."""

    code = schemas.Text(required=True, metadata={"description": "Stable; as in the rejects of a campaign."})
    rows = schemas.Integer(required=True)
    remedy = schemas.Text(required=True, metadata={"description": "What to do about them."})
    examples = schemas.Items(
        schemas.Nested(RejectExampleSchema), required=True, metadata={"description": "The first three."}
    )


class CountrySchema(schemas.Schema):
    """Contacts by the country of their number."""

    country = schemas.Text(
        required=True, allow_none=True, metadata={"description": "ISO 3166; null of a number of no country."}
    )
    contacts = schemas.Integer(required=True)


class ZonesSchema(schemas.Schema):
    """Contacts by the time zones that they may be in."""

    zones = schemas.Items(
        fields.String(),
        required=True,
        metadata={"description": "IANA; with several, a window has to be open in all. None: the campaign's."},
    )
    contacts = schemas.Integer(required=True)


class RepeatSchema(schemas.Schema):
    """Something that looks as if it were in the list by mistake."""

    what = schemas.Word(REPEATS, "", required=True)
    value = schemas.Text(
        required=True, metadata={"description": "The number, or the text of the second such row."}
    )
    first_line = schemas.Integer(required=True)
    rows = schemas.Integer(required=True)


class PreviewSchema(schemas.Schema):
    """What would become of a list."""

    refused = schemas.Nested(
        RefusedSchema, required=True, allow_none=True, metadata={"description": "null: it would be imported."}
    )
    rows = schemas.Integer(required=True)
    accepted = schemas.Integer(required=True)
    duplicates = schemas.Integer(required=True)
    invalid = schemas.Integer(required=True)
    suppressed = schemas.Integer(required=True)
    recent = schemas.Integer(required=True)
    cancelled = schemas.Integer(
        required=True,
        metadata={"description": "Of those accepted whom the calling window never lets be called."},
    )
    encoding = schemas.Text(required=True, allow_none=True, metadata={"description": "As which it was read."})
    delimiter = schemas.Text(required=True, allow_none=True)
    sheet = schemas.Text(required=True, allow_none=True, metadata={"description": "Of a workbook."})
    columns = schemas.Items(schemas.Nested(PreviewColumnSchema), required=True)
    first_rows = schemas.Items(
        schemas.Nested(PreviewRowSchema), required=True, metadata={"description": "The first ten."}
    )
    codes = schemas.Items(
        schemas.Nested(CodeSchema), required=True, metadata={"description": "The most frequent first."}
    )
    countries = schemas.Items(schemas.Nested(CountrySchema), required=True)
    zones = schemas.Items(schemas.Nested(ZonesSchema), required=True)
    policy = schemas.Nested(
        BindingSchema,
        required=True,
        allow_none=True,
        metadata={
            "description": "What policy packs would ask of its calls, as `policy` of the campaign says it. null: "
            "none would bind it, or phone_number_id is left out, without which no row is judged by them."
        },
    )
    repeats = schemas.Items(
        schemas.Nested(RepeatSchema),
        required=True,
        metadata={"description": "What is rejected for none of it; at most ten numbers, and ten persons."},
    )
    warnings = schemas.Items(
        fields.String(),
        required=True,
        metadata={"description": "As `import.warnings`, and of mixed countries."},
    )
