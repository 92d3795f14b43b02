"""Suppressions: numbers that are not to be called, of a tenant or the platform, for all campaigns or one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from flask import Response

from api import idempotency, notify, times
from api.auth import Caller, current_caller, requires
from api.blueprint import Blueprint
from api.csv_out import csv_row
from api.errors import ApiError, not_found
from api.json_rows import json_answer
from api.paging import Page
from api.resources import id_or_404, invalid
from api.routes.suppression_schemas import (
    EXAMPLE,
    EXAMPLE_BODY,
    EXAMPLE_LIST,
    MOST_COUNTED,
    CommonValues,
    EntryFilters,
    EntryValues,
    ScopeQuery,
    ScopeValues,
    SuppressionBody,
    SuppressionList,
    SuppressionQuery,
    SuppressionSchema,
)
from api.schemas import identifier
from api.services import services
from api.transactions import transaction
from campaigns import single_calls, suppressions
from campaigns.errors import NumberRefused
from campaigns.number_hash import NumberHash
from campaigns.suppressed_prefix import PREFIX_MARK, PrefixRefusedError, prefix_of
from campaigns.suppression_match import EVERYBODY
from campaigns.suppressions import Entry, NewEntry
from coordination.topics import Topic
from models import rows

blp = Blueprint("suppressions", description="Who is not to be called")

WHAT = "Suppression"
NOT_FOUND = "Suppression not found"
ERASED = "The key's role is {role}; deleting what is left of an erased number needs admin."
EXPORT_PAGE = 1_000
EXPORTED = ("phone_number", "campaign_id", "source", "reason", "created_by", "created_at", "expires_at")

_CAMPAIGN = "SELECT 1 FROM campaign WHERE id = %s AND tenant_id = %s AND deleted_at IS NULL"


@blp.route("/suppressions")
@requires("read", errors={403: "The key's role is operate; all: true needs platform."})
@blp.arguments(SuppressionQuery, location="query")
@blp.response(200, SuppressionList, example=EXAMPLE_LIST)
def list_suppressions(query: EntryFilters) -> Response:
    """List suppressions

    The tenant's, oldest first unless another `order` is asked for; with `number` all that keep it from being called,
    the platform's included. `starting_after` reaches any place of a long list at once, an `offset` does not.
    """
    page, caller = Page.of(query), current_caller()
    scope, newest = scope_of(caller, all_tenants=query["all"]), query["order"] == "newest"
    after = None if page.after is None else identifier(page.after)
    with transaction(writes=False):
        if "number" in query:
            number = number_of("number", query["number"])
            found = suppressions.of_number(scope, number, number_hash())
            total: int | None = len(found)
            found = found[::-1] if newest else found
            if after is not None:
                found = [entry for entry in found if (entry.id < after if newest else entry.id > after)]
            found = found[page.offset : page.offset + page.limit]
        else:
            found = suppressions.page(scope, limit=page.limit, offset=page.offset, after=after, newest=newest)
            total = suppressions.total(scope, MOST_COUNTED)
    return json_answer(page.body("suppressions", [_told(entry, caller) for entry in found], total))


@blp.route("/suppressions", methods=["POST"])
@requires(
    "operate",
    errors={
        400: "exactly one of number and prefix must be given",
        403: "The key's role is operate; all: true needs platform.",
    },
    once=True,
)
@blp.arguments(SuppressionBody, example=EXAMPLE_BODY)
@blp.response(201, SuppressionSchema, example=EXAMPLE)
def create_suppression(body: EntryValues) -> Response:
    """Suppress a number

    Or all that begin with a prefix. Once answered, no call leaves to it any more; calls in progress go on. Its
    pending contacts become `cancelled` with the disposition `suppressed`. A number that is there already stays as it
    is, unless this lasts longer. While Redis is away the answer is 503 at once: the entry stands, and calls that were
    under way to it may leave for another 5 s.
    """
    caller = current_caller()
    new = replace(
        common(caller, body),
        number=None if body["number"] is None else number_of("number", body["number"]),
        prefix=None if body["prefix"] is None else _prefix("prefix", body["prefix"]),
    )

    def work() -> object:
        check(new, caller)
        entry = suppressions.get(suppressions.add(new), [new.scope])
        assert entry is not None
        return SuppressionSchema().dump(_told(entry, caller))

    answer = idempotency.once(work, idempotency.body_hash({**body, "expires_at": str(body["expires_at"])}))
    promise(new.scope, new.campaign_id, number=new.number, prefix=new.prefix)
    return answer.response()


@blp.route("/suppressions/export")
@requires("read", errors={403: "The key's role is operate; all: true needs platform."})
@blp.arguments(ScopeQuery, location="query")
@blp.response(
    200,
    {"type": "string"},
    content_type="text/csv",
    example=",".join(EXPORTED) + "\r\n'+14155550123,,phone,,crm,2026-01-31T09:00:00.000Z,\r\n",
)
def export_suppressions(query: ScopeValues) -> Response:
    """Download the suppressions

    A CSV that can be uploaded again. Numbers that were erased are not in it: nobody knows them.
    """
    scope = scope_of(current_caller(), all_tenants=query["all"])
    with transaction(writes=False):
        first = suppressions.page(scope, limit=EXPORT_PAGE)
    headers = {
        "Content-Disposition": 'attachment; filename="suppressions.csv"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(_lines(scope, first), content_type="text/csv; charset=utf-8", headers=headers)


@blp.route("/suppressions/<suppression_id>")
@requires("read", errors={404: NOT_FOUND})
@blp.response(200, SuppressionSchema, example=EXAMPLE)
def get_suppression(suppression_id: str) -> Mapping[str, object]:
    """Get a suppression

    One of the tenant's; those of the platform are for the role platform.
    """
    caller = current_caller()
    with transaction(writes=False):
        entry = suppressions.get(id_or_404(suppression_id, WHAT), _own(caller))
    if entry is None:
        raise not_found(WHAT)
    return _told(entry, caller)


@blp.route("/suppressions/<suppression_id>", methods=["DELETE"])
@requires("operate", errors={403: ERASED.format(role="operate"), 404: NOT_FOUND}, once=True)
@blp.response(204)
def delete_suppression(suppression_id: str) -> Response:
    """Delete a suppression

    The number may be called again where nothing else suppresses it; who was cancelled for it stays so. What is left
    of a number that was erased (`erased`) takes role admin, as its erasure did: once it is gone nobody knows whom it
    was to keep from being called.
    """
    caller = current_caller()
    scopes = _own(caller)

    def work() -> None:
        entry_id = id_or_404(suppression_id, WHAT)
        if not suppressions.delete(entry_id, scopes, erased=caller.may("admin")):
            if suppressions.get(entry_id, scopes) is not None:
                raise ApiError(403, ERASED.format(role=caller.role))
            raise not_found(WHAT)

    return idempotency.deleted(work)


def _own(caller: Caller) -> list[str]:
    """The scopes whose entries are the caller's to change."""
    return [caller.tenant_id, *([EVERYBODY] if caller.may("platform") else [])]


