"""Adding contacts to a campaign that there is, while it is prepared, runs or is paused."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from functools import partial

import marshmallow as ma
from flask import Response
from marshmallow import fields

from api import idempotency, notify, schemas
from api.auth import current_caller, requires
from api.blueprint import PREFIX, Blueprint, refusal
from api.errors import conflict, not_found
from api.resources import id_or_404
from api.retrying import when_free
from api.routes.campaigns import NOT_FOUND
from api.routes.list_body import (
    FILE_OPTIONS,
    IMPORT_SECONDS,
    LIMITS,
    ListBody,
    Reading,
    import_slot,
    read_body,
    refusals,
)
from api.services import services
from campaigns import additions, campaign_log, store
from campaigns.addition_rows import Added
from campaigns.additions import AddedRow, Target
from campaigns.column_names import PHONE_COLUMN
from campaigns.contact_options import LONGEST_TOKEN, MOST_PRIORITY
from campaigns.errors import ListRefused
from campaigns.import_notes import ImportNotes
from campaigns.import_rows import AcceptedRow, RejectedRow
from campaigns.json_contacts import read_objects
from campaigns.lifecycle_errors import CampaignNotFoundError, SingleCallError
from campaigns.metadata import checked
from campaigns.number_hash import NumberHash
from campaigns.store import RejectRow
from campaigns.suppressed_rows import ErasedNumbers
from cooperative import let_others_run
from coordination.topics import Topic

blp = Blueprint("contacts", description="Who is called")

MOST_OBJECTS = 1_000
NEVER_OPEN = "never_open"
FIRST_REJECTS = 20
"""So many rows of a file that were not accepted are told with the answer; the others stand behind `rejects_url`."""
REJECTED = (Added.TOKEN_REUSED, Added.SUPPRESSED, Added.RECENT)
RESULTS = {
    Added.ADDED: "It is a contact of the campaign from now on.",
    Added.CANCELLED: f"It is one, and cancelled: it could never be called (code `{NEVER_OPEN}`; reason says why).",
    Added.REPEATED: "Its client_token was sent before with this number: the contact that it made then.",
    Added.DUPLICATE: "Its number is in the campaign, or earlier in this list, already.",
    "rejected": "It cannot be called: code and reason say why.",
}
EXAMPLE_CONTACT = {
    "phone_number": "+14155550123",
    "first_name": "Ada",
    "client_token": "lead-4711",
    "expires_at": "2027-03-28T17:00:00Z",
    "priority": 10,
    "metadata": {"owner": "sales"},
}
EXAMPLE: dict[str, object] = {
    "added": 1,
    "repeated": 0,
    "duplicates": 0,
    "invalid": 0,
    "warnings": [],
    "rejects_url": None,
    "results": [
        {
            "line": 1,
            "result": "added",
            "contact_id": "019ab0c4-7d2f-7c00-8d00-00000000a001",
            "phone_number": "+14155550123",
            "client_token": "lead-4711",
            "code": None,
            "reason": None,
        }
    ],
}


class AdditionFields(schemas.Schema):
    """The single fields of a list that is added: none."""


class AdditionBody(schemas.Schema):
    """Contacts to add."""

    contacts = schemas.Items(
        fields.Raw(
            metadata={
                "type": "object",
                "description": "A phone_number, and, of its own choice: phone_number_2 to phone_number_5, "
                f"client_token (up to {LONGEST_TOKEN} characters, unique in the campaign for 7 days), expires_at "
                f"(RFC 3339 with an offset), priority (0 to {MOST_PRIORITY}), metadata (as of a campaign); other "
                "keys become custom_fields.",
            }
        ),
        required=True,
        metadata={"description": f"At most {MOST_OBJECTS}.", "maxItems": MOST_OBJECTS},
    )


class AdditionForm(schemas.Schema):
    """Contacts to add, as a CSV file or XLSX workbook. For the documentation: a form is read as it streams in."""

    contacts = fields.Raw(
        required=True,
        metadata={
            "type": "string",
            "format": "binary",
            "description": "As the list of a new campaign; its columns client_token, expires_at and priority say of "
            "a contact what these keys do in JSON.",
        },
    )
    encoding = schemas.Text(
        1, 40, metadata={"description": "As of a new campaign.", "example": "windows-1251"}
    )
    sheet = schemas.Text(1, 31, metadata={"description": "As of a new campaign.", "example": "Leads"})


class AddedRowSchema(schemas.Schema):
    """What became of one contact."""

    line = schemas.Integer(required=True, metadata={"description": "Its place in the request, from 1."})
    result = schemas.Word(RESULTS, "", required=True)
    contact_id = schemas.Id(required=True, allow_none=True)
    phone_number = schemas.Text(required=True, allow_none=True, metadata={"description": "E.164"})
    client_token = schemas.Text(required=True, allow_none=True)
    code = schemas.Text(required=True, allow_none=True, metadata={"description": "Stable; for programs."})
    reason = schemas.Text(required=True, allow_none=True)


class AdditionSchema(schemas.Schema):
    """What became of contacts that were to be added."""

    added = schemas.Integer(
        required=True,
        metadata={
            "description": "How many contacts there are more, those that are cancelled at once included."
        },
    )
    repeated = schemas.Integer(required=True)
    duplicates = schemas.Integer(required=True)
    invalid = schemas.Integer(required=True)
    warnings = schemas.Items(
        fields.String(),
        required=True,
        metadata={
            "description": "As of an import; also who is cancelled, since the window never opens for him."
        },
    )
    rejects_url = schemas.Text(
        required=True, allow_none=True, metadata={"description": "Of a CSV: its rows that were not accepted."}
    )
    results = schemas.Items(
        schemas.Nested(AddedRowSchema),
        required=True,
        metadata={
            "description": f"Of JSON: what became of each, in its order. Of a CSV: about the first {FIRST_REJECTS} "
            "that were not accepted."
        },
    )


@blp.route("/campaigns/<campaign_id>/contacts", methods=["POST"])
@requires(
    "operate",
    errors={
        404: NOT_FOUND,
        409: "Campaign is completed; no contacts can be added.",
        413: "contacts has more than 10485760 bytes, the most a list may have.",
        415: "The content type is text/csv; it must be multipart/form-data or application/json.",
    },
    once=True,
)
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            "application/json": {"schema": AdditionBody, "example": {"contacts": [EXAMPLE_CONTACT]}},
            "multipart/form-data": {
                "schema": AdditionForm,
                "example": {"contacts": "phone_number,first_name,client_token\n+14155550123,Ada,lead-4711\n"},
            },
        },
    },
)
@blp.response(201, AdditionSchema, example=EXAMPLE)
def add_contacts(campaign_id: str) -> Response:
    """Add contacts to a campaign

    To one that has not ended; where it runs they are called as soon as their turn comes. Rows that cannot be
    called are told, and the others added. A contact whose client_token was sent before is answered as it is,
    whatever became of the campaign: what is sent again after a lost answer calls nobody twice. One whose
    expires_at has come is not called any more: cancelled, disposition expired. Of those that wait for their
    first call the highest priority is called first. Who is on a do-not-call list is rejected (code suppressed)
    and counted as invalid, and so is, where the campaign's duplicates is recent, who was called lately (code
    recently_called). Whose time zones the window never opens in is added and cancelled, and told so. To keep a
    campaign from ending between two of these requests, create it with keep_open.
    """
    found_id = id_or_404(campaign_id, "Campaign")
    caller = current_caller()
    with read_body(_none, AdditionFields(), added=True) as body:

        def work() -> object:
            target = additions.target(found_id, caller.tenant_id)
            told = _objects(body, target) if body.objects else _list(body, target)
            if told["added"]:
                campaign_log.note(found_id, "contacts_added", caller.key_name, {"added": told["added"]})
            return told

        # Reading a list takes long enough that others would wait; a few objects do not.
        once = idempotency.once
        if body.objects is None:
            once = partial(once, seconds=IMPORT_SECONDS, gate=partial(import_slot, caller.tenant_id))
        with refusals():
            try:
                answer = when_free(partial(once, work, body.hash), additions.BusyError)
            except CampaignNotFoundError as error:
                raise not_found("Campaign") from error
            except (SingleCallError, additions.NotOpenError) as error:
                raise conflict(str(error)) from error
    if not answer.replayed:
        notify.dialers(services(), Topic.WAKE, {"campaign_id": str(found_id)})
    return answer.response()


def _none(data: dict[str, object]) -> None:
    """There are no single fields. Raises ApiError 400 for any."""
    schema = AdditionFields()
    try:
        schema.load(data)
    except ma.ValidationError as error:
        raise refusal(error, schema, ("contacts", *FILE_OPTIONS)) from error


def _list(body: ListBody[None], target: Target) -> dict[str, object]:
    addition = additions.add_list(
        target.campaign_id,
        body.read(
            Reading(
                target.region,
                target.templates,
                target.campaign_id,
                target.policy,
                target.rules,
                target.repeats,
            )
        ),
        _erased_numbers(),
        target.repeats,
    )
    told, number = addition.counts, addition.number
    first = store.rejects(target.campaign_id, 0, FIRST_REJECTS, number)
    return {
        "added": addition.new,
        "repeated": told.get(Added.REPEATED, 0),
        "duplicates": told.get(Added.DUPLICATE, 0),
        "invalid": addition.invalid + sum(told.get(result, 0) for result in REJECTED),
        "warnings": addition.warnings,
        "rejects_url": f"{PREFIX}/campaigns/{target.campaign_id}/rejects?addition={number}",
        "results": [_refused(row) for row in first],
    }


def _objects(body: ListBody[None], target: Target) -> dict[str, object]:
    assert body.objects is not None
    # Before anything is read: where it is tried again, nothing was read in vain.
    additions.take_turn(target.campaign_id)
    notes, metadata = ImportNotes(), dict[int, dict[str, str]]()
    accepted: list[AcceptedRow] = []
    rejected: list[RejectedRow] = []
    for batch in read_objects(
        _without_metadata(_few(body.objects()), metadata),
        default_region=target.region,
        limits=LIMITS,
        templates=target.templates,
        notes=notes,
        options=True,
        policy=target.policy,
        rules=target.rules,
        repeats=target.repeats.allowed,
        let_others_run=let_others_run,
    ):
        accepted += batch.accepted
        rejected += batch.rejected
    added = additions.add_rows(
        target.campaign_id,
        accepted,
        notes.custom,
        _erased_numbers(),
        metadata,
        repeats=target.repeats,
        warn=notes.warn,
    )
    found = {row.line: row for row in added}
    told = [_told(row, found[row.line]) for row in accepted] + [_refused(row) for row in rejected]
    results = sorted(told, key=lambda one: int(str(one["line"])))
    count = {word: sum(one["result"] == word for one in results) for word in RESULTS}
    return {
        "added": count[Added.ADDED] + count[Added.CANCELLED],
        "repeated": count[Added.REPEATED],
        "duplicates": count[Added.DUPLICATE],
        "invalid": count["rejected"],
        "warnings": notes.warnings,
        "rejects_url": None,
        "results": results,
    }


def _erased_numbers() -> ErasedNumbers:
    return ErasedNumbers(current_caller().tenant_id, NumberHash(services().settings.secret_key or ""))


def _few(objects: Iterator[object]) -> Iterator[object]:
    yield from itertools.islice(objects, MOST_OBJECTS)
    if next(objects, None) is not None:
        raise ListRefused(
            "too_many_rows",
            f"contacts has more than {MOST_OBJECTS} objects; add them by several requests, or as CSV",
        )


def _without_metadata(objects: Iterator[object], metadata: dict[int, dict[str, str]]) -> Iterator[object]:
    """The objects without their metadata, which are put down by line."""
    for line, contact in enumerate(objects, 1):
        if not isinstance(contact, dict) or "metadata" not in contact:
            yield contact
            continue
        try:
            metadata[line] = checked(contact["metadata"])
        except ValueError as error:
            given = schemas.quoted(contact["metadata"])
            raise ListRefused("bad_metadata", f"contacts[{line - 1}].metadata is {given}; {error}") from error
        yield {name: value for name, value in contact.items() if name != "metadata"}


def _told(row: AcceptedRow, found: AddedRow) -> dict[str, object]:
    if found.result is Added.TOKEN_REUSED:
        reason = f"client_token is {row.options.client_token!r}; it stands for another number already"
        refused = RejectedRow(row.line, "", Added.TOKEN_REUSED, reason, "client_token")
        return _refused(refused, row.phone_number, row.options.client_token)
    if found.result is Added.SUPPRESSED:
        # The answer is kept, for whoever sends the request again.
        number = None if found.erased else row.phone_number
        reason = "phone_number is on a do-not-call list"
        refused = RejectedRow(row.line, "", Added.SUPPRESSED, reason, PHONE_COLUMN)
        return _refused(refused, number, row.options.client_token)
    if found.result is Added.RECENT:
        reason = "the number was called within the campaign's duplicates_hours"
        refused = RejectedRow(row.line, "", Added.RECENT, reason, PHONE_COLUMN)
        return _refused(refused, row.phone_number, row.options.client_token)
    return {
        "line": row.line,
        "result": found.result,
        "contact_id": _text(found.contact_id),
        "phone_number": row.phone_number,
        "client_token": row.options.client_token,
        "code": None if found.never is None else NEVER_OPEN,
        "reason": found.never,
    }


def _refused(
    row: RejectedRow | RejectRow, number: str | None = None, token: str | None = None
) -> dict[str, object]:
    return {
        "line": row.line,
        "result": Added.DUPLICATE if row.code == "duplicate" else "rejected",
        "contact_id": None,
        "phone_number": number,
        "client_token": token,
        "code": row.code,
        "reason": row.reason,
    }


def _text(contact_id: uuid.UUID | None) -> str | None:
    return None if contact_id is None else str(contact_id)
