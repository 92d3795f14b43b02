"""Reads the two forms of a creating request, a multipart form or JSON, and stores the campaign they ask for.

A list of more than some hundred rows is read in a process of its own (`campaigns/list_process.py`): whoever asks this
one for something else waits only for the bytes that pass through it on their way to the database.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from tempfile import TemporaryFile

import marshmallow as ma
import structlog
from flask import request
from gevent.lock import BoundedSemaphore

from api import idempotency, times
from api.auth import Caller
from api.blueprint import refusal, typed
from api.errors import ApiError
from api.json_stream import decode_object
from api.routes.campaign_schemas import CampaignFields, CampaignValues
from api.schemas import identifier, quoted
from api.services import Services
from api.uploads import CHUNK, Form, drain, read_form
from campaigns import store
from campaigns.columns import Limits
from campaigns.copy_rows import CopyRows, copy_rows
from campaigns.errors import ListRefused
from campaigns.importer import read_list
from campaigns.json_contacts import read_objects
from campaigns.list_frames import ListNotRead
from campaigns.list_process import ListForm, ListRequest, read_in_process, write_objects
from campaigns.numbers import region_of
from cooperative import let_others_run

FILE_FIELD = "contacts"
LIMITS = Limits()
IMPORT_SECONDS = 120.0
IMPORTS_AT_ONCE = 2
QUEUE_SECONDS = 30.0
SHORT_BYTES = 64 * 1024
"""A list up to here is read in place: a process would take longer to start than it has to read."""

log = structlog.get_logger(__name__)

ReadContacts = Callable[[str | None, uuid.UUID], Generator[CopyRows]]
"""Reads a list, given the region of its numbers, for the campaign of this id."""

# An import keeps a connection, and one processor for its reader, busy for seconds; more would starve the others.
_imports = BoundedSemaphore(IMPORTS_AT_ONCE)


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A creating request, read and valid in each field: `read` yields its list, `hash` stands for the whole."""

    fields: CampaignValues
    read: ReadContacts
    hash: str


def create_from_request(
    services: Services, caller: Caller, to_json: Callable[[uuid.UUID], dict[str, object]]
) -> tuple[idempotency.Answer, uuid.UUID | None]:
    """Store what this request asks for; the answer, and the new campaign's id unless the answer is a replay.

    Raises ApiError: 400, 409, 413, 415.
    """
    created: list[uuid.UUID] = []
    # Counted below while it streams in; None would mean the application's own limit.
    request.max_content_length = sys.maxsize
    with _read_request() as wanted:
        new = _new_campaign(wanted.fields, services, caller)

        def work() -> dict[str, object]:
            # In here, so that a replay is not refused for a time that has come since.
            _check_schedule(new)
            caller_id = store.check_references(
                new, wanted.fields["agent_id"], wanted.fields["phone_number_id"]
            )
            created[:] = [store.create(new, partial(wanted.read, region_of(caller_id)))]
            return to_json(created[0])

        try:
            answer = idempotency.once(work, wanted.hash, seconds=IMPORT_SECONDS, gate=_import_slot)
        except store.UnknownReferenceError as error:
            raise ApiError(400, str(error)) from error
        except ListRefused as error:
            end = "" if error.message.endswith((".", "?")) else "."
            raise ApiError(400, error.message + end, code=error.code) from error
        except ListNotRead as error:
            log.error("list_not_read", exc_info=error)
            raise ApiError(
                503,
                "The list could not be read to its end, and nothing is kept.",
                headers={"Retry-After": "5"},
            ) from error
    return answer, None if answer.replayed else created[0]


@contextmanager
def _import_slot() -> Iterator[None]:
    if not _imports.acquire(timeout=QUEUE_SECONDS):
        raise ApiError(503, "Too many imports at once.", headers={"Retry-After": "5"})
    try:
        yield
    finally:
        _imports.release()


