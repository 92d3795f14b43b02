"""What an upload would do, of which nothing is kept: the list that `POST /campaigns` would import, looked at."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryFile
from typing import BinaryIO, TypedDict

import orjson
from flask import Response

from api import schemas
from api.auth import Caller, current_caller, requires
from api.blueprint import Blueprint
from api.csv_out import csv_row
from api.errors import ApiError, conflict
from api.json_rows import json_answer
from api.routes.campaign_body import checked_fields, new_campaign, policy_of, window_of
from api.routes.campaign_fields import EXAMPLE_BODY, CampaignValues
from api.routes.campaign_preview_schemas import (
    EXAMPLE_PREVIEW,
    FORMATS,
    PreviewBody,
    PreviewFields,
    PreviewForm,
    PreviewSchema,
)
from api.routes.list_body import (
    IMPORT_SECONDS,
    ListBody,
    Reading,
    import_slot,
    list_refused,
    read_body,
    refusals,
)
from api.schemas import identifier
from api.services import services
from api.transactions import transaction
from api.uploads import CHUNK
from campaigns import allowed_numbers, policy_choice, preview, store
from campaigns.column_names import ListColumn
from campaigns.copy_rows import CopyRows
from campaigns.errors import ListRefused
from campaigns.number_hash import NumberHash
from campaigns.numbers import region_of
from campaigns.preview import Preview, Terms
from campaigns.reject_remedies import REMEDIES
from campaigns.row_templates import Template
from cooperative import let_others_run
from models import rows

FILE_NAME = "corrected.csv"
BOM = "\ufeff"
"""By which a spreadsheet knows UTF-8."""

EXAMPLE_CSV = "phone_number,first_name\r\n'+14155550123,Ada\r\n"

blp = Blueprint("previews", description="What an upload would do, of which nothing is kept")


@dataclass(frozen=True, slots=True)
class _Agent:
    """What matters of an agent for a list; None is not known."""

    templates: tuple[Template, ...] = ()
    ring_seconds: int | None = None


class PreviewOptions(TypedDict):
    """A loaded PreviewQuery."""

    format: str


class PreviewQuery(schemas.Schema):
    """In which form."""

    format = schemas.Choice(
        FORMATS,
        load_default="json",
        metadata={"description": "json tells what would become of the list; csv is the list, corrected."},
    )


@blp.route("/campaigns/preview", methods=["POST"])
@requires(
    "operate",
    errors={
        400: "max_concurrent_calls is 0; it must be a whole number from 1 to 100.",
        409: "A dialer of an older release, which heeds no window, is still running.",
        413: "contacts has more than 10485760 bytes, the most a list may have.",
        415: "The content type is text/csv; it must be multipart/form-data or application/json.",
    },
)
@blp.arguments(PreviewQuery, location="query")
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": PreviewForm,
                "example": {**EXAMPLE_BODY, "contacts": "phone_number,first_name\n+14155550123,Ada\n"},
            },
            "application/json": {"schema": PreviewBody, "example": EXAMPLE_BODY},
        },
    },
)
@blp.response(200, PreviewSchema, example=EXAMPLE_PREVIEW)
@blp.doc(responses={200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": EXAMPLE_CSV}}}})
def preview_campaign(query: PreviewOptions) -> Response:
    """Look at a list before it is imported

    Takes what `POST /campaigns` takes, and tells what that would do; nothing is kept. `name`, `agent_id` and
    `phone_number_id` may be left out: without an agent no row is judged by its templates, without a number by no
    policy pack, and it is default_region alone that says of which country numbers without a + are. A list that would
    be refused is no error here: `refused` says why.

    With `?format=csv` the answer is the list as it can be imported: UTF-8, commas, numbers in E.164, without repeats,
    without rows whose number is on a do-not-call list and without those whose cells cannot be told apart; rows that
    only a person can put right are in it as they stand. A cell that a spreadsheet would run as a formula is preceded
    by an apostrophe, which an import takes off again.
    """
    caller = current_caller()
    with_file = query["format"] == "csv"
    with ExitStack() as opened, read_body(partial(checked_fields, PreviewFields), PreviewFields()) as body:
        file = opened.enter_context(TemporaryFile()) if with_file else None
        with refusals(), import_slot(caller.tenant_id), transaction(IMPORT_SECONDS):
            found = _preview(body, caller, file)
        # From here on it is closed with the answer.
        opened.pop_all()
    return json_answer(_told(found)) if file is None else _download(found, file)


def _preview(body: ListBody[CampaignValues], caller: Caller, corrected: BinaryIO | None) -> Preview:
    wanted = body.fields
    new = new_campaign(wanted, services(), caller)
    policy = policy_of(caller, wanted)
    window = window_of(caller, wanted, new.schedule, packs=policy.on)
    agent, caller_id = _references(wanted, caller)
    region = wanted["default_region"] or (None if caller_id is None else region_of(caller_id))
    asked = None if caller_id is None else policy.of_list(caller_id)
    rules, wants_file = allowed_numbers.of_tenant(caller.tenant_id), corrected is not None

    def read(campaign_id: uuid.UUID) -> Generator[CopyRows]:
        reading = Reading(
            region,
            agent.templates,
            campaign_id,
            asked,
            rules,
            new.repeats,
            examined=True,
            corrected=wants_file,
        )
        return body.read(reading)

    terms = Terms(window, policy, caller_id, agent.ring_seconds, new.repeats)
    number_hash = NumberHash(services().settings.secret_key or "")
    try:
        return preview.preview(caller.tenant_id, terms, read, number_hash, corrected)
    except policy_choice.PolicyRefusedError as error:
        raise conflict(str(error), "policy") from error


def _references(wanted: CampaignValues, caller: Caller) -> tuple[_Agent, str | None]:
    """The agent, and the number that calls, as far as they are named. Raises ApiError 400."""
    agent, number = _Agent(), None
    try:
        if wanted["agent_id"] is not None:
            agent_id = identifier(wanted["agent_id"])
            store.check_agent(caller.tenant_id, agent_id, wanted["agent_id"])
            (row,) = rows("SELECT ring_timeout_seconds FROM agent WHERE id = %s", agent_id)
            agent = _Agent(store.agent_templates(agent_id), row["ring_timeout_seconds"])
        if wanted["phone_number_id"] is not None:
            number_id = identifier(wanted["phone_number_id"])
            number = store.check_number(caller.tenant_id, number_id, wanted["phone_number_id"])
    except store.UnknownReferenceError as error:
        raise ApiError(400, str(error)) from error
    return agent, number


def _told(found: Preview) -> dict[str, object]:
    report, notes, counts = found.report, found.notes, found.counts
    refused = None if report.refused is None else {**report.refused, "guess": report.guess}
    shown = [{name: value for name, value in row.items() if name != "place"} for row in report.first_rows]
    return {
        "refused": refused,
        "rows": counts.rows,
        "accepted": counts.accepted,
        "duplicates": counts.duplicates,
        "invalid": counts.invalid,
        "suppressed": counts.suppressed,
        "recent": counts.recent,
        "cancelled": found.cancelled,
        "encoding": notes.encoding,
        "delimiter": notes.delimiter,
        "sheet": notes.sheet,
        "columns": [_column(column, report.uses) for column in notes.columns],
        "first_rows": shown,
        "codes": [
            {"code": code, "rows": seen["rows"], "remedy": REMEDIES[code], "examples": seen["examples"]}
            for code, seen in sorted(report.codes.items(), key=lambda one: (-one[1]["rows"], one[0]))
        ],
        "countries": [
            {"country": country or None, "contacts": contacts}
            for country, contacts in sorted(report.countries.items(), key=lambda one: (-one[1], one[0]))
        ],
        "zones": [{"zones": list(zones), "contacts": contacts} for zones, contacts in found.zones],
        "policy": found.policy,
        "repeats": report.repeats,
        "warnings": notes.warnings,
    }


def _column(column: ListColumn, uses: dict[str, str]) -> dict[str, object]:
    return {
        "header": column.header,
        "column": column.name,
        "variable": column.variable or None,
        "used_for": uses.get(column.name, "custom_field"),
    }


def _download(found: Preview, file: BinaryIO) -> Response:
    """The corrected list. Raises ApiError 400 of one that would be refused, and could not be corrected."""
    refused = found.report.refused
    if refused is not None and found.report.guess is None:
        file.close()
        raise list_refused(ListRefused(refused["code"], refused["reason"]))
    headers = {
        "Content-Disposition": f'attachment; filename="{FILE_NAME}"',
        "X-Content-Type-Options": "nosniff",
    }
    names = [column.name for column in found.notes.columns]
    response = Response(_lines(file, names), content_type="text/csv; charset=utf-8", headers=headers)
    response.call_on_close(file.close)
    return response


def _lines(file: BinaryIO, names: Sequence[str]) -> Iterator[str]:
    with file:
        file.seek(0)
        yield BOM + csv_row(*names)
        while lines := file.readlines(CHUNK):
            told = (orjson.loads(line)[1] for line in lines)
            yield "".join(csv_row(*(cells.get(name, "") for name in names)) for cells in told)
            let_others_run()
