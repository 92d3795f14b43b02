"""Reads a request with a list, be it a multipart form or JSON: its single fields, and its list when its turn comes.

A list of more than some hundred rows is read in a process of its own (`campaigns/list_process.py`): whoever asks this
one for something else waits only for the bytes that pass through it on their way to the database.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile
from typing import Generic, TypeVar

import marshmallow as ma
import structlog
from flask import request

from api import idempotency
from api.blueprint import refusal, typed
from api.errors import ApiError
from api.fair_turns import FairTurns
from api.json_body import Bytes, JsonRefused, UnknownKey, decode, split
from api.schemas import UNKNOWN, quoted
from api.uploads import CHUNK, MAX_FIELD_BYTES, Form, drain, read_form
from campaigns.columns import Limits
from campaigns.contact_rows import contact_rows
from campaigns.copy_rows import CopyRows
from campaigns.duplicates import ONCE, Repeats
from campaigns.encodings import is_workbook
from campaigns.errors import ListRefused, ListTooLarge
from campaigns.json_elements import elements
from campaigns.list_frames import ListNotRead
from campaigns.list_policies import ListPolicy
from campaigns.list_process import ListForm, ListRequest, read_in_process
from campaigns.number_rules import ANY_COUNTRY, NumberRules
from campaigns.row_templates import Template
from campaigns.spooling import Spooled, spool
from cooperative import let_others_run

FILE_FIELD = "contacts"
FILE_OPTIONS = ("encoding", "sheet")
"""Fields that say how the file is to be read."""
LIMITS = Limits()
IMPORT_SECONDS = 120.0
IMPORTS_AT_ONCE = 2
QUEUE_SECONDS = 30.0
SHORT_BYTES = 64 * 1024
"""A list up to here is read in place: a process would take longer to start than it has to read."""

log = structlog.get_logger(__name__)

V = TypeVar("V")

ReadContacts = Callable[["Reading"], Generator[CopyRows]]
"""Reads a list."""

# An import keeps a connection, and one processor for its reader, busy for seconds; more would starve the others.
_imports = FairTurns(IMPORTS_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a list is read for: the region of its numbers, its agent's templates, the campaign that it is for, what
    policy packs and the tenant's limits ask of each row, what becomes of repeats; as of ListRequest whether somebody
    only wants to know."""

    region: str | None
    templates: tuple[Template, ...]
    campaign_id: uuid.UUID
    policy: ListPolicy | None = None
    rules: NumberRules = ANY_COUNTRY
    repeats: Repeats = ONCE
    examined: bool = False
    corrected: bool = False

    def request(
        self, form: ListForm, encoding: str | None = None, sheet: str | None = None, *, added: bool = False
    ) -> ListRequest:
        """As it is asked of whoever reads it."""
        return ListRequest(
            form,
            self.campaign_id,
            self.region,
            LIMITS,
            encoding,
            self.templates,
            added,
            self.policy,
            self.examined,
            self.corrected,
            sheet,
            self.rules,
            self.repeats.allowed,
        )


@dataclass(frozen=True, slots=True)
class ListBody(Generic[V]):
    """A request with a list, read and valid in each field: `read` yields the list, `hash` stands for the whole.
    `objects` are its contacts as they stand there, where they are JSON."""

    fields: V
    read: ReadContacts
    hash: str
    objects: Callable[[], Iterator[object]] | None = None