def promise(
    scope: str, campaign_id: uuid.UUID | None, *, number: str | None = None, prefix: str | None = None
) -> None:
    """Return once no call leaves any more to what was just suppressed. Raises ApiError 503 where nobody can be
    told."""
    concerned: list[uuid.UUID | None] = [campaign_id]
    if campaign_id is not None:
        # A dialer knows a test call by its own id alone.
        with transaction(writes=False):
            concerned += single_calls.open_tests(campaign_id)
    for one in concerned:
        said = {"campaign_id": None if one is None else str(one), "number": number, "prefix": prefix}
        payload = {"scope": scope, **{name: value for name, value in said.items() if value is not None}}
        if not notify.block_until_acknowledged(services(), Topic.SUPPRESS, payload):
            raise notify.nobody_told(services(), "The suppression stands", notify.FINISH)


def common(caller: Caller, body: CommonValues) -> NewEntry:
    """What an entry and those of a list have in common."""
    campaign_id = body["campaign_id"]
    found = None if campaign_id is None else identifier(campaign_id)
    if campaign_id is not None and found is None:
        raise _no_campaign(campaign_id)
    return NewEntry(
        scope=scope_of(caller, all_tenants=body["all"]),
        campaign_id=found,
        source=body["source"],
        reason=body["reason"],
        created_by=caller.key_name,
        expires_at=body["expires_at"],
    )


def check(new: NewEntry, caller: Caller) -> None:
    """Raise the 400 for an end that is over and for a campaign that is not the tenant's, within a transaction."""
    if new.expires_at is not None and new.expires_at <= times.utcnow():
        raise invalid("expires_at", times.to_rfc3339(new.expires_at), "it must not be in the past")
    if new.campaign_id is not None and not rows(_CAMPAIGN, new.campaign_id, caller.tenant_id):
        raise _no_campaign(str(new.campaign_id))


def scope_of(caller: Caller, *, all_tenants: bool) -> str:
    """Whose entries are asked for. Raises ApiError 403."""
    if not all_tenants:
        return caller.tenant_id
    if not caller.may("platform"):
        raise ApiError(403, f"The key's role is {caller.role}; all: true needs platform.")
    return EVERYBODY


def number_of(field: str, text: str) -> str:
    """A number that was given, in E.164. Raises ApiError 400."""
    try:
        return suppressions.number_of(text)
    except NumberRefused as error:
        rule = f"it must be a phone number with + and its country code: {error.reason}"
        raise invalid(field, text, rule) from error


def number_hash() -> NumberHash:
    """By which numbers are known that were erased."""
    return NumberHash(services().settings.secret_key or "")


def _prefix(field: str, text: str) -> str:
    try:
        return prefix_of(text)
    except PrefixRefusedError as error:
        raise invalid(field, text, "it must be + with a country code, up to 15 digits in all") from error


def _no_campaign(text: str) -> ApiError:
    return invalid("campaign_id", text, "it must be the id of a campaign of yours")


def _told(entry: Entry, caller: Caller) -> Mapping[str, object]:
    platforms = entry.scope == EVERYBODY
    hidden = platforms and not caller.may("platform")
    return {
        "id": entry.id,
        "number": entry.number,
        "prefix": entry.prefix,
        "campaign_id": entry.campaign_id,
        "source": "platform" if hidden else entry.source,
        "reason": None if hidden else entry.reason,
        "expires_at": entry.expires_at,
        "erased": entry.erased,
        "platform": platforms,
        "created_by": "platform" if hidden else entry.created_by,
        "created_at": entry.created_at,
    }


def _lines(scope: str, page: Sequence[Entry]) -> Iterator[str]:
    """The CSV, page by page. A database lost on the way ends the download short, as any broken connection does."""
    yield csv_row(*EXPORTED)
    while page:
        yield "".join(_line(entry) for entry in page if not entry.erased)
        with transaction(writes=False):
            page = suppressions.page(scope, limit=EXPORT_PAGE, after=page[-1].id)


def _line(entry: Entry) -> str:
    number = entry.number or f"{entry.prefix}{PREFIX_MARK}"
    ends = "" if entry.expires_at is None else times.to_rfc3339(entry.expires_at)
    campaign_id = "" if entry.campaign_id is None else str(entry.campaign_id)
    made = times.to_rfc3339(entry.created_at)
    return csv_row(number, campaign_id, entry.source, entry.reason or "", entry.created_by, made, ends)
