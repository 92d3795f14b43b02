"""What reports are asked with, and what they tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, TypedDict

from marshmallow import fields

from api import schemas
from api.csv_out import Dialled, csv_table
from api.paging import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET
from api.routes.window_schemas import is_zone
from campaigns.report_tables import CARRIERS_LINE, FORMULAS, UNCOUNTED_MEANINGS

JSON, CSV = "json", "csv"
CAMPAIGN_ID = "019ab0c4-7d2e-7b10-9c55-2f0f4b1a6a01"
_DIALLED = ("caller_id", "prefix")
GATEWAY_ID = "019ab0c4-3333-7aaa-8bbb-0123456789ab"


class ReportFormat(TypedDict):
    """What every report is asked with."""

    campaign_id: NotRequired[str]
    format: NotRequired[str]


ReportValues = TypedDict(
    "ReportValues",
    {"campaign_id": str, "format": str, "from": datetime, "to": datetime, "time_zone": str, "formula": str},
    total=False,
)
"""A loaded ReportQuery, ZonedReportQuery or AbandonQuery."""


class ReachValues(ReportFormat):
    """A loaded ReachQuery."""

    limit: int
    offset: int


_FORMAT: dict[str, fields.Field[Any]] = {
    "campaign_id": schemas.Id(metadata={"description": "Of this campaign alone, deleted or not."}),
    "format": schemas.Choice(
        (JSON, CSV),
        metadata={
            "description": "`csv` for the rows as a table with a header; so does `Accept: text/csv`. A cell that a "
            "spreadsheet would take for a formula has an apostrophe in front."
        },
    ),
}
_SPAN: dict[str, fields.Field[Any]] = {
    "from": schemas.Time(
        metadata={
            "description": "A whole quarter of an hour; a call belongs to the moment of its claim. 30 days before "
            "`to` where it is left out."
        }
    ),
    "to": schemas.Time(
        metadata={
            "description": "Without this moment itself; at most 366 days after `from`. The end of this quarter of an "
            "hour where it is left out."
        }
    ),
}
_ZONE: dict[str, fields.Field[Any]] = {
    "time_zone": schemas.Text(
        load_default="UTC",
        validate=[is_zone],
        metadata={"description": "By whose clocks hours and days are told: an IANA name."},
    )
}
ReportQuery = schemas.Schema.from_dict(_FORMAT | _SPAN, name="ReportQuery")
ZonedReportQuery = schemas.Schema.from_dict(_FORMAT | _SPAN | _ZONE, name="ZonedReportQuery")
AbandonQuery = schemas.Schema.from_dict(
    _FORMAT
    | _SPAN
    | _ZONE
    | {"formula": schemas.Choice(FORMULAS, metadata={"description": "Rows of this formula alone."})},
    name="AbandonQuery",
)
ReachQuery = schemas.Schema.from_dict(
    _FORMAT
    | {
        "limit": schemas.Integer(
            1, MAX_LIMIT, load_default=DEFAULT_LIMIT, metadata={"description": "How many campaigns at most."}
        ),
        "offset": schemas.Integer(
            0, MAX_OFFSET, load_default=0, metadata={"description": "How many to pass over."}
        ),
    },
    name="ReachQuery",
)


def _share(description: str) -> schemas.Number:
    """From 0 to 1; null where there is nothing to be a share of."""
    return schemas.Number(0.0, 1.0, required=True, allow_none=True, metadata={"description": description})


def _count(description: str) -> schemas.Integer:
    return schemas.Integer(required=True, metadata={"description": description})


_PLACED = "Calls that left for a node and are over."
_PICKED_UP = "Those that somebody answered, whatever became of them then."
_ANSWERED: dict[str, fields.Field[Any]] = {
    "placed": _count(_PLACED),
    "picked_up": _count(_PICKED_UP),
    "answer_rate": _share("picked_up of placed."),
}


class HourSchema(schemas.Schema):
    """An hour of a day of the week."""

    weekday = schemas.Integer(1, 7, required=True, metadata={"description": "1 is Monday."})
    hour = schemas.Integer(0, 23, required=True)
    placed = _count(_PLACED)
    picked_up = _count(_PICKED_UP)
    answer_rate = _share("picked_up of placed.")


def _route(name: str, key: fields.Field[Any]) -> type[schemas.Schema]:
    columns: dict[str, fields.Field[Any]] = {
        name: key,
        **_ANSWERED,
        "average_seconds": schemas.Number(
            0.0, 1e9, required=True, allow_none=True, metadata={"description": "Of those picked up."}
        ),
        "pdd_p50_ms": _percentile("half of those that rang began to ring"),
        "pdd_p95_ms": _percentile("95 of 100 of those that rang began to ring"),
    }
    title = "".join(part.title() for part in name.removesuffix("_id").split("_"))
    return schemas.Schema.from_dict(columns, name=f"{title}Report")  # type: ignore[return-value]


def _percentile(what: str) -> schemas.Integer:
    return schemas.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": f"Within so long {what}: the bound of the bucket in which that lies. Null where none did, "
            "or it took longer than the last bound."
        },
    )


GatewaySchema = _route("gateway_id", schemas.Id(required=True))
CallerIdSchema = _route("caller_id", schemas.Text(required=True))
PrefixSchema = _route(
    "prefix",
    schemas.Text(
        required=True,
        allow_none=True,
        metadata={
            "description": "The plus and the first four digits of the numbers called; null of those erased."
        },
    ),
)


class BucketSchema(schemas.Schema):
    """Those that took longer than the bucket before, and at most this."""

    at_most = schemas.Integer(
        required=True, allow_none=True, metadata={"description": "Null is longer than all others."}
    )
    calls = schemas.Integer(required=True)


class DistributionSchema(schemas.Schema):
    """How long something took."""

    measure = schemas.Choice(
        ("post_dial_delay", "ring_time", "call_length"),
        required=True,
        metadata={
            "description": "From the send to the first 18x; from there to the answer or the end; from the answer to "
            "the end."
        },
    )
    unit = schemas.Choice(("ms", "s"), required=True)
    calls = _count("Of how many it is known.")
    p50 = _percentile("it was with half of them")
    p95 = _percentile("it was with 95 of 100 of them")
    buckets = schemas.Items(schemas.Nested(BucketSchema), required=True)


class ShortCallsSchema(schemas.Schema):
    """Calls that were over at once, by one gateway or by all."""

    gateway_id = schemas.Id(required=True, allow_none=True, metadata={"description": "Null is all of them."})
    placed = _count(_PLACED)
    unanswered = _count("Those that nobody picked up. Carriers differ in whether these are calls of 0 s.")
    zero_seconds = _count("Picked up, and over within the first second.")
    zero_seconds_share = _share("zero_seconds of placed.")
    six_seconds = _count("Picked up, and over within 6 s; those of 0 s are among them.")
    six_seconds_share = _share("six_seconds of placed.")
    over_line = schemas.Boolean(
        required=True,
        metadata={"description": f"Either share is above the carriers' line of {CARRIERS_LINE}."},
    )


class AttemptSchema(schemas.Schema):
    """The calls that were the n-th attempt of their contacts."""

    attempt = _count("Numbered from 1.")
    calls = _count("Calls that were this attempt and are over.")
    picked_up = _count(_PICKED_UP)
    answer_rate = _share("picked_up of calls.")
    share_of_answers = _share("Of all that were picked up.")


class UncountedSchema(schemas.Schema):
    """Calls that used no attempt of their contacts."""

    reason = schemas.Word(UNCOUNTED_MEANINGS, "How they ended.", required=True)
    calls = schemas.Integer(required=True)
    share = _share("Of all calls that are over.")


class ReachSchema(schemas.Schema):
    """How far the list of a campaign was called, since it was made."""

    campaign_id = schemas.Id(required=True)
    campaign_name = schemas.Text(required=True)
    contacts = schemas.Integer(required=True)
    called = _count("Contacts of whom at least one attempt counted and is over.")
    reached = _count("Contacts who are completed.")
    penetration = _share("called of contacts.")


AbandonSchema = schemas.Schema.from_dict(
    {
        "formula": schemas.Word(FORMULAS, "Not legal advice.", required=True),
        "campaign_id": schemas.Id(required=True),
        "campaign_name": schemas.Text(required=True),
        "from": schemas.Time(required=True),
        "to": schemas.Time(required=True),
        "answered": _count("Calls that a person answered and whose agent ran."),
        "abandoned": _count("Answered, and no agent was there in time."),
        "agent_failed": _count("Answered, and the agent could not run."),
        "numerator": _count("abandoned and agent_failed: the person had nobody in either."),
        "denominator": _count("All of them: answered by a person."),
        "rate": _share("numerator of denominator."),
        "line": _share("The most that it may be, as the policy pack of the formula's country has it."),
        "over_line": schemas.Boolean(
            required=True, metadata={"description": "Whether the rate is above it."}
        ),
    },
    name="AbandonRate",
)


def report_schema(name: str, row: Any, *, zoned: bool = False) -> type[schemas.Schema]:
    """The schema of a report whose rows stand under `name`."""
    columns: dict[str, fields.Field[Any]] = {
        "from": schemas.Time(required=True),
        "to": schemas.Time(required=True),
        **({"time_zone": schemas.Text(required=True)} if zoned else {}),
        name: schemas.Items(schemas.Nested(row), required=True),
    }
    title = "".join(part.title() for part in name.split("_"))
    return schemas.Schema.from_dict(columns, name=f"{title}Report")  # type: ignore[return-value]


def marked(table: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Rows for CSV, in which what numbers begin with is known as such."""
    return [
        {name: Dialled(value) if value and name in _DIALLED else value for name, value in row.items()}
        for row in table
    ]


