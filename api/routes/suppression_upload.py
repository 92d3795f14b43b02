"""The upload of a whole do-not-call list. It is entered piece by piece, each in a transaction of its own: nobody
waits for it, and what was entered binds at once. Sent again, whatever came of the first time, it comes to the same.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import BinaryIO, TypedDict

import marshmallow as ma
import structlog
from flask import Response, request
from phonenumbers import SUPPORTED_REGIONS

from api import idempotency
from api.auth import current_caller, requires
from api.blueprint import refusal, typed
from api.errors import ApiError
from api.fair_turns import FairTurns
from api.resources import invalid
from api.routes.suppression_schemas import (
    EXAMPLE_IMPORT,
    ImportedSchema,
    ListValues,
    SuppressionFields,
    SuppressionForm,
)
from api.routes.suppressions import blp, check, common, promise
from api.transactions import transaction
from api.uploads import Form, read_form
from campaigns import suppressions
from campaigns.copy_rows import CopyRows
from campaigns.errors import ListRefused
from campaigns.list_frames import ListNotRead
from campaigns.list_process import ListForm, ListRequest, read_in_process
from campaigns.suppression_list import COLUMNS, LIMITS, read_entries
from campaigns.suppressions import NewEntry
from cooperative import let_others_run

__all__ = ["blp"]

FILE_FIELD = "entries"
ENCODING_FIELD = "encoding"
AT_ONCE = 1
QUEUE_SECONDS = 30.0
PIECE_SECONDS = 30.0
SHORT_BYTES = 64 * 1024
"""A list up to here is read in place: a process would take longer to start than it has to read."""
FEW = 10_000
"""Entries after which the planner is told how many there are now."""

log = structlog.get_logger(__name__)

# It keeps a processor busy for its reader, and another in the database, for as long as a minute.
_uploads = FairTurns(AT_ONCE)


class Imported(TypedDict):
    """What became of an upload."""

    rows: int
    added: int
    unchanged: int
    invalid: int
    faults: list[str]


@blp.route("/suppressions/import", methods=["POST"])
@requires(
    "operate",
    errors={
        400: "entries has no phone_number column, which is required",
        403: "The key's role is operate; all: true needs platform.",
        413: "entries has more than 52428800 bytes, the most a list may have.",
        415: "The content type is text/csv; it must be multipart/form-data.",
    },
    once=True,
)
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": SuppressionForm,
                "example": {"source": "register", "entries": "phone_number\n+14155550123\n+4930*\n"},
            }
        },
    }
)
@blp.response(200, ImportedSchema, example=EXAMPLE_IMPORT)
def import_suppressions() -> Response:
    """Upload suppressions

    A CSV file of up to 1,000,000 rows and 50 MB. What is entered binds at once, the rest follows; once answered, no
    call leaves any more to any of them. Rows that cannot be understood are counted and keep no other from being
    entered. The same file again changes nothing. While Redis is away the answer is 503, as of a single one.
    """
    caller = current_caller()
    if request.mimetype != "multipart/form-data":
        given = request.mimetype or "not given"
        raise ApiError(415, f"The content type is {given}; it must be multipart/form-data.")
    # Counted while it streams in; None would mean the application's own limit.
    request.max_content_length = sys.maxsize
    with closing(read_form(request, FILE_FIELD, LIMITS, let_others_run)) as form:
        fields, encoding = _fields(form)
        file = form.file
        if file is None:
            raise ApiError(400, f"{FILE_FIELD} is required.")
        new = common(caller, fields)
        asked = ListRequest(
            ListForm.SUPPRESSIONS, uuid.UUID(int=0), fields["default_region"], LIMITS, encoding
        )
        done: list[Imported] = []

        def before() -> None:
            with _turn(caller.tenant_id):
                with transaction(writes=False):
                    check(new, caller)
                done.append(_enter(asked, file, form.file_size, new))

        answer = idempotency.once(
            lambda: done[0],
            idempotency.body_hash([form.fields, form.file_hash]),
            status=200,
            before=before,
        )
    promise(new.scope, new.campaign_id)
    return answer.response()


def _pieces(asked: ListRequest, file: BinaryIO, size: int) -> Generator[CopyRows]:
    if size > SHORT_BYTES:
        return read_in_process(asked, file)
    file.seek(0)
    return read_entries(
        file,
        default_region=asked.region,
        limits=asked.limits,
        encoding=asked.encoding,
        let_others_run=let_others_run,
    )


def _enter(asked: ListRequest, file: BinaryIO, size: int, new: NewEntry) -> Imported:
    """Enter the list piece by piece. Raises ApiError: 400 where it cannot be read at all, 503 where its reader died;
    what was entered by then stands."""
    done: Imported = {"rows": 0, "added": 0, "unchanged": 0, "invalid": 0, "faults": []}
    told = 0
    try:
        with closing(_pieces(asked, file, size)) as pieces:
            for piece in pieces:
                if piece.contacts:
                    with transaction(PIECE_SECONDS):
                        added = suppressions.add_all(piece.contacts, COLUMNS, new)
                    done["added"] += added
                    done["unchanged"] += piece.counts.accepted - added
                done["rows"] += piece.counts.rows
                done["invalid"] += piece.counts.invalid
                if piece.notes is not None:
                    done["faults"] = piece.notes.warnings
                if done["added"] - told >= max(FEW, told):
                    told = done["added"]
                    _say_how_many()
    except ListRefused as error:
        end = "" if error.message.endswith((".", "?")) else "."
        message = error.message.replace("contacts", FILE_FIELD, 1)
        raise ApiError(400, message + end, code=error.code) from error
    except ListNotRead as error:
        log.error("list_not_read", exc_info=error)
        raise ApiError(503, "The list could not be read to its end.", headers={"Retry-After": "5"}) from error
    return done


def _say_how_many() -> None:
    with transaction(PIECE_SECONDS):
        suppressions.analyze()


@contextmanager
def _turn(tenant_id: str) -> Iterator[None]:
    with _uploads.turn(tenant_id, QUEUE_SECONDS) as has:
        if not has:
            raise ApiError(503, "Too many uploads at once.", headers={"Retry-After": "5"})
        yield


def _fields(form: Form) -> tuple[ListValues, str | None]:
    schema = SuppressionFields()
    given = {name: values for name, values in form.fields.items() if name != ENCODING_FIELD}
    encodings = form.fields.get(ENCODING_FIELD, [])
    if len(encodings) > 1:
        raise ApiError(400, f"{ENCODING_FIELD} is given {len(encodings)} times; it must be given once.")
    try:
        fields: ListValues = schema.load(typed(given.items(), schema))
    except ma.ValidationError as error:
        raise refusal(error, schema, (FILE_FIELD, ENCODING_FIELD)) from error
    region = fields["default_region"]
    if region is not None:
        fields["default_region"] = region.upper()
        if fields["default_region"] not in SUPPORTED_REGIONS:
            raise invalid("default_region", region, "it must be a country's two letters, such as GB")
    return fields, (encodings[0].strip() or None) if encodings else None