@contextmanager
def _read_request() -> Iterator[CreateRequest]:
    if request.mimetype == "application/json":
        body, size, body_hash = _json()
        contacts = body.pop(FILE_FIELD, None)
        fields = _validated(body)
        if contacts is None:
            raise ApiError(400, f"{FILE_FIELD} is required.")
        if not isinstance(contacts, list):
            raise ApiError(400, f"{FILE_FIELD} is {quoted(contacts)}; it must be a list of objects.")

        yield CreateRequest(fields, _objects_reader(contacts, short=size <= SHORT_BYTES), body_hash)
    elif request.mimetype == "multipart/form-data":
        with closing(read_form(request, FILE_FIELD, LIMITS, let_others_run)) as form:
            yield _from_form(form)
    else:
        given = request.mimetype or "not given"
        raise ApiError(
            415, f"The content type is {given}; it must be multipart/form-data or application/json."
        )


def _from_form(form: Form) -> CreateRequest:
    fields = _validated(typed(form.fields.items(), CampaignFields()))
    file = form.file
    if file is None:
        raise ApiError(400, f"{FILE_FIELD} is required.")

    def read(region: str | None, campaign_id: uuid.UUID) -> Generator[CopyRows]:
        file.seek(0)
        if form.file_size > SHORT_BYTES:
            return read_in_process(ListRequest(ListForm.CSV, campaign_id, region, LIMITS), file)
        batches = read_list(file, default_region=region, limits=LIMITS, let_others_run=let_others_run)
        return copy_rows(batches, campaign_id)

    return CreateRequest(fields, read, idempotency.body_hash([form.fields, form.file_hash]))


def _objects_reader(contacts: Sequence[object], *, short: bool) -> ReadContacts:
    def here(region: str | None, campaign_id: uuid.UUID) -> Generator[CopyRows]:
        batches = read_objects(contacts, default_region=region, limits=LIMITS, let_others_run=let_others_run)
        return copy_rows(batches, campaign_id)

    def elsewhere(region: str | None, campaign_id: uuid.UUID) -> Generator[CopyRows]:
        with TemporaryFile() as file:
            write_objects(contacts, file, let_others_run)
            yield from read_in_process(ListRequest(ListForm.OBJECTS, campaign_id, region, LIMITS), file)

    return here if short else elsewhere


def _json() -> tuple[dict[str, object], int, str]:
    """The JSON body, its size and the hash of its bytes."""
    data, digest = bytearray(), sha256()
    while block := request.stream.read(CHUNK):
        data += block
        digest.update(block)
        if len(data) > LIMITS.max_bytes:
            drain(request.stream, let_others_run)
            raise ApiError(413, f"The body has more than {LIMITS.max_bytes} bytes, the most it may have.")
        let_others_run()
    try:
        return decode_object(data.decode(), let_others_run), len(data), digest.hexdigest()
    except ValueError as error:
        raise ApiError(400, "The body is not a JSON object.", code="invalid_json") from error


def _validated(data: dict[str, object]) -> CampaignValues:
    schema = CampaignFields()
    try:
        fields: CampaignValues = schema.load(data)
    except ma.ValidationError as error:
        raise refusal(error, schema, (FILE_FIELD,)) from error
    return fields


def _check_schedule(new: store.NewCampaign) -> None:
    if new.scheduled_at is not None and new.scheduled_at < times.utcnow():
        raise ApiError(
            400, f"scheduled_at is {times.to_rfc3339(new.scheduled_at)}; it must not be in the past."
        )


def _new_campaign(fields: CampaignValues, services: Services, caller: Caller) -> store.NewCampaign:
    most = services.settings.max_concurrent_calls_max
    calls = fields["max_concurrent_calls"]
    if not 1 <= calls <= most:
        raise ApiError(400, f"max_concurrent_calls is {calls}; it must be a whole number from 1 to {most}.")
    return store.NewCampaign(
        tenant_id=caller.tenant_id,
        name=fields["name"],
        agent_id=identifier(fields["agent_id"]),
        phone_number_id=identifier(fields["phone_number_id"]),
        max_concurrent_calls=calls,
        retries_per_contact=fields["retries_per_contact"],
        retry_delay_seconds=fields["retry_delay_seconds"],
        scheduled_at=fields["scheduled_at"],
        created_by=caller.key_name,
        weight=fields["weight"],
        slow_start=fields["slow_start"],
    )