def example_table(row: Mapping[str, object]) -> str:
    """The CSV of an answer with one row."""
    return "".join(csv_table([*row], marked([row])))


def example(name: str, row: Mapping[str, object], **more: object) -> dict[str, object]:
    """An answer with one row."""
    span: dict[str, object] = {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-31T00:00:00.000Z"}
    return span | more | {name: [row]}


_RATE: dict[str, object] = {"placed": 1250, "picked_up": 400, "answer_rate": 0.32}
_LENGTHS: dict[str, object] = {"average_seconds": 61.5, "pdd_p50_ms": 1250, "pdd_p95_ms": 4000}
EXAMPLE_HOUR: dict[str, object] = {"weekday": 1, "hour": 9} | _RATE
EXAMPLE_GATEWAY: dict[str, object] = {"gateway_id": GATEWAY_ID} | _RATE | _LENGTHS
EXAMPLE_CALLER_ID: dict[str, object] = {"caller_id": "+14155550100"} | _RATE | _LENGTHS
EXAMPLE_PREFIX: dict[str, object] = {"prefix": "+1415"} | _RATE | _LENGTHS
EXAMPLE_BUCKET: dict[str, object] = {
    "measure": "call_length",
    "unit": "s",
    "p50": 45,
    "p95": 240,
    "at_most": 0,
    "calls": 3,
}
EXAMPLE_DISTRIBUTION: dict[str, object] = {
    "measure": "call_length",
    "unit": "s",
    "calls": 400,
    "p50": 45,
    "p95": 240,
    "buckets": [{"at_most": 0, "calls": 3}, {"at_most": None, "calls": 397}],
}
EXAMPLE_SHORT: dict[str, object] = {
    "gateway_id": None,
    "placed": 1250,
    "unanswered": 850,
    "zero_seconds": 3,
    "zero_seconds_share": 0.0024,
    "six_seconds": 40,
    "six_seconds_share": 0.032,
    "over_line": False,
}
EXAMPLE_ATTEMPT: dict[str, object] = {
    "attempt": 1,
    "calls": 1000,
    "picked_up": 300,
    "answer_rate": 0.3,
    "share_of_answers": 0.75,
}
EXAMPLE_UNCOUNTED: dict[str, object] = {"reason": "congestion", "calls": 25, "share": 0.02}
EXAMPLE_REACH: dict[str, object] = {
    "campaign_id": CAMPAIGN_ID,
    "campaign_name": "Spring recall",
    "contacts": 2000,
    "called": 1000,
    "reached": 390,
    "penetration": 0.5,
}
EXAMPLE_ABANDON: dict[str, object] = {
    "formula": "us_30_days",
    "campaign_id": CAMPAIGN_ID,
    "campaign_name": "Spring recall",
    "from": "2026-01-01T00:00:00.000Z",
    "to": "2026-01-31T00:00:00.000Z",
    "answered": 390,
    "abandoned": 9,
    "agent_failed": 1,
    "numerator": 10,
    "denominator": 400,
    "rate": 0.025,
    "line": 0.03,
    "over_line": False,
}