class SpooledBody:
    """A JSON body in a file without a name, which its `data` shows: a request that waits for its turn to be imported
    holds no memory."""

    def __init__(self, spooled: Spooled) -> None:
        self._file, self.size, self.hash = spooled
        # Nothing can be mapped of an empty file.
        self.data: Bytes = b""
        if self.size:
            self.data = memoryview(mmap(self._file.fileno(), 0, access=ACCESS_READ))

    def close(self) -> None:
        """Let go of the file; the memory goes with the last view of it."""
        self._file.close()


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what reading a list raises into an ApiError: 400 for one that is refused, 503 where it was not read."""
    try:
        yield
    except ListRefused as error:
        raise list_refused(error) from error
    except ListNotRead as error:
        log.error("list_not_read", exc_info=error)
        raise ApiError(
            503,
            "The list could not be read to its end, and nothing is kept.",
            headers={"Retry-After": "5"},
        ) from error


def list_refused(error: ListRefused) -> ApiError:
    """The 400 of a list that is refused."""
    end = "" if error.message.endswith((".", "?")) else "."
    return ApiError(400, error.message + end, code=error.code)


@contextmanager
def import_slot(tenant_id: str) -> Iterator[None]:
    """One of the places for those who read a list. Raises ApiError 503 where none comes free."""
    with _imports.turn(tenant_id, QUEUE_SECONDS) as has:
        if not has:
            raise ApiError(503, "Too many imports at once.", headers={"Retry-After": "5"})
        yield


@contextmanager
def read_body(
    checked: Callable[[dict[str, object]], V], schema: ma.Schema, *, added: bool = False
) -> Iterator[ListBody[V]]:
    """The list of this request, a form or JSON, and its single fields, which `checked` loads; `schema` has them.
    `added`: the list is to be added to a campaign that there is. Raises ApiError: 400, 413, 415."""
    # Counted below while it streams in; None would mean the application's own limit.
    request.max_content_length = sys.maxsize
    if request.mimetype == "application/json":
        with closing(_spooled()) as body:
            yield _from_json(body, checked, schema)
    elif request.mimetype == "multipart/form-data":
        with closing(read_form(request, FILE_FIELD, LIMITS, let_others_run)) as form:
            yield _from_form(form, checked, schema, added=added)
    else:
        given = request.mimetype or "not given"
        raise ApiError(
            415, f"The content type is {given}; it must be multipart/form-data or application/json."
        )


def _from_form(
    form: Form, checked: Callable[[dict[str, object]], V], schema: ma.Schema, *, added: bool
) -> ListBody[V]:
    given = {name: values for name, values in form.fields.items() if name not in FILE_OPTIONS}
    fields = checked(typed(given.items(), schema))
    encoding, sheet = (_once(name, form.fields.get(name, [])) for name in FILE_OPTIONS)
    file = form.file
    if file is None:
        raise ApiError(400, f"{FILE_FIELD} is required.")

    def read(reading: Reading) -> Generator[CopyRows]:
        asked = reading.request(ListForm.CSV, encoding, sheet, added=added)
        # What a workbook unpacks to is no matter of its size.
        if is_workbook(file) or form.file_size > SHORT_BYTES:
            return read_in_process(asked, file)
        return contact_rows(asked, file, let_others_run)

    return ListBody(fields, read, idempotency.body_hash([form.fields, form.file_hash]))


def _from_json(
    body: SpooledBody, checked: Callable[[dict[str, object]], V], schema: ma.Schema
) -> ListBody[V]:
    """The fields are decoded and checked; the list is left as it is until its turn to be imported has come."""
    known = [name for name, field in schema.fields.items() if not field.dump_only]
    try:
        values = split(body.data, [*known, FILE_FIELD], let_others_run)
        contacts = values.pop(FILE_FIELD, b"null")
        fields = checked({name: _decoded(name, value) for name, value in values.items()})
        if contacts == b"null":
            raise ApiError(400, f"{FILE_FIELD} is required.")
        if bytes(contacts[:1]) != b"[":
            given = quoted(_decoded(FILE_FIELD, contacts))
            raise ApiError(400, f"{FILE_FIELD} is {given}; it must be a list of objects.")
    except UnknownKey as error:
        raise refusal(ma.ValidationError({error.name: [UNKNOWN]}), schema, (FILE_FIELD,)) from error
    except JsonRefused as error:
        raise ApiError(400, str(error), code="invalid_json") from error

    def here(reading: Reading) -> Generator[CopyRows]:
        return contact_rows(reading.request(ListForm.JSON), BytesIO(bytes(contacts)), let_others_run)

    def elsewhere(reading: Reading) -> Generator[CopyRows]:
        asked = reading.request(ListForm.JSON)
        with TemporaryFile() as file:
            for at in range(0, len(contacts), CHUNK):
                file.write(contacts[at : at + CHUNK])
                let_others_run()
            file.flush()
            yield from read_in_process(asked, file)

    read = here if body.size <= SHORT_BYTES else elsewhere
    return ListBody(fields, read, body.hash, lambda: elements(bytes(contacts)))


def _decoded(name: str, value: Bytes) -> object:
    """Raises JsonRefused, and ApiError 413 for what is longer than a field of a form may be."""
    if len(value) > MAX_FIELD_BYTES:
        raise ApiError(413, f"{name} has more than {MAX_FIELD_BYTES} bytes, the most a field may have.")
    return decode(value)


def _once(name: str, given: Sequence[str]) -> str | None:
    if len(given) > 1:
        raise ApiError(400, f"{name} is given {len(given)} times; it must be given once.")
    return given[0].strip() or None if given else None


def _spooled() -> SpooledBody:
    """Raises ApiError 413 past what a list may have."""
    try:
        return SpooledBody(spool(request.stream, LIMITS, CHUNK, let_others_run))
    except ListTooLarge as error:
        drain(request.stream, let_others_run)
        raise ApiError(
            413, f"The body has more than {LIMITS.max_bytes} bytes, the most it may have."
        ) from error
