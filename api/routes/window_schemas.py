"""What a calling window looks like on the wire: of a campaign, and a tenant's default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import marshmallow as ma

from api import schemas
from campaigns import time_zones
from campaigns.windows import DAYS, MOST_DATES

EXAMPLE_WINDOWS: list[dict[str, object]] = [
    {"to": "13:00", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "10:00"},
    {"to": "20:00", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "14:00"},
]
EXAMPLE_HOLIDAYS: dict[str, object] = {"dates": ["2026-12-24"], "region": "BY", "country": "DE"}

WindowsValue = Sequence[Mapping[str, Any]] | None
HolidaysValue = Mapping[str, Any] | None

_SECOND = "A time of the clocks, to the minute or to the second."

# The fields of both stand in the order in which PostgreSQL keeps the names of an object.
WindowSpanSchema = schemas.Schema.from_dict(
    {
        "to": schemas.Text(
            1,
            8,
            required=True,
            metadata={
                "description": f"{_SECOND} Without this moment itself; 24:00 is the end of the day. Later than from: "
                "a span over midnight is two, to 24:00 and from 00:00 of the next day, which are one.",
                "example": "20:00",
            },
        ),
        "days": schemas.Items(
            schemas.Choice(DAYS),
            load_default=lambda: list(DAYS),
            validate=[ma.validate.Length(min=1, error="it must have a day at least; left out, it is all")],
            metadata={"description": "The days of the week that have it; left out, all."},
        ),
        "from": schemas.Text(1, 8, required=True, metadata={"description": _SECOND, "example": "09:00"}),
    },
    name="WindowSpan",
)
HolidaysSchema = schemas.Schema.from_dict(
    {
        "dates": schemas.Items(
            schemas.Text(1, 10),
            load_default=list,
            metadata={"description": f"Days such as 2026-12-24, {MOST_DATES} at most."},
        ),
        "region": schemas.Text(
            1,
            40,
            load_default=None,
            allow_none=True,
            metadata={"description": "A region of the country (ISO 3166-2, `BY`), for its holidays too."},
        ),
        "country": schemas.Text(
            2,
            2,
            load_default=None,
            allow_none=True,
            metadata={
                "description": "ISO 3166, `DE`: its public holidays, and the days on which they are observed."
            },
        ),
    },
    name="Holidays",
)


def is_zone(name: str) -> None:
    """Raise ValidationError for what is no time zone."""
    if name not in time_zones.names():
        raise ma.ValidationError("it must be an IANA time zone, such as Europe/Berlin")


def windows_field(description: str) -> schemas.Items:
    """A window to be set, changed or, by null, taken away."""
    return schemas.Items(
        schemas.Nested(WindowSpanSchema),
        allow_none=True,
        metadata={"description": description, "example": EXAMPLE_WINDOWS},
    )


def holidays_field(description: str) -> schemas.Nested:
    """The days on which a window does not open."""
    return schemas.Nested(
        HolidaysSchema, allow_none=True, metadata={"description": description, "example": EXAMPLE_HOLIDAYS}
    )


class WindowFields(schemas.Schema):
    """When a campaign's contacts may be called."""

    windows = windows_field(
        "The hours in which its contacts may be called, each in its own time zone: that of the list's time_zone "
        "column, or else that of its number, where several are possible within all of them, or else the campaign's. "
        "Outside them nobody is called, and calls in progress go on. Null is at any time; left out, the tenant's "
        "default. Needs a time_zone. As a field of a form: the same JSON. Changed while the campaign runs, it holds "
        "for every call that leaves from the answer on; retries that wait for an opening of the window before keep "
        "their times where these are later."
    )
    holidays = holidays_field(
        "Days, in the contact's time zone, on which the window does not open: of a country or a region of it, or "
        "single ones. Null is none."
    )
